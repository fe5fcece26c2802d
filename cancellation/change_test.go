package cancellation_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

func TestRescheduleKeepsTheRecord(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := w.schedule(t, w.server(t).ID, at("2026-11-20 12:00"))
	w.clock.Set(at("2026-11-11 10:00"))
	moved, err := w.Reschedule(t.Context(), w.reseller, c.ID, endOfPeriod())
	require.NoError(t, err)
	assert.Equal(t, c.ID, moved.ID)
	assert.Equal(t, endOfNovember(), moved.At)
	assert.Equal(t, c.By, moved.By)
	assert.Equal(t, cancellation.Entry{
		At: at("2026-11-11 10:00"), By: w.reseller, What: "rescheduled", From: at("2026-11-20 12:00"), To: endOfNovember(),
	}, moved.History[1])
	again, err := w.Reschedule(t.Context(), w.reseller, c.ID, endOfPeriod())
	require.NoError(t, err)
	assert.Equal(t, moved, again, "the same again changes nothing")
	assert.Empty(t, w.told(t), "the client knew nothing of it")
}

func TestRescheduleToThePast(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := w.schedule(t, w.server(t).ID, at("2026-11-20 12:00"))
	_, err := w.Reschedule(t.Context(), w.reseller, c.ID, cancellation.When{At: at("2026-11-10 08:59")})
	assert.Equal(t, "When.At", problem(t, err, cancellation.ErrInvalid).Field)
	assert.Equal(t, c, w.get(t, c.ID))
}

// TestClientsAndWithdrawing: a client may change what it has ordered itself, and only if the reseller says so.
func TestClientsAndWithdrawing(t *testing.T) {
	t.Parallel()
	for _, may := range []bool{false, true} {
		w, ctx := setup(t), t.Context()
		w.save(t, cancellation.Settings{ClientMayDiscard: may})
		own, resellers := w.endOfPeriod(t, w.server(t).ID), w.schedule(t, w.server(t).ID, endOfNovember())
		_, err := w.Discard(ctx, w.client, resellers.ID, "")
		assertProblem(t, err, cancellation.ErrForbidden)
		_, err = w.Reschedule(ctx, w.client, resellers.ID, endOfPeriod())
		assertProblem(t, err, cancellation.ErrForbidden)
		w.clock.Set(at("2026-11-10 10:00"))
		_, err = w.Reschedule(ctx, w.reseller, own.ID, cancellation.When{At: at("2026-11-20 00:00")})
		require.NoError(t, err)
		_, moveErr := w.Reschedule(ctx, w.client, own.ID, endOfPeriod())
		_, dateErr := w.Reschedule(ctx, w.client, own.ID, cancellation.When{At: at("2026-11-29 00:00")})
		assertProblem(t, dateErr, cancellation.ErrForbidden)
		_, discardErr := w.Discard(ctx, w.client, own.ID, "we stay")
		if !may {
			assert.Equal(t, "Settings.ClientMayDiscard", problem(t, moveErr, cancellation.ErrForbidden).Field)
			assert.Equal(t, "Settings.ClientMayDiscard", problem(t, discardErr, cancellation.ErrForbidden).Field)
			continue
		}
		require.NoError(t, moveErr)
		require.NoError(t, discardErr)
		c := w.get(t, own.ID)
		assert.Equal(t, cancellation.Discarded, c.State)
		assert.Equal(t, []string{"scheduled", "rescheduled", "rescheduled", "discarded: we stay"}, history(c))
		assert.Equal(t, map[notify.Kind]int{
			cancellation.KindScheduled: 1, cancellation.KindScheduledByClient: 1, cancellation.KindRescheduled: 2, cancellation.KindRescheduledByClient: 1,
			cancellation.KindDiscarded: 1, cancellation.KindDiscardedByClient: 1,
		}, w.kinds(t, own.ID))
	}
}

func TestDiscardedIsNotExecuted(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.server(t)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	c, err := w.Discard(t.Context(), w.reseller, c.ID, "paid after all")
	require.NoError(t, err)
	assert.True(t, c.Due.IsZero())
	assert.Zero(t, w.tickAt(t, at("2029-01-01 00:00")))
	assert.Equal(t, dedicated.InUse, w.serverNow(t, s.ID).State)
	assert.Empty(t, w.told(t), "nobody had been warned")
	for _, op := range []func() error{
		func() error { _, err := w.Discard(t.Context(), w.reseller, c.ID, ""); return err },
		func() error { _, err := w.Reschedule(t.Context(), w.reseller, c.ID, endOfPeriod()); return err },
		func() error { _, err := w.Retry(t.Context(), w.reseller, c.ID); return err },
		func() error { _, err := w.Abandon(t.Context(), w.reseller, c.ID, ""); return err },
	} {
		e := problem(t, op(), cancellation.ErrConflict)
		assert.Equal(t, cancellation.Discarded, e.State)
		assert.NotEmpty(t, e.Want)
	}
	_, err = w.Schedule(t.Context(), w.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	require.NoError(t, err, "the next one is free to be planned")
}

func TestDiscardOfAServerThatHasLeft(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.server(t)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	_, err := w.servers.Release(t.Context(), w.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	_, err = w.Reschedule(t.Context(), w.reseller, c.ID, endOfPeriod())
	assertProblem(t, err, cancellation.ErrConflict)
	_, err = w.Discard(t.Context(), w.reseller, c.ID, "")
	require.NoError(t, err)
}

func TestGateOfReschedule(t *testing.T) {
	t.Parallel()
	closed := false
	w := setup(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, c cancellation.Cancellation) error {
			if closed && c.Version > 0 {
				return dedicated.Refuse("closed")
			}
			return nil
		})
	})
	c := w.schedule(t, w.server(t).ID, at("2026-11-20 12:00"))
	closed = true
	_, err := w.Reschedule(t.Context(), w.reseller, c.ID, endOfPeriod())
	assertProblem(t, err, cancellation.ErrForbidden)
	assert.Equal(t, c, w.get(t, c.ID))
	_, err = w.Discard(t.Context(), w.reseller, c.ID, "")
	require.NoError(t, err, "gates are not asked to discard")
}

// TestConflictsAreDecidedAgain: somebody writes the record between reading and writing.
func TestConflictsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := w.schedule(t, w.server(t).ID, at("2026-11-20 12:00"))
	asked := 0
	busy := w.another(t, func(config *cancellation.Config) {
		config.Store = &meddler{Store: w.store, times: 3}
		config.Hooks.Gate = append(config.Hooks.Gate, func(context.Context, cancellation.Cancellation) error { asked++; return nil })
	})
	moved, err := busy.Reschedule(t.Context(), w.reseller, c.ID, endOfPeriod())
	require.NoError(t, err)
	assert.Equal(t, 1, asked, "gates are asked once")
	assert.Equal(t, moved, w.get(t, c.ID))

	hopeless := w.another(t, func(config *cancellation.Config) { config.Store = &meddler{Store: w.store, times: 100} })
	_, err = hopeless.Discard(t.Context(), w.reseller, c.ID, "")
	require.ErrorIs(t, err, cancellation.ErrConflict)
}

// another is a second Manager over the same fixture.
func (w *fixture) another(t testing.TB, change func(*cancellation.Config)) *cancellation.Manager {
	t.Helper()
	c := w.config
	change(&c)
	m, err := cancellation.New(c)
	require.NoError(t, err)
	return m
}

// meddler writes a record right before its next write.
type meddler struct {
	cancellation.Store
	times int
}

func (m *meddler) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if m.times > 0 {
		m.times--
		for _, change := range changes {
			for _, c := range change.Cancellations {
				stored, err := m.Cancellation(ctx, c.ID)
				if err != nil {
					return err
				}
				if err := m.Store.Commit(ctx, cancellation.Change{Cancellations: []cancellation.Cancellation{stored}}); err != nil {
					return err
				}
			}
		}
	}
	return m.Store.Commit(ctx, changes...)
}

// between does something right before its first write.
type between struct {
	cancellation.Store
	do func()
}

func (b *between) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Store.Commit(ctx, changes...)
}

// overtaken does something right before it is first asked what is active.
type overtaken struct {
	cancellation.Store
	do func()
}

func (o *overtaken) Active(ctx context.Context, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
	if do := o.do; do != nil {
		o.do = nil
		do()
	}
	return o.Store.Active(ctx, servers)
}

// TestSameOrderOvertakes: the same request, sent again, is carried out between two looks of the first.
func TestSameOrderOvertakes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	order := cancellation.Order{ID: uuid.New(), ServerID: w.server(t).ID, When: endOfPeriod()}
	var second cancellation.Cancellation
	m := w.another(t, func(c *cancellation.Config) {
		c.Store = &overtaken{Store: w.store, do: func() {
			var err error
			second, err = w.Schedule(t.Context(), w.client, order)
			require.NoError(t, err)
		}}
	})
	first, err := m.Schedule(t.Context(), w.client, order)
	require.NoError(t, err)
	assert.Equal(t, second, first)
}

// flaky answers its first read with a conflict.
type flaky struct {
	cancellation.Store
	reads int
}

func (f *flaky) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	if f.reads++; f.reads == 1 {
		return cancellation.Settings{}, cancellation.ErrConflict
	}
	return f.Store.Settings(ctx, reseller)
}

// TestConflictsPassNoGate: a conflict of a read does not lead past the gate.
func TestConflictsPassNoGate(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.server(t)
	guarded := func() *cancellation.Manager {
		return w.another(t, func(c *cancellation.Config) {
			c.Store = &flaky{Store: c.Store}
			c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, cancellation.Cancellation) error { return dedicated.Refuse("closed") })
		})
	}
	_, err := guarded().Schedule(t.Context(), w.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	assertProblem(t, err, cancellation.ErrForbidden)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	_, err = guarded().Reschedule(t.Context(), w.reseller, c.ID, endOfPeriod())
	assertProblem(t, err, cancellation.ErrForbidden)
}
