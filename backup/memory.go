package backup

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
	"github.com/metalkeep/metalkeep/notify"
)

// MemoryStore keeps requests and tasks in memory: for tests and small hosts. The zero value is empty and ready to use. It is safe
// for concurrent use and must not be copied after its first use. A page holds 100 records by default and 1000 at most; it costs as
// much as the reseller has records, or the request has tasks if the query names one. A claim costs as much as it claims.
type MemoryStore struct {
	// Outbox receives the events of every Commit, in the same step. nil: they are dropped, and nobody is told.
	Outbox *notify.MemoryOutbox

	mu   sync.Mutex
	data *tables
}

var _ BulkStore = (*MemoryStore)(nil)

type tables struct {
	requests  *memory.Table[Request]
	tasks     *memory.Table[Task]
	byRequest map[uuid.UUID][]uuid.UUID // the tasks of each request
	pending   map[uuid.UUID][]uuid.UUID // the pending tasks of each request
}

// tables returns the records; mu must be held.
func (m *MemoryStore) tables() *tables {
	if m.data == nil {
		m.data = &tables{
			requests: memory.NewTable(memory.Spec[Request]{
				Name:    "backup request",
				Clone:   Request.clone,
				ID:      func(r *Request) uuid.UUID { return r.ID },
				Version: func(r *Request) *int64 { return &r.Version },
				Group:   func(r *Request) uuid.UUID { return r.ResellerID },
				Due:     func(r *Request) (time.Time, *time.Time) { return r.Due, &r.LeaseUntil },
				Key:     func(r *Request) page.Key { return page.Key{Sort: r.ServerName, ID: r.ID} },
			}),
			tasks: memory.NewTable(memory.Spec[Task]{
				Name:    "backup task",
				Clone:   func(t Task) Task { return t },
				ID:      func(t *Task) uuid.UUID { return t.ID },
				Version: func(t *Task) *int64 { return &t.Version },
				Group:   func(t *Task) uuid.UUID { return t.ResellerID },
				Unique:  uniqueKeys,
				Key:     byDate,
			}),
			byRequest: map[uuid.UUID][]uuid.UUID{},
			pending:   map[uuid.UUID][]uuid.UUID{},
		}
	}
	return m.data
}

func byDate(t *Task) page.Key { return page.Key{Sort: page.SortTime(t.At), ID: t.ID} }

// uniqueKeys makes sure that a request has only one planned task.
func uniqueKeys(t *Task) []string {
	if !t.planned() {
		return nil
	}
	return []string{"the planned task of request " + t.RequestID.String()}
}

// Request implements Store.
func (m *MemoryStore) Request(ctx context.Context, id uuid.UUID) (Request, error) {
	return memory.Locked(ctx, &m.mu, func() (Request, error) { return m.tables().requests.Get(id) })
}

// Requests implements Store.
func (m *MemoryStore) Requests(ctx context.Context, reseller uuid.UUID, q RequestQuery) (items []Request, next string, err error) {
	return memory.LockedPage(ctx, &m.mu, func() ([]Request, string, error) {
		return m.tables().requests.Page("backup requests", reseller, q.matches, q.Limit, q.After)
	})
}

// Task implements Store.
func (m *MemoryStore) Task(ctx context.Context, id uuid.UUID) (Task, error) {
	return memory.Locked(ctx, &m.mu, func() (Task, error) { return m.tables().tasks.Get(id) })
}

// Tasks implements Store.
func (m *MemoryStore) Tasks(ctx context.Context, reseller uuid.UUID, q TaskQuery) (items []Task, next string, err error) {
	const list = "backup tasks"
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.tables()
	if q.RequestID != uuid.Nil {
		rows, next, err := page.Cut(list, data.ofRequest(reseller, q), byDate, q.Limit, q.After)
		return data.tasks.Copy(rows), next, err
	}
	return data.tasks.Page(list, reseller, q.matches, q.Limit, q.After)
}

// Counts implements Store.
func (m *MemoryStore) Counts(ctx context.Context, reseller uuid.UUID, q TaskQuery) (map[State]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.tables()
	rows := data.ofRequest(reseller, q)
	if q.RequestID == uuid.Nil {
		rows = data.tasks.Select(reseller, q.matches)
	}
	counts := map[State]int{}
	for _, t := range rows {
		counts[t.State]++
	}
	return counts, nil
}

// index records which request the task belongs to, and whether it is pending.
func (d *tables) index(t Task) {
	if t.Version == 0 {
		d.byRequest[t.RequestID] = append(d.byRequest[t.RequestID], t.ID)
	}
	pending := slices.DeleteFunc(d.pending[t.RequestID], func(id uuid.UUID) bool { return id == t.ID })
	if t.State == Pending {
		pending = append(pending, t.ID)
	}
	if d.pending[t.RequestID] = pending; len(pending) == 0 {
		delete(d.pending, t.RequestID)
	}
}

// ofRequest returns the tasks that match a query for one request.
func (d *tables) ofRequest(reseller uuid.UUID, q TaskQuery) []*Task {
	var rows []*Task
	for _, id := range d.byRequest[q.RequestID] {
		if t, err := d.tasks.Get(id); err == nil && t.ResellerID == reseller && q.matches(&t) {
			rows = append(rows, &t)
		}
	}
	return rows
}

// OpenTasks implements BulkStore.
func (m *MemoryStore) OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]Task, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.tables()
	all := slices.Clone(ids)
	for _, r := range requests {
		all = append(all, data.pending[r]...)
	}
	return data.tasks.Several(all), nil
}

// ClaimDue implements Store.
func (m *MemoryStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error) {
	return memory.Locked(ctx, &m.mu, func() (due Due, err error) {
		due.Requests, due.Next, err = m.tables().requests.Claim(now, until, limit)
		return due, err
	})
}

// Commit implements Store.
func (m *MemoryStore) Commit(ctx context.Context, changes ...Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.tables()
	requests, tasks := data.requests.Begin(), data.tasks.Begin()
	for _, c := range changes {
		if err := requests.Put(c.Requests...); err != nil {
			return err
		}
		if err := tasks.Put(c.Tasks...); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if m.Outbox != nil {
			m.Outbox.Append(c.Events...)
		}
		for _, t := range c.Tasks {
			data.index(t)
		}
	}
	requests.Apply()
	tasks.Apply()
	return nil
}
