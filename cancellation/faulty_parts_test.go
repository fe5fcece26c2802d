package cancellation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

type apiError struct{ err error }

func (e *apiError) Error() string { return "api: " + e.err.Error() }

func (e *apiError) Unwrap() error { return e.err }

type typedNil struct{ cancellation.Servers }

func (s typedNil) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	server, _ := s.Servers.Unlock(ctx, a, id, key)
	var e *apiError
	return server, e
}

func TestUnlockReturnsATypedNil(t *testing.T) {
	t.Parallel()
	f, _, c := newStuckFixture(t, func(c *cancellation.Config) { c.Servers = typedNil{c.Servers} })
	require.NotPanics(t, func() {
		_, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
		require.ErrorIs(t, err, cancellation.ErrHost)
	})
}

func TestInventoryWithAnUnknownState(t *testing.T) {
	t.Parallel()
	for _, state := range []dedicated.State{"", "rebooting", "In_Use"} {
		altered := &alteredServers{}
		f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
		c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
		altered.change = func(s *dedicated.Server) { s.State = state }
		_, err := f.Tick(t.Context())
		assert.ErrorIs(t, err, cancellation.ErrHost)
		assert.Equal(t, cancellation.Scheduled, f.get(t, c.ID).State, "state %q", state)
	}
}

func TestChangedServerTextIsBounded(t *testing.T) {
	t.Parallel()
	altered := &alteredServers{}
	f, _, c := newStuckFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
	altered.change = func(s *dedicated.Server) { s.State = dedicated.State(strings.Repeat("x\n", 1<<19)) }
	f.clock.Set(c.RetryAt)
	_, _ = f.Tick(t.Context())
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executing, got.State, "an answer that makes no sense is ErrHost, and tried again")
	assert.LessOrEqual(t, len(got.LastError), 1000)
	for _, e := range got.History {
		assert.LessOrEqual(t, len(e.What), 1100)
	}
}

type hugeBooked struct {
	*biller
	amount decimal.Decimal
}

func (b hugeBooked) Booked(context.Context, uuid.UUID) (cancellation.Refund, bool, error) {
	return cancellation.Refund{Amount: b.amount, Currency: "EUR"}, true, nil
}

func TestBookedHuge(t *testing.T) {
	t.Parallel()
	for _, exponent := range []int32{3_000_000, -3_000_000} {
		f := newFixture(t)
		m := f.newManager(t, func(c *cancellation.Config) { c.Biller = hugeBooked{f.biller, decimal.New(1, exponent)} })
		c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
		start := time.Now()
		_, err := m.Tick(t.Context())
		assert.ErrorIs(t, err, cancellation.ErrHost)
		assert.Less(t, time.Since(start), time.Second, exponent)
		assert.Less(t, len(f.get(t, c.ID).Refund.Total.Coefficient().Bits()), 100)
	}
}

type pendingUnlock struct {
	cancellation.Servers
	until time.Time
}

func (s *pendingUnlock) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	if !s.until.IsZero() {
		return dedicated.Server{}, cancellation.Pending(s.until)
	}
	return s.Servers.Unlock(ctx, a, id, key)
}

func TestPendingUnlockOfAnAbandoned(t *testing.T) {
	t.Parallel()
	servers := &pendingUnlock{}
	f, _, c := newStuckFixture(t, func(c *cancellation.Config) { servers.Servers, c.Servers = c.Servers, servers })
	servers.until = f.clock.Now().Add(3 * time.Hour)
	_, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
	assert.NoError(t, err, "nothing failed")
	got := f.get(t, c.ID)
	assert.Equal(t, servers.until, got.Due, "asked again then")
	assert.NotContains(t, got.LastError, "pending", "nothing failed")
}

type pendingInventory struct {
	cancellation.Servers
	pending bool
}

func (s *pendingInventory) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if s.pending {
		return dedicated.Server{}, cancellation.Pending(time.Now())
	}
	return s.Servers.Server(ctx, a, id)
}

func TestPendingInventory(t *testing.T) {
	t.Parallel()
	inv := &pendingInventory{}
	f, _, c := newStuckFixture(t, func(c *cancellation.Config) { inv.Servers, c.Servers = c.Servers, inv })
	inv.pending = true
	f.clock.Set(c.RetryAt)
	_, err := f.Tick(t.Context())
	assert.ErrorIs(t, err, cancellation.ErrHost)
	assert.Equal(t, 2, f.get(t, c.ID).Attempts)
}

func TestPendingForgetsFailures(t *testing.T) {
	t.Parallel()
	calls := 0
	f := newFixture(t, func(config *cancellation.Config) {
		config.Hooks.Deprovision = append(config.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
			if calls++; calls%2 == 1 {
				return cancellation.Pending(at("2026-11-10 09:00"))
			}
			return errors.New("the wipe has failed")
		})
	})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	for range 200 {
		_, _ = f.Tick(t.Context())
		f.clock.Set(f.clock.Now().Add(time.Hour))
	}
	assert.Positive(t, f.countEvents(t, c.ID)[cancellation.KindStuck], "after %d failures", calls/2)
}

func TestExecutionWithoutSteps(t *testing.T) {
	t.Parallel()
	releases := 0
	servers := &releaseThen{then: func() { releases++ }}
	f, _, c := newStuckFixture(t, func(c *cancellation.Config) { servers.Servers, c.Servers = c.Servers, servers })
	c.Steps = nil
	require.NoError(t, f.store.Commit(t.Context(), cancellation.Change{Cancellations: []cancellation.Cancellation{c}}))
	f.clock.Set(c.Due)
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	_, _ = f.Tick(ctx)
	assert.Less(t, releases, 10)
}

type releaseThen struct {
	cancellation.Servers
	then func()
}

func (s *releaseThen) Release(ctx context.Context, a dedicated.Actor, id, assignment, key uuid.UUID, reason string) (dedicated.Server, error) {
	server, err := s.Servers.Release(ctx, a, id, assignment, key, reason)
	s.then()
	return server, err
}
