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
	f := setup(t, func(c *backup.Config) { c.Grace = 48 * time.Hour })
	r := f.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 18})
	assert.Equal(t, at("2026-01-01 18:00"), f.tick(t))
	f.clock.Set(at("2026-01-01 18:00"))
	f.tick(t)
	f.clock.Set(at("2026-01-03 18:00").Add(-time.Microsecond))
	f.tick(t)
	assert.Zero(t, f.count(t, backup.KindOverdue))
	for range 3 {
		f.clock.Add(time.Microsecond)
		f.tick(t)
		f.clock.Add(100 * time.Hour)
		f.tick(t)
	}
	assert.Equal(t, 1, f.count(t, backup.KindOverdue))

	// Each attempt has its own grace and its own reminder.
	task := f.planned(t, r).ID
	_, err := f.Fail(t.Context(), f.reseller, task, "no space")
	require.NoError(t, err)
	_, err = f.Retry(t.Context(), f.reseller, task)
	require.NoError(t, err)
	f.tick(t)
	assert.Equal(t, 1, f.count(t, backup.KindOverdue))
	f.clock.Add(48 * time.Hour)
	f.tick(t)
	assert.Equal(t, 2, f.count(t, backup.KindOverdue))
}

// TestMissedAgainstNext counts the missed occurrences of random schedules by stepping from one occurrence to the next.
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
		f := setup(t)
		r, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, Schedule: s})
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
			f.clock.Set(now)
			f.tick(t)
			skipped := f.list(t, backup.TaskQuery{States: []backup.State{backup.Skipped}})
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

// TestSafetyNet: the server leaves, and the Manager is not told.
func TestSafetyNet(t *testing.T) {
	t.Parallel()
	leave := map[string]func(*testing.T, *fixture){
		"released": func(t *testing.T, f *fixture) { f.release(t, f.server) },
		"given to another client": func(t *testing.T, f *fixture) {
			f.release(t, f.server)
			_, err := f.servers.Restock(t.Context(), f.reseller, f.server.ID)
			require.NoError(t, err)
			_, err = f.servers.Assign(t.Context(), f.reseller, f.server.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: billing()})
			require.NoError(t, err)
		},
		"given to the same client anew": func(t *testing.T, f *fixture) {
			f.release(t, f.server)
			_, err := f.servers.Restock(t.Context(), f.reseller, f.server.ID)
			require.NoError(t, err)
			_, err = f.servers.Assign(t.Context(), f.reseller, f.server.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: billing()})
			require.NoError(t, err)
		},
	}
	for name, left := range leave {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			first, second := f.submit(t, daily(2)), f.submit(t, daily(2))
			left(t, f)
			f.clock.Set(at("2026-01-02 02:00"))
			f.tick(t)
			tasks := f.list(t, backup.TaskQuery{})
			require.Len(t, tasks, 2)
			for _, task := range tasks {
				assert.Equal(t, backup.Cancelled, task.State)
				assert.NotEmpty(t, task.Reason)
			}
			for _, id := range []uuid.UUID{first.ID, second.ID} {
				r, err := f.Request(t.Context(), f.reseller, id)
				require.NoError(t, err)
				assert.Equal(t, backup.Closed, r.Ending)
			}
			assert.Equal(t, 1, f.count(t, backup.KindClosed), "one mail for all")
			assert.Zero(t, f.tick(t))
		})
	}
}

// TestSafetyNetWithoutAssignments: the servers of a host's own table have no assignments. Only the client differs.
func TestSafetyNetWithoutAssignments(t *testing.T) {
	t.Parallel()
	var server dedicated.Server
	f := setup(t, func(c *backup.Config) {
		c.Servers = serversFunc(func(uuid.UUID) (dedicated.Server, error) { return server, nil })
	})
	server = f.server
	server.Assignment = uuid.Nil
	first := f.submit(t, daily(2))
	next := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: f.reseller.ResellerID}
	server.ClientID = next.ID
	second, err := f.Submit(t.Context(), next, backup.Form{ServerID: server.ID, Schedule: daily(2)})
	require.NoError(t, err)
	f.clock.Set(at("2026-01-02 02:00"))
	f.tick(t)
	assert.Equal(t, backup.Pending, f.planned(t, second).State)
	assert.Equal(t, backup.Cancelled, f.list(t, backup.TaskQuery{RequestID: first.ID})[0].State)
}

// TestSafetyNetWhileWaiting: the server leaves after the task was due. A later Tick finds it.
func TestSafetyNetWhileWaiting(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 18})
	f.clock.Set(at("2026-01-01 18:00"))
	f.tick(t)
	f.release(t, f.server)
	f.clock.Set(at("2026-01-01 19:00"))
	f.tick(t)
	assert.Equal(t, backup.Cancelled, f.list(t, backup.TaskQuery{})[0].State)
}

// TestSuspendedServer: the client of a suspended server still uses it.
func TestSuspendedServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	_, err := f.servers.Suspend(t.Context(), f.reseller, f.server.ID, "invoice")
	require.NoError(t, err)
	f.clock.Set(at("2026-01-02 02:00"))
	f.tick(t)
	assert.Equal(t, backup.Pending, f.planned(t, r).State)
}

func TestRenamedServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.submit(t, daily(2))
	_, err := f.servers.Rename(t.Context(), f.reseller, f.server.ID, "web-08")
	require.NoError(t, err)
	assert.Equal(t, "web-07", f.planned(t, r).ServerName)
	f.clock.Set(at("2026-01-02 02:00"))
	f.tick(t)
	assert.Equal(t, "web-08", f.planned(t, r).ServerName)
}

// TestInventoryDown: a request whose server cannot be read is tried again later, and holds up no other.
func TestInventoryDown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func() error{
		"error": func() error { return errDown },
		"panic": func() error { panic(errDown) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inventory := &failingInventory{}
			f := setup(t, func(c *backup.Config) { inventory.Servers, c.Servers = c.Servers, inventory })
			bad := f.submit(t, daily(2))
			inventory.of, inventory.fault = f.server.ID, fault
			f.server = f.rent(t, "web-08", dedicated.Owner{}, f.client.ID)
			good := f.submit(t, daily(2))

			f.clock.Set(at("2026-01-05 02:00"))
			_, err := f.Tick(t.Context())
			require.ErrorIs(t, err, errDown)
			var e *backup.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, bad.ID, e.RequestID)
			assert.Len(t, f.list(t, backup.TaskQuery{RequestID: good.ID}), 2)
			assert.Len(t, f.list(t, backup.TaskQuery{RequestID: bad.ID}), 1)
			for n := 1; n < 4; n++ {
				r, err := f.Request(t.Context(), f.reseller, bad.ID)
				require.NoError(t, err)
				require.Equal(t, n, r.Failures)
				require.True(t, r.Due.After(f.clock.Now()), "it is tried again later, not at once")
				f.tick(t)
				f.clock.Set(r.Due)
				_, err = f.Tick(t.Context())
				require.ErrorIs(t, err, errDown)
			}
			inventory.fault = nil
			f.clock.Add(time.Hour)
			f.tick(t)
			r, err := f.Request(t.Context(), f.reseller, bad.ID)
			require.NoError(t, err)
			assert.Zero(t, r.Failures)
			assert.Len(t, f.list(t, backup.TaskQuery{RequestID: bad.ID}), 2)
		})
	}
}

// conflictingStore is a store whose first Commits return a conflict.
type conflictingStore struct {
	backup.Store
	left atomic.Int64
}

func (c *conflictingStore) Commit(ctx context.Context, changes ...backup.Change) error {
	if c.left.Add(-1) >= 0 {
		return fmt.Errorf("another process was faster: %w", backup.ErrConflict)
	}
	return c.Store.Commit(ctx, changes...)
}

func TestConflictsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	store, asked := &conflictingStore{}, 0
	f := setup(t, func(c *backup.Config) {
		store.Store, c.Store = c.Store, store
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, backup.Request) error {
			asked++
			return nil
		})
	})
	store.left.Store(4)
	r, other := f.submit(t, daily(2)), f.submit(t, daily(2))
	assert.Equal(t, 2, asked, "gates are asked once an operation")
	store.left.Store(4)
	r = revise(t, f, r, daily(2))
	r = revise(t, f, r, backup.Schedule{Frequency: backup.Daily, Interval: 1, Hour: 2})
	assert.Equal(t, 3, asked)
	f.clock.Set(at("2026-01-03 02:00"))
	store.left.Store(3)
	f.tick(t)
	for _, id := range []uuid.UUID{r.ID, other.ID} {
		skipped := f.list(t, backup.TaskQuery{RequestID: id, States: []backup.State{backup.Skipped}})
		require.Len(t, skipped, 1)
		assert.Equal(t, 1, skipped[0].Missed)
	}
	store.left.Store(4)
	_, err := f.Complete(t.Context(), f.reseller, f.planned(t, r).ID, backup.Result{})
	require.NoError(t, err)
	store.left.Store(5)
	_, err = f.Complete(t.Context(), f.reseller, f.planned(t, other).ID, backup.Result{})
	require.ErrorIs(t, err, backup.ErrConflict)
	assert.Equal(t, 1, f.count(t, backup.KindCompleted))
	assert.Equal(t, 2, f.count(t, backup.KindOverdue))
}

// countingStore is a store that counts its calls.
type countingStore struct {
	backup.Store
	commits, claims int
	down            bool
}

func (c *countingStore) Commit(ctx context.Context, changes ...backup.Change) error {
	c.commits++
	if c.down {
		return errDown
	}
	return c.Store.Commit(ctx, changes...)
}

func (c *countingStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (backup.Due, error) {
	c.claims++
	return c.Store.ClaimDue(ctx, now, until, limit)
}

// TestTickWorksInBatches: a hundred requests take one Commit. If nothing is due, there is no Commit.
func TestTickWorksInBatches(t *testing.T) {
	t.Parallel()
	store := &countingStore{}
	f := setup(t, func(c *backup.Config) { store.Store, c.Store = c.Store, store })
	for range 250 {
		f.submit(t, daily(2))
	}
	store.commits, store.claims = 0, 0
	f.tick(t)
	assert.Equal(t, 0, store.commits)
	f.clock.Set(at("2026-01-03 02:00"))
	f.tick(t)
	assert.Equal(t, 3, store.commits)
	assert.Equal(t, 5, store.claims)
	counts, err := f.Counts(t.Context(), f.reseller, backup.TaskQuery{})
	require.NoError(t, err)
	assert.Equal(t, 250, counts[backup.Skipped])
}

// TestStoreDown: a Tick that cannot write returns the error. The claimed requests come again when their leases end.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	store := &countingStore{}
	f := setup(t, func(c *backup.Config) { store.Store, c.Store = c.Store, store })
	f.submit(t, daily(2))
	f.clock.Set(at("2026-01-03 02:00"))
	store.down = true
	_, err := f.Tick(t.Context())
	require.ErrorIs(t, err, errDown)
	store.down = false
	f.tick(t)
	assert.Len(t, f.list(t, backup.TaskQuery{}), 1)
	f.clock.Set(at("2026-01-03 02:05"))
	f.tick(t)
	assert.Len(t, f.list(t, backup.TaskQuery{}), 2)
}

// TestTickEndsWithItsContext: the error is that of the context.
func TestTickEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
