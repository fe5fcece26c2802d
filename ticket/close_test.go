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

func (d *desk) departure(server uuid.UUID) dedicated.Released {
	s := d.servers[server]
	return dedicated.Released{
		ResellerID: s.ResellerID, ServerID: s.ID, ClientID: s.ClientID, Assignment: s.Assignment, At: d.clock.Now(), Reason: "unpaid",
	}
}

// reassign gives the server to somebody else.
func (d *desk) reassign(id uuid.UUID) dedicated.Actor {
	s := d.servers[id]
	s.ClientID, s.Assignment = uuid.New(), uuid.New()
	d.servers[id] = s
	return dedicated.Actor{Role: dedicated.Client, ID: s.ClientID, ResellerID: s.ResellerID}
}

func TestCloseServer(t *testing.T) {
	t.Parallel()
	d, ctx := setup(t), t.Context()
	var ids []uuid.UUID
	for _, status := range allStatuses() {
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
	assert.Equal(t, ticket.Open, d.get(t, v.ID).Status, "the next use of the machine has tickets of its own")
	kinds, events := d.events(t)
	assert.Equal(t, []notify.Kind{ticket.KindServerLeft, ticket.KindServerLeft, ticket.KindServerLeft, ticket.KindServerLeft}, kinds,
		"the reseller is told once of each that asked for something")
	assert.Contains(t, string(events[0].Data), "unpaid")

	seen, err := d.View(ctx, d.client, ids[0])
	require.NoError(t, err, "the thread stays readable to its author")
	assert.Equal(t, ticket.Closed, seen.Status)
	_, err = d.View(ctx, next, ids[0])
	require.ErrorIs(t, err, ticket.ErrNotFound, "the next client knows nothing of it")
	require.ErrorIs(t, d.Comment(ctx, d.client, ids[0], say("hello")), ticket.ErrForbidden)
	require.ErrorIs(t, d.Reopen(ctx, d.reseller, ids[0], ticket.Note{}), ticket.ErrConflict)
	for _, bad := range []dedicated.Released{{}, {ResellerID: uuid.New(), ServerID: uuid.New()}} {
		require.ErrorIs(t, d.CloseServer(ctx, bad), ticket.ErrInvalid)
	}
	require.NoError(t, d.CloseServer(ctx, dedicated.Released{ResellerID: uuid.New(), ServerID: d.own, Assignment: uuid.New()}))
}

// leaves are the ways in which the rented server's use ends.
func leaves() map[string]func(*desk) {
	return map[string]func(*desk){
		"released":           func(d *desk) { d.release(d.rented) },
		"given to another":   func(d *desk) { d.reassign(d.rented) },
		"taken off the list": func(d *desk) { delete(d.servers, d.rented) },
		"given to it anew": func(d *desk) {
			s := d.servers[d.rented]
			s.Assignment = uuid.New()
			d.servers[d.rented] = s
		},
	}
}

// TestServiceRefused: what serves a client that has the server no longer is refused before anybody has closed the ticket.
func TestServiceRefused(t *testing.T) {
	t.Parallel()
	for _, leave := range leaves() {
		d, ctx := setup(t), t.Context()
		id := d.opened(t, d.rented, ticket.Other)
		done := d.opened(t, d.rented, ticket.Other)
		d.bring(t, done, ticket.Done)
		confirmed := d.opened(t, d.rented, ticket.Other)
		d.bring(t, confirmed, ticket.Confirmed)
		leave(d)
		require.ErrorIs(t, d.Confirm(ctx, d.reseller, id, say("a")), ticket.ErrConflict)
		require.ErrorIs(t, d.AskDetails(ctx, d.reseller, id, say("a")), ticket.ErrConflict)
		require.ErrorIs(t, d.Forward(ctx, d.reseller, id, say("a")), ticket.ErrConflict)
		require.ErrorIs(t, d.Complete(ctx, d.reseller, confirmed, say("a")), ticket.ErrConflict)
		require.ErrorIs(t, d.Reopen(ctx, d.reseller, done, say("a")), ticket.ErrConflict)
		for _, call := range []error{
			d.Comment(ctx, d.client, id, say("a")), d.Close(ctx, d.client, id, say("a")), d.Reopen(ctx, d.client, done, say("a")),
		} {
			require.ErrorIs(t, call, ticket.ErrForbidden)
			assert.Equal(t, say("a"), refusal(t, call).Note)
		}
		_, err := d.View(ctx, d.client, id)
		require.NoError(t, err)
		require.NoError(t, d.Comment(ctx, d.reseller, id, say("it is gone")))
		require.NoError(t, d.Reject(ctx, d.reseller, id, say("it is gone")))
	}
}

func TestSubscriber(t *testing.T) {
	t.Parallel()
	d, ctx := setup(t), t.Context()
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

// TestPull is the safety net: neither hook nor subscriber, and the tickets are closed all the same.
func TestPull(t *testing.T) {
	t.Parallel()
	for _, status := range allStatuses() {
		d := setup(t)
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
	for name, leave := range leaves() {
		d := setup(t, func(c *ticket.Config) { c.FirstResponse = -1 })
		id := d.opened(t, d.rented, ticket.Other)
		leave(d)
		d.clock.Add(24 * time.Hour)
		d.ticked(t)
		assert.Equal(t, ticket.Closed, d.get(t, id).Status, "%s: within a day while it is worked on", name)
	}
}

// TestReleased: the library's own inventory releases a server, and its event closes the tickets.
func TestReleased(t *testing.T) {
	t.Parallel()
	ctx, outbox, now := t.Context(), &notify.MemoryOutbox{}, &watch{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: outbox}, Clock: now})
	require.NoError(t, err)
	tickets, err := ticket.New(ticket.Config{Store: &ticket.MemoryStore{Outbox: outbox}, Servers: servers, Clock: now})
	require.NoError(t, err)
	dispatcher, err := notify.New(notify.Config{Outbox: outbox, Clock: now}, tickets.Subscriber())
	require.NoError(t, err)

	reseller := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	client := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller.ResellerID}
	s, err := servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-07", Owner: dedicated.Owner{Provider: "Upstream Ltd"}})
	require.NoError(t, err)
	s, err = servers.Assign(ctx, reseller, s.ID, dedicated.NewAssignment{ClientID: client.ID, Billing: dedicated.Billing{
		Anchor: now.Now(), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Currency: "EUR", Places: 2,
	}})
	require.NoError(t, err)
	v, err := tickets.Open(ctx, client, ticket.Form{ServerID: s.ID, Kind: ticket.CancelAtProvider})
	require.NoError(t, err)
	require.NoError(t, tickets.Forward(ctx, reseller, v.ID, ticket.Note{}))
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
