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
	var f *fixture
	var other *cancellation.Manager
	wiped := map[uuid.UUID]int{}
	nested, fail := false, true
	f = newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, _ dedicated.Server) error {
			if fail {
				return errors.New("no answer")
			}
			if !nested { // another process looks for work while this one is busy
				f.clock.Set(f.clock.Now().Add(cancellation.DefaultLease * 2 / 3))
				nested = true
				_, err := other.Tick(ctx)
				nested = false
				require.NoError(t, err)
			}
			wiped[c.ID]++
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
	require.Len(t, wiped, 6)
	for _, times := range wiped {
		assert.Equal(t, 1, times)
	}
	assert.Len(t, f.biller.refunds(), 6)
}

// TestLeaseLost: a hook takes longer than its lease, and another process has finished meanwhile. That is no error.
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

// picky refuses to store some cancellations, and so every batch that they are in.
type refusingStore struct {
	cancellation.Store
	refuses func(cancellation.Cancellation) bool
	err    error
}

func (store *refusingStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	for _, c := range changes {
		if slices.ContainsFunc(c.Cancellations, store.refuses) {
			return store.err
		}
	}
	return store.Store.Commit(ctx, changes...)
}

// TestOneBadRecordSpoilsNoBatch: where a batch fails, its records are stored one by one, and the bad one is given back.
func TestRefusedRecordInBatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, warnings(30))
	var all []uuid.UUID
	for range 20 {
		all = append(all, f.scheduleAt(t, f.server(t).ID, endOfNovember()).ID)
	}
	bad := all[7]
	store := &refusingStore{Store: f.store, err: errors.New("the disk is full"), refuses: func(c cancellation.Cancellation) bool {
		return c.ID == bad && len(c.Warned) > 0
	}}
	m := f.newManager(t, func(c *cancellation.Config) { c.Store = store })
	_, err := m.Tick(t.Context())
	require.ErrorIs(t, err, store.err)
	var e *cancellation.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, bad, e.CancellationID)
	for _, id := range all {
		c := f.get(t, id)
		if id != bad {
			assert.Len(t, c.Warned, 1)
			continue
		}
		assert.Equal(t, 1, c.Attempts)
		assert.Equal(t, "store failed: the disk is full", c.LastError)
		assert.True(t, c.Due.After(f.clock.Now()))
	}
	store.refuses = func(cancellation.Cancellation) bool { return false }
	f.tickUntil(t, at("2026-11-10 10:00"))
	c := f.get(t, bad)
	assert.Len(t, c.Warned, 1)
	assert.Zero(t, c.Attempts)
}

// TestTickReportsAStoreThatIsDown, and does not spin.
func TestTickWithoutStore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	store := &refusingStore{Store: f.store, err: errors.New("the disk is full"), refuses: func(cancellation.Cancellation) bool { return true }}
	m := f.newManager(t, func(c *cancellation.Config) { c.Store = store })
	_, err := m.Tick(t.Context())
	require.ErrorIs(t, err, store.err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	var e *cancellation.Error
	require.ErrorAs(t, err, &e)
	f.tickUntil(t, at("2026-11-10 12:00"))
	all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{States: []cancellation.State{cancellation.Executed}})
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
		assert.Equal(t, []int{7, 1}, warnedDays(c))
		assert.WithinDuration(t, c.At, c.Steps[4].Done, time.Second)
		assert.WithinDuration(t, c.At.AddDate(0, 0, -7), c.Warned[0].Sent, time.Second)
	})
}

// TestStoppedBetweenSteps: a process that is told to stop finishes its step and begins no other.
func TestContextEndsBetweenSteps(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install, func(c *cancellation.Config) {
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

// TestLookedAtRightBefore: what a claim has found may be hours old when those before it are done.
func TestReadAgainBeforeExecution(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*testing.T, *fixture, dedicated.Server)
		want   cancellation.State
	}{
		{"released by hand", func(t *testing.T, f *fixture, s dedicated.Server) {
			_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
			require.NoError(t, err)
		}, cancellation.Discarded},
		{"billed otherwise", func(t *testing.T, f *fixture, s dedicated.Server) {
			_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, quarterly())
			require.NoError(t, err)
		}, cancellation.Scheduled},
		{"to be held", func(t *testing.T, f *fixture, _ dedicated.Server) {
			f.saveSettings(t, cancellation.Settings{Warn: true, DaysAhead: []int{7}, MinWarningDays: 3})
		}, cancellation.Scheduled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var f *fixture
			var second dedicated.Server
			wiped := 0
			f = newFixture(t, func(c *cancellation.Config) {
				c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
					if wiped++; wiped == 1 {
						f.clock.Set(f.clock.Now().Add(5 * time.Hour))
						tt.change(t, f, second)
					}
					return nil
				})
			})
			f.scheduleAt(t, f.server(t).ID, at("2026-11-30 22:00"))
			second = f.server(t)
			c := f.scheduleAsClient(t, second.ID)
			f.tick(t)
			f.tickAt(t, endOfNovember())
			assert.Equal(t, tt.want, f.get(t, c.ID).State)
			assert.Equal(t, 1, wiped)
		})
	}
}
