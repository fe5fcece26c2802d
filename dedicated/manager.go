package dedicated

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Config is what a Manager works with.
type Config struct {
	Store Store       // required
	Hooks Hooks       // zero: no gates
	Clock clock.Clock // nil: real time
	// CallTimeout is the deadline of each call of a gate, in real time. 0: DefaultCallTimeout; negative is ErrInvalid.
	CallTimeout time.Duration
	// Epoch is the epoch that the database of this process holds; it enters the IDs of new events. An operator begins another one
	// after restoring a copy. At most notify.MaxEpoch visible characters of ASCII without spaces. "": that of the Store if it is a
	// EpochStore, otherwise the first one. Another one than that of the Store is ErrInvalid.
	Epoch string
}

// DefaultCallTimeout is the default of Config.CallTimeout.
const DefaultCallTimeout = time.Minute

// Manager keeps a reseller's servers. It enforces all rules, permissions and changes of state. It holds no state of its own
// and is safe for concurrent use, in any number of processes over one Store.
//
// A server that the actor may not know of is ErrNotFound. Everything is ErrNotFound for Role 0 and for an actor without a
// ResellerID. ErrForbidden is what a client may see but not do, and what a gate refuses. ErrConflict is a server in the
// wrong state, or one that changed five times while an operation decided. ErrHost is a failed Store or gate. If ctx
// ends, errors.Is finds its error. All errors are *Error.
type Manager struct {
	store Store
	hooks *Hooks
	clock clock.Clock
	calls *fault.Calls
	epoch string
}

// New returns a Manager. ErrInvalid is a Config without a Store, with a negative CallTimeout, and with an Epoch that is no epoch.
func New(c Config) (*Manager, error) {
	switch {
	case c.Store == nil:
		return nil, invalid(opNew, "Config.Store", "missing: a MemoryStore will do for a start")
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
	calls := fault.NewCalls(cmp.Or(c.CallTimeout, DefaultCallTimeout), fault.MaxLeft)
	return &Manager{store: guarded(c.Store), hooks: &c.Hooks, clock: c.Clock, calls: calls, epoch: c.Epoch}, nil
}

// NewServer is a server to add.
type NewServer struct {
	ID    uuid.UUID // optional; a repeat with the same ID and content returns the stored server
	Name  string    // one line of at most MaxName bytes
	Owner Owner     // zero: the reseller's own
}

// Add puts a server in stock. An ID that is stored with other content is ErrConflict.
func (m *Manager) Add(ctx context.Context, a Actor, p NewServer) (Server, error) {
	if !a.Manages(a.ResellerID) {
		return Server{}, actorError(OpAdd, a)
	}
	if err := errors.Join(checkName(OpAdd, p.Name), p.Owner.check(OpAdd)); err != nil {
		return Server{}, err
	}
	if p.ID == uuid.Nil {
		id, err := uuid.NewRandom()
		if err != nil {
			return Server{}, explain(OpAdd, uuid.Nil, err)
		}
		p.ID = id
	}
	added := Server{ID: p.ID, ResellerID: a.ResellerID, Name: p.Name, Owner: p.Owner, State: InStock}
	s, err := manage.Operation[*Server, Server]{
		Read: func(ctx context.Context) (*Server, error) {
			stored, err := m.store.Server(ctx, p.ID)
			if errors.Is(err, ErrNotFound) {
				return nil, nil
			}
			return &stored, err
		},
		Decide: func(stored *Server) (Server, bool, error) {
			if stored == nil {
				return added, true, nil
			}
			return *stored, false, added.checkRepeat(a, *stored)
		},
		Gate: func(ctx context.Context, s Server) error { return m.askGates(ctx, OpAdd, a, s) },
		Commit: func(ctx context.Context, s Server) error {
			return m.store.Commit(ctx, Change{Servers: []Server{s}})
		},
	}.Run(ctx)
	if err != nil {
		return Server{}, explain(OpAdd, p.ID, err)
	}
	if s.Version == 0 {
		s.Version++
	}
	return s, nil
}

// checkRepeat refuses an Add whose ID is stored, unless it repeats the one that stored it.
func (s Server) checkRepeat(a Actor, stored Server) error {
	if s.sameContent(stored) {
		return nil
	}
	e := &Error{Op: OpAdd, ServerID: s.ID, Field: "ID", Err: ErrConflict, Msg: fmt.Sprintf("another server has the ID %s", s.ID)}
	if a.Manages(stored.ResellerID) {
		e.Existing = &stored
	}
	return e
}

// NewAssignment gives a server to a client.
type NewAssignment struct {
	ClientID uuid.UUID // required
	Billing  Billing   // required; the Anchor is kept in UTC, to the microsecond
	// Since is when the client got the server, for clients who had it before the library was in use: days of money back and of
	// service count from then. It becomes AssignedAt, in UTC to the microsecond. Zero: now. The future is ErrInvalid. It may lie
	// before the Anchor of the Billing.
	Since time.Time
}

// Assign gives a server in stock to a client, under a fresh assignment. The client is told.
func (m *Manager) Assign(ctx context.Context, a Actor, id uuid.UUID, n NewAssignment) (Server, error) {
	assignment, err := uuid.NewRandom()
	if err != nil {
		return Server{}, explain(OpAssign, id, err)
	}
	return m.change(ctx, a, OpAssign, id, func(s Server, now time.Time) (Server, []manage.Fact, error) {
		return s.assign(n, assignment, now)
	})
}

// ChangeBilling changes the billing of the present assignment from now on. The same billing changes nothing. Plug-ins are
// told, so that what depends on the billing periods follows.
func (m *Manager) ChangeBilling(ctx context.Context, a Actor, id uuid.UUID, b Billing) (Server, error) {
	return m.change(ctx, a, OpChangeBilling, id, func(s Server, now time.Time) (Server, []manage.Fact, error) {
		return s.changeBilling(b, now)
	})
}

// Rename changes the name, in every state of the server. The name is one line of at most MaxName bytes.
func (m *Manager) Rename(ctx context.Context, a Actor, id uuid.UUID, name string) (Server, error) {
	return m.change(ctx, a, OpRename, id, func(s Server, _ time.Time) (Server, []manage.Fact, error) { return s.rename(name) })
}

// Suspend suspends a server in use. The client is told why. The reason is one line of at most MaxReason bytes, or "".
func (m *Manager) Suspend(ctx context.Context, a Actor, id uuid.UUID, reason string) (Server, error) {
	return m.change(ctx, a, OpSuspend, id, func(s Server, _ time.Time) (Server, []manage.Fact, error) { return s.suspend(reason) })
}

// Resume ends a suspension. The client is told.
func (m *Manager) Resume(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	return m.change(ctx, a, OpResume, id, func(s Server, _ time.Time) (Server, []manage.Fact, error) { return s.resume() })
}

// Release ends an assignment: the server goes from in_use or suspended to clean_up. lockedBy is the cancellation that will
// wipe the server. While it is set, Restock and Retire are refused. Unlock with the same key clears it. If lockedBy is nil,
// the server is released by hand, and the client is told.
//
// If the server is already in clean_up under this assignment, Release succeeds and records no event. It sets LockedBy if none is
// set. ErrConflict is a server that was restocked, retired, assigned again or locked by another key. The reason is
// one line of at most MaxReason bytes, or "".
func (m *Manager) Release(ctx context.Context, a Actor, id, assignment, lockedBy uuid.UUID, reason string) (Server, error) {
	return m.change(ctx, a, OpRelease, id, func(s Server, now time.Time) (Server, []manage.Fact, error) {
		return s.release(assignment, lockedBy, reason, now)
	})
}

// Unlock clears LockedBy. Repeating it does nothing; another key is ErrConflict.
func (m *Manager) Unlock(ctx context.Context, a Actor, id, key uuid.UUID) (Server, error) {
	return m.change(ctx, a, OpUnlock, id, func(s Server, _ time.Time) (Server, []manage.Fact, error) { return s.unlock(key) })
}

// Restock puts a cleaned server back in stock and removes its last assignment from it. ErrConflict while LockedBy is set.
func (m *Manager) Restock(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	return m.change(ctx, a, OpRestock, id, func(s Server, _ time.Time) (Server, []manage.Fact, error) { return s.vacate(OpRestock) })
}

// Retire takes a server in stock or in clean_up out of service for good. ErrConflict while LockedBy is set.
func (m *Manager) Retire(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	return m.change(ctx, a, OpRetire, id, func(s Server, _ time.Time) (Server, []manage.Fact, error) { return s.vacate(OpRetire) })
}

// decision is what an operation makes of a server.
type decision struct {
	server Server
	facts  []manage.Fact
}

// change runs an operation of the reseller's on one server. If rule leaves the server as it is, nothing is written and no
// gate is asked.
func (m *Manager) change(
	ctx context.Context, a Actor, op Op, id uuid.UUID, rule func(Server, time.Time) (Server, []manage.Fact, error),
) (Server, error) {
	now := zone.Instant(m.clock.Now())
	changed := false
	d, err := manage.Operation[Server, decision]{
		Read: func(ctx context.Context) (Server, error) { return m.readManaged(ctx, a, op, id) },
		Decide: func(s Server) (decision, bool, error) {
			next, facts, err := rule(s, now)
			changed = next != s
			return decision{next, facts}, changed, err
		},
		Gate: func(ctx context.Context, d decision) error { return m.askGates(ctx, op, a, d.server) },
		Commit: func(ctx context.Context, d decision) error {
			events, err := manage.Events(m.epoch, now, d.facts)
			if err != nil {
				return err
			}
			return m.store.Commit(ctx, Change{Servers: []Server{d.server}, Events: events})
		},
	}.Run(ctx)
	if err != nil {
		return Server{}, explain(op, id, err)
	}
	if changed {
		d.server.Version++
	}
	return d.server, nil
}

// readManaged reads a server that the actor may change.
func (m *Manager) readManaged(ctx context.Context, a Actor, op Op, id uuid.UUID) (Server, error) {
	s, err := m.readVisible(ctx, a, op, id)
	if err == nil && !a.Manages(s.ResellerID) {
		return s, &Error{Op: op, ServerID: id, Err: ErrForbidden,
			Msg: fmt.Sprintf("a %s may see server %s (%s), but %s is for the reseller", a.Role, s.Name, s.ID, op)}
	}
	return s, err
}

// readVisible reads a server that the actor may know of, with everything that is stored.
func (m *Manager) readVisible(ctx context.Context, a Actor, op Op, id uuid.UUID) (Server, error) {
	if id == uuid.Nil {
		return Server{}, notFound(op, id)
	}
	s, err := m.store.Server(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !a.Manages(s.ResellerID) && !a.Uses(s) {
		return Server{}, notFound(op, id)
	}
	return s, err
}

// actorError refuses an actor who may not run an operation on any server.
func actorError(op Op, a Actor) error {
	if a.IsClient(a.ResellerID, a.ID) {
		return &Error{Op: op, Err: ErrForbidden, Msg: fmt.Sprintf("%s is for the reseller, not for a client", op)}
	}
	return &Error{Op: op, Err: ErrNotFound, Msg: fmt.Sprintf("%s: the Actor needs a Role and a ResellerID", op)}
}

// Server returns a server that the actor may see. A client gets the servers that it uses now, without Owner and LockedBy.
func (m *Manager) Server(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	s, err := m.readVisible(ctx, a, opServer, id)
	if err != nil {
		return Server{}, explain(opServer, id, err)
	}
	if !a.Manages(s.ResellerID) {
		s = s.forClient()
	}
	return s, nil
}

// Servers lists the servers of the actor's reseller by name, ties by ID. next is the cursor for Query.After, "" at the end. A
// client gets the servers that it uses now, without Owner and LockedBy. It may not search by owner: that is ErrForbidden. A
// cursor that is not one of this list, a negative limit, an unknown state and an unknown Owner are ErrInvalid.
func (m *Manager) Servers(ctx context.Context, a Actor, q Query) (items []Server, next string, err error) {
	client := a.IsClient(a.ResellerID, a.ID)
	if !client && !a.Manages(a.ResellerID) {
		return nil, "", actorError(opServers, a)
	}
	if err := q.check(opServers); err != nil {
		return nil, "", err
	}
	if client {
		if q.Owner != "" {
			return nil, "", &Error{Op: opServers, Field: "Owner", Err: ErrForbidden, Msg: "Owner: only the reseller may search by owner"}
		}
		possible := false
		if q, possible = q.forClient(a.ID); !possible {
			return nil, "", nil
		}
	}
	items, next, err = m.store.Servers(ctx, a.ResellerID, q)
	if client {
		for i := range items {
			items[i] = items[i].forClient()
		}
	}
	return items, next, explain(opServers, uuid.Nil, err)
}

// ServersByID returns those of the servers that the actor may see, each as Server returns it and once, in no order. It
// leaves out the servers that the actor may not know of. It costs one question if the Store is a BulkStore. An actor
// without access gets ErrNotFound.
func (m *Manager) ServersByID(ctx context.Context, a Actor, ids []uuid.UUID) ([]Server, error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return nil, actorError(opServersByID, a)
	}
	servers, err := m.readStored(ctx, distinct(ids))
	if err != nil {
		return nil, explain(opServersByID, uuid.Nil, err)
	}
	var visible []Server
	for _, s := range servers {
		switch {
		case a.Manages(s.ResellerID):
			visible = append(visible, s)
		case a.Uses(s):
			visible = append(visible, s.forClient())
		}
	}
	return visible, nil
}

// distinct returns the IDs sorted, each once, without the nil ID.
func distinct(ids []uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(manage.Distinct(ids), func(id uuid.UUID) bool { return id == uuid.Nil })
}

// readStored reads many servers of any reseller.
func (m *Manager) readStored(ctx context.Context, ids []uuid.UUID) ([]Server, error) {
	if bulk, ok := m.store.(BulkStore); ok {
		return bulk.ServersByID(ctx, ids)
	}
	var servers []Server
	for _, id := range ids {
		s, err := m.store.Server(ctx, id)
		switch {
		case err == nil:
			servers = append(servers, s)
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return servers, nil
}
