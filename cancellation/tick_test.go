package cancellation_test

import (
	"context"
	"errors"
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

// TestSlowHooks: slow hooks delay the later executions of a batch. Another process does not take an execution that runs, and a
// process whose lease has ended does not begin one.
func TestSlowHooks(t *testing.T) {
	t.Parallel()
	var f *fixture
	var other *cancellation.Manager
	deprovisioned := map[uuid.UUID]int{}
	nested, fail := false, true
	f = newFixture(t, func(c *cancellation.Config) {
		c.Parallel = 1
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, _ dedicated.Server) error {
			if fail {
				return errors.New("no answer")
			}
			if !nested { // another process ticks meanwhile
				f.clock.Set(f.clock.Now().Add(cancellation.DefaultLease * 2 / 3))
				nested = true
				_, err := other.Tick(ctx)
				nested = false
				require.NoError(t, err)
			}
			deprovisioned[c.ID]++
			return nil
		})
	})
	other = f.newManager(t, func(*cancellation.Config) {})
	for range 6 {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	}
	_, err := f.Tick(t.Context())
	require.Error(t, err)
	fail = false
	f.tickAt(t, at("2026-11-10 11:00"))
	f.tickUntil(t, at("2026-11-11 09:00"))
	require.Len(t, deprovisioned, 6)
	for _, times := range deprovisioned {
		assert.Equal(t, 1, times)
	}
	assert.Len(t, f.biller.refunds(), 6)
}

// TestLeaseEndsDuringHook: a hook takes longer than its lease, and another process finishes meanwhile. That is no error.
func TestLeaseEndsDuringHook(t *testing.T) {
	t.Parallel()
	var f *fixture
	var other *cancellation.Manager
	calls := 0
	f = newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, _ cancellation.Cancellation, _ dedicated.Server) error {
			calls++
			if calls > 1 {
				return nil
			}
			f.clock.Set(f.clock.Now().Add(cancellation.DefaultLease))
			_, err := other.Tick(ctx)
			return err
		})
	})
	other = f.newManager(t, func(*cancellation.Config) {})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	assert.Equal(t, 2, calls)
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Zero(t, got.Attempts)
	assert.Equal(t, 1, f.biller.calls)
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindExecuted])
}

// TestRunner runs a Runner with the real clock for 31 days of a synctest bubble.
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
		assert.Equal(t, []int{7, 1}, warnedDays(c))
		assert.WithinDuration(t, c.At, c.Steps[4].Done, time.Second)
		assert.WithinDuration(t, c.At.AddDate(0, 0, -7), c.Warned[0].Sent, time.Second)
	})
}

// TestContextEndsBetweenSteps: if the context ends during a step, the step is finished and no other begins.
func TestContextEndsBetweenSteps(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install, func(c *cancellation.Config) {
		c.Parallel = 1
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
			stop()
			return nil
		})
	})
	for range 3 {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	}
	_, err := f.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, hooks.deprovisioned, 1)
	assert.Zero(t, f.biller.calls)
	f.tickUntil(t, at("2026-11-10 10:00"))
	all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{States: []cancellation.State{cancellation.Executed}})
	require.NoError(t, err)
	assert.Len(t, all, 3)
	assert.Len(t, f.biller.refunds(), 3)
}

// TestReadAgainBeforeExecution: a cancellation is read and decided again right before its execution, because the executions before
// it may have taken hours.
func TestReadAgainBeforeExecution(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*testing.T, *fixture, dedicated.Server)
		want   cancellation.State
	}{
		{"released by the reseller", func(t *testing.T, f *fixture, s dedicated.Server) {
			_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
			require.NoError(t, err)
		}, cancellation.Discarded},
		{"a postponement by MinWarningDays", func(t *testing.T, f *fixture, _ dedicated.Server) {
			f.saveSettings(t, cancellation.Settings{Warn: true, DaysAhead: []int{7}, MinWarningDays: 3})
		}, cancellation.Scheduled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var f *fixture
			var second dedicated.Server
			calls := 0
			f = newFixture(t, func(c *cancellation.Config) {
				c.Parallel = 1
				c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
					if calls++; calls == 1 {
						f.clock.Set(f.clock.Now().Add(5 * time.Hour))
						tt.change(t, f, second)
					}
					return nil
				})
			})
			f.scheduleAt(t, f.server(t).ID, at("2026-11-30 22:00"))
			second = f.server(t)
			c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: second.ID, When: endOfPeriod()})
			require.NoError(t, err)
			f.tickUntil(t, at("2026-11-30 21:00"))
			f.tickAt(t, endOfNovember())
			assert.Equal(t, tt.want, f.get(t, c.ID).State)
			assert.Equal(t, 1, calls)
		})
	}
}
