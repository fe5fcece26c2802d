package cancellation_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

// deadly makes a Config whose process dies in the call of a part: nothing that it does afterwards has an effect.
func deadly(part string) func(*cancellation.Config) {
	return func(c *cancellation.Config) {
		store := &dyingStore{Store: c.Store}
		c.Store = store
		die := func() error {
			store.dead.Store(true)
			return errCrash
		}
		switch part {
		case "biller":
			c.Biller = dyingBiller{c.Biller, die}
		case "gate":
			c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error { return die() })
		case "formula":
			c.RefundFormula = refund.FormulaFunc(func(refund.Case) (refund.Result, error) { return refund.Result{}, die() })
		case "deprovision":
			c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error { return die() })
		case "close-down":
			c.Hooks.CloseDown = append(c.Hooks.CloseDown, func(context.Context, dedicated.Released) error { return die() })
		}
	}
}

// dyingStore fails for ever after the death of its process.
type dyingStore struct {
	cancellation.Store
	dead atomic.Bool
}

func (s *dyingStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (cancellation.Due, error) {
	if s.dead.Load() {
		return cancellation.Due{}, errCrash
	}
	return s.Store.ClaimDue(ctx, now, until, limit)
}

func (s *dyingStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if s.dead.Load() {
		return errCrash
	}
	return s.Store.Commit(ctx, changes...)
}

type dyingBiller struct {
	cancellation.Biller
	die func() error
}

func (b dyingBiller) Paid(context.Context, dedicated.Server, dedicated.Period) ([]refund.Charge, error) {
	return nil, b.die()
}

// TestProcessDiesInAPart: a part kills its process at each try, for a month. Every death is counted, the tries are an hour apart in the end, and
// the reseller is told. A process that survives finishes the execution.
func TestProcessDiesInAPart(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"biller", "formula", "gate", "deprovision", "close-down"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
			deaths, lastDeath := 0, time.Time{}
			for end := at("2026-12-10 09:00"); f.clock.Now().Before(end); {
				m := f.newManager(t, deadly(part))
				next, err := m.Tick(t.Context())
				if err != nil {
					require.ErrorIs(t, err, errCrash)
					deaths, lastDeath = deaths+1, f.clock.Now()
					stuck := f.get(t, c.ID)
					require.Equal(t, deaths-1, stuck.Attempts, "the death before was counted")
					next = stuck.LeaseUntil
				}
				if next.IsZero() {
					next = f.clock.Now().Add(time.Minute)
				}
				f.clock.Set(next)
			}
			stuck := f.get(t, c.ID)
			assert.Greater(t, deaths, 500)
			assert.Less(t, deaths, 1500, "two an hour at the most: a wait of half an hour to an hour, counted from the call")
			assert.Equal(t, "the process that executed the step died or hangs", stuck.LastError)
			assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindStuck])
			found, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{Stuck: true})
			require.NoError(t, err)
			assert.Len(t, found, 1)
			f.clock.Set(lastDeath.Add(2 * time.Hour))
			f.tick(t)
			f.tickAt(t, f.clock.Now().Add(time.Hour))
			done := f.get(t, c.ID)
			assert.Equal(t, cancellation.Executed, done.State)
			assert.Zero(t, done.BegunAt)
			assert.Len(t, f.biller.refunds(), 1)
		})
	}
}

// TestRetryAfterDeath: a person may retry at once after the lease, and that death is not counted.
func TestRetryAfterDeath(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	_, err := f.newManager(t, deadly("deprovision")).Tick(t.Context())
	require.ErrorIs(t, err, errCrash)
	died := f.get(t, c.ID)
	assert.Equal(t, at("2026-11-10 09:00"), died.BegunAt)
	f.clock.Set(died.LeaseUntil)
	retried, err := f.Retry(t.Context(), f.reseller, c.ID)
	require.NoError(t, err)
	assert.Zero(t, retried.BegunAt)
	f.tick(t)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

// TestTickEndsDuringStep: the context of a Tick ends while a step runs. What the step did is recorded, nothing counts as a failure, and
// another process continues at once with the next step.
func TestTickEndsDuringStep(t *testing.T) {
	t.Parallel()
	for _, obeys := range []bool{true, false} {
		ctx, stop := context.WithCancel(t.Context())
		calls := 0
		f := newFixture(t, func(c *cancellation.Config) {
			c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, _ cancellation.Cancellation, _ dedicated.Server) error {
				if calls++; calls == 1 {
					stop()
				}
				if obeys {
					return ctx.Err()
				}
				return nil
			})
		})
		c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
		_, err := f.Tick(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, cancellation.ErrHost)
		stopped := f.get(t, c.ID)
		assert.Equal(t, cancellation.Executing, stopped.State)
		assert.Zero(t, stopped.Attempts)
		assert.Empty(t, stopped.LastError)
		assert.Equal(t, !obeys, !stopped.Steps[1].Done.IsZero())
		assert.Empty(t, f.biller.refunds())
		f.tick(t)
		assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
		assert.Equal(t, map[bool]int{true: 2, false: 1}[obeys], calls)
	}
}

// pendingHook returns Pending as long as until is set.
type pendingHook struct {
	until time.Time
	calls int
}

func (h *pendingHook) install(c *cancellation.Config) {
	c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
		h.calls++
		if h.until.IsZero() {
			return nil
		}
		return cancellation.Pending(h.until)
	})
}

// TestPending: a step that has begun something long is called again at the instant that it names. Nothing has failed.
func TestPending(t *testing.T) {
	t.Parallel()
	h := &pendingHook{until: at("2026-11-10 12:30")}
	f := newFixture(t, h.install)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	assert.Equal(t, h.until, f.tick(t))
	pending := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executing, pending.State)
	assert.Equal(t, h.until, pending.PendingUntil)
	assert.Equal(t, h.until, pending.Due)
	assert.Zero(t, pending.LeaseUntil)
	assert.Zero(t, pending.BegunAt)
	assert.Zero(t, pending.Attempts)
	found, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{Stuck: true})
	require.NoError(t, err)
	assert.Empty(t, found)
	f.tickAt(t, at("2026-11-10 12:29"))
	assert.Equal(t, 1, h.calls)
	h.until = time.Time{}
	f.tickAt(t, at("2026-11-10 12:30"))
	assert.Equal(t, 2, h.calls)
	done := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, done.State)
	assert.Zero(t, done.PendingUntil)
}

func TestPendingBounds(t *testing.T) {
	t.Parallel()
	now := at("2026-11-10 09:00")
	for name, tt := range map[string]struct{ until, want time.Time }{
		"past":       {at("2020-01-01 00:00"), now.Add(time.Second)},
		"now":        {now, now.Add(time.Second)},
		"a day":      {now.AddDate(0, 0, 1), now.AddDate(0, 0, 1)},
		"a year":     {now.AddDate(1, 0, 0), now.AddDate(0, 0, 1)},
		"nanosecond": {now.Add(time.Hour + 1), now.Add(time.Hour)},
	} {
		f := newFixture(t, (&pendingHook{until: tt.until}).install)
		c := f.scheduleAt(t, f.server(t).ID, now)
		assert.Equal(t, tt.want, f.tick(t), name)
		assert.Equal(t, tt.want, f.get(t, c.ID).PendingUntil, name)
	}
}

// TestPendingIsForSteps: other parts may not be pending. A Biller's Refund may.
func TestPendingIsForSteps(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.biller.err = cancellation.Pending(at("2026-11-10 10:00"))
	_, err := f.Tick(t.Context())
	assertError(t, err, cancellation.ErrHost)
	assert.Equal(t, 1, f.get(t, c.ID).Attempts)
	f.biller.err = nil
	f.biller.failRefund(cancellation.Pending(at("2026-11-10 10:00")))
	f.tickAt(t, f.get(t, c.ID).Due)
	assert.Equal(t, at("2026-11-10 10:00"), f.get(t, c.ID).PendingUntil)
	f.biller.failRefund(nil)
	f.tickAt(t, at("2026-11-10 10:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	assert.Equal(t, 2, f.biller.calls)
}

// TestRetryAndAbandonOfAPendingStep: a person need not wait for a step that is pending.
func TestRetryAndAbandonOfAPendingStep(t *testing.T) {
	t.Parallel()
	h := &pendingHook{until: at("2026-11-10 20:00")}
	f := newFixture(t, h.install)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	_, err := f.Retry(t.Context(), f.reseller, c.ID)
	require.NoError(t, err)
	f.tick(t)
	assert.Equal(t, 2, h.calls)
	got, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
	require.NoError(t, err)
	assert.Equal(t, cancellation.Failed, got.State)
	f.tickAt(t, at("2026-11-10 20:00"))
	assert.Equal(t, 2, h.calls)
}

// TestServerTaken: a client whose server was taken back is told so, also if the cancellation is given up after that. The refund is in the mail
// if it was paid.
func TestServerTaken(t *testing.T) {
	t.Parallel()
	failure := errors.New("no answer")
	tests := []struct {
		name  string
		hooks *recordingHooks
		fail  func(*fixture)
		taken int
		total string
	}{
		{"not released", &recordingHooks{}, nil, 0, ""},
		{"released", &recordingHooks{deprovisionErr: failure}, nil, 1, ""},
		{"refund not paid", &recordingHooks{}, func(f *fixture) { f.biller.failRefund(failure) }, 1, ""},
		{"refund paid", &recordingHooks{closeDownErr: failure}, nil, 1, "20.00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			servers := &failingRelease{}
			f := newFixture(t, tt.hooks.install, func(c *cancellation.Config) { servers.Servers, c.Servers = c.Servers, servers })
			c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
			if tt.fail != nil {
				tt.fail(f)
			}
			if tt.taken == 0 {
				servers.err = failure
			}
			_, err := f.Tick(t.Context())
			require.ErrorIs(t, err, failure)
			_, err = f.Abandon(t.Context(), f.reseller, c.ID, "")
			require.NoError(t, err)
			taken := payloads[cancellation.Statement](t, f, cancellation.KindServerTaken)
			require.Len(t, taken, tt.taken)
			if tt.taken > 0 {
				assert.Equal(t, tt.total, taken[0].Total)
				assert.Equal(t, tt.total != "", len(taken[0].Lines) > 0)
			}
			assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindFailed])
			assert.Zero(t, f.countEvents(t, c.ID)[cancellation.KindExecuted])
		})
	}
}

// failingRelease is an inventory whose Release fails.
type failingRelease struct {
	cancellation.Servers
	err error
}

func (s *failingRelease) Release(ctx context.Context, a dedicated.Actor, id, assignment, key uuid.UUID, reason string) (dedicated.Server, error) {
	if s.err != nil {
		return dedicated.Server{}, s.err
	}
	return s.Servers.Release(ctx, a, id, assignment, key, reason)
}
