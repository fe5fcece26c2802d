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

// stuck is a fixture with an execution whose deprovisioning has failed once.
func stuck(t *testing.T, change ...func(*cancellation.Config)) (*fixture, *plugins, cancellation.Cancellation) {
	t.Helper()
	p := &plugins{wipe: errors.New("no answer")}
	w := setup(t, append(change, p.hooks)...)
	c := w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	_, err := w.Tick(t.Context())
	require.Error(t, err)
	return w, p, w.get(t, c.ID)
}

func TestRetry(t *testing.T) {
	t.Parallel()
	w, p, c := stuck(t)
	assert.Len(t, p.wiped, 1)
	w.tick(t)
	assert.Len(t, p.wiped, 1, "not before its time")
	again, err := w.Retry(t.Context(), w.reseller, c.ID)
	require.NoError(t, err)
	assert.Equal(t, w.clock.Now(), again.Due)
	assert.Equal(t, 1, again.Attempts, "still stuck until it has succeeded")
	p.wipe = nil
	w.tick(t)
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Equal(t, []string{"scheduled", "executing", "retried", "executed"}, history(got))
	_, err = w.Retry(t.Context(), w.reseller, c.ID)
	assertProblem(t, err, cancellation.ErrConflict)
}

func TestRetryOfARefusedExecution(t *testing.T) {
	t.Parallel()
	p := &plugins{}
	w := setup(t, p.hooks)
	c := w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	_, err := w.Retry(t.Context(), w.reseller, c.ID)
	assert.Contains(t, problem(t, err, cancellation.ErrConflict).Msg, "not stuck")
	p.gate = dedicated.Refuse("a backup is running")
	w.tick(t)
	p.gate = nil
	_, err = w.Retry(t.Context(), w.reseller, c.ID)
	require.NoError(t, err)
	w.tick(t)
	assert.Equal(t, cancellation.Executed, w.get(t, c.ID).State)
}

func TestAbandon(t *testing.T) {
	t.Parallel()
	w, p, c := stuck(t)
	got, err := w.Abandon(t.Context(), w.reseller, c.ID, "the machine burnt down")
	require.NoError(t, err)
	assert.Equal(t, cancellation.Failed, got.State)
	assert.Equal(t, []string{"scheduled", "executing", "abandoned: the machine burnt down"}, history(got))
	assert.Equal(t, w.reseller, got.History[2].By)
	assertMoney(t, "20.00", got.Refund.Total)
	assert.False(t, got.Steps[0].Done.IsZero())
	assert.True(t, got.Steps[2].Done.IsZero())
	s := w.serverNow(t, c.ServerID)
	assert.Equal(t, uuid.Nil, s.LockedBy)
	assert.Equal(t, dedicated.CleanUp, s.State)
	p.wipe = nil
	w.tickAt(t, at("2029-01-01 00:00"))
	assert.Len(t, p.wiped, 1)
	assert.Empty(t, w.biller.refunds(), "no further refund")
	assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindFailed])
	_, err = w.Abandon(t.Context(), w.reseller, c.ID, "again")
	assertProblem(t, err, cancellation.ErrConflict)
}

func TestAbandonKeepsTheRefundThatWasPaid(t *testing.T) {
	t.Parallel()
	p := &plugins{closing: errors.New("no answer")}
	w := setup(t, p.hooks)
	c := w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	_, err := w.Tick(t.Context())
	require.Error(t, err)
	got, err := w.Abandon(t.Context(), w.reseller, c.ID, "")
	require.NoError(t, err)
	assert.False(t, got.Steps[2].Done.IsZero())
	assert.Equal(t, 1, w.biller.calls)
}

// TestAbandonGoesOnByItself where lifting LockedBy fails at first.
func TestAbandonGoesOnByItself(t *testing.T) {
	t.Parallel()
	locked := &lockedServers{}
	w, p, c := stuck(t, func(config *cancellation.Config) { locked.Servers, config.Servers = config.Servers, locked })
	locked.err = errors.New("the inventory is down")
	_, err := w.Abandon(t.Context(), w.reseller, c.ID, "")
	require.ErrorIs(t, err, locked.err)
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Executing, got.State)
	assert.True(t, got.Abandoned)
	locked.err, p.wipe = nil, nil
	w.tickAt(t, got.RetryAt)
	assert.Equal(t, cancellation.Failed, w.get(t, c.ID).State)
	assert.Len(t, p.wiped, 1, "nothing else is done any more")
	assert.Equal(t, uuid.Nil, w.serverNow(t, c.ServerID).LockedBy)
}

// lockedServers cannot lift a mark.
type lockedServers struct {
	cancellation.Servers
	err error
}

func (l *lockedServers) Unlock(ctx context.Context, a dedicated.Actor, id, busy uuid.UUID) (dedicated.Server, error) {
	if l.err != nil {
		return dedicated.Server{}, l.err
	}
	return l.Servers.Unlock(ctx, a, id, busy)
}

func TestOperatorsWait(t *testing.T) {
	t.Parallel()
	w, p, c := stuck(t)
	p.wipe = nil
	w.clock.Set(c.RetryAt)
	due, err := w.store.ClaimDue(t.Context(), c.RetryAt, c.RetryAt.AddDate(0, 0, 1), 10)
	require.NoError(t, err)
	require.Len(t, due.Cancellations, 1)
	_, err = w.Retry(t.Context(), w.reseller, c.ID)
	assert.Contains(t, problem(t, err, cancellation.ErrConflict).Msg, "a process is working")
	_, err = w.Abandon(t.Context(), w.reseller, c.ID, "")
	assert.Contains(t, problem(t, err, cancellation.ErrConflict).Msg, "a process is working")
	w.clock.Set(c.RetryAt.AddDate(0, 0, 1))
	_, err = w.Abandon(t.Context(), w.reseller, c.ID, "")
	require.NoError(t, err, "its lease has ended")
}

func TestAbandonTakesWhatIsExecuting(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := w.schedule(t, w.server(t).ID, at("2026-11-20 12:00"))
	_, err := w.Abandon(t.Context(), w.reseller, c.ID, "")
	e := problem(t, err, cancellation.ErrConflict)
	assert.Equal(t, []cancellation.State{cancellation.Executing}, e.Want)
	stuckWorld, _, c := stuck(t)
	_, err = stuckWorld.Abandon(t.Context(), stuckWorld.reseller, c.ID, "a\nb")
	assert.Equal(t, "reason", problem(t, err, cancellation.ErrInvalid).Field)
}

// TestCrashWhileAbandoning stops an Abandon at every call in turn: either nothing has happened, or ticks finish it.
func TestCrashWhileAbandoning(t *testing.T) {
	t.Parallel()
	for _, mode := range crashModes {
		for at := 0; ; at++ {
			w, _, c := stuck(t)
			f := &fuse{at: at, mode: mode}
			abandonWith(t, w, f, c.ID)
			if !f.blown {
				require.Greater(t, at, 3)
				break
			}
			for range 3 {
				w.clock.Set(w.clock.Now().Add(cancellation.DefaultLease))
				_, _ = w.Tick(t.Context()) // the deprovisioning fails as before
			}
			if got := w.get(t, c.ID); !got.Abandoned {
				require.Equal(t, cancellation.Executing, got.State, "%s %s", mode, f.where)
				_, err := w.Abandon(t.Context(), w.reseller, c.ID, "")
				require.NoError(t, err)
			}
			require.Equal(t, cancellation.Failed, w.get(t, c.ID).State, "%s %s", mode, f.where)
			require.Equal(t, uuid.Nil, w.serverNow(t, c.ServerID).LockedBy)
			require.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindFailed])
			require.Empty(t, w.biller.refunds())
		}
	}
}

func abandonWith(t *testing.T, w *fixture, f *fuse, id uuid.UUID) {
	t.Helper()
	m, err := cancellation.New(fused(w.config, f))
	require.NoError(t, err)
	defer func() {
		if v := recover(); v != nil {
			require.Equal(t, errCrash, v)
		}
	}()
	if _, err = m.Abandon(t.Context(), w.reseller, id, "burnt down"); f.blown && err != nil {
		require.ErrorIs(t, err, errCrash)
	}
}

// TestHangingHook: a step that never answers is seen by the reseller, who can give it up; when it answers, it is too late.
func TestHangingHook(t *testing.T) {
	t.Parallel()
	var w *fixture
	var c cancellation.Cancellation
	calls := 0
	w = setup(t, func(config *cancellation.Config) {
		config.Hooks.Deprovision = append(config.Hooks.Deprovision, func(ctx context.Context, _ cancellation.Cancellation, _ dedicated.Server) error {
			calls++
			w.clock.Set(w.clock.Now().Add(cancellation.DefaultLease))
			if calls == 1 {
				_, err := w.Tick(ctx) // another one that hangs
				return err
			}
			got := w.get(t, c.ID)
			assert.Equal(t, 1, got.Attempts)
			assert.Contains(t, got.LastError, "hangs")
			stuck, _, err := w.Cancellations(ctx, w.reseller, cancellation.Query{Stuck: true})
			require.NoError(t, err)
			assert.Len(t, stuck, 1)
			_, err = w.Abandon(ctx, w.reseller, c.ID, "it hangs")
			return err
		})
	})
	c = w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	w.tick(t)
	assert.Equal(t, 2, calls)
	assert.Equal(t, cancellation.Failed, w.get(t, c.ID).State)
	assert.Empty(t, w.biller.refunds())
}
