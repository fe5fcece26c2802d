package cancellation_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

func slowHooks(n int, d time.Duration, called func(hook int, c cancellation.Cancellation, s dedicated.Server) (done func())) func(*cancellation.Config) {
	return func(config *cancellation.Config) {
		for i := range n {
			config.Hooks.Deprovision = append(config.Hooks.Deprovision,
				func(ctx context.Context, c cancellation.Cancellation, s dedicated.Server) error {
					defer called(i+1, c, s)()
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(d):
						return nil
					}
				})
		}
	}
}

// runningHooks counts the hooks that run at once.
type runningHooks struct {
	mu            sync.Mutex
	running, most int
}

func (r *runningHooks) enter(int, cancellation.Cancellation, dedicated.Server) (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running++
	r.most = max(r.most, r.running)
	return func() { r.mu.Lock(); defer r.mu.Unlock(); r.running-- }
}

func TestHooksOfOneStepOutliveTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hooks runningHooks
		install := slowHooks(4, 4*time.Minute+30*time.Second, hooks.enter)
		f := liveFixture(t, install, func(c *cancellation.Config) { c.StepTimeout = 0 })
		other := f.newManager(t, func(*cancellation.Config) {})
		c := f.orderNow(t)
		ctx, stop := context.WithCancel(t.Context())
		var loops sync.WaitGroup
		for _, m := range []*cancellation.Manager{f.Manager, other} {
			runner := dedicated.Runner{Tickers: []dedicated.Ticker{m}}
			loops.Go(func() { _ = runner.Run(ctx) })
		}
		time.Sleep(time.Hour)
		stop()
		loops.Wait()
		assert.Equal(t, 1, hooks.most, "hooks of one cancellation that ran at once")
		assert.NotContains(t, f.get(t, c.ID).LastError, "died", "nobody died")
	})
}

func TestOneProcessOvertakesItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hooks runningHooks
		install := slowHooks(4, 4*time.Minute+30*time.Second, hooks.enter)
		f := liveFixture(t, install, func(c *cancellation.Config) { c.StepTimeout = 0 })
		f.scheduleAt(t, f.server(t).ID, time.Now().Add(16*time.Minute)) // keeps Tick looking
		f.orderNow(t)
		ctx, stop := context.WithTimeout(t.Context(), 17*time.Minute)
		defer stop()
		_, _ = f.Tick(ctx)
		assert.LessOrEqual(t, hooks.most, 2, "two cancellations")
	})
}

func TestWipeHitsTheNextClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f *fixture
		var hit []string
		next := uuid.New()
		install := slowHooks(5, 4*time.Minute+30*time.Second, func(hook int, _ cancellation.Cancellation, s dedicated.Server) func() {
			if now := f.readServer(t, s.ID); now.ClientID == next && now.Used() {
				hit = append(hit, fmt.Sprintf("hook %d wipes the server of the next client", hook))
			}
			return func() {}
		})
		f = liveFixture(t, install, func(c *cancellation.Config) { c.StepTimeout = 0 })
		web := f.newManager(t, func(*cancellation.Config) {}) // a process of the frontend, which does not tick
		c := f.orderNow(t)
		done := make(chan struct{})
		go func() { defer close(done); _, _ = f.Tick(t.Context()) }()
		time.Sleep(15*time.Minute + time.Second)
		_, err := web.Abandon(t.Context(), f.reseller, c.ID, "")
		assert.ErrorIs(t, err, cancellation.ErrConflict, "a process is working on it")
		if err == nil {
			_, err = f.servers.Restock(t.Context(), f.reseller, c.ServerID)
			require.NoError(t, err)
			_, err = f.servers.Assign(t.Context(), f.reseller, c.ServerID, dedicated.NewAssignment{ClientID: next, Billing: monthly()})
			require.NoError(t, err)
		}
		<-done
		assert.Empty(t, hit)
	})
}

type hangingInventory struct {
	cancellation.Servers
	mu       sync.Mutex
	reseller uuid.UUID
}

func (h *hangingInventory) hangs(r uuid.UUID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reseller == r
}

func (h *hangingInventory) set(r uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reseller = r
}

func (h *hangingInventory) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if h.hangs(a.ResellerID) {
		<-ctx.Done()
		return dedicated.Server{}, ctx.Err()
	}
	return h.Servers.Server(ctx, a, id)
}

func inventoryFixture(t *testing.T, n int, warnAt time.Time, change ...func(*cancellation.Config)) (f, other *fixture, inv *hangingInventory, warned cancellation.Cancellation) {
	inv = &hangingInventory{}
	f = liveFixture(t, append([]func(*cancellation.Config){func(c *cancellation.Config) {
		c.StepTimeout = 0
		inv.Servers, c.Servers = c.Servers, inv
	}}, change...)...)
	other = f.another()
	for _, of := range []*fixture{f, other} {
		of.saveSettings(t, warnings(7))
	}
	f.tick(t)
	for range n {
		f.scheduleAt(t, f.server(t).ID, warnAt.AddDate(0, 0, 7))
	}
	warned = other.scheduleAt(t, other.server(t).ID, warnAt.AddDate(0, 0, 7).Add(time.Minute))
	f.tick(t)
	return f, other, inv, warned
}

func TestInventoryOfOneResellerHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		warnAt := time.Now().Add(time.Hour)
		f, other, inv, warned := inventoryFixture(t, 100, warnAt)
		inv.set(f.reseller.ResellerID)
		ctx, stop := context.WithCancel(t.Context())
		var loops sync.WaitGroup
		runner := dedicated.Runner{Tickers: []dedicated.Ticker{f.Manager}}
		loops.Go(func() { _ = runner.Run(ctx) })
		time.Sleep(6 * time.Hour)
		stop()
		loops.Wait()
		c := other.get(t, warned.ID)
		require.Len(t, c.Warned, 1)
		assert.LessOrEqual(t, c.Warned[0].Sent.Sub(warnAt.Add(time.Minute)), time.Minute, "how late the warning of another reseller is")
	})
}

func TestDeafStepAndHangingInventory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{deaf: true}
		warnAt := time.Now().Add(6 * time.Minute)
		f, other, inv, _ := inventoryFixture(t, 90, warnAt, h.install)
		wipe := other.orderNow(t)
		h.hang(wipe.ServerID)
		ctx, stop := context.WithCancel(t.Context())
		var loops sync.WaitGroup
		run := func(m *cancellation.Manager) {
			runner := dedicated.Runner{Tickers: []dedicated.Ticker{m}}
			loops.Go(func() { _ = runner.Run(ctx) })
		}
		run(f.Manager)
		time.Sleep(time.Second)
		inv.set(f.reseller.ResellerID)
		run(f.newManager(t, func(*cancellation.Config) {}))
		time.Sleep(2 * time.Hour)
		assert.Equal(t, 1, h.called(wipe.ID), "calls of the wipe, of which none has returned")
		stop()
		close(h.release)
		loops.Wait()
	})
}

func TestQueueOfOneResellerIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{}
		f := liveFixture(t, h.install, func(c *cancellation.Config) { c.StepTimeout, c.MaxExecutions = 0, -1 })
		other := f.another()
		other.saveSettings(t, warnings(7))
		f.tick(t)
		var servers []uuid.UUID
		for range 250 {
			servers = append(servers, f.orderNow(t).ServerID)
		}
		h.hang(servers...)
		start := time.Now()
		warned := other.scheduleAt(t, other.server(t).ID, start.AddDate(0, 0, 7).Add(2*time.Minute))
		executed := other.scheduleAt(t, other.server(t).ID, start.Add(2*time.Minute))
		ctx, stop := context.WithCancel(t.Context())
		var loops sync.WaitGroup
		runner := dedicated.Runner{Tickers: []dedicated.Ticker{f.Manager}}
		loops.Go(func() { _ = runner.Run(ctx) })
		time.Sleep(24 * time.Hour)
		stop()
		loops.Wait()
		c := other.get(t, warned.ID)
		require.Len(t, c.Warned, 1)
		assert.LessOrEqual(t, c.Warned[0].Sent.Sub(start), 3*time.Minute, "the warning")
		c = other.get(t, executed.ID)
		require.Equal(t, cancellation.Executed, c.State)
		assert.LessOrEqual(t, c.Steps[4].Done.Sub(start), 10*time.Minute, "the execution")
	})
}

func TestAbandonWhileOwnCallIsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{deaf: true}
		f := liveFixture(t, h.install)
		c := f.orderNow(t)
		h.hang(c.ServerID)
		_, _ = f.Tick(t.Context())
		time.Sleep(24 * time.Hour)
		_, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
		assert.ErrorIs(t, err, cancellation.ErrConflict)
		assert.Equal(t, c.ID, f.readServer(t, c.ServerID).LockedBy, "a wipe that comes back must not find the next client")
		close(h.release)
	})
}

func TestErrorsAreHeardWhileOthersRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hangs{}
		f := liveFixture(t, h.install, func(c *cancellation.Config) { c.StepTimeout = 0 })
		var servers []uuid.UUID
		for range 60 {
			servers = append(servers, f.orderNow(t).ServerID)
		}
		h.hang(servers...)
		var mu sync.Mutex
		heard := 0
		ctx, stop := context.WithCancel(t.Context())
		var loops sync.WaitGroup
		runner := dedicated.Runner{Tickers: []dedicated.Ticker{f.Manager}, OnError: func(_ dedicated.Ticker, _ error) {
			mu.Lock()
			defer mu.Unlock()
			heard++
		}}
		loops.Go(func() { _ = runner.Run(ctx) })
		time.Sleep(7 * 24 * time.Hour)
		health := runner.Health()[0]
		mu.Lock()
		assert.Positive(t, heard, "errors that OnError heard in a week; %d calls have failed", h.total())
		mu.Unlock()
		assert.Positive(t, health.Failures)
		stop()
		loops.Wait()
	})
}
