package ticket_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestThanks: a word of thanks reopens nothing. The reseller is reminded of it once and dismisses it; then the ticket closes by
// itself.
func TestThanks(t *testing.T) {
	t.Parallel()
	for _, status := range []ticket.Status{ticket.Done, ticket.Rejected} {
		d, ctx := newFixture(t), t.Context()
		id := d.opened(t, d.own, ticket.Reboot)
		d.bring(t, id, status)
		d.clock.Add(time.Hour)
		for range 2 {
			require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("thanks"))))
		}
		got := d.get(t, id)
		assert.Equal(t, status, got.Status)
		assert.Equal(t, dedicated.Reseller, got.WaitingOn())
		assert.Empty(t, got.UniqueKey, "it is not open again")
		d.events(t)
		d.clock.Add(ticket.DefaultFirstResponse - time.Microsecond)
		d.ticked(t)
		kinds, _ := d.events(t)
		assert.Empty(t, kinds)
		d.clock.Add(time.Microsecond)
		d.ticked(t)
		kinds, events := d.events(t)
		require.Equal(t, []notify.Kind{ticket.KindUnanswered}, kinds)
		assert.Contains(t, string(events[0].Data), "thanks")
		d.clock.Add(30 * 24 * time.Hour)
		d.ticked(t)
		kinds, _ = d.events(t)
		assert.Empty(t, kinds, "once")
		assert.Equal(t, status, d.get(t, id).Status, "it waits for the reseller")

		got, err := d.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id))
		require.NoError(t, err)
		assert.Equal(t, dedicated.Role(0), got.WaitingOn())
		assert.Equal(t, d.clock.Now().Add(ticket.DefaultAutoClose), got.ClosesAt)
		kinds, _ = d.events(t)
		assert.Empty(t, kinds, "nobody is told")
		d.clock.Add(ticket.DefaultAutoClose)
		d.ticked(t)
		assert.Equal(t, ticket.Closed, d.get(t, id).Status)
		kinds, _ = d.events(t)
		assert.Equal(t, []notify.Kind{ticket.KindClosed}, kinds)
	}
}

// TestThanksAgain: each new word waits for the reseller and is reminded of, once.
func TestThanksAgain(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	d.clock.Add(ticket.DefaultFirstResponse)
	d.ticked(t) // the reminder of the first answer
	d.bring(t, id, ticket.Done)
	for n := range 3 {
		require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("thanks"))))
		d.events(t)
		d.clock.Add(2 * ticket.DefaultFirstResponse)
		d.ticked(t)
		d.ticked(t)
		kinds, _ := d.events(t)
		assert.Equal(t, []notify.Kind{ticket.KindUnanswered}, kinds)
		if n == 1 {
			require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("you are welcome"))))
		} else {
			require.NoError(t, errorOf(d.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id))))
		}
		assert.Equal(t, d.clock.Now().Add(ticket.DefaultAutoClose), d.get(t, id).ClosesAt)
	}
}

// TestDismissSeen: only the client's newest comment can be dismissed. What is answered or dismissed already stays as it is.
func TestDismissSeen(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	d.bring(t, id, ticket.Done)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("thanks"))))
	seen := d.newestOfClient(ctx, id)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("but it is down again"))))
	before := d.get(t, id)
	for _, stale := range []uuid.UUID{seen, uuid.New(), before.Thread[1].ID} {
		err := errorOf(d.Dismiss(ctx, d.reseller, id, stale))
		require.ErrorIs(t, err, ticket.ErrConflict)
		assert.ErrorContains(t, err, d.newestOfClient(ctx, id).String())
		assert.Equal(t, "seen", refusal(t, err).Field)
	}
	err := errorOf(d.Dismiss(ctx, d.reseller, id, uuid.Nil))
	require.ErrorIs(t, err, ticket.ErrInvalid)
	assert.Equal(t, before, d.get(t, id))
	require.ErrorIs(t, errorOf(d.Dismiss(ctx, d.client, id, d.newestOfClient(ctx, id))), ticket.ErrForbidden)

	d.clock.Add(time.Hour)
	for range 2 {
		require.NoError(t, errorOf(d.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id))))
		assert.Equal(t, before.Version+1, d.get(t, id).Version, "a repeat writes nothing")
		d.clock.Add(time.Hour)
	}
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("hello?"))))
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("we look at it"))))
	answered := d.get(t, id)
	require.NoError(t, errorOf(d.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id))))
	assert.Equal(t, answered, d.get(t, id))

	silent, err := d.Open(ctx, d.client, ticket.Form{ServerID: d.own, Kind: ticket.Other})
	require.NoError(t, err)
	d.bring(t, silent.ID, ticket.Rejected)
	err = errorOf(d.Dismiss(ctx, d.reseller, silent.ID, seen))
	require.ErrorIs(t, err, ticket.ErrConflict)
	assert.ErrorContains(t, err, "has not commented")
}

// TestDismissOfAnOlderTicket: a ticket that was stored before UnansweredSince was, and does not close by itself, does so again.
func TestDismissOfAnOlderTicket(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	d.bring(t, id, ticket.Done)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("thanks"))))
	stored, err := d.store.Ticket(ctx, id)
	require.NoError(t, err)
	stored.UnansweredSince = time.Time{}
	require.NoError(t, d.store.Commit(ctx, ticket.Change{Tickets: []ticket.Ticket{stored}}))
	for range 2 {
		require.NoError(t, errorOf(d.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id))))
		assert.Equal(t, start.Add(ticket.DefaultAutoClose), d.get(t, id).ClosesAt)
		d.clock.Add(time.Hour)
	}
}

// TestDismissAndAutoClose: Dismiss follows Config.AutoClose. A comment that was written before the end is not waited for.
func TestDismissAndAutoClose(t *testing.T) {
	t.Parallel()
	for name, closing := range map[string]time.Duration{"never": -1, "N": 72 * time.Hour} {
		d, ctx := newFixture(t, func(c *ticket.Config) { c.AutoClose = closing }), t.Context()
		id := d.opened(t, d.own, ticket.Other)
		d.bring(t, id, ticket.Confirmed)
		require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("hurry"))))
		require.NoError(t, errorOf(d.Complete(ctx, d.reseller, id, ticket.Note{})))
		assert.Equal(t, dedicated.Role(0), d.get(t, id).WaitingOn(), "the reseller has acted since")
		require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("thanks"))))
		require.NoError(t, errorOf(d.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id))))
		assert.Equal(t, closing < 0, d.get(t, id).ClosesAt.IsZero(), name)
		d.clock.Add(72 * time.Hour)
		d.ticked(t)
		assert.Equal(t, closing >= 0, d.get(t, id).Status == ticket.Closed, name)
	}
	// A host that begins to close at once finds tickets that are done.
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	d.bring(t, id, ticket.Done)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("thanks"))))
	m, err := ticket.New(ticket.Config{Store: d.store, Servers: d.servers, Clock: d.clock, AutoClose: 1})
	require.NoError(t, err)
	d.events(t)
	got, err := m.Dismiss(ctx, d.reseller, id, d.newestOfClient(ctx, id))
	require.NoError(t, err)
	assert.Equal(t, ticket.Closed, got.Status)
	kinds, _ := d.events(t)
	assert.Empty(t, kinds)
}
