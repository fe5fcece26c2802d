package ticket_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// providerRequests returns the requests that were sent to providers since the last call.
func (d *fixture) providerRequests(t *testing.T) (sent []ticket.ProviderRequest) {
	t.Helper()
	_, events := d.events(t)
	for _, e := range events {
		if e.Kind == ticket.KindForwarded {
			var request ticket.ProviderRequest
			require.NoError(t, json.Unmarshal(e.Data, &request))
			assert.Equal(t, uuid.Nil, e.ClientID)
			sent = append(sent, request)
		}
	}
	return sent
}

func TestForward(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.CancelAtProvider)
	draft, err := d.Draft(ctx, d.reseller, id, "as of today")
	require.NoError(t, err)
	assert.Equal(t, "Server: db-01\nYour reference: srv-42\nRequest: Cancellation of the server\n\nas of today", draft)
	assert.Nil(t, d.get(t, id).Upstream, "nothing is stored")
	files := []ticket.Attachment{{Name: "order.pdf", Key: "f/1", Bytes: 5}}
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{Text: "as of today", Attachments: files})))
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{})))
	u := d.get(t, id).Upstream
	assert.Regexp(t, `^U-[2-9A-HJKMNP-TV-Z]{16}$`, u.Ref)
	require.Len(t, u.Thread, 2)
	assert.Equal(t, draft, u.Thread[0].Text)
	assert.True(t, u.Thread[0].Internal)
	sent := d.providerRequests(t)
	require.Len(t, sent, 2)
	assert.Equal(t, ticket.ProviderRequest{
		Provider: "Upstream Ltd", Ref: u.Ref, Reference: "srv-42", ServerName: "db-01", Kind: "Cancellation of the server",
		Text: draft, Attachments: files,
	}, sent[0])
	v, err := d.View(ctx, d.client, id)
	require.NoError(t, err)
	assert.Equal(t, ticket.Confirmed, v.Status)
	assert.Len(t, v.Thread, 2, "confirmed once")
}

// TestForwardText: the text follows Config.ForwardText, and the thread keeps its first names.
func TestForwardText(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) {
		c.ForwardText = "{{.provider}}, {{.reference}} is {{.server_name}}: {{.kind}} ({{.ref}})\n{{.text}}"
		c.Working = "Wir kümmern uns."
	})
	id := d.opened(t, d.rented, ticket.Reboot)
	require.NoError(t, errorOf(d.Forward(t.Context(), d.reseller, id, say("<now>"))))
	got := d.get(t, id)
	assert.Equal(t, "Upstream Ltd, srv-42 is db-01: Reboot ("+got.Upstream.Ref+")\n<now>", got.Upstream.Thread[0].Text)
	assert.Equal(t, "Wir kümmern uns.", got.Thread[1].Text)
	s := d.servers[d.rented]
	s.Name, s.Owner.Reference = "renamed", "other"
	d.servers[d.rented] = s
	require.NoError(t, errorOf(d.Forward(t.Context(), d.reseller, id, say("again"))))
	assert.Contains(t, d.get(t, id).Upstream.Thread[1].Text, "srv-42 is db-01", "the thread keeps its first names")
}

// TestForwardBlankTexts: blank texts in the Config stand for the defaults.
func TestForwardBlankTexts(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) { c.Working, c.ForwardText = " \n", " \n" })
	id := d.opened(t, d.rented, ticket.Other)
	require.NoError(t, errorOf(d.Forward(t.Context(), d.reseller, id, say("press it"))))
	assert.Contains(t, d.get(t, id).Upstream.Thread[0].Text, "press it")
	v, err := d.View(t.Context(), d.client, id)
	require.NoError(t, err)
	require.Len(t, v.Thread, 2)
	assert.Equal(t, ticket.DefaultWorking, v.Thread[1].Text)
}

// TestReplies: a provider's answer goes to the ticket that has the reference, in any status, and for its reseller alone. Other tickets may
// quote the reference.
func TestReplies(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{})))
	ref := d.get(t, id).Upstream.Ref
	for range 3 { // newer tickets quote it
		other := d.opened(t, d.rented, ticket.Other)
		require.NoError(t, errorOf(d.Comment(ctx, d.reseller, other, ticket.Note{Text: "see " + ref, Internal: true})))
		require.NoError(t, errorOf(d.Forward(ctx, d.reseller, other, say("like "+ref))))
	}
	for _, quoted := range []string{ref, " " + ref + "\n", "[" + ref + "]", "u" + ref[1:]} {
		require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, quoted, say("done"))))
	}
	assert.Len(t, d.get(t, id).Upstream.Thread, 5)
	require.NoError(t, errorOf(d.Close(ctx, d.reseller, id, ticket.Note{})))
	require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, ref, say("late"))), "an answer to a closed ticket is kept")
	got := d.get(t, id)
	assert.Equal(t, ticket.Closed, got.Status)
	assert.Len(t, got.Upstream.Thread, 6)
	assert.Equal(t, dedicated.Role(0), got.Upstream.Thread[5].By.Role)

	stranger := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	require.ErrorIs(t, errorOf(d.ProviderReplied(ctx, stranger, ref, say("mine"))), ticket.ErrNotFound)
	for _, quoted := range []string{"", "U-", ref[:10], ref + "2", "T-222222", "u-0000000000000000", "%", got.Ref} {
		require.ErrorIs(t, errorOf(d.ProviderReplied(ctx, d.reseller, quoted, say("x"))), ticket.ErrNotFound, quoted)
	}
	require.ErrorIs(t, errorOf(d.ProviderReplied(ctx, d.reseller, ref, say(" "))), ticket.ErrInvalid)
}

func TestRelay(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	err := errorOf(d.Relay(ctx, d.reseller, id, say("they say")))
	require.ErrorIs(t, err, ticket.ErrConflict, "never forwarded")
	assert.Equal(t, say("they say"), refusal(t, err).Note)
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{})))
	assert.Equal(t, dedicated.Role(0), d.get(t, id).WaitingOn())
	require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, d.get(t, id).Upstream.Ref, say("in an hour, kind regards, Upstream Ltd"))))
	assert.Equal(t, dedicated.Reseller, d.get(t, id).WaitingOn())
	require.ErrorIs(t, errorOf(d.Relay(ctx, d.reseller, id, ticket.Note{})), ticket.ErrInvalid, "the provider's own words are not passed on")
	require.NoError(t, errorOf(d.Relay(ctx, d.reseller, id, say("in an hour"))))
	v, err := d.View(ctx, d.client, id)
	require.NoError(t, err)
	assert.Equal(t, "in an hour", v.Thread[len(v.Thread)-1].Text)
	assert.Equal(t, ticket.Confirmed, v.Status)
}
