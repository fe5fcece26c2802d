package backup_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// hookedStore calls a function once, right before it lists tasks. The function acts as another process.
type hookedStore struct {
	backup.Store
	before func()
}

func (h *hookedStore) Tasks(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
	if before := h.before; before != nil {
		h.before = nil
		before()
	}
	return h.Store.Tasks(ctx, reseller, q)
}

// TestReadsOfOneDecisionAgree: a request changes after an operation has read it, and before the operation reads its tasks. The
// operation reads both again.
func TestReadsOfOneDecisionAgree(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		schedule backup.Schedule
		other    func(*fixture, backup.Request, uuid.UUID) error // what happens meanwhile
		do       func(*fixture, backup.Request, uuid.UUID) error
		want     error
	}{
		"revise during a withdrawal": {daily(2), withdrawn, revised, backup.ErrConflict},
		"revise during the completion of the last task": {
			backup.Schedule{Frequency: backup.Once, Hour: 18}, completed, revised, backup.ErrConflict,
		},
		"revise during a completion":            {daily(2), completed, revised, nil},
		"withdraw during a revision":            {daily(2), revised, withdrawn, nil},
		"withdraw during another":               {daily(2), withdrawn, withdrawn, backup.ErrConflict},
		"complete during a withdrawal":          {daily(2), withdrawn, completed, backup.ErrConflict},
		"complete during a revision":            {daily(2), revised, completed, nil},
		"revise while the server is being left": {daily(2), closed, revised, backup.ErrConflict},
		"close during a revision":               {daily(2), revised, closed, nil},
		"close during a withdrawal":             {daily(2), withdrawn, closed, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &hookedStore{}
			f := setup(t, func(c *backup.Config) { store.Store, c.Store = plainStore{c.Store}, store })
			r := f.submit(t, tt.schedule)
			task := f.planned(t, r).ID
			store.before = func() { require.NoError(t, tt.other(f, r, task)) }
			require.ErrorIs(t, tt.do(f, r, task), tt.want)
			r, err := f.Request(t.Context(), f.client, r.ID)
			require.NoError(t, err)
			pending := f.list(t, backup.TaskQuery{RequestID: r.ID, States: []backup.State{backup.Pending}})
			if r.Live() {
				require.Len(t, pending, 1)
				assert.Equal(t, r.Planned, pending[0].At)
			} else {
				assert.Empty(t, pending)
			}
		})
	}
}

func revised(f *fixture, r backup.Request, _ uuid.UUID) error {
	_, err := f.Revise(context.Background(), f.client, r.ID, backup.Form{Schedule: daily(5)})
	return err
}

func withdrawn(f *fixture, r backup.Request, _ uuid.UUID) error {
	_, err := f.Withdraw(context.Background(), f.client, r.ID, "")
	return err
}

func completed(f *fixture, _ backup.Request, task uuid.UUID) error {
	_, err := f.Complete(context.Background(), f.reseller, task, backup.Result{})
	return err
}

func closed(f *fixture, _ backup.Request, _ uuid.UUID) error {
	return f.CloseServer(context.Background(), dedicated.Released{
		ResellerID: f.server.ResellerID, ServerID: f.server.ID, Assignment: f.server.Assignment,
	})
}
