package ticket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// moveTo moves the rented server to another owner.
func (d *fixture) moveTo(owner dedicated.Owner) {
	s := d.servers[d.rented]
	s.Owner = owner
	d.servers[d.rented] = s
}

// TestForwardAfterAMove: the server moves to another provider. The next request goes there, in a thread of its own. The former
// provider's answers still arrive in the old thread.
func TestForwardAfterAMove(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	d.moveTo(dedicated.Owner{Provider: "Alpha", Reference: "a-1"})
	id := d.opened(t, d.rented, ticket.Other)
	first := ticket.Note{ID: uuid.New(), Text: "press it"}
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, first)))
	alpha := *d.get(t, id).Upstream
	d.moveTo(dedicated.Owner{Provider: "Beta", Reference: "b-2"})
	draft, err := d.Draft(ctx, d.reseller, id, "press yours")
	require.NoError(t, err)
	assert.Equal(t, "Server: db-01\nYour reference: b-2\nRequest: Other request\n\npress yours", draft)
	assert.Equal(t, "Alpha", d.get(t, id).Upstream.Provider, "a draft stores nothing")
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, say("press yours"))))
	got := d.get(t, id)
	assert.Equal(t, "Beta", got.Upstream.Provider)
	assert.Equal(t, "b-2", got.Upstream.Reference)
	assert.NotEqual(t, alpha.Ref, got.Upstream.Ref)
	require.Len(t, got.Upstream.Thread, 1)
	assert.Equal(t, draft, got.Upstream.Thread[0].Text)
	assert.Equal(t, []ticket.Upstream{alpha}, got.Former, "it stays readable")
	sent := d.providerRequests(t)
	require.Len(t, sent, 2)
	assert.Equal(t, []string{"Alpha", "Beta"}, []string{sent[0].Provider, sent[1].Provider})
	assert.NotContains(t, fmt.Sprint(sent[1]), "a-1", "Beta learns nothing of Alpha")
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, first)), "a repeat changes nothing")
	assert.Equal(t, got, d.get(t, id))

	require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, "["+alpha.Ref+"]", say("pressed"))))
	got = d.get(t, id)
	require.Len(t, got.Former[0].Thread, 2)
	assert.Equal(t, "pressed", got.Former[0].Thread[1].Text)
	assert.Len(t, got.Upstream.Thread, 1)
	assert.Equal(t, dedicated.Role(0), got.WaitingOn(), "Beta is waited for")
	require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, got.Upstream.Ref, say("done"))))
	assert.Equal(t, dedicated.Reseller, d.get(t, id).WaitingOn())
	var told []string
	_, events := d.events(t)
	for _, e := range events {
		if e.Kind == ticket.KindProviderReplied {
			var r ticket.Report
			require.NoError(t, json.Unmarshal(e.Data, &r))
			told = append(told, fmt.Sprint(r.Provider, " former ", r.Former, " ", r.Text))
		}
	}
	assert.Equal(t, []string{"Alpha former true pressed", "Beta former false done"}, told)
	for _, text := range []string{"alpha", alpha.Ref, "a-1", "pressed", "beta"} {
		assert.Len(t, d.byUrgency(t, ticket.Query{Text: text}), 1, text)
		views, _, err := d.Views(ctx, d.client, ticket.Query{Text: text})
		require.NoError(t, err)
		assert.Empty(t, views, text)
	}
}

// TestMailOfAFormerProvider: the mail says that the answer is of a former provider.
func TestMailOfAFormerProvider(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{})))
	ref := d.get(t, id).Upstream.Ref
	catalog, err := notify.NewCatalog(ticket.Kinds())
	require.NoError(t, err)
	reply := func() (mail notify.Message) {
		d.events(t)
		require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, ref, say("pressed"))))
		_, events := d.events(t)
		require.Len(t, events, 1)
		n := notify.NotifierFunc(func(_ context.Context, m notify.Message) error { mail = m; return nil })
		require.NoError(t, catalog.Mail("mail", notify.ToReseller, n).Handle(ctx, events[0]))
		return mail
	}
	mail := reply()
	assert.NotContains(t, mail.Text, "another provider")
	d.moveTo(dedicated.Owner{Provider: "Beta", Reference: "b-2"})
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{})))
	mail = reply()
	assert.Contains(t, mail.Subject, "Upstream Ltd answered")
	assert.Contains(t, mail.Text, "The ticket was forwarded to another provider since.")
}

// TestMoves: a server that moves on and on, also back, begins a new thread each time, up to a bound.
func TestMoves(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	refs := map[string]bool{}
	for n := range 21 {
		d.moveTo(dedicated.Owner{Provider: fmt.Sprint("provider ", n%2), Reference: "r"})
		require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{})))
		refs[d.get(t, id).Upstream.Ref] = true
	}
	assert.Len(t, refs, 21)
	assert.Len(t, d.get(t, id).Former, 20)
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, ticket.Note{})), "the same provider as before")
	d.moveTo(dedicated.Owner{Provider: "one more", Reference: "r"})
	err := errorOf(d.Forward(ctx, d.reseller, id, say("words")))
	require.ErrorIs(t, err, ticket.ErrConflict)
	assert.ErrorContains(t, err, "open a new ticket")
	d.moveTo(dedicated.Owner{})
	require.ErrorIs(t, errorOf(d.Forward(ctx, d.reseller, id, say("words"))), ticket.ErrForbidden, "it is the reseller's own now")
	for ref := range refs {
		require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, ref, say("late"))))
	}
}

// TestForwardWithoutReference: a provider finds the server by its reference. A request without one is refused, unless the reseller
// says so.
func TestForwardWithoutReference(t *testing.T) {
	t.Parallel()
	for _, blank := range []string{"", " ", "\u00a0", "\t\r\n"} {
		d, ctx := newFixture(t), t.Context()
		d.moveTo(dedicated.Owner{Provider: "Upstream Ltd", Reference: blank})
		id := d.opened(t, d.rented, ticket.Other)
		before := d.get(t, id)
		err := errorOf(d.Forward(ctx, d.reseller, id, say("press it")))
		require.ErrorIs(t, err, ticket.ErrConflict, "%q", blank)
		e := refusal(t, err)
		assert.Equal(t, "Reference", e.Field)
		assert.Equal(t, d.rented, e.ServerID)
		assert.Contains(t, e.Error(), "add it to the server, or set Note.WithoutReference")
		assert.Equal(t, say("press it"), e.Note)
		assert.Equal(t, before, d.get(t, id))
		_, err = d.Draft(ctx, d.reseller, id, "press it")
		require.NoError(t, err, "a draft may be read before")

		anyway := ticket.Note{ID: uuid.New(), Text: "press it", WithoutReference: true}
		require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, anyway)))
		require.ErrorIs(t, errorOf(d.Forward(ctx, d.reseller, id, say("again"))), ticket.ErrConflict, "each time")
		d.moveTo(dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-42"})
		require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, say("again"))))
		got := d.get(t, id)
		assert.Empty(t, got.Former, "it is one thread")
		require.Len(t, got.Upstream.Thread, 2)
		assert.NotContains(t, got.Upstream.Thread[0].Text, "srv-42")
		assert.Contains(t, got.Upstream.Thread[1].Text, "Your reference: srv-42")
		require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, anyway)), "a repeat changes nothing")
		assert.Equal(t, got, d.get(t, id))
	}
	d := newFixture(t)
	id := d.opened(t, d.rented, ticket.Other)
	d.bring(t, id, ticket.Forwarded)
	for name, move := range d.moves() {
		if name != "Forward" {
			err := move(t.Context(), d.reseller, id, ticket.Note{Text: "words", WithoutReference: true})
			require.ErrorIs(t, err, ticket.ErrInvalid, name)
			assert.Equal(t, "WithoutReference", refusal(t, err).Field, name)
		}
	}
}
