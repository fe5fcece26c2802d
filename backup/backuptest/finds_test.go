package backuptest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// shared are stores that break a line for requests and tasks alike.
func shared(kind string) []storetest.Broken {
	var racy sync.Mutex
	return []storetest.Broken{
		commits(kind+"/1 concurrency", kind+": checks versions before it writes",
			func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
				if stale(ctx, s, changes) {
					return backup.ErrConflict
				}
				time.Sleep(time.Microsecond)
				racy.Lock()
				defer racy.Unlock()
				return unchecked(ctx, s, changes...)
			}),
		commits(kind+"/3 duplicate create", kind+": overwrites what is created twice", unchecked),
		commits(kind+"/4 atomicity: a stale version", kind+": checks no versions", unchecked),
		commits(kind+"/4 atomicity: all records", kind+": commits change by change",
			func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
				var all error
				for _, c := range changes {
					all = errors.Join(all, s.Commit(ctx, c))
				}
				return all
			}),
		commits(kind+"/4 atomicity: events arrive", kind+": drops events",
			func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
				for i := range changes {
					changes[i].Events = nil
				}
				return s.Commit(ctx, changes...)
			}),
		commits(kind+"/4 atomicity: changes of a call", kind+": applies changes backwards",
			func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
				backwards := slices.Clone(changes)
				slices.Reverse(backwards)
				return s.Commit(ctx, backwards...)
			}),
		breaks(kind+"/5 ownership: keeps", kind+": keeps the data of events", func(a *altered, outbox *notify.Outbox) {
			kept := &eventAliases{Outbox: *outbox}
			a.commit, *outbox = kept.commit, kept
		}),
		commits(kind+"/9 context: a cancelled one writes", kind+": heeds no context",
			func(_ context.Context, s backup.Store, changes ...backup.Change) error {
				return s.Commit(context.Background(), changes...)
			}),
	}
}

func TestSuiteFindsBrokenCommits(t *testing.T) {
	t.Parallel()
	var keys sync.Mutex
	storetest.Fails(t, slices.Concat(shared("requests"), shared("tasks"), []storetest.Broken{
		breaks("requests/5 ownership: keeps", "keeps what it was given", aliases),
		breaks("requests/5 ownership: hands out", "hands out what it keeps", aliases),
		commits("4 atomicity: one planned task", "plans as often as it is told", keyless),
		commits("4 atomicity: of two planned tasks", "looks for the planned task before it writes",
			func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
				err := s.Commit(ctx, changes...)
				keys.Lock()
				defer keys.Unlock()
				if errors.Is(err, backup.ErrConflict) && len(changes[0].Tasks) == 1 && changes[0].Tasks[0].Version == 0 {
					return keyless(ctx, s, changes...)
				}
				return err
			}),
		commits("4 atomicity: requests and tasks", "commits requests first",
			func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
				for i := range changes {
					if err := s.Commit(ctx, backup.Change{Requests: changes[i].Requests}); err != nil {
						return err
					}
					changes[i].Requests = nil
				}
				return s.Commit(ctx, changes...)
			}),
	})...)
}

// keyless commits as a store does that lets a request have any number of planned tasks.
func keyless(ctx context.Context, s backup.Store, changes ...backup.Change) error {
	for i := range changes {
		changes[i].Tasks = slices.Clone(changes[i].Tasks)
		for j := range changes[i].Tasks {
			changes[i].Tasks[j].RequestID = uuid.New()
		}
	}
	return s.Commit(ctx, changes...)
}

func TestSuiteFindsBrokenReads(t *testing.T) {
	t.Parallel()
	local := time.FixedZone("", 3600)
	storetest.Fails(t,
		breaks("requests/2 missing", "has an error of its own for requests", func(a *altered, _ *notify.Outbox) {
			a.request = func(ctx context.Context, s backup.Store, id uuid.UUID) (backup.Request, error) {
				r, err := s.Request(ctx, id)
				if err != nil {
					err = errors.New("no rows")
				}
				return r, err
			}
		}),
		breaks("tasks/2 missing", "has an error of its own for tasks", func(a *altered, _ *notify.Outbox) {
			a.task = func(ctx context.Context, s backup.Store, id uuid.UUID) (backup.Task, error) {
				t, err := s.Task(ctx, id)
				if err != nil {
					err = errors.New("no rows")
				}
				return t, err
			}
		}),
		requests("requests/4 atomicity: the stored version", "returns requests with the version before", func(r *backup.Request) { r.Version-- }),
		tasks("tasks/4 atomicity: the stored version", "returns tasks with the version before", func(t *backup.Task) { t.Version-- }),
		requests("requests/6 time", "returns schedules in local time", func(r *backup.Request) {
			r.Form.Schedule.Start = r.Form.Schedule.Start.In(local)
		}),
		requests("6 time: every schedule", "forgets the last day of the month", func(r *backup.Request) {
			r.Form.Schedule.MonthDay = max(r.Form.Schedule.MonthDay, 0)
		}),
		requests("requests/6 time", "takes a zero end for 1970", func(r *backup.Request) {
			if r.Ended.IsZero() {
				r.Ended = time.Unix(0, 0).UTC()
			}
		}),
		tasks("tasks/6 time", "cuts dates to seconds", func(t *backup.Task) { t.At = t.At.Truncate(time.Second) }),
		tasks("tasks/6 time", "cuts texts at their first line", func(t *backup.Task) { t.What, _, _ = strings.Cut(t.What, "\n") }),
		tasks("tasks/6 time", "knows 32 bits of bytes", func(t *backup.Task) { t.Result.Bytes = int64(int32(t.Result.Bytes)) }),
		tasks("tasks/6 time", "stores what is derived", func(t *backup.Task) { t.Overdue = t.State == backup.Pending }),
	)
}

func TestSuiteFindsBrokenLists(t *testing.T) {
	t.Parallel()
	tasksAs := func(line, name string, f listTasks) storetest.Broken {
		return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.tasks = f })
	}
	storetest.Fails(t,
		tasksAs("tasks/8 order: sorted", "knows no pages",
			func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
				items, _, err := s.Tasks(ctx, reseller, q)
				return items, "", err
			}),
		breaks("requests/8 order: sorted", "lists requests backwards", func(a *altered, _ *notify.Outbox) {
			a.requests = func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.RequestQuery) ([]backup.Request, string, error) {
				items, next, err := s.Requests(ctx, reseller, q)
				slices.Reverse(items)
				return items, next, err
			}
		}),
		breaks("requests/8 order: what is no cursor", "starts requests anew", func(a *altered, _ *notify.Outbox) {
			a.requests = func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.RequestQuery) ([]backup.Request, string, error) {
				items, next, err := s.Requests(ctx, reseller, q)
				if errors.Is(err, backup.ErrInvalid) {
					q.After = ""
					return s.Requests(ctx, reseller, q)
				}
				return items, next, err
			}
		}),
		tasksAs("8 order: the cursor of the other", "starts tasks anew",
			func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
				items, next, err := s.Tasks(ctx, reseller, q)
				if errors.Is(err, backup.ErrInvalid) && q.Limit >= 0 && q.Owner == "" {
					q.After = ""
					return s.Tasks(ctx, reseller, q)
				}
				return items, next, err
			}),
		tasksAs("tasks/8 order: a cursor stands", "lists what it has just listed",
			func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
				all, _, err := s.Tasks(ctx, reseller, backup.TaskQuery{Limit: 1000})
				from := min(len(q.After), len(all))
				to := min(from+max(q.Limit, 1), len(all))
				next := ""
				if to < len(all) {
					next = strings.Repeat("+", to)
				}
				return all[from:to], next, err
			}),
		tasksAs("tasks/8 order: one reseller", "shows everybody's tasks",
			func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
				items, next, err := s.Tasks(ctx, reseller, q)
				if reseller == uuid.Nil {
					items = append(items, backup.Task{ID: uuid.New()})
				}
				return items, next, err
			}),
		asked("8 order: criteria of tasks", "takes to for the last instant", func(q *backup.TaskQuery) {
			if !q.To.IsZero() {
				q.To = q.To.Add(time.Microsecond)
			}
		}),
		asked("8 order: criteria of tasks", "knows no owners", func(q *backup.TaskQuery) { q.Owner = "" }),
		asked("8 order: counts", "counts all states", func(q *backup.TaskQuery) { q.States = nil }),
		asked("8 order: an unknown owner", "takes an unknown owner for none", func(q *backup.TaskQuery) {
			if q.Owner == "mine" {
				q.Owner = ""
			}
		}),
		breaks("8 order: criteria of requests", "lists what has ended", func(a *altered, _ *notify.Outbox) {
			a.requests = func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.RequestQuery) ([]backup.Request, string, error) {
				q.Live = false
				return s.Requests(ctx, reseller, q)
			}
		}),
		breaks("9 context: counting", "counts whatever the context", func(a *altered, _ *notify.Outbox) {
			a.counts = func(_ context.Context, s backup.Store, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
				return s.Counts(context.Background(), reseller, q)
			}
		}),
	)
}

func TestSuiteFindsBrokenClaims(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		claims("requests/10 leases: due alone", "claims what is due within the hour",
			func(ctx context.Context, s backup.Store, now, until time.Time, limit int) (backup.Due, error) {
				return s.ClaimDue(ctx, now.Add(time.Hour), until, limit)
			}),
		claims("requests/10 leases: says when", "forgets what is due next",
			func(ctx context.Context, s backup.Store, now, until time.Time, limit int) (backup.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				due.Next = time.Time{}
				return due, err
			}),
		claims("requests/10 leases: hidden", "leases for half the time",
			func(ctx context.Context, s backup.Store, now, until time.Time, limit int) (backup.Due, error) {
				return s.ClaimDue(ctx, now, now.Add(until.Sub(now)/2), limit)
			}),
		claims("requests/10 leases: claiming sets", "returns what it claims as it was",
			func(ctx context.Context, s backup.Store, now, until time.Time, limit int) (backup.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				for i := range due.Requests {
					due.Requests[i].Version--
				}
				return due, err
			}),
		commits("requests/10 leases: who lost", "lets go whoever has the lease", unchecked),
		commits("requests/10 leases: commit stores", "lifts leases",
			func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
				for i := range changes {
					changes[i].Requests = slices.Clone(changes[i].Requests)
					for j := range changes[i].Requests {
						changes[i].Requests[j].LeaseUntil = time.Time{}
					}
				}
				return s.Commit(ctx, changes...)
			}),
		claims("requests/10 leases: a limit", "claims one at least",
			func(ctx context.Context, s backup.Store, now, until time.Time, limit int) (backup.Due, error) {
				return s.ClaimDue(ctx, now, until, max(limit, 1))
			}),
		claims("requests/10 leases: each is claimed once", "claims before it leases", twice()),
	)
}

// twice hands out again what it handed out last.
func twice() claim {
	var mu sync.Mutex
	last := map[backup.Store][]backup.Request{}
	return func(ctx context.Context, s backup.Store, now, until time.Time, limit int) (backup.Due, error) {
		mu.Lock()
		defer mu.Unlock()
		due, err := s.ClaimDue(ctx, now, until, limit)
		if len(due.Requests) > 0 {
			due.Requests = append(due.Requests, last[s]...)
			last[s] = due.Requests[:1:1]
		}
		return due, err
	}
}
