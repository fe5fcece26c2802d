package backuptest

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// openTasks is for stores that are a backup.BulkStore.
func openTasks(t *testing.T, store backup.Store, _ notify.Outbox) {
	bulk, ok := store.(backup.BulkStore)
	if !ok {
		t.Skip("the store is no backup.BulkStore, nor need it be")
	}
	reseller, request := uuid.New(), uuid.New()
	next, retried, done, skipped := makeTask(reseller, 1), makeTask(reseller, 2), makeTask(reseller, 3), makeTask(reseller, 4)
	next.Attempt = 0
	next.RequestID, retried.RequestID, done.RequestID, skipped.RequestID = request, request, request, request
	done.State, skipped.State = backup.Completed, backup.Skipped
	foreign, unasked := makeTask(uuid.New(), 1), makeTask(reseller, 1)
	commit(t, store, backup.Change{Tasks: []backup.Task{next, retried, done, skipped, foreign, unasked}})
	retried.Version, retried.State = 1, backup.Failed
	commit(t, store, backup.Change{Tasks: []backup.Task{retried}})
	retried.Version, retried.State = 2, backup.Pending
	commit(t, store, backup.Change{Tasks: []backup.Task{retried}})

	tests := []struct {
		name          string
		requests, ids []uuid.UUID
		want          []uuid.UUID
	}{
		{"nothing", nil, nil, nil},
		{"what there is not", []uuid.UUID{uuid.New()}, []uuid.UUID{uuid.New()}, nil},
		{"requests", []uuid.UUID{request, foreign.RequestID, request}, nil, []uuid.UUID{next.ID, retried.ID, foreign.ID}},
		{"tasks", nil, []uuid.UUID{skipped.ID, next.ID, skipped.ID}, []uuid.UUID{skipped.ID, next.ID}},
		{"both", []uuid.UUID{request}, []uuid.UUID{skipped.ID, next.ID, uuid.New()}, []uuid.UUID{next.ID, retried.ID, skipped.ID}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storetest.TestBulk(t, func(t backup.Task) uuid.UUID { return t.ID }, store.Task,
				func(ctx context.Context) ([]backup.Task, error) { return bulk.OpenTasks(ctx, tt.requests, tt.ids) }, tt.want...)
		})
	}
}
