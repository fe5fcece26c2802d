package backup

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/notify"
)

// MemoryStore keeps requests and tasks in memory: for tests, and for trying the library. The zero value is empty and ready
// to use; it is safe for concurrent use and must not be copied afterwards. A page costs as many of the reseller's records
// as are looked at for it, from TaskQuery.From on, or all tasks of the request where the query names one; Counts costs as
// many as there are; a claim costs what it claims.
type MemoryStore struct {
	// Outbox gets the events of every Commit, in the same step. nil: they are dropped, and nobody is told.
	Outbox *notify.MemoryOutbox

	mu   sync.Mutex
	kept *tables
}

var _ BulkStore = (*MemoryStore)(nil)

type tables struct {
	requests *memory.Table[Request]
	tasks    *memory.Table[Task]
	series   map[uuid.UUID][]uuid.UUID // the tasks of each request
	pending  map[uuid.UUID][]uuid.UUID // those that are pending
}

// tables returns what is kept; mu must be held.
func (m *MemoryStore) tables() *tables {
	if m.kept == nil {
		m.kept = &tables{
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
			series:  map[uuid.UUID][]uuid.UUID{},
			pending: map[uuid.UUID][]uuid.UUID{},
		}
	}
	return m.kept
}

func byDate(t *Task) page.Key { return page.Key{Sort: page.SortTime(t.At), ID: t.ID} }

// uniqueKeys let a request have one planned task.
func uniqueKeys(t *Task) []string {
	if !t.planned() {
		return nil
	}
	return []string{"the planned task of request " + t.RequestID.String()}
}

// Request implements Store.
func (m *MemoryStore) Request(ctx context.Context, id uuid.UUID) (Request, error) {
	if err := ctx.Err(); err != nil {
		return Request{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tables().requests.Get(id)
}

// Requests implements Store.
func (m *MemoryStore) Requests(ctx context.Context, reseller uuid.UUID, q RequestQuery) (items []Request, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tables().requests.Page("backup requests", reseller, q.matches, q.Limit, q.After)
}

// Task implements Store.
func (m *MemoryStore) Task(ctx context.Context, id uuid.UUID) (Task, error) {
	if err := ctx.Err(); err != nil {
		return Task{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tables().tasks.Get(id)
}

// Tasks implements Store.
func (m *MemoryStore) Tasks(ctx context.Context, reseller uuid.UUID, q TaskQuery) (items []Task, next string, err error) {
	const list = "backup tasks"
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if err := q.validate("Tasks"); err != nil {
		return nil, "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.tables()
	if q.RequestID != uuid.Nil {
		rows, next, err := page.Of(list, kept.ofRequest(reseller, q), byDate, q.Limit, q.After)
		return kept.tasks.Copy(rows), next, err
	}
	if q.After == "" && !q.From.IsZero() { // what is before From need not be looked at
		q.After = page.Key{Sort: page.SortTime(q.From)}.Cursor(list)
	}
	return kept.tasks.Page(list, reseller, q.matches, q.Limit, q.After)
}

// Counts implements Store.
func (m *MemoryStore) Counts(ctx context.Context, reseller uuid.UUID, q TaskQuery) (map[State]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.validate("Counts"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.tables()
	rows := kept.ofRequest(reseller, q)
	if q.RequestID == uuid.Nil {
		rows = kept.tasks.Select(reseller, q.matches)
	}
	counts := map[State]int{}
	for _, t := range rows {
		counts[t.State]++
	}
	return counts, nil
}

// file notes whose task it is, and whether it is still to be done.
func (k *tables) file(t Task) {
	if t.Version == 0 {
		k.series[t.RequestID] = append(k.series[t.RequestID], t.ID)
	}
	pending := slices.DeleteFunc(k.pending[t.RequestID], func(id uuid.UUID) bool { return id == t.ID })
	if t.State == Pending {
		pending = append(pending, t.ID)
	}
	if k.pending[t.RequestID] = pending; len(pending) == 0 {
		delete(k.pending, t.RequestID)
	}
}

// ofRequest are those tasks of a query's request that it asks for.
func (k *tables) ofRequest(reseller uuid.UUID, q TaskQuery) []*Task {
	var rows []*Task
	for _, id := range k.series[q.RequestID] {
		if t, err := k.tasks.Get(id); err == nil && t.ResellerID == reseller && q.matches(&t) {
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
	kept := m.tables()
	wanted := slices.Clone(ids)
	for _, r := range requests {
		wanted = append(wanted, kept.pending[r]...)
	}
	return kept.tasks.Several(wanted), nil
}

// ClaimDue implements Store.
func (m *MemoryStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error) {
	if err := ctx.Err(); err != nil {
		return Due{}, err
	}
	if limit < 1 {
		return Due{}, fmt.Errorf("%w: a claim of %d requests: 1 or more are wanted", ErrInvalid, limit)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	items, next := m.tables().requests.Claim(now, until, limit)
	return Due{Requests: items, Next: next}, nil
}

// Commit implements Store.
func (m *MemoryStore) Commit(ctx context.Context, changes ...Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.tables()
	requests, tasks := kept.requests.Begin(), kept.tasks.Begin()
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
			kept.file(t)
		}
	}
	requests.Apply()
	tasks.Apply()
	return nil
}

func (q RequestQuery) matches(r *Request) bool {
	return (!q.Live || r.Live()) &&
		(q.ClientID == uuid.Nil || q.ClientID == r.ClientID) &&
		(q.ServerID == uuid.Nil || q.ServerID == r.ServerID)
}

func (q TaskQuery) validate(op string) error {
	switch q.Owner {
	case "", "own", "provider":
		return nil
	}
	return invalid(op, "Owner", `%.20q is none of "", "own", "provider"`, q.Owner)
}

func (q TaskQuery) matches(t *Task) bool {
	return (q.From.IsZero() || !t.At.Before(q.From)) &&
		(q.To.IsZero() || t.At.Before(q.To)) &&
		(len(q.States) == 0 || slices.Contains(q.States, t.State)) &&
		(q.ClientID == uuid.Nil || q.ClientID == t.ClientID) &&
		(q.ServerID == uuid.Nil || q.ServerID == t.ServerID) &&
		(q.RequestID == uuid.Nil || q.RequestID == t.RequestID) &&
		(q.Owner == "" || (q.Owner == "provider") == t.AtProvider) &&
		(q.Text == "" || text.Contains(t.ServerName, q.Text) || text.Contains(t.ServerID.String(), q.Text))
}
