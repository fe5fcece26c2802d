package backup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

func TestGates(t *testing.T) {
	t.Parallel()
	mine := errors.New("the calendar")
	var asked []int64
	open := true
	f := setup(t, func(c *backup.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, r backup.Request) error {
			asked = append(asked, r.Version)
			if !open {
				return fmt.Errorf("%w: %w", mine, dedicated.Refuse("backups are switched off"))
			}
			return nil
		})
	})
	r := f.submit(t, daily(2))
	_, err := f.Revise(t.Context(), f.client, r.ID, backup.Form{What: "all", Schedule: daily(2)})
	require.NoError(t, err)
	assert.Equal(t, []int64{0, 1}, asked)
	open = false
	_, err = f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, mine)
	require.ErrorIs(t, err, backup.ErrForbidden)
	require.NotErrorIs(t, err, backup.ErrHost)
	assert.EqualError(t, err, "backup: Submit of backups of server web-07 was refused: backups are switched off")
	_, err = f.Revise(t.Context(), f.client, r.ID, backup.Form{Schedule: daily(3)})
	require.ErrorIs(t, err, mine)
	require.ErrorIs(t, err, backup.ErrForbidden)
	_, err = f.Complete(t.Context(), f.reseller, f.planned(t, r).ID, backup.Result{})
	require.NoError(t, err, "requests that exist continue")
	assert.Len(t, f.list(t, backup.TaskQuery{}), 2)
}

// tornStore conflicts at its first reads, as a database may under serializable isolation.
type tornStore struct {
	backup.Store
	conflicts int
}

func (s *tornStore) Request(ctx context.Context, id uuid.UUID) (backup.Request, error) {
	if s.conflicts--; s.conflicts >= 0 {
		return backup.Request{}, fmt.Errorf("serialization failure: %w", backup.ErrConflict)
	}
	return s.Store.Request(ctx, id)
}

// TestConflictOfAReadPassesNoGate: an operation that reads again after a conflict still asks the gates.
func TestConflictOfAReadPassesNoGate(t *testing.T) {
	t.Parallel()
	store, closed := &tornStore{}, false
	f := setup(t, func(c *backup.Config) {
		store.Store, c.Store = c.Store, store
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, backup.Request) error {
			if closed {
				return dedicated.Refuse("closed")
			}
			return nil
		})
	})
	form := backup.Form{ServerID: f.server.ID, What: "everything", Schedule: daily(3)}
	r, err := f.Submit(t.Context(), f.client, form)
	require.NoError(t, err)

	closed, store.conflicts = true, 1
	_, err = f.Submit(t.Context(), f.client, form)
	require.ErrorIs(t, err, backup.ErrForbidden)
	store.conflicts = 1
	form.What = "the home directories"
	_, err = f.Revise(t.Context(), f.client, r.ID, form)
	require.ErrorIs(t, err, backup.ErrForbidden)
	store.conflicts = 4
	_, err = f.Withdraw(t.Context(), f.client, r.ID, "")
	require.NoError(t, err)
}

// TestSubmitForAnotherClientThanTheGateSaw: the server changes hands while a gate is asked. Nothing is stored for a client whom no
// gate has seen.
func TestSubmitForAnotherClientThanTheGateSaw(t *testing.T) {
	t.Parallel()
	store := &conflictingStore{}
	store.left.Store(1)
	var seen []uuid.UUID
	var f *fixture
	f = setup(t, func(c *backup.Config) {
		store.Store, c.Store = c.Store, store
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, r backup.Request) error {
			seen = append(seen, r.ClientID)
			f.release(t, f.server)
			_, err := f.servers.Restock(t.Context(), f.reseller, r.ServerID)
			require.NoError(t, err)
			_, err = f.servers.Assign(t.Context(), f.reseller, r.ServerID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: billing()})
			require.NoError(t, err)
			return nil
		})
	})
	_, err := f.Submit(t.Context(), f.reseller, backup.Form{ServerID: f.server.ID, Schedule: daily(2)})
	require.ErrorIs(t, err, backup.ErrConflict)
	assert.Equal(t, []uuid.UUID{f.client.ID}, seen)
	assert.Empty(t, f.list(t, backup.TaskQuery{}))
}
