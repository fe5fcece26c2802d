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

// hands is a Performer that keeps count of itself.
type hands struct {
	do func(ctx context.Context, t backup.Task) (backup.Result, error)

	mu         sync.Mutex
	busy, most int
	calls      []time.Time
}

func (h *hands) Perform(ctx context.Context, t backup.Task) (backup.Result, error) {
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

// taking is work of a length, done unless the context ends first.
func taking(d time.Duration) func(context.Context, backup.Task) (backup.Result, error) {
	return func(ctx context.Context, _ backup.Task) (backup.Result, error) {
		select {
		case <-ctx.Done():
			return backup.Result{}, ctx.Err()
		case <-time.After(d):
			return backup.Result{Bytes: 42, Location: "vault"}, nil
		}
	}
}

// bubble sets up a panel with a Performer under the bubble's time, which begins at midnight.
func bubble(t *testing.T, h *hands, change ...func(*backup.Config)) *panel {
	t.Helper()
	return setup(t, append([]func(*backup.Config){func(c *backup.Config) { c.Clock, c.Performer = clock.New(), h }}, change...)...)
}

// at2 is a schedule that is due once, two hours from now.
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
		h := &hands{do: taking(10 * time.Minute)}
		p := bubble(t, h)
		r := p.submit(t, daily(2))
		require.Empty(t, runFor(t, 3*24*time.Hour, p.Manager))
		counts, err := p.Counts(t.Context(), p.client, backup.TaskQuery{})
		require.NoError(t, err)
		assert.Equal(t, 3, counts[backup.Completed])
		assert.Equal(t, 1, counts[backup.Pending])
		assert.Equal(t, 3, p.count(t, backup.KindCompleted))
		done := p.list(t, backup.TaskQuery{RequestID: r.ID, States: []backup.State{backup.Completed}})
		assert.Equal(t, backup.Result{Bytes: 42, Location: "vault"}, done[0].Result)
		for n, call := range h.calls {
			assert.Equal(t, done[n].At, call.UTC(), "at the very instant")
		}
	})
}

// TestHeartbeat: a backup that takes hours keeps its lease, under the eyes of another process.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hands{do: taking(3 * time.Hour)}
		p := bubble(t, h)
		other, err := backup.New(backup.Config{Store: p.store, Servers: p.servers, Performer: h})
		require.NoError(t, err)
		r := p.submit(t, at2())
		require.Empty(t, runFor(t, 6*time.Hour, p.Manager, other))
		assert.Len(t, h.calls, 1)
		assert.Equal(t, 1, p.count(t, backup.KindCompleted))
		stored, err := p.Request(t.Context(), p.client, r.ID)
		require.NoError(t, err)
		assert.Zero(t, stored.LeaseUntil)
	})
}

// TestBoundedParallelism: no more at once than Config says, and nobody idle while there is work.
func TestBoundedParallelism(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hands{do: taking(time.Minute)}
		p := bubble(t, h, func(c *backup.Config) { c.Parallel = 3 })
		for range 20 {
			p.submit(t, at2())
		}
		time.Sleep(2 * time.Hour)
		began := time.Now()
		p.tick(t)
		assert.Equal(t, 7*time.Minute, time.Since(began))
		assert.Equal(t, 3, h.most)
		assert.Len(t, h.calls, 20)
		assert.Equal(t, 20, p.count(t, backup.KindCompleted))
	})
}

// TestLongBackupHoldsUpNobody: with a free hand, what falls due meanwhile is done meanwhile.
func TestLongBackupHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var long uuid.UUID
		h := &hands{}
		h.do = func(ctx context.Context, task backup.Task) (backup.Result, error) {
			if task.RequestID == long {
				return taking(5*time.Hour)(ctx, task)
			}
			return taking(time.Minute)(ctx, task)
		}
		p := bubble(t, h)
		r := p.submit(t, at2())
		long = r.ID
		p.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 4})
		time.Sleep(time.Until(r.Planned))
		p.tick(t)
		require.Len(t, h.calls, 2)
		assert.Equal(t, 2*time.Hour, h.calls[1].Sub(h.calls[0]))
		assert.Equal(t, 2, h.most)
	})
}

// TestSettledWhilePerformed: who cancels a task that is being performed has the last word.
func TestSettledWhilePerformed(t *testing.T) {
	t.Parallel()
	for name, heeds := range map[string]bool{"a Performer that heeds": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := &hands{do: func(ctx context.Context, task backup.Task) (backup.Result, error) {
					if !heeds {
						ctx = context.WithoutCancel(ctx)
					}
					return taking(time.Hour)(ctx, task)
				}}
				p := bubble(t, h)
				r := p.submit(t, daily(2))
				task := p.planned(t, r)
				time.Sleep(time.Until(task.At))
				began, done := time.Now(), make(chan error)
				go func() {
					_, err := p.Tick(t.Context())
					done <- err
				}()
				synctest.Wait()
				_, err := p.Cancel(t.Context(), p.client, task.ID, "")
				require.NoError(t, err)
				require.NoError(t, <-done)
				if heeds {
					assert.Less(t, time.Since(began), 5*time.Minute, "it is told")
				}
				task, err = p.Task(t.Context(), p.client, task.ID)
				require.NoError(t, err)
				assert.Equal(t, backup.Cancelled, task.State)
				assert.Zero(t, p.count(t, backup.KindCompleted))
				stored, err := p.Request(t.Context(), p.client, r.ID)
				require.NoError(t, err)
				assert.Zero(t, stored.LeaseUntil, "the lease is given back")
			})
		})
	}
}

// TestStopsWithItsContext: a process that ends gives up what it has not done, and another does it at once.
func TestStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hands{do: taking(time.Hour)}
		p := bubble(t, h)
		task := p.planned(t, p.submit(t, at2()))
		time.Sleep(time.Until(task.At))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		began := time.Now()
		_, err := p.Tick(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 10*time.Minute, time.Since(began))
		task, err = p.Task(t.Context(), p.client, task.ID)
		require.NoError(t, err)
		assert.Equal(t, backup.Pending, task.State)
		assert.Zero(t, task.Tries, "no fault of the Performer")
		p.tick(t)
		assert.Len(t, h.calls, 2)
		assert.Equal(t, 1, p.count(t, backup.KindCompleted))
		assert.Equal(t, 70*time.Minute, time.Since(began))
	})
}

// TestManyProcesses: five over one store make each backup once.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hands{do: taking(30 * time.Second)}
		p := bubble(t, h)
		managers := []*backup.Manager{p.Manager}
		for range 4 {
			m, err := backup.New(backup.Config{Store: p.store, Servers: p.servers, Performer: h})
			require.NoError(t, err)
			managers = append(managers, m)
		}
		for range 40 {
			p.submit(t, daily(2))
		}
		require.Empty(t, runFor(t, 30*time.Hour, managers...))
		assert.Len(t, h.calls, 80)
		assert.Equal(t, 80, p.count(t, backup.KindCompleted))
		assert.Equal(t, 20, h.most)
	})
}
