package backup

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Servers is the part of the host's inventory that this package needs. *dedicated.Manager fits, and so does a host's own table.
// The Manager always asks as dedicated.System of one reseller, and checks the client itself. The answer must have the server's
// ResellerID, ClientID, Assignment, State and Owner. Many goroutines call it at once. A Servers that is also a
// dedicated.BulkInventory is asked for many servers at once.
type Servers interface {
	// Server returns one server, or an error that is ErrNotFound. The Manager reads ID, ResellerID, ClientID, Name, Owner, State and
	// Assignment. A server that is not in_use or suspended, or that has another reseller or client, has left the client.
	Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error)
}

// The defaults of Config.
const (
	DefaultGrace    = 24 * time.Hour // of Config.Grace
	DefaultParallel = 4              // of Config.Parallel
	DefaultDeadline = 6 * time.Hour  // of Config.Deadline
	DefaultTries    = 5              // of Config.Tries
	// DefaultCallTimeout is the default of Config.CallTimeout.
	DefaultCallTimeout = time.Minute
)

// Config is what a Manager works with.
type Config struct {
	Store   Store         // required
	Servers Servers       // required
	Hooks   Hooks         // zero: no gates
	Clock   clock.Clock   // nil: real time
	Grace   time.Duration // from a task's date until it is overdue; 0: DefaultGrace; negative is ErrInvalid

	// Ends returns when servers will be cancelled; a server without an entry will not be. cancellation's Manager.Ends fits.
	// nil: no server will be cancelled.
	Ends func(ctx context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error)

	// CallTimeout is the deadline of each call of the inventory, a gate and Ends, in real time. 0: DefaultCallTimeout; negative is ErrInvalid.
	CallTimeout time.Duration

	// Epoch is the epoch that the database of this process holds: see "Restore" in the comment of the package. It enters the IDs of new
	// events. At most notify.MaxEpoch visible characters of ASCII without spaces. "": that of the Store if it is a dedicated.EpochStore,
	// otherwise the first one. Another one than that of the Store is ErrInvalid.
	Epoch string

	Performer Performer     // nil: people make the backups
	Parallel  int           // how many tasks it performs at once in this process; 0: DefaultParallel; negative is ErrInvalid
	Deadline  time.Duration // how long one try may take; 0: DefaultDeadline; negative is ErrInvalid
	Tries     int           // how often it tries before a task fails; 0: DefaultTries; negative is ErrInvalid
}

// Manager keeps requests for backups and the tasks that they become. It enforces all rules, permissions and changes of state.
// It holds no state of its own and is safe for concurrent use, in any number of processes over one Store.
//
// A record that the actor may not know of is ErrNotFound. Everything is ErrNotFound for Role 0 and for an actor without a
// ResellerID. A client may read its own records without a time limit. After the server has left the client, every other
// operation of the client is ErrNotFound. ErrForbidden is an operation that is not for clients, or that a gate refused. ErrConflict
// is a record in the wrong state, or one that changed five times while an operation decided. ErrHost is a Store, an
// inventory, a gate or Ends that failed. If ctx ends, errors.Is finds its error. All errors are *Error.
type Manager struct {
	config  *Config
	store   Store
	servers dedicated.Inventory // config.Servers, with deadlines
	calls   *fault.Calls
}

// New returns a Manager. ErrInvalid is a Config without a Store or Servers, or with a negative number.
func New(c Config) (*Manager, error) {
	switch {
	case c.Store == nil:
		return nil, invalid(opNew, "Config.Store", "missing: a MemoryStore will do for a start")
	case c.Servers == nil:
		return nil, invalid(opNew, "Config.Servers", "missing: *dedicated.Manager fits")
	case c.Grace < 0:
		return nil, invalid(opNew, "Config.Grace", "%s is negative", c.Grace)
	case c.Parallel < 0:
		return nil, invalid(opNew, "Config.Parallel", "%d is negative", c.Parallel)
	case c.Deadline < 0:
		return nil, invalid(opNew, "Config.Deadline", "%s is negative", c.Deadline)
	case c.Tries < 0:
		return nil, invalid(opNew, "Config.Tries", "%d is negative", c.Tries)
	case c.CallTimeout < 0:
		return nil, invalid(opNew, "Config.CallTimeout", "%s is negative", c.CallTimeout)
	}
	epoch, err := manage.Epoch(c.Store, c.Epoch)
	if err != nil {
		return nil, &Error{Op: opNew, Field: "Config.Epoch", Msg: err.Error(), Err: ErrInvalid}
	}
	c.Epoch = epoch
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	c.Grace = cmp.Or(c.Grace, DefaultGrace)
	c.Parallel = cmp.Or(c.Parallel, DefaultParallel)
	c.Deadline = cmp.Or(c.Deadline, DefaultDeadline)
	c.Tries = cmp.Or(c.Tries, DefaultTries)
	calls := fault.NewCalls(cmp.Or(c.CallTimeout, DefaultCallTimeout), fault.MaxLeft)
	return &Manager{config: &c, store: guarded(c.Store), servers: inventory.Bind(c.Servers, calls), calls: calls}, nil
}

func (m *Manager) now() time.Time { return zone.Instant(m.config.Clock.Now()) }

// Submit asks for backups. A client may submit for a server that it uses, the reseller on behalf of the client that uses it.
// The first task is made at once, for the first occurrence after now. ErrConflict is a server that no client uses, a server
// that will be cancelled before the first occurrence, and an ID that another request has.
func (m *Manager) Submit(ctx context.Context, a dedicated.Actor, f Form) (Request, error) {
	if err := checkActor(OpSubmit, a); err != nil {
		return Request{}, err
	}
	if f.ID == uuid.Nil {
		id, err := uuid.NewRandom()
		if err != nil {
			return Request{}, explain(OpSubmit, ids{server: f.ServerID}, err)
		}
		f.ID = id
	}
	now := m.now()
	s, err := manage.Operation[reading, *series]{
		Read: func(ctx context.Context) (reading, error) { return m.readForSubmit(ctx, a, f) },
		Decide: func(r reading) (*series, bool, error) {
			if r.request.ID != uuid.Nil {
				return &series{request: r.request}, false, f.checkRepeat(a, r.request)
			}
			s, err := r.draft(m.config, a, f, now)
			return s, true, err
		},
		Gate: func(ctx context.Context, s *series) error { return m.askGates(ctx, OpSubmit, a, s.request) },
		Covers: func(asked, later *series) bool {
			return later.request.ClientID == asked.request.ClientID && later.request.Assignment == asked.request.Assignment
		},
		Commit: func(ctx context.Context, s *series) error { return m.commit(ctx, s, now) },
	}.Run(ctx)
	if err != nil {
		return Request{}, explain(OpSubmit, ids{request: f.ID, server: f.ServerID}, err)
	}
	if s.request.Version == 0 {
		s.request.Version++
	}
	return s.request.forActor(a), nil
}

// readForSubmit reads the request that has the form's ID. If no request has it, it reads the server.
func (m *Manager) readForSubmit(ctx context.Context, a dedicated.Actor, f Form) (r reading, err error) {
	if r.request, err = m.store.Request(ctx, f.ID); !errors.Is(err, ErrNotFound) {
		return r, err
	}
	r.server, r.found, err = inventory.Server(ctx, m.servers, a.ResellerID, f.ServerID)
	if err == nil && r.found {
		r.ends, err = m.ends(ctx, []uuid.UUID{f.ServerID})
	}
	return r, err
}

// Revise changes the form of a live request. The given form replaces the stored one as a whole. Its What applies to all pending
// tasks. A changed schedule counts from now on: the planned task moves to the first occurrence of the new schedule, unless it is
// due already. Tasks that were closed before their date stay closed. A zero Start keeps the stored Start if the rest of the
// schedule is unchanged; otherwise it becomes the present. A form without a change writes nothing and asks no gate.
func (m *Manager) Revise(ctx context.Context, a dedicated.Actor, id uuid.UUID, f Form) (Request, error) {
	gate := func(ctx context.Context, s *series) error { return m.askGates(ctx, OpRevise, a, s.request) }
	return m.changeRequest(ctx, a, OpRevise, id, gate, func(s *series, now time.Time) (bool, error) { return s.revise(f, now) })
}

// Withdraw ends a request and cancels all its pending tasks. The client is told once. The reason is one line of at most
// MaxReason bytes, or "".
func (m *Manager) Withdraw(ctx context.Context, a dedicated.Actor, id uuid.UUID, reason string) (Request, error) {
	return m.changeRequest(ctx, a, OpWithdraw, id, nil, func(s *series, now time.Time) (bool, error) {
		return true, s.withdraw(reason, now)
	})
}

// changeRequest runs an operation on one request. If rule reports no change, nothing is written and no gate is asked.
func (m *Manager) changeRequest(
	ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID,
	gate func(context.Context, *series) error, rule func(s *series, now time.Time) (changed bool, err error),
) (Request, error) {
	now := m.now()
	changed := false
	s, err := manage.Operation[reading, *series]{
		Read: func(ctx context.Context) (reading, error) { return m.readForRequest(ctx, a, op, id, now) },
		Decide: func(r reading) (*series, bool, error) {
			if err := r.checkAllowed(op, a); err != nil {
				return nil, false, err
			}
			s := r.series(m.config, now)
			m.decidedBy(a, &s.request)
			var err error
			if changed, err = rule(s, now); !changed {
				s.request = r.request
			}
			return s, changed, err
		},
		Gate:   gate,
		Commit: func(ctx context.Context, s *series) error { return m.commit(ctx, s, now) },
	}.Run(ctx)
	if err != nil {
		return Request{}, explain(op, ids{request: id}, err)
	}
	if changed {
		s.request.Version++
	}
	return s.request.forActor(a), nil
}

// Complete records that a pending task was done. The client is told. A task that is not pending is ErrConflict.
func (m *Manager) Complete(ctx context.Context, a dedicated.Actor, task uuid.UUID, r Result) (Task, error) {
	return m.changeTask(ctx, a, OpComplete, task, func(s *series, t *Task, now time.Time) error { return s.complete(t, r, now) })
}

// Fail records that a pending task failed. The client is told why. The reason is one line of at most MaxReason bytes, and not
// blank. If the schedule has no further occurrence, the request ends. The task can still be retried.
func (m *Manager) Fail(ctx context.Context, a dedicated.Actor, task uuid.UUID, reason string) (Task, error) {
	return m.changeTask(ctx, a, OpFail, task, func(s *series, t *Task, now time.Time) error {
		return s.fail(t, reason, false, now)
	})
}

// Retry makes a failed task pending again, as its next attempt, beside the planned task. It keeps its ID and its date. The
// client must still use the server, and the request must not be withdrawn.
func (m *Manager) Retry(ctx context.Context, a dedicated.Actor, task uuid.UUID) (Task, error) {
	return m.changeTask(ctx, a, OpRetry, task, func(s *series, t *Task, now time.Time) error { return s.retry(t, now) })
}

// Cancel records that one pending task will not be done. The client is told. The request continues. The reason is one line of
// at most MaxReason bytes, or "".
func (m *Manager) Cancel(ctx context.Context, a dedicated.Actor, task uuid.UUID, reason string) (Task, error) {
	return m.changeTask(ctx, a, OpCancel, task, func(s *series, t *Task, now time.Time) error { return s.cancel(t, reason, now) })
}

// taskDecision is what an operation on a task makes of its series, and of the task as the actor may see it.
type taskDecision struct {
	series *series
	task   Task
}

// changeTask runs an operation on one task.
func (m *Manager) changeTask(
	ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID, rule func(s *series, t *Task, now time.Time) error,
) (Task, error) {
	now := m.now()
	d, err := manage.Operation[reading, taskDecision]{
		Read: func(ctx context.Context) (reading, error) { return m.readForTask(ctx, a, op, id, now) },
		Decide: func(r reading) (taskDecision, bool, error) {
			if err := r.checkAllowed(op, a); err != nil {
				return taskDecision{}, false, err
			}
			s := r.series(m.config, now)
			m.decidedBy(a, &s.request)
			t, open := s.find(id)
			if !open {
				t = s.addStored(r.task)
			}
			if err := rule(s, t, now); err != nil {
				return taskDecision{}, false, err
			}
			return taskDecision{s, t.forActor(a, m.config.Grace, r.ends[t.ServerID], now)}, true, nil
		},
		Commit: func(ctx context.Context, d taskDecision) error { return m.commit(ctx, d.series, now) },
	}.Run(ctx)
	if err != nil {
		return Task{}, explain(op, ids{task: id}, err)
	}
	d.task.Version++
	return d.task, nil
}

// Request returns a request that the actor may see. A client sees its own, also those of servers that it used earlier.
func (m *Manager) Request(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Request, error) {
	r, err := m.visibleRequest(ctx, a, opRequest, id)
	if err != nil {
		return Request{}, explain(opRequest, ids{request: id}, err)
	}
	return r.forActor(a), nil
}

// Requests lists the requests of the actor's reseller by the name of the server, ties by ID. next is the cursor for
// RequestQuery.After, "" at the end. A client gets its own, and may not search for unconfirmed ones: that is ErrForbidden. A
// cursor that is not one of this list and a negative limit are ErrInvalid.
func (m *Manager) Requests(ctx context.Context, a dedicated.Actor, q RequestQuery) (items []Request, next string, err error) {
	q, possible, err := q.forActor(opRequests, a)
	if err != nil || !possible {
		return nil, "", err
	}
	q.Epoch = m.config.Epoch
	items, next, err = m.store.Requests(ctx, a.ResellerID, q)
	for i := range items {
		items[i] = items[i].forActor(a)
	}
	return items, next, explain(opRequests, ids{}, err)
}

// Task returns a task that the actor may see. A client sees its own, also those of servers that it used earlier.
func (m *Manager) Task(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Task, error) {
	now := m.now()
	t, err := m.visibleTask(ctx, a, opTask, id)
	if err != nil {
		return Task{}, explain(opTask, ids{task: id}, err)
	}
	tasks := []Task{t}
	if err := m.showTasks(ctx, a, now, tasks); err != nil {
		return Task{}, explain(opTask, ids{task: id}, err)
	}
	return tasks[0], nil
}

// Tasks lists the tasks of the actor's reseller by date, ties by ID. next is the cursor for TaskQuery.After, "" at the end. A
// client gets its own. It may not search by owner: that is ErrForbidden. A cursor that is not one of this list, a negative
// limit, an unknown state and an unknown Owner are ErrInvalid.
func (m *Manager) Tasks(ctx context.Context, a dedicated.Actor, q TaskQuery) (items []Task, next string, err error) {
	now := m.now()
	q, possible, err := q.forActor(opTasks, a, m.config.Grace, now)
	if err != nil || !possible {
		return nil, "", err
	}
	items, next, err = m.store.Tasks(ctx, a.ResellerID, q)
	if err == nil {
		err = m.showTasks(ctx, a, now, items)
	}
	if err != nil {
		return nil, "", explain(opTasks, ids{}, err)
	}
	return items, next, nil
}

// Counts counts the tasks that Tasks lists, on all pages together. The result has every state.
func (m *Manager) Counts(ctx context.Context, a dedicated.Actor, q TaskQuery) (map[State]int, error) {
	all := map[State]int{}
	for _, state := range States() {
		all[state] = 0
	}
	q, possible, err := q.forActor(opCounts, a, m.config.Grace, m.now())
	if err != nil || !possible {
		return all, err
	}
	q.Limit, q.After = 0, ""
	counts, err := m.store.Counts(ctx, a.ResellerID, q)
	if err != nil {
		return nil, explain(opCounts, ids{}, err)
	}
	for state, n := range counts {
		all[state] = n
	}
	return all, nil
}

// showTasks replaces stored tasks by what the actor may see of them at now.
func (m *Manager) showTasks(ctx context.Context, a dedicated.Actor, now time.Time, tasks []Task) error {
	var servers []uuid.UUID
	for _, t := range tasks {
		if t.State == Pending {
			servers = append(servers, t.ServerID)
		}
	}
	ends, err := m.ends(ctx, manage.Distinct(servers))
	if err != nil {
		return err
	}
	for i, t := range tasks {
		tasks[i] = t.forActor(a, m.config.Grace, ends[t.ServerID], now)
	}
	return nil
}

// decidedBy records that the reseller has decided on a request in the present epoch. What a client decides confirms nothing: after a
// restore it may be a former client.
func (m *Manager) decidedBy(a dedicated.Actor, r *Request) {
	if a.Manages(r.ResellerID) {
		r.Epoch = m.config.Epoch
	}
}
