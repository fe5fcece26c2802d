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
	f := newFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	f.clock.Set(at("2026-11-11 10:00"))
	moved, err := f.Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod())
	require.NoError(t, err)
	assert.Equal(t, c.ID, moved.ID)
	assert.Equal(t, endOfNovember(), moved.At)
	assert.Equal(t, c.By, moved.By)
	assert.Equal(t, cancellation.Entry{
		At: at("2026-11-11 10:00"), By: f.reseller, What: "rescheduled", From: at("2026-11-20 12:00"), To: endOfNovember(),
	}, moved.History[1])
	again, err := f.Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod())
	require.NoError(t, err)
	assert.Equal(t, moved, again, "a repeat changes nothing")
	assert.Empty(t, f.events(t), "the client was never told of the date before")
}

func TestRescheduleToAPastDate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-10 08:58")})
	assert.Equal(t, "When.At", requireError(t, err, cancellation.ErrInvalid).Field)
	assert.Equal(t, c, f.get(t, c.ID))
}

// TestClientChangesItsOwnOrder: a client may change only its own order, and only with Settings.ClientMayDiscard.
func TestClientChangesItsOwnOrder(t *testing.T) {
	t.Parallel()
	for _, may := range []bool{false, true} {
		f, ctx := newFixture(t), t.Context()
		f.saveSettings(t, cancellation.Settings{ClientMayDiscard: may})
		own, resellers := f.scheduleAsClient(t, f.server(t).ID), f.scheduleAt(t, f.server(t).ID, endOfNovember())
		_, err := f.Discard(ctx, f.client, resellers.ID, "")
		assertError(t, err, cancellation.ErrForbidden)
		_, err = f.Reschedule(ctx, f.client, resellers.ID, endOfPeriod())
		assertError(t, err, cancellation.ErrForbidden)
		f.clock.Set(at("2026-11-10 10:00"))
		_, moveErr := f.Reschedule(ctx, f.client, own.ID, cancellation.When{FirstAllowed: true})
		_, dateErr := f.Reschedule(ctx, f.client, own.ID, cancellation.When{At: at("2026-11-29 00:00")})
		assertError(t, dateErr, cancellation.ErrForbidden)
		_, discardErr := f.Discard(ctx, f.client, own.ID, "we stay")
		if !may {
			assert.Equal(t, "Settings.ClientMayDiscard", requireError(t, moveErr, cancellation.ErrForbidden).Field)
			assert.Equal(t, "Settings.ClientMayDiscard", requireError(t, discardErr, cancellation.ErrForbidden).Field)
			continue
		}
		require.NoError(t, moveErr)
		require.NoError(t, discardErr)
		c := f.get(t, own.ID)
		assert.Equal(t, cancellation.Discarded, c.State)
		assert.Equal(t, []string{"scheduled", "rescheduled", "discarded: we stay"}, history(c))
		assert.Equal(t, dedicated.Client, c.MovedBy)
		assert.Equal(t, map[notify.Kind]int{
			cancellation.KindScheduled: 1, cancellation.KindScheduledByClient: 1, cancellation.KindRescheduled: 1, cancellation.KindRescheduledByClient: 1,
			cancellation.KindDiscarded: 1, cancellation.KindDiscardedByClient: 1,
		}, f.countEvents(t, own.ID))
	}
}

func TestDiscardedIsNotExecuted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	c, err := f.Discard(t.Context(), f.reseller, c.ID, "paid after all")
	require.NoError(t, err)
	assert.True(t, c.Due.IsZero())
	assert.Zero(t, f.tickAt(t, at("2029-01-01 00:00")))
	assert.Equal(t, dedicated.InUse, f.readServer(t, s.ID).State)
	assert.Empty(t, f.events(t), "the client was not warned")
	for _, op := range []func() error{
		func() error { _, err := f.Discard(t.Context(), f.reseller, c.ID, ""); return err },
		func() error { _, err := f.Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod()); return err },
		func() error { _, err := f.Retry(t.Context(), f.reseller, c.ID); return err },
		func() error { _, err := f.Abandon(t.Context(), f.reseller, c.ID, ""); return err },
	} {
		e := requireError(t, op(), cancellation.ErrConflict)
		assert.Equal(t, cancellation.Discarded, e.State)
		assert.NotEmpty(t, e.Want)
	}
	_, err = f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	require.NoError(t, err, "the assignment has no active cancellation any more")
}

func TestDiscardAfterRelease(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	_, err = f.Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod())
	assertError(t, err, cancellation.ErrConflict)
	_, err = f.Discard(t.Context(), f.reseller, c.ID, "")
	require.NoError(t, err)
}

func TestGateOfReschedule(t *testing.T) {
	t.Parallel()
	closed := false
	f := newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
			if closed && c.Version > 0 {
				return dedicated.Refuse("closed")
			}
			return nil
		})
	})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	closed = true
	_, err := f.Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod())
	assertError(t, err, cancellation.ErrForbidden)
	assert.Equal(t, c, f.get(t, c.ID))
	_, err = f.Discard(t.Context(), f.reseller, c.ID, "")
	assertError(t, err, cancellation.ErrForbidden)
	assert.Equal(t, c, f.get(t, c.ID))
}

// TestConflictsAreDecidedAgain: another process writes the record between the read and the commit.
func TestConflictsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	asked := 0
	first := f.newManager(t, func(config *cancellation.Config) {
		config.Store = &conflictingStore{Store: f.store, conflicts: 3}
		config.Hooks.Gate = append(config.Hooks.Gate, func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error { asked++; return nil })
	})
	moved, err := first.Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod())
	require.NoError(t, err)
	assert.Equal(t, 1, asked, "gates are asked once")
	assert.Equal(t, moved, f.get(t, c.ID))

	second := f.newManager(t, func(config *cancellation.Config) { config.Store = &conflictingStore{Store: f.store, conflicts: 100} })
	_, err = second.Discard(t.Context(), f.reseller, c.ID, "")
	require.ErrorIs(t, err, cancellation.ErrConflict)
}

// newManager makes a second Manager with the parts of the fixture.
func (f *fixture) newManager(t testing.TB, change func(*cancellation.Config)) *cancellation.Manager {
	t.Helper()
	c := f.config
	change(&c)
	m, err := cancellation.New(c)
	require.NoError(t, err)
	return m
}

// conflictingStore writes each record right before the next commits write it, so that they conflict.
type conflictingStore struct {
	cancellation.Store
	conflicts int
}

func (m *conflictingStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if m.conflicts > 0 {
		m.conflicts--
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

// beforeCommit calls do right before the first Commit.
type beforeCommit struct {
	cancellation.Store
	do func()
}

func (b *beforeCommit) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Store.Commit(ctx, changes...)
}

// beforeActive calls do right before the first Active.
type beforeActive struct {
	cancellation.Store
	do func()
}

func (o *beforeActive) Active(ctx context.Context, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
	if do := o.do; do != nil {
		o.do = nil
		do()
	}
	return o.Store.Active(ctx, servers)
}

// TestSameOrderStoredBetweenReads: the repeat of an order is stored between two reads of the first.
func TestSameOrderStoredBetweenReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	order := cancellation.Order{ID: uuid.New(), ServerID: f.server(t).ID, When: endOfPeriod()}
	var second cancellation.Cancellation
	m := f.newManager(t, func(c *cancellation.Config) {
		c.Store = &beforeActive{Store: f.store, do: func() {
			var err error
			second, err = f.Schedule(t.Context(), f.client, order)
			require.NoError(t, err)
		}}
	})
	first, err := m.Schedule(t.Context(), f.client, order)
	require.NoError(t, err)
	assert.Equal(t, second, first)
}

// conflictOnRead answers its first Settings with a conflict.
type conflictOnRead struct {
	cancellation.Store
	reads int
}

func (f *conflictOnRead) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	if f.reads++; f.reads == 1 {
		return cancellation.Settings{}, cancellation.ErrConflict
	}
	return f.Store.Settings(ctx, reseller)
}

// TestConflictOfAReadPassesNoGate: after a conflict of a read, the gate is asked all the same.
func TestConflictOfAReadPassesNoGate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	guarded := func() *cancellation.Manager {
		return f.newManager(t, func(c *cancellation.Config) {
			c.Store = &conflictOnRead{Store: c.Store}
			c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
				return dedicated.Refuse("closed")
			})
		})
	}
	_, err := guarded().Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	assertError(t, err, cancellation.ErrForbidden)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	_, err = guarded().Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod())
	assertError(t, err, cancellation.ErrForbidden)
}
