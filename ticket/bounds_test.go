package ticket_test

import (
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

// count returns how many of the kinds there are of each.
func count(kinds []notify.Kind) map[notify.Kind]int {
	counts := map[notify.Kind]int{}
	for _, kind := range kinds {
		counts[kind]++
	}
	return counts
}

// fill stores more comments in the thread of a ticket.
func (d *fixture) fill(t *testing.T, id uuid.UUID, n int, by dedicated.Actor) {
	t.Helper()
	stored, err := d.store.Ticket(t.Context(), id)
	require.NoError(t, err)
	for range n {
		stored.Thread = append(stored.Thread, ticket.Comment{ID: uuid.New(), By: by, At: d.clock.Now(), Op: ticket.OpComment, Text: "more"})
	}
	require.NoError(t, d.store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{stored}}))
}

// TestClientCannotFillTheThread: a client writes 250 comments and no more. They send five mails and one a day later, and take none of
// the reseller's moves away.
func TestClientCannotFillTheThread(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other) // with the first comment
	for range 249 {
		require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("and another thing"))))
	}
	err := errorOf(d.Comment(ctx, d.client, id, say("one too many")))
	require.ErrorIs(t, err, ticket.ErrConflict)
	assert.ErrorContains(t, err, "250 comments of the client; open a new ticket")
	assert.Equal(t, say("one too many"), refusal(t, err).Note)
	assert.Len(t, d.view(t, id).Thread, 250, "nothing is lost")
	kinds, _ := d.events(t)
	assert.Equal(t, map[notify.Kind]int{ticket.KindOpened: 1, ticket.KindReceived: 1, ticket.KindReplied: 5}, count(kinds))

	d.clock.Add(24 * time.Hour)
	d.ticked(t)
	kinds, events := d.events(t)
	assert.Equal(t, map[notify.Kind]int{ticket.KindMoreFromClient: 1, ticket.KindUnanswered: 1}, count(kinds))
	assert.Contains(t, string(events[1].Data)+string(events[0].Data), "and another thing", "the newest comment")
	d.clock.Add(10 * 24 * time.Hour)
	d.ticked(t)
	kinds, _ = d.events(t)
	assert.Empty(t, kinds, "the client has written nothing since")

	for _, move := range []string{"Comment", "AskDetails", "Confirm", "Forward", "Relay", "Complete"} {
		require.NoError(t, d.moves()[move](ctx, d.reseller, id, say("words")), move)
	}
	require.NoError(t, errorOf(d.Reopen(ctx, d.client, id, ticket.Note{})), "a client may reopen without a comment")
	require.NoError(t, errorOf(d.Reject(ctx, d.reseller, id, say("no"))))
}

// TestLastPartOfTheThread: when all public comments are written, the reseller can still make its moves, and the client none that
// would use up what is kept for them.
func TestLastPartOfTheThread(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	d.fill(t, id, 498, d.reseller)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("the last one"))))
	for _, a := range []dedicated.Actor{d.client, d.reseller} {
		require.ErrorIs(t, errorOf(d.Comment(ctx, a, id, say("too much"))), ticket.ErrConflict)
	}
	require.ErrorIs(t, errorOf(d.Close(ctx, d.client, id, say("with words"))), ticket.ErrConflict)
	for _, move := range []string{"AskDetails", "Forward", "Relay", "Confirm", "Complete"} {
		require.NoError(t, d.moves()[move](ctx, d.reseller, id, say("words")), move)
	}
	for _, n := range []ticket.Note{{}, say("again")} {
		err := errorOf(d.Reopen(ctx, d.client, id, n))
		require.ErrorIs(t, err, ticket.ErrConflict)
		assert.ErrorContains(t, err, "open a new ticket")
		assert.Equal(t, n, refusal(t, err).Note)
	}
	require.NoError(t, errorOf(d.Close(ctx, d.client, id, ticket.Note{})))
	require.ErrorIs(t, errorOf(d.Reopen(ctx, d.client, id, ticket.Note{})), ticket.ErrConflict)

	require.NoError(t, errorOf(d.Reopen(ctx, d.reseller, id, ticket.Note{})), "the reseller may")
	d.fill(t, id, 550-len(d.view(t, id).Thread), d.reseller)
	require.ErrorIs(t, errorOf(d.Reject(ctx, d.reseller, id, say("no"))), ticket.ErrConflict)
	require.NoError(t, errorOf(d.Close(ctx, d.reseller, id, ticket.Note{})), "without words it can always be closed")
}

// TestProviderCannotFillTheThread: a provider that answers every mail by a mail does not keep the reseller from forwarding.
func TestProviderCannotFillTheThread(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, say("press it"))))
	ref := d.get(t, id).Upstream.Ref
	for range 499 {
		require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, ref, say("we are out of office"))))
	}
	require.ErrorIs(t, errorOf(d.ProviderReplied(ctx, d.reseller, ref, say("we are out of office"))), ticket.ErrConflict)
	for range 50 {
		require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, say("press it"))))
	}
	require.ErrorIs(t, errorOf(d.Forward(ctx, d.reseller, id, say("press it"))), ticket.ErrConflict)
	require.NoError(t, errorOf(d.Complete(ctx, d.reseller, id, say("done by us"))))
}

// TestMailsOfAClient: closing and reopening counts like commenting. The reseller's answer lets mails go out at once again.
func TestMailsOfAClient(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("seen"))))
	d.events(t)
	again := func(n int) map[notify.Kind]int {
		for range n {
			require.NoError(t, errorOf(d.Close(ctx, d.client, id, ticket.Note{})))
			require.NoError(t, errorOf(d.Reopen(ctx, d.client, id, ticket.Note{})))
		}
		kinds, _ := d.events(t)
		return count(kinds)
	}
	assert.Equal(t, map[notify.Kind]int{ticket.KindClosedByClient: 3, ticket.KindReopenedByClient: 2}, again(30))
	for range 3 {
		assert.Equal(t, d.clock.Now().Add(24*time.Hour), d.ticked(t))
		d.clock.Add(24 * time.Hour)
		d.ticked(t)
		_, events := d.events(t)
		require.Len(t, events, 1)
		assert.Equal(t, ticket.KindMoreFromClient, events[0].Kind)
		var told ticket.Report
		require.NoError(t, json.Unmarshal(events[0].Data, &told))
		assert.Equal(t, ticket.Open, told.Status, "the reseller learns how it is now")
		assert.Equal(t, d.client.ID, told.ClientID)
		assert.Equal(t, "now", told.Text)
		assert.Empty(t, again(30), "one mail a day until the reseller answers")
	}
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{Text: "hm", Internal: true})))
	assert.Empty(t, again(1), "an internal comment is not an answer")
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("stop it"))))
	assert.True(t, d.get(t, id).TellAt.IsZero(), "the answer covers it")
	d.events(t)
	assert.Equal(t, map[notify.Kind]int{ticket.KindClosedByClient: 1, ticket.KindReopenedByClient: 1}, again(1))
}

// TestClosedTicketIsTold: the reseller learns of a closing that no mail told of, although the ticket is closed.
func TestClosedTicketIsTold(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	for range 5 {
		require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("please"))))
	}
	require.NoError(t, errorOf(d.Close(ctx, d.client, id, say("never mind"))))
	d.events(t)
	d.clock.Add(24 * time.Hour)
	assert.True(t, d.ticked(t).IsZero())
	kinds, events := d.events(t)
	require.Equal(t, []notify.Kind{ticket.KindMoreFromClient}, kinds)
	assert.Contains(t, string(events[0].Data), "never mind")
	assert.Contains(t, string(events[0].Data), `"status":"closed"`)
}
