package backuptest_test

import (
	"context"
	"encoding/json"
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
	readRequest  = func(context.Context, backup.Store, uuid.UUID) (backup.Request, error)
	readTask     = func(context.Context, backup.Store, uuid.UUID) (backup.Task, error)
	listRequests = func(context.Context, backup.Store, uuid.UUID, backup.RequestQuery) ([]backup.Request, string, error)
	listTasks    = func(context.Context, backup.Store, uuid.UUID, backup.TaskQuery) ([]backup.Task, string, error)
	count        = func(context.Context, backup.Store, uuid.UUID, backup.TaskQuery) (map[backup.State]int, error)
	claim        = func(ctx context.Context, s backup.Store, now, until time.Time, limit int) (backup.Due, error)
	commit       = func(context.Context, backup.Store, ...backup.Change) error
)

// altered is a store with methods replaced; the others are the good store's.
type altered struct {
	backup.Store
	request  readRequest
	requests listRequests
	task     readTask
	tasks    listTasks
	counts   count
	claimDue claim
	commit   commit
}

func (a altered) Request(ctx context.Context, id uuid.UUID) (backup.Request, error) {
	if a.request != nil {
		return a.request(ctx, a.Store, id)
	}
	return a.Store.Request(ctx, id)
}

func (a altered) Requests(ctx context.Context, reseller uuid.UUID, q backup.RequestQuery) ([]backup.Request, string, error) {
	if a.requests != nil {
		return a.requests(ctx, a.Store, reseller, q)
	}
	return a.Store.Requests(ctx, reseller, q)
}

func (a altered) Task(ctx context.Context, id uuid.UUID) (backup.Task, error) {
	if a.task != nil {
		return a.task(ctx, a.Store, id)
	}
	return a.Store.Task(ctx, id)
}

func (a altered) Tasks(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
	if a.tasks != nil {
		return a.tasks(ctx, a.Store, reseller, q)
	}
	return a.Store.Tasks(ctx, reseller, q)
}

func (a altered) Counts(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
	if a.counts != nil {
		return a.counts(ctx, a.Store, reseller, q)
	}
	return a.Store.Counts(ctx, reseller, q)
}

func (a altered) ClaimDue(ctx context.Context, now, until time.Time, limit int) (backup.Due, error) {
	if a.claimDue != nil {
		return a.claimDue(ctx, a.Store, now, until, limit)
	}
	return a.Store.ClaimDue(ctx, now, until, limit)
}

func (a altered) Commit(ctx context.Context, changes ...backup.Change) error {
	if a.commit != nil {
		return a.commit(ctx, a.Store, changes...)
	}
	return a.Store.Commit(ctx, changes...)
}

// breaks says which line the suite must fail at when alter has replaced methods of a fresh, good store.
func breaks(line, name string, alter func(a *altered, outbox *notify.Outbox)) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		backuptest.TestStore(t, func(t *testing.T) (backup.Store, notify.Outbox) {
			store, outbox := open(t)
			a := altered{Store: store}
			alter(&a, &outbox)
			return a, outbox
		})
	}}
}

func commits(line, name string, f commit) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.commit = f })
}

func claims(line, name string, f claim) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.claimDue = f })
}

// requests breaks what Request returns, tasks what Task does.
func requests(line, name string, change func(*backup.Request)) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) {
		a.request = func(ctx context.Context, s backup.Store, id uuid.UUID) (backup.Request, error) {
			r, err := s.Request(ctx, id)
			change(&r)
			return r, err
		}
	})
}

func tasks(line, name string, change func(*backup.Task)) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) {
		a.task = func(ctx context.Context, s backup.Store, id uuid.UUID) (backup.Task, error) {
			t, err := s.Task(ctx, id)
			change(&t)
			return t, err
		}
	})
}

// asked breaks Tasks and Counts by what they are asked.
func asked(line, name string, change func(*backup.TaskQuery)) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) {
		a.tasks = func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
			change(&q)
			return s.Tasks(ctx, reseller, q)
		}
		a.counts = func(ctx context.Context, s backup.Store, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
			change(&q)
			return s.Counts(ctx, reseller, q)
		}
	})
}

// unchecked commits as a store does that checks no versions.
func unchecked(ctx context.Context, s backup.Store, changes ...backup.Change) error {
	var all []backup.Change
	for _, c := range changes {
		own := backup.Change{Events: c.Events}
		for _, r := range c.Requests {
			stored, err := s.Request(ctx, r.ID)
			r.Version = stored.Version
			if err != nil {
				r.Version = 0
			}
			own.Requests = append(own.Requests, r)
		}
		for _, t := range c.Tasks {
			stored, err := s.Task(ctx, t.ID)
			t.Version = stored.Version
			if err != nil {
				t.Version = 0
			}
			own.Tasks = append(own.Tasks, t)
		}
		all = append(all, own)
	}
	return s.Commit(ctx, all...)
}

// stale says whether a version of the changes is not the stored one.
func stale(ctx context.Context, s backup.Store, changes []backup.Change) bool {
	for _, c := range changes {
		for _, r := range c.Requests {
			if stored, err := s.Request(ctx, r.ID); err == nil && stored.Version != r.Version {
				return true
			}
		}
		for _, t := range c.Tasks {
			if stored, err := s.Task(ctx, t.ID); err == nil && stored.Version != t.Version {
				return true
			}
		}
	}
	return false
}

// aliases keeps what Commit was given and hands out the very same.
func aliases(a *altered, _ *notify.Outbox) {
	var kept sync.Map
	a.commit = func(ctx context.Context, s backup.Store, changes ...backup.Change) error {
		for _, c := range changes {
			for _, r := range c.Requests {
				kept.Store(r.ID, r.Form.Schedule.Weekdays)
			}
		}
		return s.Commit(ctx, changes...)
	}
	a.request = func(ctx context.Context, s backup.Store, id uuid.UUID) (backup.Request, error) {
		r, err := s.Request(ctx, id)
		if given, ok := kept.Load(id); ok {
			r.Form.Schedule.Weekdays = given.([]time.Weekday)
		}
		return r, err
	}
}

// eventAliases is an outbox that hands out the very data that its store was given.
type eventAliases struct {
	notify.Outbox
	data sync.Map
}

func (a *eventAliases) commit(ctx context.Context, s backup.Store, changes ...backup.Change) error {
	for _, c := range changes {
		for _, e := range c.Events {
			a.data.Store(e.ID, e.Data)
		}
	}
	return s.Commit(ctx, changes...)
}

func (a *eventAliases) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	items, next, err := a.Outbox.Deliveries(ctx, q)
	for i := range items {
		if data, ok := a.data.Load(items[i].Event.ID); ok {
			items[i].Event.Data = data.(json.RawMessage)
		}
	}
	return items, next, err
}
