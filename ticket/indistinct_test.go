package ticket_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

func decodeCursor(cursor string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	return string(raw), err
}

// TestForwardedLooksConfirmed handles a request twice, once by the reseller alone, and once with a provider. The client gets the same
// views, events and lists.
func TestForwardedLooksConfirmed(t *testing.T) {
	t.Parallel()
	type result struct {
		Views  []ticket.View
		Kinds  []notify.Kind
		Told   []ticket.Notice
		Counts []int
		IDs    []uuid.Version // the versions of the IDs of comments
	}
	play := func(t *testing.T, provider bool) result {
		d, ctx := newFixture(t), t.Context()
		id := d.opened(t, d.server(provider), ticket.Other)
		var got result
		look := func() {
			v, err := d.View(ctx, d.client, id)
			require.NoError(t, err)
			v.ID, v.ServerID, v.Ref, v.ServerName = uuid.Nil, uuid.Nil, "", ""
			for i := range v.Thread {
				got.IDs = append(got.IDs, v.Thread[i].ID.Version())
				v.Thread[i].ID, v.Thread[i].By = uuid.Nil, dedicated.Actor{Role: v.Thread[i].By.Role}
			}
			got.Views = append(got.Views, v)
			for _, q := range []ticket.Query{
				{States: []ticket.Status{ticket.Confirmed}}, {States: []ticket.Status{ticket.Forwarded}},
				{WaitingOn: dedicated.Reseller}, {WaitingOn: dedicated.Client}, {Text: "upstream"},
				{WaitingOn: dedicated.Reseller, States: []ticket.Status{ticket.Confirmed, ticket.Forwarded, ticket.Done}},
			} {
				items, _, err := d.Views(ctx, d.client, q)
				require.NoError(t, err)
				got.Counts = append(got.Counts, len(items))
			}
		}
		look()
		if provider {
			require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, say("secret"))))
			look()
			require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, d.get(t, id).Upstream.Ref, say("secret"))))
			look()
			require.NoError(t, errorOf(d.Relay(ctx, d.reseller, id, say("an hour more"))))
			look()
			require.NoError(t, errorOf(d.Confirm(ctx, d.reseller, id, say("nearly there"))))
		} else {
			require.NoError(t, errorOf(d.Confirm(ctx, d.reseller, id, say(ticket.DefaultWorking))))
			look()
			look()
			require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("an hour more"))))
			look()
			require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("nearly there"))))
		}
		look()
		require.NoError(t, errorOf(d.Complete(ctx, d.reseller, id, say("up"))))
		look()
		d.clock.Add(30 * 24 * time.Hour)
		_, err := d.Tick(ctx)
		require.NoError(t, err)
		look()
		_, events := d.events(t)
		for _, e := range events {
			if e.Kind != ticket.KindForwarded && e.Kind != ticket.KindProviderReplied {
				var n ticket.Notice
				require.NoError(t, json.Unmarshal(e.Data, &n))
				n.TicketID, n.ServerID, n.Ref, n.ServerName = uuid.Nil, uuid.Nil, "", ""
				got.Kinds, got.Told = append(got.Kinds, e.Kind), append(got.Told, n)
			}
		}
		return got
	}
	assert.Equal(t, play(t, false), play(t, true))
}

// TestErrorsHideForwarded: the errors for a client name the statuses that a client sees.
func TestErrorsHideForwarded(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	id := d.opened(t, d.rented, ticket.Other)
	d.bring(t, id, ticket.Forwarded)
	e := refusal(t, errorOf(d.Reopen(t.Context(), d.client, id, ticket.Note{})))
	assert.Equal(t, ticket.Confirmed, e.Status)
	assert.Contains(t, e.Error(), "is confirmed")
	d.bring(t, id, ticket.Closed)
	e = refusal(t, errorOf(d.Close(t.Context(), d.client, id, ticket.Note{})))
	assert.Equal(t, []ticket.Status{ticket.Open, ticket.NeedsDetails, ticket.Confirmed, ticket.Done, ticket.Rejected}, e.Want)
	assert.NotContains(t, e.Error(), ticket.Forwarded)
}
