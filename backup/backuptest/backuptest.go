// Package backuptest is the conformance suite for implementations of backup.Store.
package backuptest

import (
	"bytes"
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// TestStore tests an implementation against the contract in backup.Store's comment. open returns a fresh, empty store and
// the outbox in which the events of its Commit arrive; it is called once for each sub-test, and each sub-test is named
// after the numbered line of the contract that it holds. A store that is no backup.BulkStore skips what is owed by one.
//
//	func TestStore(t *testing.T) {
//		backuptest.TestStore(t, func(t *testing.T) (backup.Store, notify.Outbox) {
//			outbox := &notify.MemoryOutbox{}
//			return &backup.MemoryStore{Outbox: outbox}, outbox
//		})
//	}
func TestStore(t *testing.T, open func(*testing.T) (backup.Store, notify.Outbox)) {
	t.Run("requests", func(t *testing.T) { storetest.Test(t, requests(open)) })
	t.Run("tasks", func(t *testing.T) { storetest.Test(t, tasks(open)) })
	for _, line := range lines() {
		t.Run(line.name, func(t *testing.T) {
			store, outbox := open(t)
			line.test(t, store, outbox)
		})
	}
}

func requests(open func(*testing.T) (backup.Store, notify.Outbox)) storetest.Kind[backup.Request] {
	return storetest.Kind[backup.Request]{
		Open: func(t *testing.T) storetest.Store[backup.Request] { return adaptRequests(open(t)) },
		Make: makeRequest,
		Edit: func(r backup.Request) backup.Request {
			r.Form.Schedule = backup.Schedule{Frequency: backup.Daily, Start: r.Form.Schedule.Start}
			r.Ended, r.Ending, r.EndReason = instant(9), backup.Withdrawn, "other \"reason\""
			r.Planned, r.Skipped, r.Failures = time.Time{}, uuid.Nil, 0
			return r
		},
		Scribble: func(r backup.Request) {
			for i := range r.Form.Schedule.Weekdays {
				r.Form.Schedule.Weekdays[i] = time.Saturday
			}
		},
		Meta: func(r *backup.Request) storetest.Meta {
			return storetest.Meta{ID: &r.ID, Version: &r.Version, Due: &r.Due, Lease: &r.LeaseUntil}
		},
		Compare: func(a, b backup.Request) int {
			return cmp.Or(strings.Compare(a.ServerName, b.ServerName), bytes.Compare(a.ID[:], b.ID[:]))
		},
	}
}

func adaptRequests(store backup.Store, outbox notify.Outbox) storetest.Store[backup.Request] {
	return storetest.Store[backup.Request]{
		Get: store.Request,
		List: func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]backup.Request, string, error) {
			return store.Requests(ctx, reseller, backup.RequestQuery{Limit: limit, After: after})
		},
		Commit: func(ctx context.Context, changes ...storetest.Change[backup.Request]) error {
			var own []backup.Change
			for _, c := range changes {
				own = append(own, backup.Change{Requests: c.Records, Events: c.Events})
			}
			return store.Commit(ctx, own...)
		},
		Claim: func(ctx context.Context, now, until time.Time, limit int) ([]backup.Request, time.Time, error) {
			due, err := store.ClaimDue(ctx, now, until, limit)
			return due.Requests, due.Next, err
		},
		Outbox: outbox,
	}
}

// instant is the n-th hour of the suite's own time.
func instant(n int) time.Time { return time.Date(2026, 4, 1, n, 0, 0, 0, time.UTC) }

func makeRequest(reseller uuid.UUID, n int) backup.Request {
	r := backup.Request{
		ID: uuid.New(), ResellerID: reseller, ClientID: uuid.New(), ServerID: uuid.New(), Assignment: uuid.New(),
		Form: backup.Form{
			What: "the database's \"dumps\"\nand /home", Note: "nachts, bitte: größer als 1 TB",
			Schedule: backup.Schedule{
				Frequency: backup.Weekly, Interval: 2, Weekdays: []time.Weekday{time.Tuesday, time.Sunday}, Hour: 2, Minute: 30,
				Zone:  "Europe/Berlin",
				Start: time.Date(2026, 1, 31, 23, 59, 59, 123456000, time.UTC), Until: time.Date(2031, 1, 31, 0, 0, 0, 1000, time.UTC),
			},
		},
		ServerName: storetest.Name(n), AtProvider: true,
		Planned: instant(1).Add(time.Microsecond), Recorded: instant(2), Skipped: uuid.New(), Revisions: 3,
		Ended: instant(3), Ending: backup.Closed, EndReason: "the server's gone", Failures: 2,
	}
	r.Form.ID, r.Form.ServerID = r.ID, r.ServerID
	return r
}

func tasks(open func(*testing.T) (backup.Store, notify.Outbox)) storetest.Kind[backup.Task] {
	return storetest.Kind[backup.Task]{
		Open: func(t *testing.T) storetest.Store[backup.Task] { return adaptTasks(open(t)) },
		Make: makeTask,
		Edit: func(t backup.Task) backup.Task {
			t.State, t.Attempt, t.Missed, t.Result, t.RemindAt = backup.Skipped, 0, 1095, backup.Result{}, time.Time{}
			return t
		},
		Meta: func(t *backup.Task) storetest.Meta { return storetest.Meta{ID: &t.ID, Version: &t.Version} },
		Compare: func(a, b backup.Task) int {
			return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.ID[:], b.ID[:]))
		},
	}
}

func adaptTasks(store backup.Store, outbox notify.Outbox) storetest.Store[backup.Task] {
	return storetest.Store[backup.Task]{
		Get: store.Task,
		List: func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]backup.Task, string, error) {
			return store.Tasks(ctx, reseller, backup.TaskQuery{Limit: limit, After: after})
		},
		Commit: func(ctx context.Context, changes ...storetest.Change[backup.Task]) error {
			var own []backup.Change
			for _, c := range changes {
				own = append(own, backup.Change{Tasks: c.Records, Events: c.Events})
			}
			return store.Commit(ctx, own...)
		},
		Outbox: outbox,
	}
}

func makeTask(reseller uuid.UUID, n int) backup.Task {
	return backup.Task{
		ID: uuid.New(), RequestID: uuid.New(), ResellerID: reseller, ClientID: uuid.New(), ServerID: uuid.New(), Assignment: uuid.New(),
		ServerName: "web'7", What: "the database\nand /home", At: instant(n % 5).Add(time.Microsecond), State: backup.Pending,
		Missed: 3, Attempt: 2, AtProvider: true,
		Result: backup.Result{Bytes: 5 << 40, Location: "vault-2/größe", Note: "checked\nby \"restoring\" it"},
		Reason: "no space", RemindAt: instant(5), Tries: 4, TryAt: instant(6).Add(999999 * time.Microsecond),
	}
}
