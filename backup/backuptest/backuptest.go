// Package backuptest tests implementations of backup.Store.
//
// A store with a subtle error forgets a backup or plans it twice, and manual tests seldom find such errors. TestStore tests a store
// against each numbered line of the contract in the comment of backup.Store, with concurrent calls and failed commits. The smallest use
// is a test of your own store:
//
//	func TestBackupStore(t *testing.T) {
//		backuptest.TestStore(t, func(t *testing.T) (backup.Store, notify.Outbox) {
//			db := openEmptyDatabase(t)
//			return db.Backups(), db.Outbox()
//		})
//	}
//
// The name of a failed sub-test has the number of the line that the store breaks.
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

// TestStore tests a store against the contract in the comment of backup.Store. open returns a fresh, empty store and the outbox that
// receives the events of its Commit. TestStore calls open once for each sub-test. If the store implements backup.BulkStore, TestStore
// tests that too.
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
			r.Planned, r.Skipped, r.Failures, r.Epoch = time.Time{}, uuid.Nil, 0, ""
			return r
		},
		Scribble: func(r backup.Request) {
			s := r.Form.Schedule
			overwrite(s.Months, time.September)
			overwrite(s.Weekdays, time.Saturday)
			overwrite(s.NthWeekdays, backup.NthWeekday{N: 5, Weekday: time.Saturday})
			overwrite(s.MonthDays, 9)
			overwrite(s.SetPos, 9)
		},
		Meta: func(r *backup.Request) storetest.Meta {
			return storetest.Meta{ID: &r.ID, Version: &r.Version, Due: &r.Due, Lease: &r.LeaseUntil}
		},
		Compare: func(a, b backup.Request) int {
			return cmp.Or(strings.Compare(a.ServerName, b.ServerName), bytes.Compare(a.ID[:], b.ID[:]))
		},
	}
}

func overwrite[T any](items []T, with T) {
	for i := range items {
		items[i] = with
	}
}

func adaptRequests(store backup.Store, outbox notify.Outbox) storetest.Store[backup.Request] {
	return storetest.Store[backup.Request]{
		Get: store.Request,
		List: func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]backup.Request, string, error) {
			return store.Requests(ctx, reseller, backup.RequestQuery{Limit: limit, After: after})
		},
		Commit: storetest.AdaptCommit(store.Commit, func(requests []backup.Request, events []notify.Event) backup.Change {
			return backup.Change{Requests: requests, Events: events}
		}),
		Claim: func(ctx context.Context, now, until time.Time, limit int) ([]backup.Request, time.Time, error) {
			due, err := store.ClaimDue(ctx, now, until, limit)
			return due.Requests, due.Next, storetest.NoUnreadable(due.Unreadable, err)
		},
		Outbox: outbox,
	}
}

// instant returns the n-th hour of the suite's time.
func instant(n int) time.Time { return time.Date(2026, 4, 1, n, 0, 0, 0, time.UTC) }

func makeRequest(reseller uuid.UUID, n int) backup.Request {
	r := backup.Request{
		ID: uuid.New(), ResellerID: reseller, ClientID: uuid.New(), ServerID: uuid.New(), Assignment: uuid.New(),
		Form: backup.Form{
			What: "the database's \"dumps\"\nand /home", Note: "nachts, bitte: größer als 1 TB",
			Schedule: backup.Schedule{
				Frequency: backup.Yearly, Interval: 2, Weekdays: []time.Weekday{time.Tuesday, time.Sunday}, Hour: 2, Minute: 30,
				Months: []time.Month{time.May, time.June}, NthWeekdays: []backup.NthWeekday{{N: -1, Weekday: time.Monday}},
				MonthDays: []int{1, 2, -1}, SetPos: []int{1, -1},
				Zone:  "Europe/Berlin",
				Start: time.Date(2026, 1, 31, 23, 59, 59, 123456000, time.UTC), Until: time.Date(2031, 1, 31, 0, 0, 0, 1000, time.UTC),
			},
		},
		ServerName: storetest.Name(n), AtProvider: true,
		Planned: instant(1).Add(time.Microsecond), Recorded: instant(2), Skipped: uuid.New(), Revisions: 3,
		Ended: instant(3), Ending: backup.Closed, EndReason: "the server's gone", Failures: 2, Epoch: "2026-11-28T09:30",
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
		Commit: storetest.AdaptCommit(store.Commit, func(tasks []backup.Task, events []notify.Event) backup.Change {
			return backup.Change{Tasks: tasks, Events: events}
		}),
		Outbox: outbox,
	}
}

func makeTask(reseller uuid.UUID, n int) backup.Task {
	return backup.Task{
		ID: uuid.New(), RequestID: uuid.New(), ResellerID: reseller, ClientID: uuid.New(), ServerID: uuid.New(), Assignment: uuid.New(),
		ServerName: "web'7", What: "the database\nand /home", At: instant(n % 5).Add(time.Microsecond), State: backup.Pending,
		Missed: 3, Attempt: 2, AtProvider: true,
		Result: backup.Result{Bytes: 5 << 40, Location: "vault-2/größe", Note: "checked\nby \"restoring\" it"},
		Reason: "no space", PerformerFailed: true, RemindAt: instant(5), Tries: 4, TryAt: instant(6).Add(999999 * time.Microsecond),
	}
}
