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

func (d *fixture) departure(server uuid.UUID) dedicated.Released {
	s := d.servers[server]
	return dedicated.Released{
		ResellerID: s.ResellerID, ServerID: s.ID, ClientID: s.ClientID, Assignment: s.Assignment, At: d.clock.Now(), Reason: "unpaid",
	}
}

// reassign assigns the server to another client, and returns that client.
func (d *fixture) reassign(id uuid.UUID) dedicated.Actor {
	s := d.servers[id]
	s.ClientID, s.Assignment = uuid.New(), uuid.New()
	d.servers[id] = s
	return dedicated.Actor{Role: dedicated.Client, ID: s.ClientID, ResellerID: s.ResellerID}
}

func TestCloseServer(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	var ids []uuid.UUID
	for _, status := range ticket.Statuses() {
		id := d.opened(t, d.rented, ticket.Other)
		d.bring(t, id, status)
		ids = append(ids, id)
	}
	elsewhere := d.opened(t, d.own, ticket.Other)
	gone := d.departure(d.rented)
	next := d.reassign(d.rented)
	v, err := d.Open(ctx, next, ticket.Form{ServerID: d.rented, Kind: ticket.Reboot})
	require.NoError(t, err)
	d.events(t)

	for range 2 {
		require.NoError(t, d.CloseServer(ctx, gone))
		for _, id := range ids {
			got := d.get(t, id)
			assert.Equal(t, ticket.Closed, got.Status)
			assert.Empty(t, got.UniqueKey)
			assert.True(t, got.Due.IsZero())
		}
	}
	assert.Equal(t, ticket.Open, d.get(t, elsewhere).Status)
	assert.Equal(t, ticket.Open, d.get(t, v.ID).Status, "the next assignment of the server has its own tickets")
	kinds, events := d.events(t)
	assert.Equal(t, []notify.Kind{ticket.KindServerLeft, ticket.KindServerLeft, ticket.KindServerLeft, ticket.KindServerLeft}, kinds,
		"the reseller is told once of each active ticket")
	assert.Contains(t, string(events[0].Data), "unpaid")

	seen, err := d.View(ctx, d.client, ids[0])
	require.NoError(t, err, "the author can still read the thread")
	assert.Equal(t, ticket.Closed, seen.Status)
	_, err = d.View(ctx, next, ids[0])
	require.ErrorIs(t, err, ticket.ErrNotFound, "the next client cannot see it")
	require.ErrorIs(t, errorOf(d.Comment(ctx, d.client, ids[0], say("hello"))), ticket.ErrForbidden)
	require.ErrorIs(t, errorOf(d.Reopen(ctx, d.reseller, ids[0], ticket.Note{})), ticket.ErrConflict)
	for _, bad := range []dedicated.Released{{}, {ResellerID: uuid.New(), ServerID: uuid.New()}} {
		require.ErrorIs(t, d.CloseServer(ctx, bad), ticket.ErrInvalid)
	}
	require.NoError(t, d.CloseServer(ctx, dedicated.Released{ResellerID: uuid.New(), ServerID: d.own, Assignment: uuid.New()}))
}

// releases returns the ways in which the client loses the rented server.
func releases() map[string]func(*fixture) {
	return map[string]func(*fixture){
		"released":           func(d *fixture) { d.release(d.rented) },
		"given to another":   func(d *fixture) { d.reassign(d.rented) },
		"taken off the list": func(d *fixture) { delete(d.servers, d.rented) },
		"given to it anew": func(d *fixture) {
			s := d.servers[d.rented]
			s.Assignment = uuid.New()
			d.servers[d.rented] = s
		},
	}
}

// TestServiceRefused: after the server has left the client, services for that client are refused, even before the ticket is closed.
func TestServiceRefused(t *testing.T) {
	t.Parallel()
	for _, release := range releases() {
		d, ctx := newFixture(t), t.Context()
		id := d.opened(t, d.rented, ticket.Other)
		done := d.opened(t, d.rented, ticket.Other)
		d.bring(t, done, ticket.Done)
		confirmed := d.opened(t, d.rented, ticket.Other)
		d.bring(t, confirmed, ticket.Confirmed)
		release(d)
		require.ErrorIs(t, errorOf(d.Confirm(ctx, d.reseller, id, say("a"))), ticket.ErrConflict)
		require.ErrorIs(t, errorOf(d.AskDetails(ctx, d.reseller, id, say("a"))), ticket.ErrConflict)
		require.ErrorIs(t, errorOf(d.Forward(ctx, d.reseller, id, say("a"))), ticket.ErrConflict)
		require.ErrorIs(t, errorOf(d.Complete(ctx, d.reseller, confirmed, say("a"))), ticket.ErrConflict)
		require.ErrorIs(t, errorOf(d.Reopen(ctx, d.reseller, done, say("a"))), ticket.ErrConflict)
		for _, call := range []error{
			errorOf(d.Comment(ctx, d.client, id, say("a"))), errorOf(d.Close(ctx, d.client, id, say("a"))), errorOf(d.Reopen(ctx, d.client, done, say("a"))),
		} {
			require.ErrorIs(t, call, ticket.ErrForbidden)
			assert.Equal(t, say("a"), refusal(t, call).Note)
		}
		_, err := d.View(ctx, d.client, id)
		require.NoError(t, err)
		require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("it is gone"))))
		require.NoError(t, errorOf(d.Reject(ctx, d.reseller, id, say("it is gone"))))
	}
}

func TestSubscriber(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	s := d.Subscriber()
	assert.Equal(t, []notify.Kind{dedicated.KindReleased}, s.Kinds)
	subject := notify.Subject{ResellerID: d.reseller.ResellerID, ID: d.own, Version: 1}
	e, err := subject.Event(dedicated.KindReleased, d.clock.Now(), d.departure(d.own))
	require.NoError(t, err)
	require.NoError(t, s.Handle(ctx, e))
	require.NoError(t, s.Handle(ctx, e))
	assert.Equal(t, ticket.Closed, d.get(t, id).Status)
	for _, data := range []string{`{}`, `[]`} {
		e.Data = []byte(data)
		err := s.Handle(ctx, e)
		require.ErrorIs(t, err, dedicated.ErrInvalid)
	}
}

// TestTickClosesTickets: without a hook or a subscriber, a Tick closes the tickets of a server that has left its client.
func TestTickClosesTickets(t *testing.T) {
	t.Parallel()
	for _, status := range ticket.Statuses() {
		d := newFixture(t)
		id := d.opened(t, d.rented, ticket.Other)
		d.bring(t, id, status)
		d.ticked(t)
		d.release(d.rented)
		d.events(t)
		d.clock.Add(ticket.DefaultAutoClose)
		d.ticked(t)
		got := d.get(t, id)
		assert.Equal(t, ticket.Closed, got.Status, status)
		kinds, _ := d.events(t)
		switch status {
		case ticket.Open, ticket.NeedsDetails, ticket.Confirmed, ticket.Forwarded:
			assert.Equal(t, []notify.Kind{ticket.KindServerLeft}, kinds, status)
		default:
			assert.Empty(t, kinds, status)
		}
	}
	for name, release := range releases() {
		d := newFixture(t, func(c *ticket.Config) { c.FirstResponse = -1 })
		id := d.opened(t, d.rented, ticket.Other)
		release(d)
		d.clock.Add(24 * time.Hour)
		d.ticked(t)
		assert.Equal(t, ticket.Closed, d.get(t, id).Status, "%s: within a day, because the ticket is active", name)
	}
}

// TestReleased: the inventory of package dedicated releases a server, and the event closes the tickets.
func TestReleased(t *testing.T) {
	t.Parallel()
	ctx, outbox, now := t.Context(), &notify.MemoryOutbox{}, &fixedClock{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: outbox}, Clock: now})
	require.NoError(t, err)
	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{Outbox: outbox}, Servers: servers, Clock: now})
	require.NoError(t, err)
	dispatcher, err := notify.New(notify.Config{Outbox: outbox, Clock: now}, tickets.Subscriber())
	require.NoError(t, err)

	reseller := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	client := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller.ResellerID}
	s, err := servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-07", Owner: dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-42"}})
	require.NoError(t, err)
	s, err = servers.Assign(ctx, reseller, s.ID, dedicated.NewAssignment{ClientID: client.ID, Billing: dedicated.Billing{
		Anchor: now.Now(), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Currency: "EUR", Places: 2,
	}})
	require.NoError(t, err)
	v, err := tickets.Open(ctx, client, ticket.Form{ServerID: s.ID, Kind: ticket.CancelAtProvider})
	require.NoError(t, err)
	require.NoError(t, errorOf(tickets.Forward(ctx, reseller, v.ID, ticket.Note{})))
	_, err = servers.Release(ctx, reseller, s.ID, s.Assignment, uuid.Nil, "the provider took it back")
	require.NoError(t, err)
	for range 3 {
		_, err = dispatcher.Tick(ctx)
		require.NoError(t, err)
	}
	v, err = tickets.View(ctx, client, v.ID)
	require.NoError(t, err)
	assert.Equal(t, ticket.Closed, v.Status)
}
