package dedicated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Config is what a Manager works with.
type Config struct {
	Store Store       // required
	Hooks Hooks       // zero: nobody is asked
	Clock clock.Clock // nil: real time
}

// Manager keeps a reseller's servers: all rules, permissions and changes of state are here. It holds no state of its own
// and is safe for concurrent use, in any number of processes over one Store.
//
// A server that the actor may not know of is ErrNotFound; so is everything for Role 0 and for an actor without a
// ResellerID. What a client may see but not do is ErrForbidden, as is what a gate refuses. A server in the wrong state is
// ErrConflict, as is one that kept changing meanwhile. All errors but those of ctx and the Store are *Error, and those
// are wrapped in one.
type Manager struct {
	store Store
	hooks *Hooks
	clock clock.Clock
}

// New returns a Manager, or ErrInvalid without a Store.
func New(c Config) (*Manager, error) {
	if c.Store == nil {
		return nil, invalid("New", "Config.Store", "missing: a MemoryStore will do for a start")
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	return &Manager{store: c.Store, hooks: &c.Hooks, clock: c.Clock}, nil
}

// NewServer is a server to add.
type NewServer struct {
	ID    uuid.UUID // optional; a repeat with the same ID and content returns what is stored
	Name  string    // one line of at most MaxName bytes
	Owner Owner     // zero: the reseller's own
}

// Add puts a server in stock. An ID that is taken by a server with another content is ErrConflict.
func (m *Manager) Add(ctx context.Context, a Actor, p NewServer) (Server, error) {
	const op = "Add"
	if !a.Manages(a.ResellerID) {
		return Server{}, nobody(op, a)
	}
	if err := errors.Join(checkName(op, p.Name), p.Owner.validate(op)); err != nil {
		return Server{}, err
	}
	if p.ID == uuid.Nil {
		id, err := uuid.NewRandom()
		if err != nil {
			return Server{}, asError(op, uuid.Nil, err)
		}
		p.ID = id
	}
	s := Server{ID: p.ID, ResellerID: a.ResellerID, Name: p.Name, Owner: p.Owner, State: InStock}
	if err := m.hooks.ask(ctx, op, a, s); err != nil {
		return Server{}, err
	}
	if err := m.store.Commit(ctx, Change{Servers: []Server{s}}); err != nil {
		return m.added(ctx, s, err)
	}
	s.Version++
	return s, nil
}

// added answers an Add whose Commit failed: with what is stored, if that is a repeat's.
func (m *Manager) added(ctx context.Context, s Server, failure error) (Server, error) {
	if !errors.Is(failure, ErrConflict) {
		return Server{}, asError("Add", s.ID, failure)
	}
	stored, err := m.store.Server(ctx, s.ID)
	if err != nil {
		return Server{}, asError("Add", s.ID, errors.Join(failure, err))
	}
	if stored.ResellerID != s.ResellerID || stored.Name != s.Name || stored.Owner != s.Owner {
		return Server{}, &Error{Op: "Add", ServerID: s.ID, Field: "ID", Err: ErrConflict,
			Msg: fmt.Sprintf("the ID %s is taken by another server", s.ID)}
	}
	return stored, nil
}

// NewAssignment gives a server to a client.
type NewAssignment struct {
	ClientID uuid.UUID // required
	Billing  Billing   // required; the Anchor is kept in UTC, to the microsecond
}

// Assign gives a server in stock to a client, under a fresh assignment, and tells the client.
func (m *Manager) Assign(ctx context.Context, a Actor, id uuid.UUID, n NewAssignment) (Server, error) {
	const op = "Assign"
	assignment, err := uuid.NewRandom()
	if err != nil {
		return Server{}, asError(op, id, err)
	}
	return m.change(ctx, a, op, id, func(s Server, now time.Time) (Server, []fact, error) {
		if n.ClientID == uuid.Nil {
			return s, nil, invalid(op, "ClientID", "missing: the client that gets the server")
		}
		b, err := n.Billing.normal(op)
		if err != nil {
			return s, nil, err
		}
		s, err = s.moved(op)
		s.ClientID, s.Billing, s.BilledAt, s.Assignment, s.AssignedAt = n.ClientID, b, now, assignment, now
		return s, []fact{s.tell(KindAssigned, "")}, err
	})
}

// ChangeBilling changes the billing of the present assignment from now on; what depends on its periods follows.
func (m *Manager) ChangeBilling(ctx context.Context, a Actor, id uuid.UUID, b Billing) (Server, error) {
	const op = "ChangeBilling"
	return m.change(ctx, a, op, id, func(s Server, now time.Time) (Server, []fact, error) {
		b, err := b.normal(op)
		if err != nil {
			return s, nil, err
		}
		s, err = s.moved(op)
		if s.Billing != b {
			s.Billing, s.BilledAt = b, now
		}
		return s, []fact{{KindBillingChanged, BillingChanged{ServerID: s.ID, Assignment: s.Assignment, At: now}}}, err
	})
}

// normal is the billing as it is stored.
func (b Billing) normal(op string) (Billing, error) {
	b.Anchor = zone.Instant(b.Anchor)
	err := b.Validate()
	var e *Error
	if errors.As(err, &e) {
		e.Op, e.Field = op, "Billing."+e.Field
	}
	return b, err
}

// Rename changes the name, in whatever state the server is.
func (m *Manager) Rename(ctx context.Context, a Actor, id uuid.UUID, name string) (Server, error) {
	return m.change(ctx, a, "Rename", id, func(s Server, _ time.Time) (Server, []fact, error) {
		s.Name = name
		return s, nil, checkName("Rename", name)
	})
}

// Suspend puts a server in use on hold and tells the client why. The reason is one line of at most MaxReason bytes, or "".
func (m *Manager) Suspend(ctx context.Context, a Actor, id uuid.UUID, reason string) (Server, error) {
	const op = "Suspend"
	return m.change(ctx, a, op, id, func(s Server, _ time.Time) (Server, []fact, error) {
		if err := checkLine(op, "reason", reason, MaxReason); err != nil {
			return s, nil, err
		}
		s, err := s.moved(op)
		return s, []fact{s.tell(KindSuspended, reason)}, err
	})
}

// Resume ends a Suspend and tells the client.
func (m *Manager) Resume(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	return m.change(ctx, a, "Resume", id, func(s Server, _ time.Time) (Server, []fact, error) {
		s, err := s.moved("Resume")
		return s, []fact{s.tell(KindResumed, "")}, err
	})
}

// Release ends an assignment: in_use or suspended to clean_up. busy is the cancellation that will wipe the server; while it
// is set, Restock and Retire are refused until Unlock with the same key. Nil: released by hand, and the client is told.
//
// In clean_up still under this assignment Release succeeds again, telling nobody, and sets busy if that is not nil and
// none is set. Restocked, retired, assigned again or busy with another key: ErrConflict. The reason is one line of at most
// MaxReason bytes, or "".
func (m *Manager) Release(ctx context.Context, a Actor, id, assignment, busy uuid.UUID, reason string) (Server, error) {
	const op = "Release"
	return m.change(ctx, a, op, id, func(s Server, now time.Time) (Server, []fact, error) {
		if err := checkLine(op, "reason", reason, MaxReason); err != nil {
			return s, nil, err
		}
		if assignment == uuid.Nil || s.Assignment != assignment {
			return s, nil, &Error{Op: op, ServerID: s.ID, Field: "assignment", State: s.State, Err: ErrConflict,
				Msg: fmt.Sprintf("server %s (%s) is not under assignment %s any more", s.Name, s.ID, assignment)}
		}
		if s.State == CleanUp {
			s, err := s.busyWith(op, busy)
			return s, nil, err
		}
		s, err := s.moved(op)
		s.LockedBy = busy
		return s, s.departure(now, reason), err
	})
}

// busyWith sets a busy key that may be there already.
func (s Server) busyWith(op string, busy uuid.UUID) (Server, error) {
	if busy == uuid.Nil || s.LockedBy == busy {
		return s, nil
	}
	if s.LockedBy != uuid.Nil {
		return s, s.refuseBusy(op)
	}
	s.LockedBy = busy
	return s, nil
}

func (s Server) refuseBusy(op string) error {
	return &Error{Op: op, ServerID: s.ID, State: s.State, Err: ErrConflict,
		Msg: fmt.Sprintf("server %s (%s) is busy: cancellation %s is still wiping it", s.Name, s.ID, s.LockedBy)}
}

func (s Server) departure(now time.Time, reason string) []fact {
	facts := []fact{{KindReleased, Released{
		ResellerID: s.ResellerID, ServerID: s.ID, ClientID: s.ClientID, Assignment: s.Assignment,
		CancellationID: s.LockedBy, At: now, Reason: reason,
	}}}
	if s.LockedBy == uuid.Nil {
		facts = append(facts, s.tell(KindEnded, reason))
	}
	return facts
}

// Unlock says that the cancellation with the key busy has finished with the server. A server that is not busy is left as
// it is, so that it may be said again; one that is busy with another key is ErrConflict.
func (m *Manager) Unlock(ctx context.Context, a Actor, id, busy uuid.UUID) (Server, error) {
	const op = "Unlock"
	return m.change(ctx, a, op, id, func(s Server, _ time.Time) (Server, []fact, error) {
		if busy == uuid.Nil {
			return s, nil, invalid(op, "key", "missing: the key that Release was given is wanted")
		}
		if s.LockedBy != uuid.Nil && s.LockedBy != busy {
			return s, nil, s.refuseBusy(op)
		}
		s.LockedBy = uuid.Nil
		return s, nil, nil
	})
}

// Restock puts a cleaned server back in stock and forgets its last assignment. ErrConflict while it is busy.
func (m *Manager) Restock(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	return m.vacate(ctx, a, "Restock", id)
}

// Retire takes a server in stock or in clean_up out of service for good. ErrConflict while it is busy.
func (m *Manager) Retire(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	return m.vacate(ctx, a, "Retire", id)
}

func (m *Manager) vacate(ctx context.Context, a Actor, op string, id uuid.UUID) (Server, error) {
	return m.change(ctx, a, op, id, func(s Server, _ time.Time) (Server, []fact, error) {
		if s.LockedBy != uuid.Nil {
			return s, nil, s.refuseBusy(op)
		}
		s, err := s.moved(op)
		return s.free(), nil, err
	})
}

// change reads a server, lets do decide what becomes of it, asks the gates and commits; after a conflict it reads and
// decides again. Where do leaves the server as it is, nothing is written and nobody asked.
func (m *Manager) change(
	ctx context.Context, a Actor, op string, id uuid.UUID, do func(Server, time.Time) (Server, []fact, error),
) (Server, error) {
	now := zone.Instant(m.clock.Now())
	var result Server
	asked := false
	err := fault.Retry(ctx, func() error {
		s, err := m.managed(ctx, a, op, id)
		if err != nil {
			return err
		}
		next, facts, err := do(s, now)
		if err != nil || next == s {
			result = s
			return err
		}
		if !asked { // maybe not in the first round: a store's read may conflict, too
			if err := m.hooks.ask(ctx, op, a, next); err != nil {
				return err
			}
			asked = true
		}
		events, err := next.events(now, facts)
		if err != nil {
			return err
		}
		result = next
		result.Version++
		return m.store.Commit(ctx, Change{Servers: []Server{next}, Events: events})
	})
	if err != nil {
		return Server{}, asError(op, id, err)
	}
	return result, nil
}

// managed reads a server that the actor may change.
func (m *Manager) managed(ctx context.Context, a Actor, op string, id uuid.UUID) (Server, error) {
	s, err := m.seen(ctx, a, op, id)
	if err == nil && !a.Manages(s.ResellerID) {
		return s, &Error{Op: op, ServerID: id, Err: ErrForbidden,
			Msg: fmt.Sprintf("a %s may see server %s (%s), %s is the reseller's", a.Role, s.Name, s.ID, op)}
	}
	return s, err
}

// seen reads a server that the actor may know of, unredacted.
func (m *Manager) seen(ctx context.Context, a Actor, op string, id uuid.UUID) (Server, error) {
	if id == uuid.Nil {
		return Server{}, notFound(op, id)
	}
	s, err := m.store.Server(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !a.Manages(s.ResellerID) && !a.Uses(s) {
		return Server{}, notFound(op, id)
	}
	return s, err
}

// nobody refuses who may not do what concerns no server yet.
func nobody(op string, a Actor) error {
	if a.IsClient(a.ResellerID, a.ID) {
		return &Error{Op: op, Err: ErrForbidden, Msg: op + " is the reseller's, not a client's"}
	}
	return &Error{Op: op, Err: ErrNotFound, Msg: op + ": no reseller to act for: Actor needs a Role and a ResellerID"}
}

// Server returns a server that the actor may see. A client gets the servers that it uses now, without Owner and LockedBy.
func (m *Manager) Server(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	s, err := m.seen(ctx, a, "Server", id)
	if err != nil {
		return Server{}, asError("Server", id, err)
	}
	if !a.Manages(s.ResellerID) {
		s = s.forClient()
	}
	return s, nil
}

// Servers lists the actor's reseller's servers by name, ties by ID; next is the cursor for Query.After, "" at the end. A
// client gets the servers that it uses now, without Owner and LockedBy, and may not search by owner: that is ErrForbidden.
// A cursor that is not this list's, a negative limit and an unknown Owner are ErrInvalid.
func (m *Manager) Servers(ctx context.Context, a Actor, q Query) (items []Server, next string, err error) {
	const op = "Servers"
	if a.Manages(a.ResellerID) {
		items, next, err = m.store.Servers(ctx, a.ResellerID, q)
		return items, next, asError(op, uuid.Nil, err)
	}
	if !a.IsClient(a.ResellerID, a.ID) {
		return nil, "", nobody(op, a)
	}
	if q.Owner != "" {
		return nil, "", &Error{Op: op, Field: "Owner", Err: ErrForbidden, Msg: "whose machines servers are is the reseller's to know"}
	}
	q, possible := q.forClient(a.ID)
	if !possible {
		return nil, "", nil
	}
	items, next, err = m.store.Servers(ctx, a.ResellerID, q)
	for i := range items {
		items[i] = items[i].forClient()
	}
	return items, next, asError(op, uuid.Nil, err)
}

// forClient narrows a query to what a client uses; false where nothing can match.
func (q Query) forClient(client uuid.UUID) (Query, bool) {
	if q.ClientID != uuid.Nil && q.ClientID != client {
		return q, false
	}
	q.ClientID = client
	var states []State
	for _, state := range []State{InUse, Suspended} {
		if len(q.States) == 0 || slices.Contains(q.States, state) {
			states = append(states, state)
		}
	}
	q.States = states
	return q, len(states) > 0
}
