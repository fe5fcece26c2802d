package backuptest_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
)

// bulkStore has another OpenTasks.
type bulkStore struct {
	backup.BulkStore
	openTasks func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error)
}

func (s bulkStore) OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]backup.Task, error) {
	return s.openTasks(ctx, s.BulkStore, requests, ids)
}

func TestBrokenBulkStores(t *testing.T) {
	t.Parallel()
	breaks := func(
		name string, f func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error),
	) storetest.Broken {
		return suite().Break("BulkStore", name, func(s backup.Store) backup.Store { return bulkStore{s.(backup.BulkStore), f} })
	}
	storetest.Fails(t,
		breaks("returns a pending task twice if its ID is given",
			func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error) {
				pending, err := s.OpenTasks(ctx, requests, nil)
				if err != nil {
					return nil, err
				}
				byID, err := s.OpenTasks(ctx, nil, ids)
				return append(pending, byID...), err
			}),
		breaks("ignores the IDs",
			func(ctx context.Context, s backup.BulkStore, requests, _ []uuid.UUID) ([]backup.Task, error) {
				return s.OpenTasks(ctx, requests, nil)
			}),
		breaks("forgets pending retries",
			func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error) {
				all, err := s.OpenTasks(ctx, requests, ids)
				return slices.DeleteFunc(all, func(t backup.Task) bool { return t.Attempt > 0 && t.State == backup.Pending }), err
			}),
		breaks("ignores the context",
			func(ctx context.Context, s backup.BulkStore, requests, ids []uuid.UUID) ([]backup.Task, error) {
				return s.OpenTasks(context.WithoutCancel(ctx), requests, ids)
			}),
	)
}
