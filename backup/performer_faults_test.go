package backup_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// failingStore is a store whose Commit can fail.
type failingStore struct {
	backup.Store
	down bool
}

func (m *failingStore) Commit(ctx context.Context, changes ...backup.Change) error {
	if m.down {
		return errDown
	}
	return m.Store.Commit(ctx, changes...)
}

// TestLostLease: a process loses the store, and comes back with a result after another process has made the same backup.
func TestLostLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &countingPerformer{do: func(context.Context, backup.Task) (backup.Result, error) {
			time.Sleep(time.Hour) // ignores its context
			return backup.Result{Note: "late"}, nil
		}}
		quick := &countingPerformer{do: lasting(time.Minute)}
		store := &failingStore{}
		f := setupPerformer(t, slow, func(c *backup.Config) { store.Store, c.Store = c.Store, store })
		other, err := backup.New(backup.Config{Store: f.store, Servers: f.servers, Performer: quick})
		require.NoError(t, err)
		r := f.submit(t, at2())
		task := f.planned(t, r)
		time.Sleep(time.Until(task.At))
		failed := make(chan error)
		go func() {
			_, err := f.Tick(t.Context())
			failed <- err
		}()
		synctest.Wait()
		store.down = true
		require.Empty(t, runFor(t, 30*time.Minute, other))
		store.down = false
		err = <-failed
		require.ErrorIs(t, err, backup.ErrConflict)
		assert.ErrorContains(t, err, "lost")
		assert.Len(t, slow.calls, 1)
		assert.Len(t, quick.calls, 1)
		assert.Equal(t, 1, f.count(t, backup.KindCompleted))
		done, err := f.Task(t.Context(), f.client, task.ID)
		require.NoError(t, err)
		assert.EqualValues(t, 42, done.Result.Bytes)
		assert.Empty(t, done.Result.Note)
	})
}

func TestTriesAgain(t *testing.T) {
	t.Parallel()
	failure := errors.New("no space\r\nleft on the disk")
	faults := map[string]func() (backup.Result, error){
		"error":            func() (backup.Result, error) { return backup.Result{}, failure },
		"silent error":     func() (backup.Result, error) { return backup.Result{}, errors.New("") },
		"panic":            func() (backup.Result, error) { panic(failure) },
		"goroutine ended":  func() (backup.Result, error) { runtime.Goexit(); return backup.Result{}, nil },
		"typed nil":        func() (backup.Result, error) { return backup.Result{}, (*backup.Error)(nil) },
		"impossible bytes": func() (backup.Result, error) { return backup.Result{Bytes: -1}, nil },
	}
	reasons := map[string]string{
		"error":            "no space  left on the disk",
		"silent error":     "no reason given",
		"panic":            "internal error",
		"goroutine ended":  "internal error",
		"typed nil":        "internal error",
		"impossible bytes": "backup: Result.Bytes: -1 is negative: want the size, or 0 if it is unknown",
	}
	for name, fault := range faults {
		reason := reasons[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				left := 2
				h := &countingPerformer{}
				h.do = func(context.Context, backup.Task) (backup.Result, error) {
					if left--; left >= 0 {
						return fault()
					}
					return backup.Result{}, nil
				}
				f := setupPerformer(t, h)
				r := f.submit(t, at2())
				task := f.planned(t, r)
				bugs := 0
				if name == "panic" || name == "goroutine ended" {
					bugs = 2
				}
				require.Len(t, runFor(t, 4*time.Hour, f.Manager), bugs, "Tick returns panics of the Performer, but not its errors")
				task, err := f.Task(t.Context(), f.client, task.ID)
				require.NoError(t, err)
				assert.Equal(t, backup.Completed, task.State)
				assert.Equal(t, 2, task.Tries)
				require.Len(t, h.calls, 3)
				for n := 1; n < 3; n++ {
					wait := h.calls[n].Sub(h.calls[n-1])
					assert.GreaterOrEqual(t, wait, 30*time.Second<<(n-1))
					assert.LessOrEqual(t, wait, time.Minute<<n)
				}
				assert.Equal(t, 1, f.count(t, backup.KindCompleted))
				assert.Zero(t, f.count(t, backup.KindFailed))

				left = 100
				r = f.submit(t, at2())
				id := f.planned(t, r).ID
				assert.Len(t, runFor(t, 2*time.Hour+20*time.Second, f.Manager), bugs/2)
				task, err = f.Task(t.Context(), f.reseller, id)
				require.NoError(t, err)
				assert.Equal(t, reason, task.Reason)
				task, err = f.Task(t.Context(), f.client, id)
				require.NoError(t, err)
				assert.Empty(t, task.Reason, "the reason of a single try is for the reseller")
				assert.Len(t, runFor(t, 12*time.Hour, f.Manager), bugs*2)
				task, err = f.Task(t.Context(), f.client, id)
				require.NoError(t, err)
				assert.Equal(t, backup.Failed, task.State)
				assert.Equal(t, backup.DefaultTries, task.Tries)
				assert.Equal(t, backup.PerformerReason, task.Reason)
				assert.Equal(t, 1, f.count(t, backup.KindFailed), "one mail, not one for each try")
				task, err = f.Task(t.Context(), f.reseller, id)
				require.NoError(t, err)
				assert.Equal(t, reason, task.Reason)
				assert.True(t, task.PerformerFailed)

				left = 0
				_, err = f.Retry(t.Context(), f.reseller, id)
				require.NoError(t, err)
				f.tick(t)
				task, err = f.Task(t.Context(), f.client, id)
				require.NoError(t, err)
				assert.Equal(t, backup.Completed, task.State)
				assert.Equal(t, 1, task.Attempt)
				assert.False(t, task.PerformerFailed)
			})
		})
	}
}

func TestPerformersDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: lasting(24 * time.Hour)}
		f := setupPerformer(t, h, func(c *backup.Config) { c.Deadline, c.Tries = time.Hour, 2 })
		task := f.planned(t, f.submit(t, at2()))
		require.Empty(t, runFor(t, 12*time.Hour, f.Manager))
		task, err := f.Task(t.Context(), f.reseller, task.ID)
		require.NoError(t, err)
		assert.Equal(t, backup.Failed, task.State)
		assert.Equal(t, "not done within 1h0m0s", task.Reason)
		assert.Len(t, h.calls, 2)
	})
}

// oneFailsWhileOthersRun returns at 2 o'clock, when three backups of 90 minutes are planned: two at 2 o'clock, of which the look-up of one
// server fails, and one at 3 o'clock.
func oneFailsWhileOthersRun(t *testing.T) (*fixture, *countingPerformer) {
	t.Helper()
	inventory := &failingInventory{}
	h := &countingPerformer{do: lasting(90 * time.Minute)}
	f := setupPerformer(t, h, func(c *backup.Config) { inventory.Servers, c.Servers = c.Servers, inventory })
	long := f.submit(t, at2())
	f.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 3})
	inventory.of = f.rent(t, "web-08", dedicated.Owner{}, f.client.ID).ID
	_, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: inventory.of, Schedule: at2()})
	require.NoError(t, err)
	inventory.fault = func() error { return errDown }
	time.Sleep(time.Until(long.Planned))
	return f, h
}

// TestErrorsAreReturnedWhileOthersRun: a Tick that always has a backup running still returns its errors.
func TestErrorsAreReturnedWhileOthersRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, h := oneFailsWhileOthersRun(t)
		began := time.Now()
		_, err := f.Tick(t.Context())
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, 150*time.Minute, time.Since(began), "what falls due meanwhile is begun")
		assert.Len(t, h.calls, 2)
	})
}

// TestErrorsAreHeardWhileOthersRun: one look-up fails while a backup of 90 minutes runs. The Runner hears of it at once, and the backup that is
// due an hour later begins in time.
func TestErrorsAreHeardWhileOthersRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, h := oneFailsWhileOthersRun(t)
		planned := time.Now()
		heard := make(chan time.Time, 100)
		ctx, stop := context.WithTimeout(t.Context(), 75*time.Minute)
		defer stop()
		runner := dedicated.Runner{Tickers: []dedicated.Ticker{f.Manager}, OnError: func(dedicated.Ticker, error) { heard <- time.Now() }}
		_ = runner.Run(ctx)
		require.NotEmpty(t, heard)
		assert.WithinDuration(t, planned, <-heard, time.Minute)
		assert.Len(t, h.calls, 2, "the one at three as well")
	})
}

// TestClosedBetweenTries: closing a task removes what the Performer's failures left on it.
func TestClosedBetweenTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: func(context.Context, backup.Task) (backup.Result, error) { return backup.Result{}, errDown }}
		f := setupPerformer(t, h)
		task := f.planned(t, f.submit(t, at2()))
		time.Sleep(time.Until(task.At))
		f.tick(t)
		task, err := f.Task(t.Context(), f.reseller, task.ID)
		require.NoError(t, err)
		require.Equal(t, errDown.Error(), task.Reason)
		require.NotZero(t, task.TryAt)
		task, err = f.Complete(t.Context(), f.reseller, task.ID, backup.Result{Note: "by hand"})
		require.NoError(t, err)
		assert.Empty(t, task.Reason)
		assert.Zero(t, task.TryAt)
		require.Empty(t, runFor(t, time.Hour, f.Manager))
		assert.Len(t, h.calls, 1)
	})
}

// TestRetriedWhilePerformed: a late result does not count for the next attempt.
func TestRetriedWhilePerformed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &countingPerformer{do: func(context.Context, backup.Task) (backup.Result, error) {
			time.Sleep(time.Hour) // ignores its context
			return backup.Result{}, nil
		}}
		f := setupPerformer(t, h)
		task := f.planned(t, f.submit(t, at2()))
		time.Sleep(time.Until(task.At))
		done := make(chan error)
		go func() {
			_, err := f.Tick(t.Context())
			done <- err
		}()
		synctest.Wait()
		_, err := f.Fail(t.Context(), f.reseller, task.ID, "hangs")
		require.NoError(t, err)
		_, err = f.Retry(t.Context(), f.reseller, task.ID)
		require.NoError(t, err)
		require.NoError(t, <-done)
		assert.Len(t, h.calls, 2)
		assert.Equal(t, 1, f.count(t, backup.KindCompleted))
	})
}
