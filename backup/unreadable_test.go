package backup_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/notify"
)

// unreadableStore names records that it cannot read in each claim. It does not put them aside, although it must.
type unreadableStore struct {
	backup.Store
	named []notify.Unreadable
}

func (s unreadableStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (backup.Due, error) {
	due, err := s.Store.ClaimDue(ctx, now, until, limit)
	due.Unreadable = append(due.Unreadable, s.named...)
	return due, err
}

// joined returns the errors that an error joins.
func joined(err error) []error {
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range list.Unwrap() {
		all = append(all, joined(e)...)
	}
	return all
}

// TestTickReportsUnreadableRequests: each is an error of its own, and the others go on.
func TestTickReportsUnreadableRequests(t *testing.T) {
	t.Parallel()
	named := []notify.Unreadable{{ID: uuid.New(), Reason: "column form: no JSON"}, {Reason: "column id: no UUID"}}
	check := func(t *testing.T, err error) {
		t.Helper()
		all := joined(err)
		require.Len(t, all, 2, "each once")
		for i, u := range named {
			var e *backup.Error
			require.ErrorAs(t, all[i], &e)
			require.ErrorIs(t, e, backup.ErrHost)
			assert.Equal(t, u.ID, e.RequestID)
			assert.False(t, e.OutcomeUnknown)
			assert.Contains(t, e.Error(), u.Reason)
		}
	}
	t.Run("people make the backups", func(t *testing.T) {
		t.Parallel()
		f := setup(t, func(c *backup.Config) { c.Store = unreadableStore{c.Store, named} })
		r, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, What: "all", Schedule: backup.Schedule{Frequency: backup.Daily, Hour: 3}})
		require.NoError(t, err)
		f.clock.Add(100 * time.Hour)
		_, err = f.Tick(t.Context())
		check(t, err)
		got, err := f.store.Request(t.Context(), r.ID)
		require.NoError(t, err)
		assert.Greater(t, got.Version, r.Version+1, "the tick claimed and stored it")
		assert.Zero(t, got.LeaseUntil)
	})
	t.Run("a Performer makes the backups", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := &countingPerformer{do: lasting(time.Minute)}
			f := setupPerformer(t, p, func(c *backup.Config) { c.Store = unreadableStore{c.Store, named} })
			_, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, What: "all", Schedule: at2()})
			require.NoError(t, err)
			time.Sleep(3 * time.Hour)
			_, err = f.Tick(t.Context())
			check(t, err)
			assert.Len(t, p.calls, 1, "the backup is made")
		})
	})
}
