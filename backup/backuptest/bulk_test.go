package backuptest_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/backup/backuptest"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// bulk is a store that reads open tasks in a way of its own.
type bulk struct {
	backup.BulkStore
	read func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error)
}

func (b bulk) OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]backup.Task, error) {
	return b.read(ctx, b.BulkStore, requests, ids)
}

func TestSuiteFindsBrokenBulkStores(t *testing.T) {
	t.Parallel()
	broken := func(
		name string, read func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error),
	) storetest.Broken {
		return storetest.Broken{Name: name, Line: "BulkStore", Run: func(t *testing.T) {
			backuptest.TestStore(t, func(t *testing.T) (backup.Store, notify.Outbox) {
				good, outbox := open(t)
				return bulk{good.(backup.BulkStore), read}, outbox
			})
		}}
	}
	storetest.Fails(t,
		broken("returns what is named beside the pending ones twice",
			func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error) {
				pending, err := s.OpenTasks(ctx, requests, nil)
				if err != nil {
					return nil, err
				}
				named, err := s.OpenTasks(ctx, nil, ids)
				return append(pending, named...), err
			}),
		broken("looks for pending ones only",
			func(ctx context.Context, s backup.BulkStore, requests, _ []uuid.UUID) ([]backup.Task, error) {
				return s.OpenTasks(ctx, requests, nil)
			}),
		broken("looks for the planned one only",
			func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error) {
				all, err := s.OpenTasks(ctx, requests, ids)
				var planned []backup.Task
				for _, t := range all {
					if t.Attempt == 0 || t.State != backup.Pending {
						planned = append(planned, t)
					}
				}
				return planned, err
			}),
		broken("heeds no context",
			func(_ context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error) {
				return s.OpenTasks(context.Background(), requests, ids)
			}),
	)
}
