package backup_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// countingPerformer is a Performer that records its calls.
type countingPerformer struct {
	do func(ctx context.Context, t backup.Task) (backup.Result, error)

	mu         sync.Mutex
	busy, most int
	calls      []time.Time
}

func (h *countingPerformer) Perform(ctx context.Context, t backup.Task) (backup.Result, error) {
	h.mu.Lock()
	h.busy++
	h.most = max(h.most, h.busy)
	h.calls = append(h.calls, time.Now())
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.busy--
		h.mu.Unlock()
	}()
	return h.do(ctx, t)
}

// lasting returns a backup that takes a time. It fails if the context ends before.
func lasting(d time.Duration) func(context.Context, backup.Task) (backup.Result, error) {
	return func(ctx context.Context, _ backup.Task) (backup.Result, error) {
		select {
		case <-ctx.Done():
			return backup.Result{}, ctx.Err()
		case <-time.After(d):
			return backup.Result{Bytes: 42, Location: "vault"}, nil
		}
	}
}

// setupPerformer makes a fixture with a Performer. Its time is that of the synctest bubble, which begins at midnight.
func setupPerformer(t *testing.T, h *countingPerformer, change ...func(*backup.Config)) *fixture {
	t.Helper()
	return setup(t, append([]func(*backup.Config){func(c *backup.Config) { c.Clock, c.Performer = clock.New(), h }}, change...)...)
}

// at2 returns a schedule that is due once, two hours from now.
func at2() backup.Schedule {
	return backup.Schedule{Frequency: backup.Once, Hour: time.Now().UTC().Hour() + 2}
}

// runFor runs a Manager's loop for a time and returns its errors.
func runFor(t *testing.T, d time.Duration, managers ...*backup.Manager) []error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var mu sync.Mutex
	var errs []error
	r := dedicated.Runner{Poll: time.Minute, OnError: func(_ dedicated.Ticker, err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}}
	for _, m := range managers {
		r.Tickers = append(r.Tickers, m)
	}
	require.ErrorIs(t, r.Run(ctx), context.DeadlineExceeded)
	return errs
}

func TestPerforms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(10 * time.Minute)}
		f := setupPerformer(t, h)
		r := f.submit(t, daily(2))
		require.Empty(t, runFor(t, 3*24*time.Hour, f.Manager))
		counts, err := f.Counts(t.Context(), f.client, backup.TaskQuery{})
		require.NoError(t, err)
		assert.Equal(t, 3, counts[backup.Completed])
		assert.Equal(t, 1, counts[backup.Pending])
		assert.Equal(t, 3, f.count(t, backup.KindCompleted))
		done := f.list(t, backup.TaskQuery{RequestID: r.ID, States: []backup.State{backup.Completed}})
		assert.Equal(t, backup.Result{Bytes: 42, Location: "vault"}, done[0].Result)
		for n, call := range h.calls {
			assert.Equal(t, done[n].At, call.UTC(), "exactly at the planned date")
		}
	})
}

// TestLeaseIsRenewed: a backup that takes hours keeps its lease, while another process runs.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(3 * time.Hour)}
		f := setupPerformer(t, h)
		other, err := backup.New(backup.Config{Store: f.store, Servers: f.servers, Performer: h})
		require.NoError(t, err)
		r := f.submit(t, at2())
		require.Empty(t, runFor(t, 6*time.Hour, f.Manager, other))
		assert.Len(t, h.calls, 1)
		assert.Equal(t, 1, f.count(t, backup.KindCompleted))
		stored, err := f.Request(t.Context(), f.client, r.ID)
		require.NoError(t, err)
		assert.Zero(t, stored.LeaseUntil)
	})
}

// TestBoundedParallelism: exactly Config.Parallel backups run at once, as long as enough are due.
func TestBoundedParallelism(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(time.Minute)}
		f := setupPerformer(t, h, func(c *backup.Config) { c.Parallel = 3 })
		for range 20 {
			f.submit(t, at2())
		}
		time.Sleep(2 * time.Hour)
		began := time.Now()
		f.tick(t)
		assert.Equal(t, 7*time.Minute, time.Since(began))
		assert.Equal(t, 3, h.most)
		assert.Len(t, h.calls, 20)
		assert.Equal(t, 20, f.count(t, backup.KindCompleted))
	})
}

// TestLongBackupHoldsUpNobody: a task that falls due while another runs is performed at once, if Parallel allows it.
func TestLongBackupHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var long uuid.UUID
		h := &countingPerformer{}
		h.do = func(ctx context.Context, task backup.Task) (backup.Result, error) {
			if task.RequestID == long {
				return lasting(5*time.Hour)(ctx, task)
			}
			return lasting(time.Minute)(ctx, task)
		}
		f := setupPerformer(t, h)
		r := f.submit(t, at2())
		long = r.ID
		f.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 4})
		time.Sleep(time.Until(r.Planned))
		f.tick(t)
		require.Len(t, h.calls, 2)
		assert.Equal(t, 2*time.Hour, h.calls[1].Sub(h.calls[0]))
		assert.Equal(t, 2, h.most)
	})
}

// TestClosedWhilePerformed: a task that is cancelled while it is performed stays cancelled.
func TestClosedWhilePerformed(t *testing.T) {
	t.Parallel()
	for name, obeys := range map[string]bool{"a Performer that obeys its context": true, "one that does not obey it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := &countingPerformer{do: func(ctx context.Context, task backup.Task) (backup.Result, error) {
					if !obeys {
						ctx = context.WithoutCancel(ctx)
					}
					return lasting(time.Hour)(ctx, task)
				}}
				f := setupPerformer(t, h)
				r := f.submit(t, daily(2))
				task := f.planned(t, r)
				time.Sleep(time.Until(task.At))
				began, done := time.Now(), make(chan error)
				go func() {
					_, err := f.Tick(t.Context())
					done <- err
				}()
				synctest.Wait()
				_, err := f.Cancel(t.Context(), f.client, task.ID, "")
				require.NoError(t, err)
				require.NoError(t, <-done)
				if obeys {
					assert.Less(t, time.Since(began), 5*time.Minute, "its context ends")
				}
				task, err = f.Task(t.Context(), f.client, task.ID)
				require.NoError(t, err)
				assert.Equal(t, backup.Cancelled, task.State)
				assert.Zero(t, f.count(t, backup.KindCompleted))
				stored, err := f.Request(t.Context(), f.client, r.ID)
				require.NoError(t, err)
				assert.Zero(t, stored.LeaseUntil, "the lease is given back")
			})
		})
	}
}

// TestStopsWithItsContext: a process that ends gives its task back, and another process performs it at once.
func TestStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(time.Hour)}
		f := setupPerformer(t, h)
		task := f.planned(t, f.submit(t, at2()))
		time.Sleep(time.Until(task.At))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		began := time.Now()
		_, err := f.Tick(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 10*time.Minute, time.Since(began))
		task, err = f.Task(t.Context(), f.client, task.ID)
		require.NoError(t, err)
		assert.Equal(t, backup.Pending, task.State)
		assert.Zero(t, task.Tries, "the end of the process is not a failure of the Performer")
		f.tick(t)
		assert.Len(t, h.calls, 2)
		assert.Equal(t, 1, f.count(t, backup.KindCompleted))
		assert.Equal(t, 70*time.Minute, time.Since(began))
	})
}

// TestManyProcesses: five processes over one store make each backup once.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(30 * time.Second)}
		f := setupPerformer(t, h)
		managers := []*backup.Manager{f.Manager}
		for range 4 {
			m, err := backup.New(backup.Config{Store: f.store, Servers: f.servers, Performer: h})
			require.NoError(t, err)
			managers = append(managers, m)
		}
		for range 40 {
			f.submit(t, daily(2))
		}
		require.Empty(t, runFor(t, 30*time.Hour, managers...))
		assert.Len(t, h.calls, 80)
		assert.Equal(t, 80, f.count(t, backup.KindCompleted))
		assert.Equal(t, 20, h.most)
	})
}
