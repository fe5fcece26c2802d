package cancellation_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// newStuckFixture makes a fixture with an execution whose deprovisioning has failed once.
func newStuckFixture(t *testing.T, change ...func(*cancellation.Config)) (*fixture, *recordingHooks, cancellation.Cancellation) {
	t.Helper()
	hooks := &recordingHooks{deprovisionErr: errors.New("no answer")}
	f := newFixture(t, append(change, hooks.install)...)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	_, err := f.Tick(t.Context())
	require.ErrorIs(t, err, hooks.deprovisionErr)
	return f, hooks, f.get(t, c.ID)
}

func TestRetry(t *testing.T) {
	t.Parallel()
	f, hooks, c := newStuckFixture(t)
	assert.Len(t, hooks.deprovisioned, 1)
	f.tick(t)
	assert.Len(t, hooks.deprovisioned, 1, "not before RetryAt")
	again, err := f.Retry(t.Context(), f.reseller, c.ID)
	require.NoError(t, err)
	assert.Equal(t, f.clock.Now(), again.Due)
	assert.Equal(t, 1, again.Attempts, "stuck until the step succeeds")
	hooks.deprovisionErr = nil
	f.tick(t)
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Equal(t, []string{"scheduled", "executing", "retried", "executed"}, history(got))
	_, err = f.Retry(t.Context(), f.reseller, c.ID)
	assertError(t, err, cancellation.ErrConflict)
}

func TestRetryOfARefusedExecution(t *testing.T) {
	t.Parallel()
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	_, err := f.Retry(t.Context(), f.reseller, c.ID)
	assert.Contains(t, requireError(t, err, cancellation.ErrConflict).Msg, "not stuck")
	hooks.gateErr = dedicated.Refuse("a backup is running")
	f.tick(t)
	hooks.gateErr = nil
	_, err = f.Retry(t.Context(), f.reseller, c.ID)
	require.NoError(t, err)
	f.tick(t)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

func TestAbandon(t *testing.T) {
	t.Parallel()
	f, hooks, c := newStuckFixture(t)
	got, err := f.Abandon(t.Context(), f.reseller, c.ID, "the machine burnt down")
	require.NoError(t, err)
	assert.Equal(t, cancellation.Failed, got.State)
	assert.Equal(t, []string{"scheduled", "executing", "abandoned: the machine burnt down"}, history(got))
	assert.Equal(t, f.reseller, got.History[2].By)
	assertMoney(t, "20.00", got.Refund.Total)
	assert.False(t, got.Steps[0].Done.IsZero())
	assert.True(t, got.Steps[2].Done.IsZero())
	s := f.readServer(t, c.ServerID)
	assert.Equal(t, uuid.Nil, s.LockedBy)
	assert.Equal(t, dedicated.CleanUp, s.State)
	hooks.deprovisionErr = nil
	f.tickAt(t, at("2029-01-01 00:00"))
	assert.Len(t, hooks.deprovisioned, 1)
	assert.Empty(t, f.biller.refunds(), "no further refund")
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindFailed])
	_, err = f.Abandon(t.Context(), f.reseller, c.ID, "again")
	assertError(t, err, cancellation.ErrConflict)
}

func TestAbandonKeepsTheRefundThatWasPaid(t *testing.T) {
	t.Parallel()
	hooks := &recordingHooks{closeDownErr: errors.New("no answer")}
	f := newFixture(t, hooks.install)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	_, err := f.Tick(t.Context())
	require.Error(t, err)
	got, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
	require.NoError(t, err)
	assert.False(t, got.Steps[2].Done.IsZero())
	assert.Equal(t, 1, f.biller.calls)
}

// TestTicksFinishAbandon: Unlock fails at first, and a later Tick unlocks the server.
func TestTicksFinishAbandon(t *testing.T) {
	t.Parallel()
	servers := &failingUnlock{}
	f, hooks, c := newStuckFixture(t, func(config *cancellation.Config) { servers.Servers, config.Servers = config.Servers, servers })
	servers.err = errors.New("the inventory is down")
	_, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
	require.ErrorIs(t, err, servers.err)
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executing, got.State)
	assert.True(t, got.Abandoned)
	servers.err, hooks.deprovisionErr = nil, nil
	f.tickAt(t, got.RetryAt)
	assert.Equal(t, cancellation.Failed, f.get(t, c.ID).State)
	assert.Len(t, hooks.deprovisioned, 1, "no other step runs any more")
	assert.Equal(t, uuid.Nil, f.readServer(t, c.ServerID).LockedBy)
}

// TestAbandonWhoseCallerLeaves: the server cannot be unlocked, and the caller leaves while that is recorded. The error is that of the
// caller's context alone.
func TestAbandonWhoseCallerLeaves(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	servers, store := &failingUnlock{}, &refusingStore{err: context.Canceled}
	f, _, c := newStuckFixture(t, func(config *cancellation.Config) {
		servers.Servers, config.Servers = config.Servers, servers
		store.Store, config.Store = config.Store, store
	})
	servers.err = errors.New("the inventory is down")
	store.refuses = func(next cancellation.Cancellation) bool {
		if next.Attempts > c.Attempts {
			leave()
		}
		return ctx.Err() != nil
	}
	_, err := f.Abandon(ctx, f.reseller, c.ID, "")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, cancellation.ErrHost)
	assert.True(t, f.get(t, c.ID).Abandoned)
}

// failingUnlock fails to unlock a server while err is set.
type failingUnlock struct {
	cancellation.Servers
	err error
}

func (l *failingUnlock) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	if l.err != nil {
		return dedicated.Server{}, l.err
	}
	return l.Servers.Unlock(ctx, a, id, key)
}

func TestRetryAndAbandonWaitForTheLease(t *testing.T) {
	t.Parallel()
	f, hooks, c := newStuckFixture(t)
	hooks.deprovisionErr = nil
	f.clock.Set(c.RetryAt)
	due, err := f.store.ClaimDue(t.Context(), c.RetryAt, c.RetryAt.Add(cancellation.DefaultLease), 10)
	require.NoError(t, err)
	require.Len(t, due.Cancellations, 1)
	_, err = f.Retry(t.Context(), f.reseller, c.ID)
	assert.Contains(t, requireError(t, err, cancellation.ErrConflict).Msg, "a process is working")
	_, err = f.Abandon(t.Context(), f.reseller, c.ID, "")
	assert.Contains(t, requireError(t, err, cancellation.ErrConflict).Msg, "a process is working")
	f.clock.Set(c.RetryAt.Add(cancellation.DefaultLease))
	_, err = f.Abandon(t.Context(), f.reseller, c.ID, "")
	require.NoError(t, err, "its lease has ended")
}

func TestAbandonNeedsAnExecution(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	_, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
	e := requireError(t, err, cancellation.ErrConflict)
	assert.Equal(t, []cancellation.State{cancellation.Executing}, e.Want)
	other, _, c := newStuckFixture(t)
	_, err = other.Abandon(t.Context(), other.reseller, c.ID, "a\nb")
	assert.Equal(t, "reason", requireError(t, err, cancellation.ErrInvalid).Field)
}

// TestCrashWhileAbandoning stops an Abandon at each call in turn: either nothing is written, or ticks finish it.
func TestCrashWhileAbandoning(t *testing.T) {
	t.Parallel()
	for _, mode := range crashModes {
		for at := 0; ; at++ {
			f, _, c := newStuckFixture(t)
			stop := &interruption{call: at, mode: mode}
			abandonInterrupted(t, f, stop, c.ID)
			if !stop.happened {
				require.Greater(t, at, 3)
				break
			}
			for range 3 {
				f.clock.Set(f.clock.Now().Add(cancellation.DefaultLease))
				_, _ = f.Tick(t.Context()) // deprovisioning still fails
			}
			if got := f.get(t, c.ID); !got.Abandoned {
				require.Equal(t, cancellation.Executing, got.State, "%s %s", mode, stop.at)
				_, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
				require.NoError(t, err)
			}
			require.Equal(t, cancellation.Failed, f.get(t, c.ID).State, "%s %s", mode, stop.at)
			require.Equal(t, uuid.Nil, f.readServer(t, c.ServerID).LockedBy)
			require.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindFailed])
			require.Empty(t, f.biller.refunds())
		}
	}
}

func abandonInterrupted(t *testing.T, f *fixture, stop *interruption, id uuid.UUID) {
	t.Helper()
	m, err := cancellation.New(interrupted(f.config, stop))
	require.NoError(t, err)
	defer func() {
		if v := recover(); v != nil {
			require.Equal(t, errCrash, v)
		}
	}()
	if _, err = m.Abandon(t.Context(), f.reseller, id, "burnt down"); stop.happened && err != nil {
		require.ErrorIs(t, err, errCrash)
	}
}

// TestHookOutlivesItsLease: a reseller sees a step that does not return, and abandons the execution. The step's late result
// changes nothing.
func TestHookOutlivesItsLease(t *testing.T) {
	t.Parallel()
	var f *fixture
	var c cancellation.Cancellation
	calls := 0
	f = newFixture(t, func(config *cancellation.Config) {
		config.Hooks.Deprovision = append(config.Hooks.Deprovision, func(ctx context.Context, _ cancellation.Cancellation, _ dedicated.Server) error {
			calls++
			f.clock.Set(f.clock.Now().Add(cancellation.DefaultLease))
			if calls == 1 {
				_, err := f.Tick(ctx) // the second call does not return in time either
				return err
			}
			got := f.get(t, c.ID)
			assert.Equal(t, 1, got.Attempts)
			assert.Contains(t, got.LastError, "hangs")
			stuck, _, err := f.Cancellations(ctx, f.reseller, cancellation.Query{Stuck: true})
			require.NoError(t, err)
			assert.Len(t, stuck, 1)
			_, err = f.Abandon(ctx, f.reseller, c.ID, "it hangs")
			return err
		})
	})
	c = f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	assert.Equal(t, 2, calls)
	assert.Equal(t, cancellation.Failed, f.get(t, c.ID).State)
	assert.Empty(t, f.biller.refunds())
}
