package backuptest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/backup/backuptest"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

type (
	requestMethods = storetest.Methods[backup.Request, backup.RequestQuery, backup.Change, backup.Due]
	requestBreaks  = storetest.Breaks[backup.Store, backup.Request, backup.RequestQuery, backup.Change, backup.Due]
	requestFields  = storetest.Fields[backup.Request, backup.RequestQuery, backup.Change, backup.Due]
	taskMethods    = storetest.Methods[backup.Task, backup.TaskQuery, backup.Change, struct{}]
	taskBreaks     = storetest.Breaks[backup.Store, backup.Task, backup.TaskQuery, backup.Change, struct{}]
	taskFields     = storetest.Fields[backup.Task, backup.TaskQuery, backup.Change, struct{}]
	countFunc      = func(context.Context, uuid.UUID, backup.TaskQuery) (map[backup.State]int, error)
)

// brokenRequests has the methods of Store, but for the ones in methods.
type brokenRequests struct {
	backup.Store
	methods requestMethods
}

func (s brokenRequests) Request(ctx context.Context, id uuid.UUID) (backup.Request, error) {
	return s.methods.Get(ctx, id)
}

func (s brokenRequests) Requests(ctx context.Context, reseller uuid.UUID, q backup.RequestQuery) ([]backup.Request, string, error) {
	return s.methods.List(ctx, reseller, q)
}

func (s brokenRequests) ClaimDue(ctx context.Context, now, until time.Time, limit int) (backup.Due, error) {
	return s.methods.Claim(ctx, now, until, limit)
}

func (s brokenRequests) Commit(ctx context.Context, changes ...backup.Change) error {
	return s.methods.Commit(ctx, changes...)
}

// brokenTasks has the methods of Store, but for the ones in methods.
type brokenTasks struct {
	backup.Store
	methods taskMethods
}

func (s brokenTasks) Task(ctx context.Context, id uuid.UUID) (backup.Task, error) {
	return s.methods.Get(ctx, id)
}

func (s brokenTasks) Tasks(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
	return s.methods.List(ctx, reseller, q)
}

func (s brokenTasks) Commit(ctx context.Context, changes ...backup.Change) error {
	return s.methods.Commit(ctx, changes...)
}

// brokenCounts has the methods of Store, but for Counts.
type brokenCounts struct {
	backup.Store
	counts countFunc
}

func (s brokenCounts) Counts(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
	return s.counts(ctx, reseller, q)
}

func suite() storetest.Suite[backup.Store] {
	return storetest.Suite[backup.Store]{Test: backuptest.TestStore, Open: open}
}

func breakRequests() requestBreaks {
	return requestBreaks{
		Suite: suite(), Path: "requests/", References: true,
		Fields: requestFields{
			Meta: func(r *backup.Request) storetest.Meta {
				return storetest.Meta{ID: &r.ID, Version: &r.Version, Due: &r.Due, Lease: &r.LeaseUntil}
			},
			Page:    func(q *backup.RequestQuery) (limit *int, after *string) { return &q.Limit, &q.After },
			Records: func(c *backup.Change) *[]backup.Request { return &c.Requests },
			Events:  func(c *backup.Change) *[]notify.Event { return &c.Events },
			Claimed: func(d *backup.Due) (*[]backup.Request, *time.Time) { return &d.Requests, &d.Next },
			Unread:  func(d *backup.Due) *[]notify.Unreadable { return &d.Unreadable },
		},
		Methods: func(s backup.Store) requestMethods {
			return requestMethods{Get: s.Request, List: s.Requests, Claim: s.ClaimDue, Commit: s.Commit}
		},
		Replace: func(s backup.Store, m requestMethods) backup.Store { return brokenRequests{s, m} },
	}
}

func breakTasks() taskBreaks {
	return taskBreaks{
		Suite: suite(), Path: "tasks/",
		Fields: taskFields{
			Meta:    func(t *backup.Task) storetest.Meta { return storetest.Meta{ID: &t.ID, Version: &t.Version} },
			Page:    func(q *backup.TaskQuery) (limit *int, after *string) { return &q.Limit, &q.After },
			Records: func(c *backup.Change) *[]backup.Task { return &c.Tasks },
			Events:  func(c *backup.Change) *[]notify.Event { return &c.Events },
		},
		Methods: func(s backup.Store) taskMethods { return taskMethods{Get: s.Task, List: s.Tasks, Commit: s.Commit} },
		Replace: func(s backup.Store, m taskMethods) backup.Store { return brokenTasks{s, m} },
	}
}

func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	requests := breakRequests()
	storetest.Fails(t, append(requests.All(),
		requests.BreakRecords("requests/6 time", "returns schedules in local time", func(r *backup.Request) {
			r.Form.Schedule.Start = r.Form.Schedule.Start.In(time.FixedZone("", 3600))
		}),
		requests.BreakRecords("6 time: every schedule", "forgets the last day of the month", func(r *backup.Request) {
			r.Form.Schedule.MonthDay = max(r.Form.Schedule.MonthDay, 0)
		}),
		requests.BreakRecords("6 time: every schedule", "forgets on which day weeks begin", func(r *backup.Request) {
			r.Form.Schedule.WeekStart = backup.FromMonday
		}),
		requests.BreakRecords("6 time: every schedule", "forgets the places of weekdays", func(r *backup.Request) {
			r.Form.Schedule.NthWeekdays = nil
		}),
		requests.BreakRecords("requests/6 time", "returns 1970 for a zero end", func(r *backup.Request) {
			if r.Ended.IsZero() {
				r.Ended = time.Unix(0, 0).UTC()
			}
		}),
		requests.BreakQueries("8 order: criteria of requests", "lists ended requests as live ones", func(q *backup.RequestQuery) {
			q.Live = false
		}),
		requests.BreakQueries("8 order: criteria of requests", "lists confirmed requests as unconfirmed ones", func(q *backup.RequestQuery) {
			q.Unconfirmed = false
		}),
		requests.BreakQueries("8 order: criteria of requests", "compares every request with the first epoch", func(q *backup.RequestQuery) {
			q.Epoch = ""
		}),
		requests.BreakRecords("requests/6 time", "forgets the epoch", func(r *backup.Request) { r.Epoch = "" }),
		requests.BreakMethods("8 order: the cursor of the other", "lists requests again after a cursor of tasks", func(m *requestMethods) {
			m.List = requests.StartAgain(m.List)
		}),
	)...)
}

func TestBrokenTasks(t *testing.T) {
	t.Parallel()
	tasks := breakTasks()
	storetest.Fails(t, append(tasks.All(),
		tasks.BreakRecords("tasks/6 time", "truncates times to seconds", func(t *backup.Task) { t.At = t.At.Truncate(time.Second) }),
		tasks.BreakRecords("tasks/6 time", "stores the first line of texts", func(t *backup.Task) { t.What, _, _ = strings.Cut(t.What, "\n") }),
		tasks.BreakRecords("tasks/6 time", "stores 32 bits of a size", func(t *backup.Task) { t.Result.Bytes = int64(int32(t.Result.Bytes)) }),
		tasks.BreakRecords("tasks/6 time", "stores a derived field", func(t *backup.Task) { t.Overdue = t.State == backup.Pending }),
		tasks.BreakMethods("8 order: the cursor of the other", "lists tasks again after a cursor of requests", func(m *taskMethods) {
			m.List = tasks.StartAgain(m.List)
		}),
	)...)
}

// TestBrokenUniqueness breaks the lines about requests and tasks together.
func TestBrokenUniqueness(t *testing.T) {
	t.Parallel()
	tasks := breakTasks()
	storetest.Fails(t,
		tasks.BreakMethods("4 atomicity: a request has one planned task", "stores any number of planned tasks", func(m *taskMethods) {
			m.Commit = hideRequests(m.Commit)
		}),
		tasks.BreakMethods("4 atomicity: one of two concurrent planned tasks", "looks for a planned task before it writes", func(m *taskMethods) {
			var mu sync.Mutex
			commit := m.Commit
			m.Commit = func(ctx context.Context, changes ...backup.Change) error {
				err := commit(ctx, changes...)
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, backup.ErrConflict) && len(changes[0].Tasks) == 1 && changes[0].Tasks[0].Version == 0 {
					return hideRequests(commit)(ctx, changes...)
				}
				return err
			}
		}),
		tasks.BreakMethods("4 atomicity: requests and tasks", "commits requests first", func(m *taskMethods) {
			commit := m.Commit
			m.Commit = func(ctx context.Context, changes ...backup.Change) error {
				for i := range changes {
					if err := commit(ctx, backup.Change{Requests: changes[i].Requests}); err != nil {
						return err
					}
					changes[i].Requests = nil
				}
				return commit(ctx, changes...)
			}
		}),
	)
}

// hideRequests stores tasks under a random RequestID, so that the store never finds a second planned task of a request.
func hideRequests(commit storetest.CommitFunc[backup.Change]) storetest.CommitFunc[backup.Change] {
	return breakTasks().EditCommitted(commit, func(_ context.Context, t *backup.Task) { t.RequestID = uuid.New() })
}

func TestBrokenCriteria(t *testing.T) {
	t.Parallel()
	tasks := breakTasks()
	counts := func(line, name string, change func(backup.Store) countFunc) storetest.Broken {
		return suite().Break(line, name, func(s backup.Store) backup.Store { return brokenCounts{s, change(s)} })
	}
	// queries edits the queries of both Tasks and Counts.
	queries := func(line, name string, edit func(*backup.TaskQuery)) storetest.Broken {
		return suite().Break(line, name, func(s backup.Store) backup.Store {
			m := tasks.Methods(s)
			m.List = tasks.EditQueries(m.List, edit)
			return brokenCounts{brokenTasks{s, m}, func(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
				edit(&q)
				return s.Counts(ctx, reseller, q)
			}}
		})
	}
	storetest.Fails(t,
		queries("8 order: criteria of tasks", "lists the tasks at To", func(q *backup.TaskQuery) {
			if !q.To.IsZero() {
				q.To = q.To.Add(time.Microsecond)
			}
		}),
		queries("8 order: criteria of tasks", "ignores the owner", func(q *backup.TaskQuery) { q.Owner = "" }),
		queries("8 order: counts", "counts all states", func(q *backup.TaskQuery) { q.States = nil }),
		counts("9 context: a cancelled context is an error of counts", "ignores the context of counts", func(s backup.Store) countFunc {
			return func(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
				return s.Counts(context.WithoutCancel(ctx), reseller, q)
			}
		}),
	)
}
