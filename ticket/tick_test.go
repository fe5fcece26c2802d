package ticket_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

func (d *fixture) ticked(t *testing.T) time.Time {
	t.Helper()
	next, err := d.Tick(t.Context())
	require.NoError(t, err)
	return next
}

func TestAutoClose(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		closing time.Duration
		status  ticket.Status
		after   time.Duration // when it closes; 0: at once; negative: never
	}{
		"done":                      {0, ticket.Done, ticket.DefaultAutoClose},
		"rejected":                  {3 * day, ticket.Rejected, 3 * day},
		"waits for details":         {3 * day, ticket.NeedsDetails, 3 * day},
		"never":                     {-1, ticket.Done, -1},
		"never, waits for details":  {-1, ticket.NeedsDetails, -1},
		"at once":                   {1, ticket.Done, 0},
		"at once, rejected":         {1, ticket.Rejected, 0},
		"a question is not at once": {1, ticket.NeedsDetails, ticket.DefaultAutoClose},
		"open is not answered":      {day, ticket.Open, -1},
		"nor is what is worked on":  {day, ticket.Forwarded, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFixture(t, func(c *ticket.Config) { c.AutoClose, c.FirstResponse = tt.closing, -1 })
			id := d.opened(t, d.rented, ticket.Reboot)
			if tt.after == 0 {
				d.events(t)
				require.NoError(t, errorOf(d.Confirm(t.Context(), d.reseller, id, say("a"))))
				kind, move := ticket.KindDone, d.Complete
				if tt.status == ticket.Rejected {
					kind, move = ticket.KindRejected, d.Reject
				}
				require.NoError(t, errorOf(move(t.Context(), d.reseller, id, say("a"))))
				got := d.get(t, id)
				assert.Equal(t, ticket.Closed, got.Status)
				assert.Equal(t, d.clock.Now(), got.ClosedAt)
				assert.True(t, got.Due.IsZero())
				kinds, _ := d.events(t)
				assert.Equal(t, []notify.Kind{ticket.KindConfirmed, kind}, kinds, "one mail, about the decision")
				return
			}
			d.bring(t, id, tt.status)
			d.events(t)
			if tt.after < 0 {
				d.clock.Add(3 * 365 * day)
				d.ticked(t)
				assert.Equal(t, tt.status, d.get(t, id).Status)
				return
			}
			assert.Equal(t, d.clock.Now().Add(tt.after), d.ticked(t), "the time of the next Tick")
			d.clock.Add(tt.after - time.Microsecond)
			d.ticked(t)
			assert.Equal(t, tt.status, d.get(t, id).Status)
			d.clock.Add(time.Microsecond)
			d.ticked(t)
			assert.Equal(t, ticket.Closed, d.get(t, id).Status)
			kinds, _ := d.events(t)
			assert.Equal(t, []notify.Kind{ticket.KindClosed}, kinds)
		})
	}
}

// TestAutoCloseWaitsForTheReseller: a ticket does not close while its last public comment is the client's.
func TestAutoCloseWaitsForTheReseller(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	d.bring(t, id, ticket.Done)
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("really?"))))
	assert.Equal(t, dedicated.Reseller, d.get(t, id).WaitingOn())
	d.clock.Add(30 * 24 * time.Hour)
	d.ticked(t)
	assert.Equal(t, ticket.Done, d.get(t, id).Status)
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{Text: "hm", Internal: true})))
	assert.True(t, d.get(t, id).ClosesAt.IsZero(), "an internal comment is not an answer")
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, say("yes"))))
	d.clock.Add(ticket.DefaultAutoClose)
	d.ticked(t)
	assert.Equal(t, ticket.Closed, d.get(t, id).Status)
}

func TestReminder(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	answered := d.opened(t, d.own, ticket.Other)
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, answered, say("seen"))))
	internal := d.opened(t, d.own, ticket.Other)
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, internal, ticket.Note{Text: "hm", Internal: true})))
	v, err := d.Open(ctx, d.reseller, ticket.Form{ServerID: d.own, Kind: ticket.Other})
	require.NoError(t, err)
	d.events(t)

	d.clock.Add(3 * 365 * 24 * time.Hour)
	d.ticked(t)
	d.ticked(t)
	_, events := d.events(t)
	reminded := map[uuid.UUID]int{}
	for _, e := range events {
		assert.Equal(t, ticket.KindUnanswered, e.Kind)
		reminded[e.SubjectID]++
	}
	assert.Equal(t, map[uuid.UUID]int{id: 1, internal: 1}, reminded)
	assert.Equal(t, d.clock.Now(), d.get(t, id).Reminded)
	assert.Zero(t, d.get(t, v.ID).Reminded, "the reseller opened it itself")
	d.clock.Add(365 * 24 * time.Hour)
	d.ticked(t)
	kinds, _ := d.events(t)
	assert.Empty(t, kinds, "once")
}

func TestReminderOff(t *testing.T) {
	t.Parallel()
	d := newFixture(t, func(c *ticket.Config) { c.FirstResponse = -1 })
	d.opened(t, d.own, ticket.Other)
	d.events(t)
	d.clock.Add(365 * 24 * time.Hour)
	d.ticked(t)
	kinds, _ := d.events(t)
	assert.Empty(t, kinds)
}

// failingInventory is an inventory that fails for some servers.
type failingInventory struct {
	inventory
	fails map[uuid.UUID]func() error
}

func (s *failingInventory) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if fail := s.fails[id]; fail != nil {
		return dedicated.Server{}, fail()
	}
	return s.inventory.Server(ctx, a, id)
}

// TestTickGoesOn: if the inventory fails for some servers, their tickets are tried again later, and the others are not affected.
func TestTickGoesOn(t *testing.T) {
	t.Parallel()
	servers := &failingInventory{fails: map[uuid.UUID]func() error{}}
	d := newFixture(t, func(c *ticket.Config) {
		servers.inventory = c.Servers.(inventory)
		c.Servers = servers
	})
	bad, panics := d.opened(t, d.own, ticket.Other), d.opened(t, d.rented, ticket.Other)
	var good []uuid.UUID
	for n := range 250 {
		good = append(good, d.opened(t, d.add(dedicated.Owner{}, fmt.Sprint("node-", n)), ticket.Other))
	}
	down := errors.New("inventory is down")
	servers.fails[d.own] = func() error { return down }
	servers.fails[d.rented] = func() error { panic("oh") }
	d.clock.Add(ticket.DefaultFirstResponse)
	next, err := d.Tick(t.Context())
	require.ErrorIs(t, err, down)
	require.ErrorContains(t, err, "oh")
	assert.True(t, next.After(d.clock.Now()) && !next.After(d.clock.Now().Add(10*time.Minute)), next)
	for _, id := range good {
		assert.NotZero(t, d.get(t, id).Reminded)
	}
	for _, id := range []uuid.UUID{bad, panics} {
		got := d.get(t, id)
		assert.Zero(t, got.Reminded)
		assert.Zero(t, got.LeaseUntil)
	}
	_, err = d.Tick(t.Context())
	require.NoError(t, err, "a second tick at the same instant does nothing")
	servers.fails = nil
	d.clock.Add(10 * time.Minute)
	d.ticked(t)
	assert.NotZero(t, d.get(t, bad).Reminded)
	assert.NotZero(t, d.get(t, panics).Reminded)
}

// interferingStore changes a ticket after each claim, so that the commit of the batch is a conflict.
type interferingStore struct {
	ticket.Store
	interfere func()
}

func (m *interferingStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (ticket.Due, error) {
	due, err := m.Store.ClaimDue(ctx, now, until, limit)
	if len(due.Tickets) > 0 {
		m.interfere()
	}
	return due, err
}

// TestTickAfterConflict: a ticket that changed meanwhile does not hold up the others of its batch.
func TestTickAfterConflict(t *testing.T) {
	t.Parallel()
	var store *interferingStore
	d := newFixture(t, func(c *ticket.Config) {
		store = &interferingStore{Store: c.Store, interfere: func() {}}
		c.Store = store
	})
	changed, other := d.opened(t, d.own, ticket.Other), d.opened(t, d.rented, ticket.Other)
	store.interfere = func() { require.NoError(t, errorOf(d.Comment(t.Context(), d.reseller, changed, say("just now")))) }
	d.clock.Add(ticket.DefaultFirstResponse)
	d.ticked(t)
	assert.Zero(t, d.get(t, changed).Reminded, "it was answered in time")
	assert.NotZero(t, d.get(t, other).Reminded)
}

// refusingStore cannot write one ticket.
type refusingStore struct {
	ticket.Store
	refuses uuid.UUID
	err     error
}

func (p *refusingStore) Commit(ctx context.Context, changes ...ticket.Change) error {
	for _, c := range changes {
		for _, one := range c.Tickets {
			if one.ID == p.refuses {
				return p.err
			}
		}
	}
	return p.Store.Commit(ctx, changes...)
}

// TestTickPastRefusal: a ticket that the Store refuses does not hold up the others of its batch.
func TestTickPastRefusal(t *testing.T) {
	t.Parallel()
	store := &refusingStore{err: errors.New("value too long")}
	d := newFixture(t, func(c *ticket.Config) {
		store.Store = c.Store
		c.Store = store
	})
	first, refused, last := d.opened(t, d.own, ticket.Other), d.opened(t, d.own, ticket.Other), d.opened(t, d.own, ticket.Other)
	store.refuses = refused
	d.clock.Add(ticket.DefaultFirstResponse)
	_, err := d.Tick(t.Context())
	require.ErrorIs(t, err, store.err)
	assert.NotZero(t, d.get(t, first).Reminded)
	assert.Zero(t, d.get(t, refused).Reminded)
	assert.NotZero(t, d.get(t, last).Reminded)
	store.refuses = uuid.Nil
	d.clock.Add(10 * time.Minute)
	d.ticked(t)
	assert.NotZero(t, d.get(t, refused).Reminded, "after the lease has ended")
}

// TestTwoTickers: several Ticks at the same time over one Store remind of each ticket once.
func TestTwoTickers(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	for range 300 {
		d.opened(t, d.own, ticket.Other)
	}
	d.events(t)
	d.clock.Add(ticket.DefaultFirstResponse)
	start := make(chan struct{})
	var both sync.WaitGroup
	for range 4 {
		m, err := ticket.New(ticket.Config{Store: d.store, Servers: d.servers, Clock: d.clock})
		require.NoError(t, err)
		both.Go(func() {
			<-start
			_, err := m.Tick(t.Context())
			assert.NoError(t, err)
		})
	}
	close(start)
	both.Wait()
	kinds, _ := d.events(t)
	assert.Len(t, kinds, 300)
}

func TestTickReportsTheStore(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, ticket.OpTick, refusal(t, err).Op)
}
