package dedicated_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// failingCommits returns failures from its first commits, one each.
type failingCommits struct {
	dedicated.Store
	failures []error
	commits  int
}

func (f *failingCommits) Commit(ctx context.Context, changes ...dedicated.Change) error {
	f.commits++
	if len(f.failures) > 0 {
		err := f.failures[0]
		f.failures = f.failures[1:]
		return err
	}
	return f.Store.Commit(ctx, changes...)
}

// TestConflictsAreDecidedAgain: an operation decides five times at most, and asks the gates once.
func TestConflictsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	store, gates := &failingCommits{Store: &dedicated.MemoryStore{}}, 0
	f := newFixture(t, func(c *dedicated.Config) {
		c.Store = store
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error {
			gates++
			return nil
		})
	})
	s := f.addAssigned(t)
	conflict := dedicated.ErrConflict

	gates, store.commits, store.failures = 0, 0, []error{conflict, conflict, conflict, conflict}
	_, err := f.Suspend(t.Context(), f.reseller, s.ID, "")
	require.NoError(t, err)
	assert.Equal(t, 5, store.commits)
	assert.Equal(t, 1, gates, "gates are asked once")

	store.commits, store.failures = 0, []error{conflict, conflict, conflict, conflict, conflict, conflict}
	_, err = f.Resume(t.Context(), f.reseller, s.ID)
	require.ErrorIs(t, err, dedicated.ErrConflict)
	assert.Equal(t, 5, store.commits)
	var e *dedicated.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, s.ID, e.ServerID)

	down := errors.New("connection lost")
	store.failures = []error{down}
	_, err = f.Resume(t.Context(), f.reseller, s.ID)
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, err, dedicated.ErrHost)
	require.ErrorAs(t, err, &e)
	assert.True(t, e.OutcomeUnknown)
	assert.EqualError(t, err, "dedicated: Resume: store failed; it is unknown whether the change was stored: "+
		"read the record before you try again")
	assert.ErrorContains(t, e.Err, "connection lost", "for the log")
}

// conflictOnRead conflicts at its first reads, as a database may under serializable isolation.
type conflictOnRead struct {
	dedicated.Store
	conflicts int
}

func (s *conflictOnRead) Server(ctx context.Context, id uuid.UUID) (dedicated.Server, error) {
	if s.conflicts--; s.conflicts >= 0 {
		return dedicated.Server{}, fmt.Errorf("serialization failure: %w", dedicated.ErrConflict)
	}
	return s.Store.Server(ctx, id)
}

// TestConflictOfAReadPassesNoGate: after a conflict of a read, the gate is asked all the same.
func TestConflictOfAReadPassesNoGate(t *testing.T) {
	t.Parallel()
	store, closed := &conflictOnRead{Store: &dedicated.MemoryStore{}}, false
	f := newFixture(t, func(c *dedicated.Config) {
		c.Store = store
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error {
			if closed {
				return dedicated.Refuse("closed")
			}
			return nil
		})
	})
	s := f.add(t)
	closed, store.conflicts = true, 1
	_, err := f.Rename(t.Context(), f.reseller, s.ID, "web-02")
	require.ErrorIs(t, err, dedicated.ErrForbidden)
}

// TestConcurrentAssign: of many concurrent calls of Assign one succeeds.
func TestConcurrentAssign(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 50 {
		s, start, results := f.add(t), make(chan struct{}), make(chan error, 8)
		for range cap(results) {
			go func() {
				<-start
				_, err := f.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: monthly()})
				results <- err
			}()
		}
		close(start)
		successes := 0
		for range cap(results) {
			if err := <-results; err == nil {
				successes++
			} else {
				assert.ErrorIs(t, err, dedicated.ErrConflict)
			}
		}
		require.Equal(t, 1, successes)
	}
}
