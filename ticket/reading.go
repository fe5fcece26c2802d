package ticket

import (
	"context"
	"errors"
	"iter"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// reading is everything that a decision about one ticket depends on.
type reading struct {
	before   Ticket // zero: it is not stored yet
	server   dedicated.Server
	found    bool    // whether the inventory has the server; false also if the decision does not depend on it
	existing *Ticket // another active ticket that has the unique key; nil: none
}

// newIDs are random values for a decision, which is pure.
type newIDs struct {
	comment, working uuid.UUID
	upstream         string
}

// readForOpen reads the ticket that has the form's ID. If there is none that the actor may know of, it reads the server of the form
// and the ticket that has its unique key.
func (m *Manager) readForOpen(ctx context.Context, a dedicated.Actor, f Form) (r reading, err error) {
	r.before, err = m.store.Ticket(ctx, f.ID)
	if err != nil && !errors.Is(err, ErrNotFound) || err == nil && r.before.visibleTo(a) {
		return r, err
	}
	if r.server, err = m.readServer(ctx, a, OpOpen, f.ServerID); err != nil {
		return r, err
	}
	r.found = true
	if r.before.Version > 0 {
		return r, nil
	}
	if !m.rules.kinds.specs[f.Kind].Unique {
		return r, nil
	}
	r.existing, err = m.findActive(ctx, Ticket{
		ID: f.ID, ResellerID: r.server.ResellerID, ServerID: r.server.ID, Assignment: r.server.Assignment, Kind: f.Kind,
	})
	return r, err
}

// readServer reads a server on which the actor may open tickets.
func (m *Manager) readServer(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID) (dedicated.Server, error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return dedicated.Server{}, serverNotFound(op, id)
	}
	s, found, err := inventory.Server(ctx, m.servers, a.ResellerID, id)
	if err == nil && (!found || !a.Manages(s.ResellerID) && !a.Uses(s)) {
		return s, serverNotFound(op, id)
	}
	return s, err
}

// findActive finds the active ticket, other than t, that has the unique key of t.
func (m *Manager) findActive(ctx context.Context, t Ticket) (*Ticket, error) {
	q := Query{ServerID: t.ServerID, Kinds: []Kind{t.Kind}, States: activeStatuses(), Sort: "age"}
	for other, err := range m.tickets(ctx, t.ResellerID, q) {
		if err != nil {
			return nil, err
		}
		if other.UniqueKey != "" && other.Assignment == t.Assignment && other.ID != t.ID {
			return &other, nil
		}
	}
	return nil, nil
}

// tickets returns every ticket of a query.
func (m *Manager) tickets(ctx context.Context, reseller uuid.UUID, q Query) iter.Seq2[Ticket, error] {
	return manage.All(func(after string) ([]Ticket, string, error) {
		q.After = after
		return m.store.Tickets(ctx, reseller, q)
	})
}

// call is an operation on one stored ticket.
type call struct {
	op          Op
	by          dedicated.Actor
	id          uuid.UUID
	upstreamRef string // with OpProviderReplied, instead of id
	note        Note
}

// change runs an operation on one stored ticket. rule is the rule of this operation alone; nil: there is none.
func (m *Manager) change(ctx context.Context, c call, rule func(*move) (changed bool, err error)) (Ticket, error) {
	now := m.now()
	ids, err := makeIDs()
	if err != nil {
		return Ticket{}, withNote(explain(c.op, c.id, uuid.Nil, err), c.note)
	}
	v, err := manage.Operation[reading, *move]{
		Read: func(ctx context.Context) (reading, error) { return m.readForChange(ctx, &c) },
		Decide: func(r reading) (*move, bool, error) {
			v := &move{rules: m.rules, reading: r, op: c.op, by: c.by, now: now, note: c.note.clone(), ids: ids}
			v.ref = parseUpstreamReference(c.upstreamRef)
			write, err := v.decide(rule)
			if !write {
				v.after = r.before
			}
			return v, write, err
		},
		Commit: m.commit,
	}.Run(ctx)
	if err != nil {
		return Ticket{}, withNote(explain(c.op, c.id, uuid.Nil, err), c.note)
	}
	return m.rules.aging.risen(v.after, now), nil
}

func makeIDs() (ids newIDs, err error) {
	var err1, err2, err3 error
	ids.comment, err1 = uuid.NewRandom()
	ids.working, err2 = uuid.NewRandom()
	ids.upstream, err3 = newUpstreamReference()
	return ids, errors.Join(err1, err2, err3)
}

// readForChange reads the ticket of a call, and everything else that the call depends on. It sets the ID of the call.
func (m *Manager) readForChange(ctx context.Context, c *call) (r reading, err error) {
	if c.op == OpProviderReplied {
		r.before, err = m.readByUpstreamRef(ctx, c.by, c.op, c.upstreamRef)
	} else {
		r.before, err = m.readVisible(ctx, c.by, c.op, c.id)
	}
	if err != nil {
		return r, err
	}
	t := r.before
	c.id = t.ID
	if _, _, err := t.rowsFor(c.op, c.by); err != nil {
		return r, err
	}
	if stored, _ := t.find(c.note.ID); stored != nil {
		return r, nil // a repeat depends on nothing else
	}
	if t.needsServer(c.op, c.by) {
		if r.server, r.found, err = inventory.Server(ctx, m.servers, t.ResellerID, t.ServerID); err != nil {
			return r, err
		}
	}
	if m.rules.needsKey(t, c.op, c.by) {
		r.existing, err = m.findActive(ctx, t)
	}
	return r, err
}

// commit writes a decision. The ticket gets the version that it has in the Store then.
func (m *Manager) commit(ctx context.Context, v *move) error {
	change, err := v.change()
	if err != nil {
		return err
	}
	if err := m.store.Commit(ctx, change); err != nil {
		return err
	}
	v.after.Version++
	return nil
}

// readVisible reads a ticket that the actor may know of.
func (m *Manager) readVisible(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID) (Ticket, error) {
	if id == uuid.Nil {
		return Ticket{}, notFound(op, id)
	}
	t, err := m.store.Ticket(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !t.visibleTo(a) {
		return Ticket{}, notFound(op, id)
	}
	return t, err
}

// readManaged reads a ticket for its reseller.
func (m *Manager) readManaged(ctx context.Context, a dedicated.Actor, op Op, id uuid.UUID) (Ticket, error) {
	t, err := m.readVisible(ctx, a, op, id)
	if err == nil && !a.Manages(t.ResellerID) {
		return t, actorError(op, a)
	}
	return t, err
}
