package cancellation_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// TestSlowHooks: what waits in a batch behind slow hooks is not taken by another process in the middle of its work, nor
// worked on by the one whose lease has ended.
func TestSlowHooks(t *testing.T) {
	t.Parallel()
	var w *fixture
	var other *cancellation.Manager
	wiped := map[uuid.UUID]int{}
	nested, fail := false, true
	w = setup(t, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, _ dedicated.Server) error {
			if fail {
				return errors.New("no answer")
			}
			if !nested { // another process looks for work while this one is busy
				w.clock.Set(w.clock.Now().Add(cancellation.DefaultLease * 2 / 3))
				nested = true
				_, err := other.Tick(ctx)
				nested = false
				require.NoError(t, err)
			}
			wiped[c.ID]++
			return nil
		})
	})
	other = w.another(t, func(*cancellation.Config) {})
	for range 6 {
		w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	}
	_, err := w.Tick(t.Context())
	require.Error(t, err)
	fail = false
	w.tickAt(t, at("2026-11-10 11:00"))
	w.drain(t, at("2026-11-11 09:00"))
	require.Len(t, wiped, 6)
	for _, times := range wiped {
		assert.Equal(t, 1, times)
	}
	assert.Len(t, w.biller.refunds(), 6)
}

// TestLeaseLost: a hook takes longer than its lease, and another process has finished meanwhile. That is no error.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	var w *fixture
	var other *cancellation.Manager
	calls := 0
	w = setup(t, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, _ cancellation.Cancellation, _ dedicated.Server) error {
			calls++
			if calls > 1 {
				return nil
			}
			w.clock.Set(w.clock.Now().Add(cancellation.DefaultLease))
			_, err := other.Tick(ctx)
			return err
		})
	})
	other = w.another(t, func(*cancellation.Config) {})
	c := w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	w.tick(t)
	assert.Equal(t, 2, calls)
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Zero(t, got.Attempts)
	assert.Equal(t, 1, w.biller.calls)
	assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindExecuted])
}

// picky refuses to store some cancellations, and so every batch that they are in.
type picky struct {
	cancellation.Store
	refuse func(cancellation.Cancellation) bool
	err    error
}

func (p *picky) Commit(ctx context.Context, changes ...cancellation.Change) error {
	for _, c := range changes {
		if slices.ContainsFunc(c.Cancellations, p.refuse) {
			return p.err
		}
	}
	return p.Store.Commit(ctx, changes...)
}

// TestOneBadRecordSpoilsNoBatch: where a batch fails, its records are stored one by one, and the bad one is given back.
func TestOneBadRecordSpoilsNoBatch(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.save(t, warnings(30))
	var all []uuid.UUID
	for range 20 {
		all = append(all, w.schedule(t, w.server(t).ID, endOfNovember()).ID)
	}
	bad := all[7]
	p := &picky{Store: w.store, err: errors.New("the disk is full"), refuse: func(c cancellation.Cancellation) bool {
		return c.ID == bad && len(c.Warned) > 0
	}}
	m := w.another(t, func(c *cancellation.Config) { c.Store = p })
	_, err := m.Tick(t.Context())
	require.ErrorIs(t, err, p.err)
	var e *cancellation.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, bad, e.CancellationID)
	for _, id := range all {
		c := w.get(t, id)
		if id != bad {
			assert.Len(t, c.Warned, 1)
			continue
		}
		assert.Equal(t, 1, c.Attempts)
		assert.Equal(t, "store failed: the disk is full", c.LastError)
		assert.True(t, c.Due.After(w.clock.Now()))
	}
	p.refuse = func(cancellation.Cancellation) bool { return false }
	w.drain(t, at("2026-11-10 10:00"))
	c := w.get(t, bad)
	assert.Len(t, c.Warned, 1)
	assert.Zero(t, c.Attempts)
}

// TestTickReportsAStoreThatIsDown, and does not spin.
func TestTickReportsAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	p := &picky{Store: w.store, err: errors.New("the disk is full"), refuse: func(cancellation.Cancellation) bool { return true }}
	m := w.another(t, func(c *cancellation.Config) { c.Store = p })
	_, err := m.Tick(t.Context())
	require.ErrorIs(t, err, p.err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	var e *cancellation.Error
	require.ErrorAs(t, err, &e)
	w.drain(t, at("2026-11-10 12:00"))
	all, _, err := w.Cancellations(t.Context(), w.reseller, cancellation.Query{States: []cancellation.State{cancellation.Executed}})
	require.NoError(t, err)
	assert.Len(t, all, 1, "once its lease has ended")
}

// TestRunner lets real time pass: thirty days of a loop that sleeps until something is due.
func TestRunner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		real := clock.New()
		servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}, Clock: real})
		require.NoError(t, err)
		m, err := cancellation.New(cancellation.Config{Store: &cancellation.MemoryStore{}, Servers: servers, Clock: real})
		require.NoError(t, err)
		reseller := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
		b := monthly()
		b.Anchor = real.Now()
		s, err := servers.Add(t.Context(), reseller, dedicated.NewServer{Name: "web-01"})
		require.NoError(t, err)
		s, err = servers.Assign(t.Context(), reseller, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: b})
		require.NoError(t, err)
		_, err = m.SaveSettings(t.Context(), reseller, warnings(7, 1))
		require.NoError(t, err)
		c, err := m.Schedule(t.Context(), reseller, cancellation.Order{
			ServerID: s.ID, When: cancellation.When{At: real.Now().AddDate(0, 0, 30)},
		})
		require.NoError(t, err)
		ctx, stop := context.WithTimeout(t.Context(), 31*24*time.Hour)
		defer stop()
		runner := dedicated.Runner{Clock: real, Tickers: []dedicated.Ticker{m}, Poll: time.Hour, OnError: func(_ dedicated.Ticker, err error) {
			t.Error(err)
		}}
		require.ErrorIs(t, runner.Run(ctx), context.DeadlineExceeded)
		c, err = m.Cancellation(t.Context(), reseller, c.ID)
		require.NoError(t, err)
		require.Equal(t, cancellation.Executed, c.State)
		assert.Equal(t, []int{7, 1}, leads(c))
		assert.WithinDuration(t, c.At, c.Steps[4].Done, time.Second)
		assert.WithinDuration(t, c.At.AddDate(0, 0, -7), c.Warned[0].Sent, time.Second)
	})
}

// TestStoppedBetweenSteps: a process that is told to stop finishes its step and begins no other.
func TestStoppedBetweenSteps(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	p := &plugins{}
	w := setup(t, p.hooks, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
			stop()
			return nil
		})
	})
	for range 3 {
		w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	}
	_, err := w.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, p.wiped, 1)
	assert.Zero(t, w.biller.calls)
	w.drain(t, at("2026-11-10 10:00"))
	all, _, err := w.Cancellations(t.Context(), w.reseller, cancellation.Query{States: []cancellation.State{cancellation.Executed}})
	require.NoError(t, err)
	assert.Len(t, all, 3)
	assert.Len(t, w.biller.refunds(), 3)
}

// TestLookedAtRightBefore: what a claim has found may be hours old when those before it are done.
func TestLookedAtRightBefore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*testing.T, *fixture, dedicated.Server)
		want   cancellation.State
	}{
		{"released by hand", func(t *testing.T, w *fixture, s dedicated.Server) {
			_, err := w.servers.Release(t.Context(), w.reseller, s.ID, s.Assignment, uuid.Nil, "")
			require.NoError(t, err)
		}, cancellation.Discarded},
		{"billed otherwise", func(t *testing.T, w *fixture, s dedicated.Server) {
			_, err := w.servers.ChangeBilling(t.Context(), w.reseller, s.ID, quarterly())
			require.NoError(t, err)
		}, cancellation.Scheduled},
		{"to be held", func(t *testing.T, w *fixture, _ dedicated.Server) {
			w.save(t, cancellation.Settings{Warn: true, DaysAhead: []int{7}, MinWarningDays: 3})
		}, cancellation.Scheduled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var w *fixture
			var second dedicated.Server
			wiped := 0
			w = setup(t, func(c *cancellation.Config) {
				c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
					if wiped++; wiped == 1 {
						w.clock.Set(w.clock.Now().Add(5 * time.Hour))
						tt.change(t, w, second)
					}
					return nil
				})
			})
			w.schedule(t, w.server(t).ID, at("2026-11-30 22:00"))
			second = w.server(t)
			c := w.endOfPeriod(t, second.ID)
			w.tick(t)
			w.tickAt(t, endOfNovember())
			assert.Equal(t, tt.want, w.get(t, c.ID).State)
			assert.Equal(t, 1, wiped)
		})
	}
}
