package backuptest

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// testOpenTasks tests stores that implement backup.BulkStore.
func testOpenTasks(t *testing.T, store backup.Store, _ notify.Outbox) {
	bulk, ok := store.(backup.BulkStore)
	if !ok {
		t.Skip("the store does not implement backup.BulkStore, which is optional")
	}
	reseller, request := uuid.New(), uuid.New()
	next, retried, done, skipped := makeTask(reseller, 1), makeTask(reseller, 2), makeTask(reseller, 3), makeTask(reseller, 4)
	next.Attempt = 0
	next.RequestID, retried.RequestID, done.RequestID, skipped.RequestID = request, request, request, request
	done.State, skipped.State = backup.Completed, backup.Skipped
	otherReseller, otherRequest := makeTask(uuid.New(), 1), makeTask(reseller, 1)
	commit(t, store, backup.Change{Tasks: []backup.Task{next, retried, done, skipped, otherReseller, otherRequest}})
	retried.Version, retried.State = 1, backup.Failed
	commit(t, store, backup.Change{Tasks: []backup.Task{retried}})
	retried.Version, retried.State = 2, backup.Pending
	commit(t, store, backup.Change{Tasks: []backup.Task{retried}})

	tests := []struct {
		name          string
		requests, ids []uuid.UUID
		want          []uuid.UUID
	}{
		{"no requests and no tasks", nil, nil, nil},
		{"unknown requests and tasks", []uuid.UUID{uuid.New()}, []uuid.UUID{uuid.New()}, nil},
		{"requests", []uuid.UUID{request, otherReseller.RequestID, request}, nil, []uuid.UUID{next.ID, retried.ID, otherReseller.ID}},
		{"tasks", nil, []uuid.UUID{skipped.ID, next.ID, skipped.ID}, []uuid.UUID{skipped.ID, next.ID}},
		{"requests and tasks", []uuid.UUID{request}, []uuid.UUID{skipped.ID, next.ID, uuid.New()}, []uuid.UUID{next.ID, retried.ID, skipped.ID}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storetest.TestBulk(t, taskID, store.Task,
				func(ctx context.Context) ([]backup.Task, error) { return bulk.OpenTasks(ctx, tt.requests, tt.ids) }, tt.want...)
		})
	}
}
