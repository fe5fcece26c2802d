package backup_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// mute is a store that loses heartbeats.
type mute struct {
	backup.Store
	down bool
}

func (m *mute) Commit(ctx context.Context, changes ...backup.Change) error {
	if m.down {
		return errDown
	}
	return m.Store.Commit(ctx, changes...)
}

// TestLostLease: a process that was cut off comes back with a result that somebody else has made meanwhile.
func TestLostLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &hands{do: func(context.Context, backup.Task) (backup.Result, error) {
			time.Sleep(time.Hour) // heeds nothing
			return backup.Result{Note: "late"}, nil
		}}
		quick := &hands{do: taking(time.Minute)}
		store := &mute{}
		p := bubble(t, slow, func(c *backup.Config) { store.Store, c.Store = c.Store, store })
		other, err := backup.New(backup.Config{Store: p.store, Servers: p.servers, Performer: quick})
		require.NoError(t, err)
		r := p.submit(t, at2())
		task := p.planned(t, r)
		time.Sleep(time.Until(task.At))
		failed := make(chan error)
		go func() {
			_, err := p.Tick(t.Context())
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
		assert.Equal(t, 1, p.count(t, backup.KindCompleted))
		done, err := p.Task(t.Context(), p.client, task.ID)
		require.NoError(t, err)
		assert.EqualValues(t, 42, done.Result.Bytes)
		assert.Empty(t, done.Result.Note)
	})
}

func TestTriesAgain(t *testing.T) {
	t.Parallel()
	broken := errors.New("no space\r\nleft on the disk")
	faults := map[string]func() (backup.Result, error){
		"error":            func() (backup.Result, error) { return backup.Result{}, broken },
		"silent error":     func() (backup.Result, error) { return backup.Result{}, errors.New("") },
		"panic":            func() (backup.Result, error) { panic(broken) },
		"impossible bytes": func() (backup.Result, error) { return backup.Result{Bytes: -1}, nil },
	}
	reasons := map[string]string{
		"error":            "no space  left on the disk",
		"silent error":     "no reason given",
		"panic":            "internal error",
		"impossible bytes": "backup: Result.Bytes: -1 is below zero, which stands for not known",
	}
	for name, fault := range faults {
		reason := reasons[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				left := 2
				h := &hands{}
				h.do = func(context.Context, backup.Task) (backup.Result, error) {
					if left--; left >= 0 {
						return fault()
					}
					return backup.Result{}, nil
				}
				p := bubble(t, h)
				r := p.submit(t, at2())
				task := p.planned(t, r)
				bugs := 0
				if name == "panic" {
					bugs = 2
				}
				require.Len(t, runFor(t, 4*time.Hour, p.Manager), bugs, "a failure of the Performer is none of Tick, but a panic is")
				task, err := p.Task(t.Context(), p.client, task.ID)
				require.NoError(t, err)
				assert.Equal(t, backup.Completed, task.State)
				assert.Equal(t, 2, task.Tries)
				require.Len(t, h.calls, 3)
				for n := 1; n < 3; n++ {
					wait := h.calls[n].Sub(h.calls[n-1])
					assert.GreaterOrEqual(t, wait, 30*time.Second<<(n-1))
					assert.LessOrEqual(t, wait, time.Minute<<n)
				}
				assert.Equal(t, 1, p.count(t, backup.KindCompleted))
				assert.Zero(t, p.count(t, backup.KindFailed))

				left = 100
				r = p.submit(t, at2())
				id := p.planned(t, r).ID
				assert.Len(t, runFor(t, 2*time.Hour+20*time.Second, p.Manager), bugs/2)
				task, err = p.Task(t.Context(), p.reseller, id)
				require.NoError(t, err)
				assert.Equal(t, reason, task.Reason)
				task, err = p.Task(t.Context(), p.client, id)
				require.NoError(t, err)
				assert.Empty(t, task.Reason, "while it is tried, that is the reseller's to know")
				assert.Len(t, runFor(t, 12*time.Hour, p.Manager), bugs*2)
				task, err = p.Task(t.Context(), p.client, id)
				require.NoError(t, err)
				assert.Equal(t, backup.Failed, task.State)
				assert.Equal(t, backup.DefaultTries, task.Tries)
				assert.Equal(t, reason, task.Reason)
				assert.Equal(t, 1, p.count(t, backup.KindFailed), "one mail, not one a try")

				left = 0
				_, err = p.Retry(t.Context(), p.reseller, id)
				require.NoError(t, err)
				p.tick(t)
				task, err = p.Task(t.Context(), p.client, id)
				require.NoError(t, err)
				assert.Equal(t, backup.Completed, task.State)
				assert.Equal(t, 1, task.Attempt)
			})
		})
	}
}

func TestPerformersDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hands{do: taking(24 * time.Hour)}
		p := bubble(t, h, func(c *backup.Config) { c.Deadline, c.Tries = time.Hour, 2 })
		task := p.planned(t, p.submit(t, at2()))
		require.Empty(t, runFor(t, 12*time.Hour, p.Manager))
		task, err := p.Task(t.Context(), p.client, task.ID)
		require.NoError(t, err)
		assert.Equal(t, backup.Failed, task.State)
		assert.Equal(t, "not done within 1h0m0s", task.Reason)
		assert.Len(t, h.calls, 2)
	})
}

// TestErrorsAreHeardWhileWorkGoesOn: a Tick that always has somebody at work still reports.
func TestErrorsAreHeardWhileWorkGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inventory := &outage{}
		h := &hands{do: taking(90 * time.Minute)}
		p := bubble(t, h, func(c *backup.Config) { inventory.Servers, c.Servers = c.Servers, inventory })
		long := p.submit(t, at2())
		p.submit(t, backup.Schedule{Frequency: backup.Once, Hour: 3})
		inventory.of = p.rent(t, "web-08", dedicated.Owner{}, p.client.ID).ID
		inventory.fault = nil
		_, err := p.Submit(t.Context(), p.client, backup.Form{ServerID: inventory.of, Schedule: at2()})
		require.NoError(t, err)
		inventory.fault = func() error { return errDown }
		time.Sleep(time.Until(long.Planned))
		began := time.Now()
		_, err = p.Tick(t.Context())
		require.ErrorIs(t, err, errDown)
		assert.Equal(t, 90*time.Minute, time.Since(began), "when the one at work is done, not later")
		assert.Len(t, h.calls, 1)
	})
}

// TestSettledBetweenTries: what the Performer left behind goes with the task.
func TestSettledBetweenTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hands{do: func(context.Context, backup.Task) (backup.Result, error) { return backup.Result{}, errDown }}
		p := bubble(t, h)
		task := p.planned(t, p.submit(t, at2()))
		time.Sleep(time.Until(task.At))
		p.tick(t)
		task, err := p.Task(t.Context(), p.reseller, task.ID)
		require.NoError(t, err)
		require.Equal(t, errDown.Error(), task.Reason)
		require.NotZero(t, task.TryAt)
		task, err = p.Complete(t.Context(), p.reseller, task.ID, backup.Result{Note: "by hand"})
		require.NoError(t, err)
		assert.Empty(t, task.Reason)
		assert.Zero(t, task.TryAt)
		require.Empty(t, runFor(t, time.Hour, p.Manager))
		assert.Len(t, h.calls, 1)
	})
}

// TestRetriedWhilePerformed: a late result is of the attempt that it was made for, not of the next.
func TestRetriedWhilePerformed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hands{do: func(context.Context, backup.Task) (backup.Result, error) {
			time.Sleep(time.Hour) // heeds nothing
			return backup.Result{}, nil
		}}
		p := bubble(t, h)
		task := p.planned(t, p.submit(t, at2()))
		time.Sleep(time.Until(task.At))
		done := make(chan error)
		go func() {
			_, err := p.Tick(t.Context())
			done <- err
		}()
		synctest.Wait()
		_, err := p.Fail(t.Context(), p.reseller, task.ID, "hangs")
		require.NoError(t, err)
		_, err = p.Retry(t.Context(), p.reseller, task.ID)
		require.NoError(t, err)
		require.NoError(t, <-done)
		assert.Len(t, h.calls, 2)
		assert.Equal(t, 1, p.count(t, backup.KindCompleted))
	})
}
