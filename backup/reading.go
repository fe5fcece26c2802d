package backup

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// reading is everything that a decision about a request depends on.
type reading struct {
	request Request
	task    Task        // of an operation on one task
	open    []Task      // the pending tasks of the request, and the skipped one that still counts
	taken   []time.Time // dates to come that have a closed task already; only a changed schedule can reach them
	server  dedicated.Server
	found   bool                    // the inventory has the server
	ends    map[uuid.UUID]time.Time // when servers will be cancelled
}

// visibleRequest reads a request that the actor may know of.
func (m *Manager) visibleRequest(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID) (Request, error) {
	if id == uuid.Nil {
		return Request{}, requestNotFound(op, id)
	}
	r, err := m.store.Request(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !r.visibleTo(a) {
		return Request{}, requestNotFound(op, id)
	}
	return r, err
}

// visibleTask reads a task that the actor may know of.
func (m *Manager) visibleTask(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID) (Task, error) {
	if id == uuid.Nil {
		return Task{}, taskNotFound(op, id)
	}
	t, err := m.store.Task(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !t.visibleTo(a) {
		return Task{}, taskNotFound(op, id)
	}
	return t, err
}

// readForRequest reads what an operation on a request depends on.
func (m *Manager) readForRequest(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID, now time.Time) (reading, error) {
	request, err := m.visibleRequest(ctx, a, op, id)
	if err != nil {
		return reading{}, err
	}
	return m.read(ctx, a, op, request, now)
}

// readForTask reads what an operation on a task depends on.
func (m *Manager) readForTask(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID, now time.Time) (reading, error) {
	t, err := m.visibleTask(ctx, a, op, id)
	if err != nil {
		return reading{}, err
	}
	request, err := m.store.Request(ctx, t.RequestID)
	if err != nil {
		return reading{}, nonsense(err)
	}
	r, err := m.read(ctx, a, op, request, now)
	r.task = t
	return r, err
}

// read reads everything else that an operation on a request depends on.
func (m *Manager) read(ctx context.Context, a dedicated.Actor, op Op, request Request, now time.Time) (r reading, err error) {
	r.request = request
	if !a.Manages(request.ResellerID) || op.needsServer() {
		if r.server, r.found, err = inventory.Server(ctx, m.servers, request.ResellerID, request.ServerID); err != nil {
			return r, err
		}
	}
	if op == OpRetry { // the task becomes pending: whether it will run depends on the end
		if r.ends, err = m.ends(ctx, []uuid.UUID{request.ServerID}); err != nil {
			return r, err
		}
	}
	err = m.readTasks(ctx, &r, now, op == OpRevise)
	return r, err
}

// readTasks reads the tasks of a request that was just read. If the request changes meanwhile, the tasks may not fit it: that
// is ErrConflict, so that the operation reads again.
func (m *Manager) readTasks(ctx context.Context, r *reading, until time.Time, revising bool) (err error) {
	if r.open, err = m.openTasks(ctx, r.request); err != nil {
		return err
	}
	if r.taken, err = m.takenDates(ctx, r.request, until, revising); err != nil {
		return err
	}
	again, err := m.store.Request(ctx, r.request.ID)
	if err == nil && again.Version != r.request.Version {
		return ErrConflict
	}
	return nonsense(err)
}

// openTasks reads the pending tasks of a request, and the skipped one that still counts.
func (m *Manager) openTasks(ctx context.Context, r Request) ([]Task, error) {
	var open []Task
	for t, err := range m.tasks(ctx, r.ResellerID, TaskQuery{RequestID: r.ID, States: []State{Pending}}) {
		if err != nil {
			return nil, err
		}
		open = append(open, t)
	}
	if r.Skipped == uuid.Nil {
		return open, nil
	}
	t, err := m.store.Task(ctx, r.Skipped)
	return append(open, t), nonsense(err)
}

// takenDates reads the dates of tasks that were closed ahead of time. A schedule that never changed does not reach
// these dates again, so they are read only for a changed one.
func (m *Manager) takenDates(ctx context.Context, r Request, until time.Time, revising bool) ([]time.Time, error) {
	if !revising && r.Revisions == 0 {
		return nil, nil
	}
	var dates []time.Time
	for t, err := range m.tasks(ctx, r.ResellerID, TaskQuery{RequestID: r.ID, From: zone.Earlier(r.Recorded, until)}) {
		if err != nil {
			return nil, err
		}
		if !t.planned() {
			dates = append(dates, t.At)
		}
	}
	return dates, nil
}

// nonsense returns ErrHost if the Store does not have a record to which another record refers.
func nonsense(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fault.Nonsense("store", err)
	}
	return err
}

// ends asks the host when servers will be cancelled.
func (m *Manager) ends(ctx context.Context, servers []uuid.UUID) (ends map[uuid.UUID]time.Time, err error) {
	if m.config.Ends == nil || len(servers) == 0 {
		return nil, nil
	}
	return fault.Call(ctx, m.calls, "Config.Ends", func(ctx context.Context) (map[uuid.UUID]time.Time, error) {
		return m.config.Ends(ctx, servers)
	})
}

// commit writes a series.
func (m *Manager) commit(ctx context.Context, s *series, now time.Time) error {
	c, err := s.change(now)
	if err != nil {
		return err
	}
	return m.store.Commit(ctx, c)
}

// tasks returns all tasks of a query, page by page.
func (m *Manager) tasks(ctx context.Context, reseller uuid.UUID, q TaskQuery) iter.Seq2[Task, error] {
	return manage.All(func(after string) ([]Task, string, error) {
		q.After = after
		return m.store.Tasks(ctx, reseller, q)
	})
}

// requests returns all requests of a query, page by page.
func (m *Manager) requests(ctx context.Context, reseller uuid.UUID, q RequestQuery) iter.Seq2[Request, error] {
	return manage.All(func(after string) ([]Request, string, error) {
		q.After = after
		return m.store.Requests(ctx, reseller, q)
	})
}
