package backup_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// silentStore does not answer a Commit after its time, until it is released.
type silentStore struct {
	backup.Store
	from    time.Time
	release <-chan struct{}
}

func (s silentStore) Commit(ctx context.Context, changes ...backup.Change) error {
	if time.Now().After(s.from) {
		<-s.release
	}
	return s.Store.Commit(ctx, changes...)
}

// TestRunnerAndALongBackup: a healthy backup of six hours is no hang. A Store that falls silent during it is.
func TestRunnerAndALongBackup(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, from time.Duration) []error {
		t.Helper()
		start, release := time.Now(), make(chan struct{})
		f := setupPerformer(t, &countingPerformer{do: lasting(6 * time.Hour)}, func(c *backup.Config) {
			c.Store, c.Deadline = silentStore{c.Store, start.Add(from), release}, 12*time.Hour
		})
		_, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, What: "all", Schedule: at2()})
		require.NoError(t, err)
		time.AfterFunc(from+time.Hour, func() { close(release) })
		return runFor(t, 9*time.Hour, f.Manager)
	}
	t.Run("healthy", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { assert.Empty(t, run(t, 100*time.Hour)) })
	})
	t.Run("a silent Store", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			errs := run(t, 5*time.Hour)
			require.GreaterOrEqual(t, len(errs), 4, "every ten minutes of an hour, the first after ten to twenty")
			require.ErrorAs(t, errs[0], new(*dedicated.HangError))
		})
	})
}
