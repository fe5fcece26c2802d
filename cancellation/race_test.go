package cancellation_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

const raceRounds = 200

// race runs functions concurrently and returns their errors.
func race(run ...func() error) []error {
	start, errs := make(chan struct{}), make([]error, len(run))
	var all sync.WaitGroup
	for i, f := range run {
		all.Go(func() {
			<-start
			errs[i] = f()
		})
	}
	close(start)
	all.Wait()
	return errs
}

// tickFunc returns a function that ticks and returns the error only.
func tickFunc(ctx context.Context, m *cancellation.Manager) func() error {
	return func() error {
		_, err := m.Tick(ctx)
		return err
	}
}

func TestDiscardAgainstExecution(t *testing.T) {
	t.Parallel()
	discarded := 0
	for range raceRounds {
		hooks := &recordingHooks{}
		f, ctx := newFixture(t, hooks.install), t.Context()
		s := f.server(t)
		c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
		f.clock.Set(c.At)
		errs := race(
			func() error { _, err := f.Discard(ctx, f.reseller, c.ID, ""); return err },
			tickFunc(ctx, f.Manager),
		)
		require.NoError(t, errs[1])
		f.tick(t)
		got := f.get(t, c.ID)
		if errs[0] == nil {
			discarded++
			require.Equal(t, cancellation.Discarded, got.State)
			require.Empty(t, hooks.deprovisioned)
			require.Empty(t, f.biller.refunds())
			require.Equal(t, dedicated.InUse, f.readServer(t, s.ID).State)
			continue
		}
		e := requireError(t, errs[0], cancellation.ErrConflict)
		require.NotEmpty(t, e.State, "the error names the state: %v", e)
		require.Equal(t, cancellation.Executed, got.State)
		require.Len(t, f.biller.refunds(), 1)
	}
	t.Logf("Discard was first in %d of %d rounds", discarded, raceRounds)
}

func TestRescheduleAgainstWarning(t *testing.T) {
	t.Parallel()
	for range raceRounds {
		f, ctx := newFixture(t), t.Context()
		f.saveSettings(t, warnings(7))
		c := f.scheduleAt(t, f.server(t).ID, at("2026-11-17 09:00"))
		to := at("2026-12-24 09:00")
		errs := race(
			func() error { _, err := f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{At: to}); return err },
			tickFunc(ctx, f.Manager),
		)
		require.NoError(t, errors.Join(errs...))
		f.tickUntil(t, to)
		got := f.get(t, c.ID)
		require.Equal(t, cancellation.Executed, got.State)
		warned := map[time.Time]int{}
		for _, warning := range got.Warned {
			warned[warning.For]++
		}
		require.Equal(t, 1, warned[to])
		require.LessOrEqual(t, warned[c.At], 1)
		kinds := f.countEvents(t, c.ID)
		require.Equal(t, len(got.Warned), kinds[cancellation.KindWarning])
		require.Equal(t, warned[c.At], kinds[cancellation.KindRescheduled], "the client is told of the new date only if it was warned of the old one")
	}
}

func TestScheduleAgainstSchedule(t *testing.T) {
	t.Parallel()
	for range raceRounds {
		f, ctx := newFixture(t), t.Context()
		s := f.server(t)
		errs := race(
			func() error {
				_, err := f.Schedule(ctx, f.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: endOfNovember()}})
				return err
			},
			func() error {
				_, err := f.Schedule(ctx, f.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
				return err
			},
		)
		require.True(t, (errs[0] == nil) != (errs[1] == nil), "one succeeds: %v", errs)
		e := requireError(t, errors.Join(errs...), cancellation.ErrConflict)
		require.Equal(t, endOfNovember(), e.Existing.At, "the other error has the date of the first order")
		all, _, err := f.Cancellations(ctx, f.reseller, cancellation.Query{})
		require.NoError(t, err)
		require.Len(t, all, 1)
	}
}

// TestSameOrderTwiceConcurrently: an order is repeated before the first call has returned.
func TestSameOrderTwiceConcurrently(t *testing.T) {
	t.Parallel()
	for range raceRounds {
		f, ctx := newFixture(t), t.Context()
		order := cancellation.Order{ID: uuid.New(), ServerID: f.server(t).ID, When: endOfPeriod()}
		send := func() error {
			c, err := f.Schedule(ctx, f.client, order)
			if err == nil && c.ID != order.ID {
				err = errors.New("another ID")
			}
			return err
		}
		require.NoError(t, errors.Join(race(send, send)...))
	}
}

// TestThreeManagersTick: 1,000 cancellations are due, and three processes tick. Each cancellation is executed once.
func TestThreeManagersTick(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	deprovisioned := map[uuid.UUID]int{}
	f := newFixture(t, func(c *cancellation.Config) {
		c.MaxExecutions = -1
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(_ context.Context, c cancellation.Cancellation, _ dedicated.Server) error {
			mu.Lock()
			defer mu.Unlock()
			deprovisioned[c.ID]++
			return nil
		})
	})
	f.saveSettings(t, warnings(7))
	const due = 1000
	for n := range due {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00").Add(time.Duration(n%7)*time.Hour))
	}
	same := func(*cancellation.Config) {}
	managers := []*cancellation.Manager{f.Manager, f.newManager(t, same), f.newManager(t, same)}
	for _, when := range []time.Time{at("2026-11-14 00:00"), at("2026-11-21 00:00")} {
		f.clock.Set(when)
		require.NoError(t, errors.Join(race(tickFunc(t.Context(), managers[0]), tickFunc(t.Context(), managers[1]), tickFunc(t.Context(), managers[2]))...))
	}
	all, next, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{Limit: 1000, States: []cancellation.State{cancellation.Executed}})
	require.NoError(t, err)
	assert.Empty(t, next)
	require.Len(t, all, due)
	assert.Equal(t, due, f.biller.calls)
	assert.Len(t, f.biller.refunds(), due)
	for _, c := range all {
		require.Equal(t, 1, deprovisioned[c.ID])
		require.Len(t, c.Warned, 1)
	}
	count := map[any]int{}
	for _, e := range f.events(t) {
		count[e.Kind]++
	}
	assert.Equal(t, map[any]int{
		cancellation.KindWarning: due, cancellation.KindExecuted: due, cancellation.KindCompleted: due, cancellation.KindClosed: due,
	}, count)
}

// TestClientsMoveAgainstResellersMove: whoever comes first, the reseller's move stays.
func TestClientsMoveAgainstResellersMove(t *testing.T) {
	t.Parallel()
	refused := 0
	for range raceRounds {
		f, ctx := newFixture(t), t.Context()
		f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true, ClientMayChooseDate: true})
		c := f.scheduleAsClient(t, f.server(t).ID)
		errs := race(
			func() error {
				_, err := f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
				return err
			},
			func() error {
				_, err := f.Reschedule(ctx, f.client, c.ID, cancellation.When{At: at("2026-11-25 12:00")})
				return err
			},
		)
		require.NoError(t, errs[0])
		got := f.get(t, c.ID)
		require.Equal(t, at("2026-11-20 12:00"), got.At)
		require.Equal(t, dedicated.Reseller, got.MovedBy)
		if errs[1] != nil {
			refused++
			require.NotNil(t, requireError(t, errs[1], cancellation.ErrForbidden))
			continue
		}
		require.Equal(t, []string{"scheduled", "rescheduled", "rescheduled"}, history(got))
	}
	t.Logf("the client was refused in %d of %d rounds", refused, raceRounds)
}

// TestOtherBillingAgainstATick: the Subscriber and the daily look find the same change of billing. It is mailed once.
func TestOtherBillingAgainstATick(t *testing.T) {
	t.Parallel()
	for range raceRounds {
		f, d := newEventFixture(t)
		s := f.server(t)
		c := f.scheduleAsClient(t, s.ID)
		f.tick(t)
		_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-11-02 23:00", dedicated.Week, 3))
		require.NoError(t, err)
		f.clock.Set(at("2026-11-11 09:00"))
		require.NoError(t, errors.Join(race(
			func() error { _, err := d.Tick(t.Context()); return err },
			tickFunc(t.Context(), f.Manager),
		)...))
		f.tick(t)
		got := f.get(t, c.ID)
		require.Equal(t, at("2026-11-23 23:00"), got.At)
		require.Equal(t, []string{"scheduled", "moved"}, history(got))
		require.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindRescheduled])
	}
}

// TestDiscardAgainstOtherBilling: the date moves while the cancellation is discarded. Both succeed, in either order.
func TestDiscardAgainstOtherBilling(t *testing.T) {
	t.Parallel()
	for range raceRounds {
		f, d := newEventFixture(t)
		s := f.server(t)
		c := f.scheduleAsClient(t, s.ID)
		_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-11-02 23:00", dedicated.Week, 3))
		require.NoError(t, err)
		require.NoError(t, errors.Join(race(
			func() error { _, err := d.Tick(t.Context()); return err },
			func() error { _, err := f.Discard(t.Context(), f.reseller, c.ID, ""); return err },
		)...))
		require.Equal(t, cancellation.Discarded, f.get(t, c.ID).State)
		require.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindDiscarded])
	}
}
