package cancellation_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

const stepTimeout = time.Minute

// liveFixture is a fixture whose time passes by itself. It is for a synctest bubble.
func liveFixture(t *testing.T, change ...func(*cancellation.Config)) *fixture {
	t.Helper()
	live := func(c *cancellation.Config) { c.Clock, c.StepTimeout = clock.New(), stepTimeout }
	return newFixture(t, append([]func(*cancellation.Config){live}, change...)...)
}

// orderNow schedules an execution that is due.
func (f *fixture) orderNow(t *testing.T) cancellation.Cancellation {
	t.Helper()
	return f.scheduleAt(t, f.server(t).ID, time.Now())
}

// another returns an actor of another reseller, and a fixture that works for it.
func (f *fixture) another() *fixture {
	other := *f
	tenant := uuid.New()
	other.reseller = dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: tenant}
	other.client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant}
	return &other
}

// hangs is a deprovision hook that hangs for some servers. deaf ignores its context, until it is released.
type hangs struct {
	mu      sync.Mutex
	servers []uuid.UUID
	deaf    bool
	release chan struct{}
	calls   []uuid.UUID
}

func (h *hangs) install(c *cancellation.Config) {
	h.release = make(chan struct{})
	c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, s dedicated.Server) error {
		h.mu.Lock()
		h.calls = append(h.calls, c.ID)
		hanging := slices.Contains(h.servers, s.ID)
		h.mu.Unlock()
		switch {
		case hanging && h.deaf:
			<-h.release
		case hanging:
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
}

func (h *hangs) hang(servers ...uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers = servers
}

func (h *hangs) called(id uuid.UUID) (times int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c == id {
			times++
		}
	}
	return times
}

func (h *hangs) total() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.calls)
}

// TestHangingStepDelaysNoOther: one step hangs until its deadline. Executions of the same reseller and of another one, and a warning that
// falls due meanwhile, are done in time.
func TestHangingStepDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{}
		f := liveFixture(t, h.install)
		other := f.another()
		other.saveSettings(t, warnings(7))
		other.tick(t)
		warned := other.scheduleAt(t, other.server(t).ID, time.Now().AddDate(0, 0, 7).Add(20*time.Second))
		hanging := f.orderNow(t)
		h.hang(hanging.ServerID)
		due := []cancellation.Cancellation{f.orderNow(t), f.orderNow(t), other.orderNow(t)}
		later := other.scheduleAt(t, other.server(t).ID, time.Now().Add(30*time.Second))

		start := time.Now()
		_, err := f.Tick(t.Context())
		assertError(t, err, cancellation.ErrHost)
		assert.Equal(t, stepTimeout, time.Since(start), "its deadline")
		c := f.get(t, hanging.ID)
		assert.Equal(t, cancellation.Executing, c.State)
		assert.Equal(t, 1, c.Attempts)
		assert.Equal(t, "step deprovision: deprovision hook 1 failed: context deadline exceeded", c.LastError)
		for _, c := range due {
			of := f
			if c.ResellerID == other.reseller.ResellerID {
				of = other
			}
			c = of.get(t, c.ID)
			require.Equal(t, cancellation.Executed, c.State)
			assert.WithinDuration(t, start, c.Steps[4].Done, 0)
		}
		later = other.get(t, later.ID)
		require.Equal(t, cancellation.Executed, later.State)
		assert.WithinDuration(t, start.Add(30*time.Second), later.Steps[4].Done, 0)
		warned = other.get(t, warned.ID)
		require.Len(t, warned.Warned, 1)
		assert.WithinDuration(t, start.Add(20*time.Second), warned.Warned[0].Sent, 0)
	})
}

// TestDeafStep: a step ignores its deadline and does not return for hours. Nothing else of that cancellation runs meanwhile, in no
// process: neither the step nor Retry or Abandon. The record is stuck, and the reseller is told. When the step returns, it is
// repeated.
func TestDeafStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{deaf: true}
		f := liveFixture(t, h.install)
		other := f.newManager(t, func(*cancellation.Config) {})
		c := f.orderNow(t)
		h.hang(c.ServerID)
		ctx, stop := context.WithCancel(t.Context())
		var loops sync.WaitGroup
		for _, m := range []*cancellation.Manager{f.Manager, other} {
			runner := dedicated.Runner{Tickers: []dedicated.Ticker{m}}
			loops.Go(func() { _ = runner.Run(ctx) })
		}
		time.Sleep(2 * time.Minute)
		assert.Equal(t, 1, f.get(t, c.ID).Attempts)
		for range 12 * 6 {
			time.Sleep(5 * time.Minute)
			stuck := f.get(t, c.ID)
			require.Equal(t, cancellation.Executing, stuck.State)
			require.Positive(t, stuck.Attempts)
			require.Contains(t, stuck.LastError, "deprovision hook 1 has not returned within 1m0s")
			require.True(t, stuck.LeaseUntil.After(time.Now()))
			_, err := f.Retry(t.Context(), f.reseller, c.ID)
			assertError(t, err, cancellation.ErrConflict)
			_, err = other.Abandon(t.Context(), f.reseller, c.ID, "")
			assertError(t, err, cancellation.ErrConflict)
			require.Equal(t, 1, h.called(c.ID))
			require.Equal(t, c.ID, f.readServer(t, c.ServerID).LockedBy)
		}
		assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindStuck])
		h.hang()
		close(h.release)
		time.Sleep(time.Minute)
		assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
		assert.Equal(t, 2, h.called(c.ID))
		assert.Len(t, f.biller.refunds(), 1)
		stop()
		loops.Wait()
	})
}

// TestManyDeafSteps: at Config.Parallel deaf calls of one part, further calls of it fail at once. Other parts go on, and so does this one when
// a call has returned.
func TestManyDeafSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{deaf: true}
		f := liveFixture(t, h.install, func(c *cancellation.Config) { c.Parallel = 2 })
		h.hang(f.orderNow(t).ServerID, f.orderNow(t).ServerID)
		_, err := f.Tick(t.Context())
		assertError(t, err, cancellation.ErrHost)
		for range 5 {
			f.orderNow(t)
		}
		start := time.Now()
		_, err = f.Tick(t.Context())
		assertError(t, err, cancellation.ErrHost)
		require.ErrorContains(t, err, "deprovision hook 1 was not called: 2 calls of it have not returned")
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 2, h.total())
		_, err = f.Quote(t.Context(), f.reseller, f.server(t).ID, cancellation.When{At: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		h.hang()
		close(h.release)
		for range 3 {
			time.Sleep(time.Hour)
			f.tick(t)
		}
		all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{States: []cancellation.State{cancellation.Executed}})
		require.NoError(t, err)
		assert.Len(t, all, 7)
	})
}

// deafPart makes one part of the host deaf.
func deafPart(part string, release chan struct{}) func(*cancellation.Config) {
	return func(c *cancellation.Config) {
		switch part {
		case "inventory", "release", "unlock":
			c.Servers = deafServers{c.Servers, part, release}
		case "biller":
			c.Biller = deafBiller{c.Biller, release}
		case "formula":
			c.RefundFormula = refund.FormulaFunc(func(refund.Case) (refund.Result, error) {
				<-release
				return refund.Result{}, nil
			})
		case "gate":
			c.Hooks.Gate = append(c.Hooks.Gate, deafGate(release))
		}
	}
}

type deafServers struct {
	cancellation.Servers
	part    string
	release chan struct{}
}

func (s deafServers) wait(part string) {
	if s.part == part {
		<-s.release
	}
}

func (s deafServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s.wait("inventory")
	return s.Servers.Server(ctx, a, id)
}

func (s deafServers) Release(ctx context.Context, a dedicated.Actor, id, assignment, key uuid.UUID, reason string) (dedicated.Server, error) {
	s.wait("release")
	return s.Servers.Release(ctx, a, id, assignment, key, reason)
}

func (s deafServers) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	s.wait("unlock")
	return s.Servers.Unlock(ctx, a, id, key)
}

type deafBiller struct {
	cancellation.Biller
	release chan struct{}
}

func (b deafBiller) Paid(ctx context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error) {
	<-b.release
	return b.Biller.Paid(ctx, s, p)
}

// TestDeafParts: every operation that calls a deaf part returns ErrHost after the deadline, and a Tick leaves the cancellation to be tried
// again.
func TestDeafParts(t *testing.T) {
	t.Parallel()
	ahead := func() cancellation.When { return cancellation.When{At: time.Now().Add(time.Hour)} }
	schedule := func(t *testing.T, m *cancellation.Manager, f *fixture, _ cancellation.Cancellation, fresh dedicated.Server) error {
		_, err := m.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: fresh.ID, When: ahead()})
		return err
	}
	quote := func(t *testing.T, m *cancellation.Manager, f *fixture, _ cancellation.Cancellation, fresh dedicated.Server) error {
		_, err := m.Quote(t.Context(), f.reseller, fresh.ID, ahead())
		return err
	}
	tick := func(t *testing.T, m *cancellation.Manager, _ *fixture, _ cancellation.Cancellation, _ dedicated.Server) error {
		_, err := m.Tick(t.Context())
		return err
	}
	renew := func(t *testing.T, m *cancellation.Manager, _ *fixture, c cancellation.Cancellation, _ dedicated.Server) error {
		_, err := m.ShouldRenew(t.Context(), c.ServerID, time.Now())
		return err
	}
	tests := []struct {
		part, operation string
		do              func(*testing.T, *cancellation.Manager, *fixture, cancellation.Cancellation, dedicated.Server) error
	}{
		{"inventory", "Schedule", schedule}, {"gate", "Schedule", schedule},
		{"inventory", "Quote", quote}, {"biller", "Quote", quote}, {"formula", "Quote", quote},
		{"inventory", "ShouldRenew", renew},
		{"inventory", "Tick", tick}, {"gate", "Tick", tick}, {"biller", "Tick", tick}, {"formula", "Tick", tick},
		{"release", "Tick", tick}, {"unlock", "Tick", tick},
	}
	for _, tt := range tests {
		t.Run(tt.operation+", "+tt.part, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, release := liveFixture(t), make(chan struct{})
				m := f.newManager(t, deafPart(tt.part, release))
				c, fresh := f.orderNow(t), f.server(t)
				start := time.Now()
				err := tt.do(t, m, f, c, fresh)
				assertError(t, err, cancellation.ErrHost)
				want := stepTimeout + 10*time.Second
				if tt.operation == "Tick" && tt.part == "inventory" {
					want += 12500 * time.Millisecond // of the batch
				}
				assert.Equal(t, want, time.Since(start))
				close(release)
				synctest.Wait()
				for range 2 { // the first gives back what the deaf call kept
					time.Sleep(time.Hour)
					_, err = m.Tick(t.Context())
					require.NoError(t, err)
				}
				got := f.get(t, c.ID)
				assert.Equal(t, cancellation.Executed, got.State)
				assert.Zero(t, got.BegunAt)
				assert.Equal(t, uuid.Nil, f.readServer(t, c.ServerID).LockedBy)
			})
		})
	}
}

// TestLeaseOfADeafStepIsLost: the Tick stops for longer than the lease while a call has not returned. This process does not call the part a
// second time.
func TestLeaseOfADeafStepIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{deaf: true}
		f := liveFixture(t, h.install)
		c := f.orderNow(t)
		h.hang(c.ServerID)
		_, err := f.Tick(t.Context())
		assertError(t, err, cancellation.ErrHost)
		time.Sleep(24 * time.Hour)
		f.tick(t)
		assert.Equal(t, 1, h.called(c.ID))

		time.Sleep(24 * time.Hour) // another process claims the record, and dies
		dead, err := cancellation.New(interrupted(f.config, &interruption{point: "before Store.Commit, 1", mode: "exit"}))
		require.NoError(t, err)
		_, err = dead.Tick(t.Context())
		require.ErrorIs(t, err, errCrash)
		time.Sleep(time.Hour)
		f.tick(t)
		assert.Equal(t, 1, h.called(c.ID))
		assert.True(t, f.get(t, c.ID).LeaseUntil.After(time.Now()))
		close(h.release)
		h.hang()
		synctest.Wait()
		f.tick(t)
		assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
		assert.Equal(t, 2, h.called(c.ID))
	})
}

func TestNewChecksTheDeadlines(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for field, change := range map[string]func(*cancellation.Config){
		"Config.StepTimeout": func(c *cancellation.Config) { c.StepTimeout = -1 },
		"Config.Parallel":    func(c *cancellation.Config) { c.Parallel = -1 },
		"Config.Epoch":       func(c *cancellation.Config) { c.Epoch = "the second" },
	} {
		c := f.config
		change(&c)
		_, err := cancellation.New(c)
		assert.Equal(t, field, requireError(t, err, cancellation.ErrInvalid).Field)
	}
	c := f.config
	c.Lease, c.StepTimeout = time.Hour, 21*time.Minute
	_, err := cancellation.New(c)
	assert.Contains(t, requireError(t, err, cancellation.ErrInvalid).Msg, "want at most a third of Config.Lease, 20m0s")
	c.StepTimeout = 20 * time.Minute
	_, err = cancellation.New(c)
	require.NoError(t, err)
}
