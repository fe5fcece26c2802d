package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/notify"
)

// refusingStore refuses each Commit with a record that it refuses.
type refusingStore struct {
	cancellation.Store
	refuses func(cancellation.Cancellation) bool // nil: none
	err     error
}

func (s *refusingStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	for _, c := range changes {
		if s.refuses != nil && slices.ContainsFunc(c.Cancellations, s.refuses) {
			return s.err
		}
	}
	return s.Store.Commit(ctx, changes...)
}

// newRefusingFixture makes a fixture with a store that refuses nothing yet.
func newRefusingFixture(t *testing.T) (*fixture, *refusingStore) {
	t.Helper()
	store := &refusingStore{err: errors.New("the disk is full")}
	f := newFixture(t, func(c *cancellation.Config) { store.Store, c.Store = c.Store, store })
	return f, store
}

// scheduleMany schedules n cancellations for a date, each of a server of its own.
func (f *fixture) scheduleMany(t *testing.T, n int, date string) []uuid.UUID {
	t.Helper()
	var all []uuid.UUID
	for range n {
		all = append(all, f.scheduleAt(t, f.server(t).ID, at(date)).ID)
	}
	return all
}

// tickRefused ticks. The errors must be those of the refused record and of no other.
func (f *fixture) tickRefused(t *testing.T, store *refusingStore, refused uuid.UUID) {
	t.Helper()
	_, err := f.Tick(t.Context())
	require.ErrorIs(t, err, store.err)
	require.ErrorIs(t, err, cancellation.ErrHost)
	require.NotEmpty(t, typedErrors(err))
	for _, err := range typedErrors(err) {
		assert.Equal(t, refused, err.CancellationID)
		assert.True(t, err.OutcomeUnknown)
		assert.ErrorContains(t, err, store.err.Error())
	}
}

// countAll counts the events of a kind.
func (f *fixture) countAll(t *testing.T, kind notify.Kind) int {
	t.Helper()
	n := 0
	for _, e := range f.events(t) {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// typedErrors returns all *Error that are joined in an error.
func typedErrors(err error) []*cancellation.Error {
	switch err := err.(type) { //nolint:errorlint // what an *Error wraps is not asked for
	case *cancellation.Error:
		return []*cancellation.Error{err}
	case interface{ Unwrap() []error }:
		var all []*cancellation.Error
		for _, part := range err.Unwrap() {
			all = append(all, typedErrors(part)...)
		}
		return all
	}
	return nil
}

// TestRefusedRecordInBatch: the Store refuses one of many warnings. The others are recorded and an execution runs in the same Tick,
// and the refused record is given back with its failure.
func TestRefusedRecordInBatch(t *testing.T) {
	t.Parallel()
	f, store := newRefusingFixture(t)
	f.saveSettings(t, warnings(30))
	all := f.scheduleMany(t, 20, "2026-11-30 23:00")
	executed := f.scheduleMany(t, 1, "2026-11-10 09:00")[0]
	refused := all[7]
	store.refuses = func(c cancellation.Cancellation) bool { return c.ID == refused && len(c.Warned) > 0 }
	for failures := 1; failures <= 3; failures++ {
		f.tickRefused(t, store, refused)
		assert.Equal(t, cancellation.Executed, f.get(t, executed).State)
		for _, id := range all {
			c := f.get(t, id)
			if id != refused {
				assert.Len(t, c.Warned, 1)
				continue
			}
			assert.Empty(t, c.Warned)
			assert.Equal(t, failures, c.Attempts)
			assert.Equal(t, "store failed: the disk is full", c.LastError)
			assert.Zero(t, c.LeaseUntil)
			assert.Equal(t, c.RetryAt, c.Due)
			assert.True(t, c.Due.After(f.clock.Now()))
		}
		f.tick(t) // it is not due yet
		f.clock.Set(f.get(t, refused).Due)
	}
	store.refuses = nil
	f.tick(t)
	c := f.get(t, refused)
	assert.Len(t, c.Warned, 1)
	assert.Zero(t, c.Attempts)
	assert.Equal(t, 20, f.countAll(t, cancellation.KindWarning))
}

// TestRefusedRecordCannotBeGivenBack: the Store refuses to give the record back, too. Its lease ends by itself, and it is tried again.
func TestRefusedRecordCannotBeGivenBack(t *testing.T) {
	t.Parallel()
	f, store := newRefusingFixture(t)
	f.saveSettings(t, warnings(30))
	f.tick(t)
	all := f.scheduleMany(t, 20, "2026-11-30 23:00")
	refused := all[7]
	store.refuses = func(c cancellation.Cancellation) bool { return c.ID == refused }
	for range 3 {
		f.tickRefused(t, store, refused)
		for _, id := range all {
			assert.Equal(t, id != refused, len(f.get(t, id).Warned) == 1)
		}
		c := f.get(t, refused)
		assert.Zero(t, c.Attempts)
		assert.Equal(t, f.clock.Now().Add(cancellation.DefaultLease), c.LeaseUntil)
		f.tick(t) // it is under its lease
		f.clock.Set(c.LeaseUntil)
	}
	store.refuses = nil
	f.tick(t)
	assert.Len(t, f.get(t, refused).Warned, 1)
	assert.Equal(t, 20, f.countAll(t, cancellation.KindWarning))
}

// TestRefusedExecution: the Store refuses to begin one of many executions. The others run in the same Tick. The refused one is tried
// again after its lease.
func TestRefusedExecution(t *testing.T) {
	t.Parallel()
	f, store := newRefusingFixture(t)
	all := f.scheduleMany(t, 5, "2026-11-10 09:00")
	refused := all[2]
	store.refuses = func(c cancellation.Cancellation) bool { return c.ID == refused }
	f.tickRefused(t, store, refused)
	for _, id := range all {
		assert.Equal(t, id != refused, f.get(t, id).State == cancellation.Executed)
	}
	c := f.get(t, refused)
	assert.Equal(t, cancellation.Scheduled, c.State)
	assert.Len(t, f.biller.refunds(), 4)
	store.refuses = nil
	f.tick(t)
	assert.Equal(t, cancellation.Scheduled, f.get(t, refused).State, "it is under its lease")
	f.tickAt(t, c.LeaseUntil)
	assert.Equal(t, cancellation.Executed, f.get(t, refused).State)
	assert.Len(t, f.biller.refunds(), 5)
}

// TestRefusedBegin: the Store takes everything but the beginning of one execution. That record is given back with its failure, at
// growing intervals, and after five failures the reseller is told.
func TestRefusedBegin(t *testing.T) {
	t.Parallel()
	f, store := newRefusingFixture(t)
	refused := f.scheduleMany(t, 1, "2026-11-10 09:00")[0]
	store.refuses = func(c cancellation.Cancellation) bool { return c.State == cancellation.Executing }
	for n := range 6 {
		f.tickRefused(t, store, refused)
		c := f.get(t, refused)
		require.Equal(t, n+1, c.Attempts)
		require.Equal(t, "store failed: the disk is full", c.LastError)
		f.clock.Set(c.Due)
	}
	assert.Equal(t, 1, f.countAll(t, cancellation.KindStuck))
	assert.Empty(t, f.biller.refunds())
	store.refuses = nil
	f.tick(t)
	assert.Equal(t, cancellation.Executed, f.get(t, refused).State)
}

// TestRefusedStep: the Store does not take the record of a step that was done. It is given back, and the step is repeated later.
func TestRefusedStep(t *testing.T) {
	t.Parallel()
	f, store := newRefusingFixture(t)
	refused := f.scheduleMany(t, 1, "2026-11-10 09:00")[0]
	store.refuses = func(c cancellation.Cancellation) bool {
		return len(c.Steps) > 2 && !c.Steps[2].Done.IsZero()
	}
	f.tickRefused(t, store, refused)
	c := f.get(t, refused)
	assert.Equal(t, cancellation.Executing, c.State)
	assert.Equal(t, 1, c.Attempts)
	assert.True(t, c.Steps[2].Done.IsZero())
	store.refuses = nil
	f.tickAt(t, c.Due)
	assert.Equal(t, cancellation.Executed, f.get(t, refused).State)
	assert.Len(t, f.biller.refunds(), 1, "once per key")
}

// TestRefusedRecordAfterChangedSettings: the Store refuses one of many cancellations that follow changed settings. The others follow
// in the same Tick, to the end of the list.
func TestRefusedRecordAfterChangedSettings(t *testing.T) {
	t.Parallel()
	for _, giveBack := range []bool{true, false} {
		t.Run(fmt.Sprintf("give back %t", giveBack), func(t *testing.T) {
			t.Parallel()
			f, store := newRefusingFixture(t)
			all := f.scheduleMany(t, 250, "2026-11-30 23:00")
			f.tick(t)
			refused := all[120]
			saved := f.saveSettings(t, warnings(7))
			store.refuses = func(c cancellation.Cancellation) bool {
				return c.ID == refused && (!giveBack || c.SettingsVersion == saved.Saved)
			}
			f.tickRefused(t, store, refused)
			settings, err := f.Settings(t.Context(), f.reseller)
			require.NoError(t, err)
			assert.Empty(t, settings.Rearm, "every batch is done")
			if giveBack {
				assert.Zero(t, settings.Due)
			} else {
				assert.Equal(t, f.clock.Now().Add(time.Hour), settings.Due, "another pass follows")
			}
			for _, id := range all {
				c := f.get(t, id)
				if id != refused {
					require.Equal(t, saved.Saved, c.SettingsVersion)
					require.Equal(t, at("2026-11-23 23:00"), c.Due)
				}
			}
			c := f.get(t, refused)
			if giveBack {
				assert.Equal(t, 1, c.Attempts)
				assert.Equal(t, "store failed: the disk is full", c.LastError)
				assert.Equal(t, c.RetryAt, c.Due)
			} else {
				f.clock.Set(settings.Due)
				f.tickRefused(t, store, refused)
				c.Due = f.clock.Now().Add(time.Hour) // the pass after that
			}
			store.refuses = nil
			f.tickAt(t, c.Due)
			c = f.get(t, refused)
			assert.Zero(t, c.Attempts)
			assert.Equal(t, at("2026-11-23 23:00"), c.Due)
			f.tickAt(t, c.Due)
			assert.Equal(t, 250, f.countAll(t, cancellation.KindWarning))
		})
	}
}

// TestTickWithoutStore: a Tick reports a Store that fails, and returns.
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
