package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// fuse fails at one point of a run: there is one before and one after each call of a Store, an inventory, a hook and a
// biller.
type fuse struct {
	at    int // the point that fails; negative: none
	mode  string
	point int
	blown bool
	where string
}

var errCrash = errors.New("crash")

// The ways to fail at a point: the call returns an error, it panics, or the process is dead and no later call has an
// effect either.
var crashModes = []string{"error", "panic", "death"}

func (f *fuse) burn(where string) error {
	if f.blown && f.mode == "death" {
		return errCrash
	}
	f.point++
	if f.blown || f.point-1 != f.at {
		return nil
	}
	f.blown, f.where = true, where
	if f.mode == "panic" {
		panic(errCrash)
	}
	return errCrash
}

// through makes a call with a point before and one after it.
func through[R any](f *fuse, what string, call func() (R, error)) (R, error) {
	var none R
	if err := f.burn("before " + what); err != nil {
		return none, err
	}
	r, err := call()
	if crash := f.burn("after " + what); crash != nil {
		return none, crash
	}
	return r, err
}

func throughErr(f *fuse, what string, call func() error) error {
	_, err := through(f, what, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

type fusedStore struct {
	cancellation.Store
	fuse *fuse
}

func (s fusedStore) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	return through(s.fuse, "Store.Settings", func() (cancellation.Settings, error) { return s.Store.Settings(ctx, reseller) })
}

func (s fusedStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (cancellation.Due, error) {
	return through(s.fuse, "Store.ClaimDue", func() (cancellation.Due, error) { return s.Store.ClaimDue(ctx, now, until, limit) })
}

func (s fusedStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	return throughErr(s.fuse, "Store.Commit", func() error { return s.Store.Commit(ctx, changes...) })
}

type fusedServers struct {
	cancellation.Servers
	fuse *fuse
}

func (s fusedServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	return through(s.fuse, "Servers.Server", func() (dedicated.Server, error) { return s.Servers.Server(ctx, a, id) })
}

func (s fusedServers) Release(ctx context.Context, a dedicated.Actor, id, assignment, busy uuid.UUID, reason string) (dedicated.Server, error) {
	return through(s.fuse, "Servers.Release", func() (dedicated.Server, error) {
		return s.Servers.Release(ctx, a, id, assignment, busy, reason)
	})
}

func (s fusedServers) Unlock(ctx context.Context, a dedicated.Actor, id, busy uuid.UUID) (dedicated.Server, error) {
	return through(s.fuse, "Servers.Unlock", func() (dedicated.Server, error) { return s.Servers.Unlock(ctx, a, id, busy) })
}

type fusedBiller struct {
	cancellation.Biller
	fuse *fuse
}

func (b fusedBiller) Paid(ctx context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error) {
	return through(b.fuse, "Biller.Paid", func() ([]refund.Charge, error) { return b.Biller.Paid(ctx, s, p) })
}

func (b fusedBiller) Refund(ctx context.Context, r cancellation.Refund) error {
	return throughErr(b.fuse, "Biller.Refund", func() error { return b.Biller.Refund(ctx, r) })
}

// fused is a Manager's config with the fuse in everything that it calls.
func fused(c cancellation.Config, f *fuse) cancellation.Config {
	c.Store, c.Servers, c.Biller = fusedStore{c.Store, f}, fusedServers{c.Servers, f}, fusedBiller{c.Biller, f}
	hooks := c.Hooks
	c.Hooks = cancellation.Hooks{}
	for _, gate := range hooks.Gate {
		c.Hooks.Gate = append(c.Hooks.Gate, func(ctx context.Context, c cancellation.Cancellation) error {
			return throughErr(f, "gate", func() error { return gate(ctx, c) })
		})
	}
	for _, hook := range hooks.Deprovision {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, s dedicated.Server) error {
			return throughErr(f, "deprovision", func() error { return hook(ctx, c, s) })
		})
	}
	for _, hook := range hooks.CloseDown {
		c.Hooks.CloseDown = append(c.Hooks.CloseDown, func(ctx context.Context, d dedicated.Released) error {
			return throughErr(f, "close-down", func() error { return hook(ctx, d) })
		})
	}
	return c
}

// crashing is a fixture with a due execution and an inventory that reports releases.
type crashing struct {
	*fixture
	released *notify.MemoryOutbox
	plugins  *plugins
	c        cancellation.Cancellation
	quote    refund.Result
}

func crashWorld(t *testing.T) *crashing {
	t.Helper()
	k := &crashing{plugins: &plugins{}, released: &notify.MemoryOutbox{}}
	k.fixture = setup(t, k.plugins.hooks)
	var err error
	k.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: k.released}, Clock: k.clock})
	require.NoError(t, err)
	require.NoError(t, k.released.Register(t.Context(), "all", []notify.Kind{dedicated.KindReleased}))
	k.config.Servers = k.servers
	k.Manager, err = cancellation.New(k.config)
	require.NoError(t, err)
	k.save(t, warnings(7))
	k.tick(t)
	s := k.server(t)
	k.c = k.endOfPeriod(t, s.ID)
	k.c, err = k.Reschedule(t.Context(), k.reseller, k.c.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	k.quote, err = k.Quote(t.Context(), k.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	k.tick(t)
	k.clock.Set(at("2026-11-20 12:00"))
	return k
}

// tickWith runs one Tick of a process that may die of it.
func (k *crashing) tickWith(t *testing.T, f *fuse) {
	t.Helper()
	m, err := cancellation.New(fused(k.config, f))
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

// recover lets another process go on until nothing is left to do.
func (k *crashing) recover(t *testing.T) {
	t.Helper()
	for range 10 {
		k.clock.Set(k.clock.Now().Add(cancellation.DefaultLease))
		k.tick(t)
	}
	require.Zero(t, k.tick(t), "nothing is left to do")
}

func (k *crashing) assertOnce(t *testing.T, where string) {
	t.Helper()
	c := k.get(t, k.c.ID)
	require.Equal(t, cancellation.Executed, c.State, where)
	assert.Equal(t, k.c.At, c.At, where)
	assert.Equal(t, k.quote, c.Refund, where)
	refunds := k.biller.refunds()
	require.Len(t, refunds, 1, where)
	assert.Equal(t, k.quote.Total, refunds[0].Amount, where)
	released, _, err := k.released.Deliveries(t.Context(), notify.DeliveryQuery{})
	require.NoError(t, err)
	assert.Len(t, released, 1, where)
	s := k.serverNow(t, c.ServerID)
	assert.Equal(t, dedicated.CleanUp, s.State, where)
	assert.Equal(t, uuid.Nil, s.LockedBy, where)
	assert.NotEmpty(t, k.plugins.wiped, where)
	assert.NotEmpty(t, k.plugins.closed, where)
	assert.Equal(t, []string{"scheduled", "rescheduled", "executing", "executed"}, history(c), where)
	kinds := k.kinds(t, c.ID)
	for _, kind := range []notify.Kind{cancellation.KindExecuted, cancellation.KindCompleted, cancellation.KindClosed} {
		assert.Equal(t, 1, kinds[kind], "%s: %s", where, kind)
	}
}

// TestCrashAnywhere stops an execution at every single call in turn, before and after it; another process goes on.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	points := &fuse{at: -1}
	k := crashWorld(t)
	k.tickWith(t, points)
	k.assertOnce(t, "undisturbed")
	require.Equal(t, 38, points.point, "before and after each of 19 calls")
	for _, mode := range crashModes {
		for at := range points.point {
			t.Run(fmt.Sprintf("%s %d", mode, at), func(t *testing.T) {
				t.Parallel()
				k, f := crashWorld(t), &fuse{at: at, mode: mode}
				k.tickWith(t, f)
				require.True(t, f.blown)
				k.recover(t)
				k.assertOnce(t, f.where)
			})
		}
	}
}

// TestCrashTwice stops the one who goes on as well.
func TestCrashTwice(t *testing.T) {
	t.Parallel()
	points := &fuse{at: -1}
	crashWorld(t).tickWith(t, points)
	for first := range points.point {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			for second := range 12 {
				k := crashWorld(t)
				k.tickWith(t, &fuse{at: first, mode: "death"})
				k.clock.Set(k.clock.Now().Add(cancellation.DefaultLease))
				k.tickWith(t, &fuse{at: second, mode: "death"})
				k.recover(t)
				k.assertOnce(t, fmt.Sprintf("%d, then %d", first, second))
			}
		})
	}
}
