package backup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

func TestOneReminder(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *backup.Config) { c.Grace = 48 * time.Hour })
	r := p.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 18})
	assert.Equal(t, at("2026-01-01 18:00"), p.tick(t))
	p.clock.Set(at("2026-01-01 18:00"))
	p.tick(t)
	p.clock.Set(at("2026-01-03 18:00").Add(-time.Microsecond))
	p.tick(t)
	assert.Zero(t, p.count(t, backup.KindOverdue))
	for range 3 {
		p.clock.Add(time.Microsecond)
		p.tick(t)
		p.clock.Add(100 * time.Hour)
		p.tick(t)
	}
	assert.Equal(t, 1, p.count(t, backup.KindOverdue))

	// A retry has its own grace, and its own reminder.
	task := p.planned(t, r).ID
	_, err := p.Fail(t.Context(), p.reseller, task, "no space")
	require.NoError(t, err)
	_, err = p.Retry(t.Context(), p.reseller, task)
	require.NoError(t, err)
	p.tick(t)
	assert.Equal(t, 1, p.count(t, backup.KindOverdue))
	p.clock.Add(48 * time.Hour)
	p.tick(t)
	assert.Equal(t, 2, p.count(t, backup.KindOverdue))
}

// TestMissedAgainstNext counts what was missed under random schedules by walking from one occurrence to the next.
func TestMissedAgainstNext(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	zones := []string{"", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"}
	for range 300 {
		s := backup.Schedule{
			Frequency: backup.Frequency(2 + rnd.IntN(3)), Interval: rnd.IntN(4), Hour: rnd.IntN(24), Minute: rnd.IntN(60),
			Zone: zones[rnd.IntN(len(zones))], Start: start.AddDate(-rnd.IntN(3), -rnd.IntN(12), 0),
		}
		switch s.Frequency {
		case backup.Weekly:
			s.Weekdays = []time.Weekday{time.Tuesday, time.Sunday}[:1+rnd.IntN(2)]
		case backup.Monthly:
			s.MonthDay = []int{-1, 15, 29, 31}[rnd.IntN(4)]
		}
		switch rnd.IntN(3) {
		case 0:
			s.Count = 1500 + rnd.IntN(2000)
		case 1:
			s.Until = start.AddDate(1+rnd.IntN(3), 0, 0)
		}
		p := setup(t)
		r, err := p.Submit(t.Context(), p.client, backup.Form{ServerID: p.server.ID, Schedule: s})
		if errors.Is(err, backup.ErrInvalid) {
			continue
		}
		require.NoError(t, err)
		now := r.Planned
		missed, last := 0, time.Time{}
		for range 3 {
			now = now.Add(time.Duration(rnd.IntN(24*365*3)) * time.Hour)
			for next, ok := s.Next(later(r.Planned, last)); ok && !next.After(now); next, ok = s.Next(next) {
				missed, last = missed+1, next.UTC()
			}
			p.clock.Set(now)
			p.tick(t)
			skipped := p.list(t, backup.TaskQuery{States: []backup.State{backup.Skipped}})
			if missed == 0 {
				require.Empty(t, skipped, "%v", s)
				continue
			}
			require.Len(t, skipped, 1, "%v", s)
			require.Equal(t, missed, skipped[0].Missed, "%v", s)
			require.Equal(t, last, skipped[0].At, "%v", s)
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// TestSafetyNet: nobody told the Manager that the server has left.
func TestSafetyNet(t *testing.T) {
	t.Parallel()
	leave := map[string]func(*testing.T, *panel){
		"released": func(t *testing.T, p *panel) { p.release(t, p.server) },
		"given to another client": func(t *testing.T, p *panel) {
			p.release(t, p.server)
			_, err := p.servers.Restock(t.Context(), p.reseller, p.server.ID)
			require.NoError(t, err)
			_, err = p.servers.Assign(t.Context(), p.reseller, p.server.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: billing()})
			require.NoError(t, err)
		},
		"given to the same client anew": func(t *testing.T, p *panel) {
			p.release(t, p.server)
			_, err := p.servers.Restock(t.Context(), p.reseller, p.server.ID)
			require.NoError(t, err)
			_, err = p.servers.Assign(t.Context(), p.reseller, p.server.ID, dedicated.NewAssignment{ClientID: p.client.ID, Billing: billing()})
			require.NoError(t, err)
		},
	}
	for name, left := range leave {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			first, second := p.submit(t, daily(2)), p.submit(t, daily(2))
			left(t, p)
			p.clock.Set(at("2026-01-02 02:00"))
			p.tick(t)
			tasks := p.list(t, backup.TaskQuery{})
			require.Len(t, tasks, 2)
			for _, task := range tasks {
				assert.Equal(t, backup.Cancelled, task.State)
				assert.NotEmpty(t, task.Reason)
			}
			for _, id := range []uuid.UUID{first.ID, second.ID} {
				r, err := p.Request(t.Context(), p.reseller, id)
				require.NoError(t, err)
				assert.Equal(t, backup.Closed, r.Ending)
			}
			assert.Equal(t, 1, p.count(t, backup.KindClosed), "one mail for all")
			assert.Zero(t, p.tick(t))
		})
	}
}

// TestSafetyNetWithoutAssignments: the servers of a host's own table are told apart by their client alone.
func TestSafetyNetWithoutAssignments(t *testing.T) {
	t.Parallel()
	var server dedicated.Server
	p := setup(t, func(c *backup.Config) {
		c.Servers = serversFunc(func(uuid.UUID) (dedicated.Server, error) { return server, nil })
	})
	server = p.server
	server.Assignment = uuid.Nil
	first := p.submit(t, daily(2))
	next := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: p.reseller.ResellerID}
	server.ClientID = next.ID
	second, err := p.Submit(t.Context(), next, backup.Form{ServerID: server.ID, Schedule: daily(2)})
	require.NoError(t, err)
	p.clock.Set(at("2026-01-02 02:00"))
	p.tick(t)
	assert.Equal(t, backup.Pending, p.planned(t, second).State)
	assert.Equal(t, backup.Cancelled, p.list(t, backup.TaskQuery{RequestID: first.ID})[0].State)
}

// TestSafetyNetWhileWaiting: a task that was due when the server was still the client's is looked at again.
func TestSafetyNetWhileWaiting(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 18})
	p.clock.Set(at("2026-01-01 18:00"))
	p.tick(t)
	p.release(t, p.server)
	p.clock.Set(at("2026-01-01 19:00"))
	p.tick(t)
	assert.Equal(t, backup.Cancelled, p.list(t, backup.TaskQuery{})[0].State)
}

// TestServerOnHold: a client that is held back still uses its server.
func TestServerOnHold(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	_, err := p.servers.Suspend(t.Context(), p.reseller, p.server.ID, "invoice")
	require.NoError(t, err)
	p.clock.Set(at("2026-01-02 02:00"))
	p.tick(t)
	assert.Equal(t, backup.Pending, p.planned(t, r).State)
}

func TestRenamedServer(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r := p.submit(t, daily(2))
	_, err := p.servers.Rename(t.Context(), p.reseller, p.server.ID, "web-08")
	require.NoError(t, err)
	assert.Equal(t, "web-07", p.planned(t, r).ServerName)
	p.clock.Set(at("2026-01-02 02:00"))
	p.tick(t)
	assert.Equal(t, "web-08", p.planned(t, r).ServerName)
}

// TestInventoryDown: what fails is tried again later, and holds up nobody else.
func TestInventoryDown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func() error{
		"error": func() error { return errDown },
		"panic": func() error { panic(errDown) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inventory := &outage{}
			p := setup(t, func(c *backup.Config) { inventory.Servers, c.Servers = c.Servers, inventory })
			bad := p.submit(t, daily(2))
			inventory.of, inventory.fault = p.server.ID, fault
			p.server = p.rent(t, "web-08", dedicated.Owner{}, p.client.ID)
			good := p.submit(t, daily(2))

			p.clock.Set(at("2026-01-05 02:00"))
			_, err := p.Tick(t.Context())
			require.ErrorIs(t, err, errDown)
			var e *backup.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, bad.ID, e.RequestID)
			assert.Len(t, p.list(t, backup.TaskQuery{RequestID: good.ID}), 2)
			assert.Len(t, p.list(t, backup.TaskQuery{RequestID: bad.ID}), 1)
			for n := 1; n < 4; n++ {
				r, err := p.Request(t.Context(), p.reseller, bad.ID)
				require.NoError(t, err)
				require.Equal(t, n, r.Failures)
				require.True(t, r.Due.After(p.clock.Now()), "later, and so it does not spin")
				p.tick(t)
				p.clock.Set(r.Due)
				_, err = p.Tick(t.Context())
				require.ErrorIs(t, err, errDown)
			}
			inventory.fault = nil
			p.clock.Add(time.Hour)
			p.tick(t)
			r, err := p.Request(t.Context(), p.reseller, bad.ID)
			require.NoError(t, err)
			assert.Zero(t, r.Failures)
			assert.Len(t, p.list(t, backup.TaskQuery{RequestID: bad.ID}), 2)
		})
	}
}

// contested is a store that answers the first Commits with a conflict.
type contested struct {
	backup.Store
	left atomic.Int64
}

func (c *contested) Commit(ctx context.Context, changes ...backup.Change) error {
	if c.left.Add(-1) >= 0 {
		return fmt.Errorf("somebody was faster: %w", backup.ErrConflict)
	}
	return c.Store.Commit(ctx, changes...)
}

func TestConflictsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	store, asked := &contested{}, 0
	p := setup(t, func(c *backup.Config) {
		store.Store, c.Store = c.Store, store
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, backup.Request) error {
			asked++
			return nil
		})
	})
	store.left.Store(4)
	r, other := p.submit(t, daily(2)), p.submit(t, daily(2))
	assert.Equal(t, 2, asked, "gates are asked once an operation")
	store.left.Store(4)
	r = revise(t, p, r, daily(2))
	r = revise(t, p, r, backup.Schedule{Frequency: backup.Daily, Interval: 1, Hour: 2})
	assert.Equal(t, 3, asked)
	p.clock.Set(at("2026-01-03 02:00"))
	store.left.Store(3)
	p.tick(t)
	for _, id := range []uuid.UUID{r.ID, other.ID} {
		skipped := p.list(t, backup.TaskQuery{RequestID: id, States: []backup.State{backup.Skipped}})
		require.Len(t, skipped, 1)
		assert.Equal(t, 1, skipped[0].Missed)
	}
	store.left.Store(4)
	_, err := p.Complete(t.Context(), p.reseller, p.planned(t, r).ID, backup.Result{})
	require.NoError(t, err)
	store.left.Store(5)
	_, err = p.Complete(t.Context(), p.reseller, p.planned(t, other).ID, backup.Result{})
	require.ErrorIs(t, err, backup.ErrConflict)
	assert.Equal(t, 1, p.count(t, backup.KindCompleted))
	assert.Equal(t, 2, p.count(t, backup.KindOverdue))
}

// counted is a store that counts its calls.
type counted struct {
	backup.Store
	commits, claims int
	down            bool
}

func (c *counted) Commit(ctx context.Context, changes ...backup.Change) error {
	c.commits++
	if c.down {
		return errDown
	}
	return c.Store.Commit(ctx, changes...)
}

func (c *counted) ClaimDue(ctx context.Context, now, until time.Time, limit int) (backup.Due, error) {
	c.claims++
	return c.Store.ClaimDue(ctx, now, until, limit)
}

// TestTickWorksInBatches: a transaction for a hundred requests, not a hundred of them; and none where nothing is due.
func TestTickWorksInBatches(t *testing.T) {
	t.Parallel()
	store := &counted{}
	p := setup(t, func(c *backup.Config) { store.Store, c.Store = c.Store, store })
	for range 250 {
		p.submit(t, daily(2))
	}
	store.commits, store.claims = 0, 0
	p.tick(t)
	assert.Equal(t, 0, store.commits)
	p.clock.Set(at("2026-01-03 02:00"))
	p.tick(t)
	assert.Equal(t, 3, store.commits)
	assert.Equal(t, 5, store.claims)
	counts, err := p.Counts(t.Context(), p.reseller, backup.TaskQuery{})
	require.NoError(t, err)
	assert.Equal(t, 250, counts[backup.Skipped])
}

// TestStoreDown: a Tick that cannot write says so and ends; what it had claimed comes again with the end of the lease.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	store := &counted{}
	p := setup(t, func(c *backup.Config) { store.Store, c.Store = c.Store, store })
	p.submit(t, daily(2))
	p.clock.Set(at("2026-01-03 02:00"))
	store.down = true
	_, err := p.Tick(t.Context())
	require.ErrorIs(t, err, errDown)
	store.down = false
	p.tick(t)
	assert.Len(t, p.list(t, backup.TaskQuery{}), 1)
	p.clock.Set(at("2026-01-03 02:05"))
	p.tick(t)
	assert.Len(t, p.list(t, backup.TaskQuery{}), 2)
}

// TestTickEndsWithItsContext, and says so.
func TestTickEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
