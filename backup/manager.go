package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Defaults of Config.
const (
	DefaultGrace    = 24 * time.Hour
	DefaultParallel = 4
	DefaultDeadline = 6 * time.Hour
	DefaultTries    = 5
)

// Config is what a Manager works with.
type Config struct {
	Store   Store         // required
	Servers Servers       // required
	Hooks   Hooks         // zero: nobody is asked
	Clock   clock.Clock   // nil: real time
	Grace   time.Duration // from due to overdue; 0: DefaultGrace; negative is ErrInvalid

	// Ends tells when servers are scheduled to be cancelled; cancellation's Manager.Ends fits. nil: never.
	Ends func(ctx context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error)

	Performer Performer     // nil: people make the backups
	Parallel  int           // how many tasks it performs at once in this process; 0: DefaultParallel; negative is ErrInvalid
	Deadline  time.Duration // how long one try may take; 0: DefaultDeadline; negative is ErrInvalid
	Tries     int           // how often it tries before a task fails; 0: DefaultTries; negative is ErrInvalid
}

// Manager keeps requests for backups and the tasks that they become: all rules, permissions and changes of state are here.
// It holds no state of its own and is safe for concurrent use, in any number of processes over one Store.
//
// A record that the actor may not know of is ErrNotFound; so is everything for Role 0 and for an actor without a
// ResellerID, and for a client whatever concerns a server that it does not use now, but for reading its own records. What a
// client may see but not do is ErrForbidden, as is what a gate refuses. A record in the wrong state is ErrConflict, as is
// one that kept changing meanwhile. All errors but those of ctx and the Store are *Error, and those are wrapped in one.
type Manager struct{ conf *Config }

// New returns a Manager. A Store or Servers missing, or a number below zero, is ErrInvalid.
func New(c Config) (*Manager, error) {
	switch {
	case c.Store == nil:
		return nil, invalid("New", "Config.Store", "missing: a MemoryStore will do for a start")
	case c.Servers == nil:
		return nil, invalid("New", "Config.Servers", "missing: *dedicated.Manager fits")
	case c.Grace < 0:
		return nil, invalid("New", "Config.Grace", "%s is negative", c.Grace)
	case c.Parallel < 0:
		return nil, invalid("New", "Config.Parallel", "%d is negative", c.Parallel)
	case c.Deadline < 0:
		return nil, invalid("New", "Config.Deadline", "%s is negative", c.Deadline)
	case c.Tries < 0:
		return nil, invalid("New", "Config.Tries", "%d is negative", c.Tries)
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	c.Grace = defaulted(c.Grace, DefaultGrace)
	c.Parallel = defaulted(c.Parallel, DefaultParallel)
	c.Deadline = defaulted(c.Deadline, DefaultDeadline)
	c.Tries = defaulted(c.Tries, DefaultTries)
	return &Manager{&c}, nil
}

func defaulted[T comparable](given, fallback T) T {
	var zero T
	if given == zero {
		return fallback
	}
	return given
}

func (m *Manager) now() time.Time { return zone.Instant(m.conf.Clock.Now()) }

// Submit asks for backups: a client of a server that it uses, or the reseller on behalf of the client that uses it. The
// first task is made at once, for the first occurrence after now. ErrConflict: nobody uses the server, it is scheduled to
// be cancelled by the first occurrence, or the ID is taken.
func (m *Manager) Submit(ctx context.Context, a dedicated.Actor, f Form) (Request, error) {
	const op = "Submit"
	now := m.now()
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return Request{}, nobody(op)
	}
	fresh := f.ID == uuid.Nil
	if fresh {
		var err error
		if f.ID, err = uuid.NewRandom(); err != nil {
			return Request{}, asError(op, err)
		}
	}
	var result Request
	asked := false
	err := fault.Retry(ctx, func() error {
		if !fresh || asked { // what was committed may have been stored all the same
			stored, err := m.conf.Store.Request(ctx, f.ID)
			if !errors.Is(err, ErrNotFound) {
				result = stored
				return cmp.Or(err, repeated(a, f, stored))
			}
		}
		s, err := m.submitted(ctx, a, f, now)
		if err != nil {
			return err
		}
		if !asked {
			if err := m.conf.Hooks.ask(ctx, op, a, s.r); err != nil {
				return err
			}
			asked = true
		}
		err = m.commit(ctx, s, now)
		result = s.r
		result.Version++
		return err
	})
	if err != nil {
		return Request{}, asError(op, err)
	}
	return result.forActor(a), nil
}

// submitted makes the series of a new request.
func (m *Manager) submitted(ctx context.Context, a dedicated.Actor, f Form, now time.Time) (*series, error) {
	r, err := m.newRequest(ctx, a, f, now)
	if err != nil {
		return nil, err
	}
	s := &series{conf: m.conf, r: r}
	s.plan(now)
	s.tellRequested()
	return s, m.checkEnd(ctx, "Submit", s.r)
}

// newRequest makes the request of a form that is all right, for a server that is in use.
func (m *Manager) newRequest(ctx context.Context, a dedicated.Actor, f Form, now time.Time) (Request, error) {
	const op = "Submit"
	server, left, err := m.server(ctx, a.ResellerID, f.ServerID)
	if err != nil {
		return Request{}, err
	}
	if !a.Manages(server.ResellerID) && !a.Uses(server) {
		return Request{}, noServer(op, f.ServerID)
	}
	if left {
		return Request{}, &Error{Op: op, ServerID: server.ID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is %s: backups are for one that a client uses", server.Name, server.ID, server.State)}
	}
	if f, err = f.normal(op, now); err != nil {
		return Request{}, err
	}
	if err = f.Schedule.mustOccur(op, now); err != nil {
		return Request{}, err
	}
	return Request{
		ID: f.ID, ResellerID: server.ResellerID, ClientID: server.ClientID, ServerID: server.ID, Assignment: server.Assignment,
		Form: f, ServerName: server.Name, AtProvider: !server.Owner.Own(),
	}, nil
}

// repeated says whether a Submit whose ID is stored is a repeat of the one that stored it.
func repeated(a dedicated.Actor, f Form, stored Request) error {
	taken := &Error{Op: "Submit", RequestID: f.ID, Field: "ID", Err: ErrConflict,
		Msg: fmt.Sprintf("the ID %s is taken by another request", f.ID)}
	switch {
	case !a.Manages(stored.ResellerID) && !a.IsClient(stored.ResellerID, stored.ClientID):
		return taken
	case f.same(stored.Form):
		return nil
	}
	stored = stored.forActor(a)
	taken.Existing = &stored
	return taken
}

// checkEnd refuses a new request whose first task would not run any more.
func (m *Manager) checkEnd(ctx context.Context, op string, r Request) error {
	ends, err := m.ends(ctx, []uuid.UUID{r.ServerID})
	if err != nil {
		return asError(op, err)
	}
	end := ends[r.ServerID]
	if end.IsZero() || r.Planned.Before(end) {
		return nil
	}
	return &Error{Op: op, RequestID: r.ID, ServerID: r.ServerID, Field: "Schedule", Err: ErrConflict,
		Msg: fmt.Sprintf("server %s (%s) will be cancelled at %s: a first backup at %s is not before that",
			r.ServerName, r.ServerID, end.Format(time.RFC3339), r.Planned.Format(time.RFC3339))}
}

// Revise changes what a live request asks for; the form is given whole. Text changes for all pending tasks. A schedule
// that changes counts from now on: the task made ahead moves to its first occurrence, unless it is due already; then it
// stays, as do occurrences that were settled ahead of time. A zero Start keeps the one there is if nothing else changes,
// else it is the present.
func (m *Manager) Revise(ctx context.Context, a dedicated.Actor, id uuid.UUID, f Form) (Request, error) {
	const op = "Revise"
	asked := false
	return m.onRequest(ctx, a, op, id, needs{server: true, revising: true}, func(s *series, now time.Time) error {
		if err := s.mustLive(op); err != nil {
			return err
		}
		if f.ID != uuid.Nil && f.ID != id {
			return invalid(op, "ID", "%s is another request's: want nil or %s", f.ID, id)
		}
		if f.ServerID != uuid.Nil && f.ServerID != s.r.ServerID {
			return invalid(op, "ServerID", "a request stays with its server: want nil or %s", s.r.ServerID)
		}
		form := f
		form.ID, form.ServerID = s.r.ID, s.r.ServerID
		if form.same(s.r.Form) {
			return nil
		}
		if kept := f.Schedule.normal(s.r.Form.Schedule.Start); kept.same(s.r.Form.Schedule) {
			form.Schedule = kept
		}
		form, err := form.normal(op, now)
		if err != nil {
			return err
		}
		if err := s.revise(op, form, now); err != nil {
			return err
		}
		s.tellRequested()
		if asked {
			return nil
		}
		asked = true
		return m.conf.Hooks.ask(ctx, op, a, s.r)
	})
}

// Withdraw ends a whole series: what is pending of it is cancelled, and the client is told once. The reason is one line of
// at most MaxReason bytes, or "".
func (m *Manager) Withdraw(ctx context.Context, a dedicated.Actor, id uuid.UUID, reason string) (Request, error) {
	const op = "Withdraw"
	return m.onRequest(ctx, a, op, id, needs{}, func(s *series, now time.Time) error {
		if err := checkLine(op, "reason", reason); err != nil {
			return err
		}
		if err := s.mustLive(op); err != nil {
			return err
		}
		tasks, err := s.stop(op, now, Withdrawn, reason)
		s.facts = append(s.facts, fact{KindWithdrawn, &s.r, nil, EndNotice{
			RequestID: s.r.ID, ServerID: s.r.ServerID, ServerName: s.r.ServerName, Reason: reason, Tasks: s.endTasks(tasks),
		}})
		return err
	})
}

func (s *series) mustLive(op string) error {
	if s.r.Live() {
		return nil
	}
	return &Error{Op: op, RequestID: s.r.ID, ServerID: s.r.ServerID, Err: ErrConflict,
		Msg: fmt.Sprintf("the backup request of %s has ended at %s (%s): %s takes a live one",
			s.r.ServerName, s.r.Ended.Format(time.RFC3339), s.r.Ending, op)}
}

// forActor is what the actor may see of a request.
func (r Request) forActor(a dedicated.Actor) Request {
	if !a.Manages(r.ResellerID) {
		r.AtProvider = false
	}
	return r
}

// needs is what an operation on something stored asks for beyond the right to see it.
type needs struct {
	reseller bool // the reseller alone may do it
	server   bool // the server must still be the client's
	revising bool // it may change the schedule
}

// onRequest reads a request, lets do decide what becomes of its series and commits; after a conflict it reads and decides
// again.
func (m *Manager) onRequest(
	ctx context.Context, a dedicated.Actor, op string, id uuid.UUID, n needs, do func(s *series, now time.Time) error,
) (Request, error) {
	now := m.now()
	var result Request
	err := fault.Retry(ctx, func() error {
		r, err := m.seen(ctx, a, op, id)
		if err != nil {
			return err
		}
		if err := m.allow(ctx, a, op, r, n); err != nil {
			return err
		}
		s, err := m.load(ctx, r, now, n.revising)
		if err != nil {
			return err
		}
		if err := do(s, now); err != nil {
			return err
		}
		if len(s.facts) == 0 {
			result = r // nothing has changed
			return nil
		}
		err = m.commit(ctx, s, now)
		result = s.r
		result.Version++
		return err
	})
	if err != nil {
		return Request{}, asError(op, err)
	}
	return result.forActor(a), nil
}
