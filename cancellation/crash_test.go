package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// interruption stops a run at one point. There is a point before and after each call of a Store, an inventory, a hook and a
// biller. A Tick claims while an execution runs, so a point has a name: the call and how often it was reached.
type interruption struct {
	call  int    // the point at which the run stops, counted from 0; negative: none
	point string // instead of call; "": call
	mode  string
	deaf  chan struct{} // mode deaf: the call goes on when it is closed

	mu       sync.Mutex
	times    map[string]int // how often each call was reached
	points   []string       // that were reached
	happened bool
	at       string
}

var errCrash = errors.New("crash")

// crashModes are the ways to stop at a point: the call returns an error, it panics, or the process has exited, so that no
// later call has an effect either.
var crashModes = []string{"error", "panic", "exit"}

func (stop *interruption) reach(where string) error {
	if stop.reachPoint(where) {
		switch stop.mode {
		case "panic":
			panic(errCrash)
		case "deaf":
			<-stop.deaf
			return nil
		}
		return errCrash
	}
	return nil
}

// reachPoint counts a call, and reports whether it is to be interrupted.
func (stop *interruption) reachPoint(where string) bool {
	stop.mu.Lock()
	defer stop.mu.Unlock()
	if stop.happened && stop.mode == "exit" {
		return true
	}
	if stop.times == nil {
		stop.times = map[string]int{}
	}
	stop.times[where]++
	where = fmt.Sprintf("%s, %d", where, stop.times[where])
	stop.points = append(stop.points, where)
	here := len(stop.points)-1 == stop.call
	if stop.point != "" {
		here = where == stop.point
	}
	if stop.happened || !here {
		return false
	}
	stop.happened, stop.at = true, where
	return true
}

// around makes a call with a point before and one after it.
func around[R any](stop *interruption, what string, call func() (R, error)) (R, error) {
	var none R
	if err := stop.reach("before " + what); err != nil {
		return none, err
	}
	r, err := call()
	if crash := stop.reach("after " + what); crash != nil {
		return none, crash
	}
	return r, err
}

func aroundErr(stop *interruption, what string, call func() error) error {
	_, err := around(stop, what, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

type interruptedStore struct {
	cancellation.Store
	stop *interruption
}

func (s interruptedStore) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	return around(s.stop, "Store.Settings", func() (cancellation.Settings, error) { return s.Store.Settings(ctx, reseller) })
}

func (s interruptedStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (cancellation.Due, error) {
	return around(s.stop, "Store.ClaimDue", func() (cancellation.Due, error) { return s.Store.ClaimDue(ctx, now, until, limit) })
}

func (s interruptedStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	return aroundErr(s.stop, "Store.Commit", func() error { return s.Store.Commit(ctx, changes...) })
}

type interruptedServers struct {
	cancellation.Servers
	stop *interruption
}

func (s interruptedServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	return around(s.stop, "Servers.Server", func() (dedicated.Server, error) { return s.Servers.Server(ctx, a, id) })
}

func (s interruptedServers) Release(ctx context.Context, a dedicated.Actor, id, assignment, key uuid.UUID, reason string) (dedicated.Server, error) {
	return around(s.stop, "Servers.Release", func() (dedicated.Server, error) {
		return s.Servers.Release(ctx, a, id, assignment, key, reason)
	})
}

func (s interruptedServers) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	return around(s.stop, "Servers.Unlock", func() (dedicated.Server, error) { return s.Servers.Unlock(ctx, a, id, key) })
}

type interruptedBiller struct {
	cancellation.Biller
	stop *interruption
}

func (b interruptedBiller) Paid(ctx context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error) {
	return around(b.stop, "Biller.Paid", func() ([]refund.Charge, error) { return b.Biller.Paid(ctx, s, p) })
}

func (b interruptedBiller) Refund(ctx context.Context, r cancellation.Refund) error {
	return aroundErr(b.stop, "Biller.Refund", func() error { return b.Biller.Refund(ctx, r) })
}

func (b interruptedBiller) Booked(ctx context.Context, key uuid.UUID) (r cancellation.Refund, found bool, err error) {
	err = aroundErr(b.stop, "Biller.Booked", func() (err error) {
		if biller, ok := b.Biller.(*biller); ok {
			r, found = biller.booked(key)
		}
		return nil
	})
	return r, found, err
}

// interrupted returns a Config whose parts all have the points of an interruption.
func interrupted(c cancellation.Config, stop *interruption) cancellation.Config {
	c.Store, c.Servers, c.Biller = interruptedStore{c.Store, stop}, interruptedServers{c.Servers, stop}, interruptedBiller{c.Biller, stop}
	hooks := c.Hooks
	c.Hooks = cancellation.Hooks{}
	for _, gate := range hooks.Gate {
		c.Hooks.Gate = append(c.Hooks.Gate, func(ctx context.Context, a dedicated.Actor, op string, c cancellation.Cancellation) error {
			return aroundErr(stop, "gate", func() error { return gate(ctx, a, op, c) })
		})
	}
	for _, hook := range hooks.Deprovision {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, s dedicated.Server) error {
			return aroundErr(stop, "deprovision", func() error { return hook(ctx, c, s) })
		})
	}
	for _, hook := range hooks.CloseDown {
		c.Hooks.CloseDown = append(c.Hooks.CloseDown, func(ctx context.Context, d dedicated.Released) error {
			return aroundErr(stop, "close-down", func() error { return hook(ctx, d) })
		})
	}
	return c
}

// crashFixture is a fixture with a due execution and an inventory that records releases.
type crashFixture struct {
	*fixture
	released     *notify.MemoryOutbox
	hooks        *recordingHooks
	cancellation cancellation.Cancellation
	quote        refund.Result
}

func newCrashFixture(t *testing.T) *crashFixture {
	t.Helper()
	f := &crashFixture{hooks: &recordingHooks{}, released: &notify.MemoryOutbox{}}
	f.fixture = newFixture(t, f.hooks.install)
	f.biller.charges = []refund.Charge{november(), paid("credit", "-13.54")}
	var err error
	f.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: f.released}, Clock: f.clock})
	require.NoError(t, err)
	require.NoError(t, f.released.Register(t.Context(), "all", []notify.Kind{dedicated.KindReleased}))
	f.config.Servers = f.servers
	f.Manager, err = cancellation.New(f.config)
	require.NoError(t, err)
	f.saveSettings(t, warnings(7))
	f.tick(t)
	s := f.server(t)
	f.cancellation = f.scheduleAsClient(t, s.ID)
	f.cancellation, err = f.Reschedule(t.Context(), f.reseller, f.cancellation.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	f.quote, err = f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	assertMoney(t, "5.49", f.quote.Total) // a third of 30.00 less the credit
	f.tick(t)
	f.clock.Set(at("2026-11-20 12:00"))
	return f
}

// tickInterrupted runs one Tick of a process that stops at the point of an interruption.
func (f *crashFixture) tickInterrupted(t *testing.T, stop *interruption) {
	t.Helper()
	m, err := cancellation.New(interrupted(f.config, stop))
	require.NoError(t, err)
	defer func() {
		if v := recover(); v != nil && v != errCrash { //nolint:errorlint // the panic's value itself
			panic(v)
		}
	}()
	if _, err = m.Tick(t.Context()); err != nil {
		require.ErrorIs(t, err, errCrash)
	}
}

// tickUntilDone ticks as another process, until nothing is due any more.
func (f *crashFixture) tickUntilDone(t *testing.T) {
	t.Helper()
	for range 10 {
		f.clock.Set(f.clock.Now().Add(cancellation.DefaultLease))
		f.tick(t)
	}
	require.Zero(t, f.tick(t), "nothing is due any more")
}

func (f *crashFixture) assertOnce(t *testing.T, where string) {
	t.Helper()
	c := f.get(t, f.cancellation.ID)
	require.Equal(t, cancellation.Executed, c.State, where)
	assert.Equal(t, f.cancellation.At, c.At, where)
	assert.Equal(t, f.quote, c.Refund, where)
	refunds := f.biller.refunds()
	require.Len(t, refunds, 1, where)
	assert.Equal(t, f.quote.Total, refunds[0].Amount, where)
	released, _, err := f.released.Deliveries(t.Context(), notify.DeliveryQuery{})
	require.NoError(t, err)
	assert.Len(t, released, 1, where)
	s := f.readServer(t, c.ServerID)
	assert.Equal(t, dedicated.CleanUp, s.State, where)
	assert.Equal(t, uuid.Nil, s.LockedBy, where)
	assert.NotEmpty(t, f.hooks.deprovisioned, where)
	assert.NotEmpty(t, f.hooks.closedDown, where)
	assert.Equal(t, []string{"scheduled", "rescheduled", "executing", "executed"}, history(c), where)
	kinds := f.countEvents(t, c.ID)
	for _, kind := range []notify.Kind{cancellation.KindExecuted, cancellation.KindCompleted, cancellation.KindClosed} {
		assert.Equal(t, 1, kinds[kind], "%s: %s", where, kind)
	}
}

// TestCrashAnywhere stops an execution before and after each call in turn. Another process continues it.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	calls := &interruption{call: -1}
	f := newCrashFixture(t)
	f.tickInterrupted(t, calls)
	f.assertOnce(t, "without an interruption")
	require.Len(t, calls.points, 58, "before and after each of 29 calls")
	for _, mode := range crashModes {
		for _, point := range calls.points {
			t.Run(mode+" "+point, func(t *testing.T) {
				t.Parallel()
				f, stop := newCrashFixture(t), &interruption{point: point, mode: mode}
				f.tickInterrupted(t, stop)
				require.True(t, stop.happened)
				f.tickUntilDone(t)
				f.assertOnce(t, stop.at)
			})
		}
	}
}

// TestCrashTwice stops the process that continues as well.
func TestCrashTwice(t *testing.T) {
	t.Parallel()
	calls := &interruption{call: -1}
	newCrashFixture(t).tickInterrupted(t, calls)
	for _, first := range calls.points {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			for second := range 12 {
				f := newCrashFixture(t)
				f.tickInterrupted(t, &interruption{point: first, mode: "exit"})
				f.clock.Set(f.clock.Now().Add(cancellation.DefaultLease))
				f.tickInterrupted(t, &interruption{call: second, mode: "exit"})
				f.tickUntilDone(t)
				f.assertOnce(t, fmt.Sprintf("%s, then %d", first, second))
			}
		})
	}
}

// TestDeafAnywhere lets each call of a part of the host in turn ignore its deadline for half an hour, and then go on. The same process ticks
// meanwhile, and another one. Nothing else of the cancellation runs until the call has returned.
func TestDeafAnywhere(t *testing.T) {
	t.Parallel()
	calls := &interruption{call: -1}
	newCrashFixture(t).tickInterrupted(t, calls)
	for _, point := range calls.points {
		if strings.Contains(point, "Store.") {
			continue // a Store has no deadline
		}
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, stop := newCrashFixture(t), &interruption{point: point, mode: "deaf", deaf: make(chan struct{})}
				m, err := cancellation.New(interrupted(f.config, stop))
				require.NoError(t, err)
				_, err = m.Tick(t.Context())
				if strings.HasSuffix(point, "Servers.Server, 1") {
					require.NoError(t, err, "it asks again, beside the batch")
				} else {
					require.ErrorIs(t, err, cancellation.ErrHost)
				}
				require.True(t, stop.happened)
				deaf := f.get(t, f.cancellation.ID)
				for range 6 {
					f.clock.Set(f.clock.Now().Add(5 * time.Minute))
					if !deaf.BegunAt.IsZero() { // else only the first look-up is deaf
						f.tickTwice(t, m)
						now := f.get(t, deaf.ID)
						require.Equal(t, deaf.Steps, now.Steps)
						require.True(t, now.LeaseUntil.After(f.clock.Now()))
						require.Positive(t, now.Attempts)
					}
				}
				close(stop.deaf)
				synctest.Wait()
				for range 3 {
					f.clock.Set(f.clock.Now().Add(time.Hour))
					f.tickTwice(t, m)
				}
				f.assertOnce(t, point)
			})
		})
	}
}

// tickTwice ticks as the process with the deaf call, and as another one.
func (f *crashFixture) tickTwice(t *testing.T, m *cancellation.Manager) {
	t.Helper()
	_, err := m.Tick(t.Context())
	require.NoError(t, err)
	f.tick(t)
}
