package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// checkEvery is how often Tick looks whether the server of a ticket that is worked on is still its client's: the safety
// net where nobody calls CloseServer.
const checkEvery = day

// settle works out what follows from the status and the thread that a step leaves behind: the times, the unique key and
// who is told.
func (m *Manager) settle(ctx context.Context, s *step) error {
	t := &s.after
	if s.by.Role != dedicated.Client && answers(*s) && t.AnsweredAt.IsZero() {
		t.AnsweredAt = s.now
	}
	m.schedule(s)
	if err := m.keepUnique(ctx, s); err != nil {
		return err
	}
	s.facts = append(s.facts, m.tell(*s)...)
	if (t.Status == Done || t.Status == Rejected) && m.closing == 0 && t.ClosesAt.Equal(s.now) {
		t.Status = Closed
		m.schedule(s)
	}
	m.plan(t, s.now)
	return nil
}

// answers says whether the step is one that its client takes notice of.
func answers(s step) bool {
	return s.after.Status.public() != s.before.Status.public() || publicNews(s) != nil
}

// publicNews is the public comment that the step added, nil where it added none.
func publicNews(s step) *Comment {
	if n := len(s.after.Thread); n > len(s.before.Thread) && !s.after.Thread[n-1].Internal {
		return &s.after.Thread[n-1]
	}
	return nil
}

// schedule sets when the ticket closes by itself: some time after the reseller's answer, and not while the client has the
// last word.
func (m *Manager) schedule(s *step) {
	t := &s.after
	wait := m.closing
	switch t.Status {
	case Closed:
		if s.before.Status != Closed {
			t.ClosedAt = s.now
		}
		t.ClosesAt = time.Time{}
		return
	case NeedsDetails:
		if wait == 0 {
			wait = DefaultAutoClose
		}
	case Done, Rejected:
	default:
		t.ClosesAt, t.ClosedAt = time.Time{}, time.Time{}
		return
	}
	t.ClosedAt = time.Time{}
	switch {
	case s.by.Role == dedicated.Client && publicNews(*s) != nil, wait < 0:
		t.ClosesAt = time.Time{}
	case s.by.Role != dedicated.Client && answers(*s):
		t.ClosesAt = s.now.Add(wait)
	}
}

// reminderAt is when the reseller is to be reminded of its first answer; zero: never.
func (m *Manager) reminderAt(t Ticket) time.Time {
	if m.response < 0 || t.Status != Open || !t.AnsweredAt.IsZero() || !t.Reminded.IsZero() {
		return time.Time{}
	}
	return t.OpenedAt.Add(m.response)
}

// plan sets when Tick is to look at the ticket next, and ends the lease.
func (m *Manager) plan(t *Ticket, now time.Time) {
	t.LeaseUntil = time.Time{}
	t.Due = earliest(m.reminderAt(*t), t.ClosesAt)
	if t.Due.IsZero() && t.Status.working() {
		t.Due = now.Add(checkEvery)
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// tell is who is told what: the client what changed in its view, unless it did it itself; the reseller what its clients do.
func (m *Manager) tell(s step) []fact {
	if s.by.Role != dedicated.Client {
		return m.tellClient(s.before, s.after)
	}
	kind := KindReplied
	switch s.op {
	case "Close":
		kind = KindClosedByClient
	case "Reopen":
		kind = KindReopenedByClient
	}
	return []fact{{kind, m.report(s.after, publicNews(s), "")}}
}

// uniqueKey is what a ticket of a unique kind has while it asks for something.
func uniqueKey(t Ticket) string { return t.Assignment.String() + "/" + string(t.Kind) }

// keepUnique takes the unique key when the ticket is opened or opened again, and gives it up when nothing is asked for any
// more. Where another one has it, that one is named.
func (m *Manager) keepUnique(ctx context.Context, s *step) error {
	t := &s.after
	switch {
	case !t.Status.working():
		t.UniqueKey = ""
	case !s.before.Status.working() && m.kinds.specs[t.Kind].Unique:
		t.UniqueKey = uniqueKey(*t)
		return m.refuseSecond(ctx, s.op, *t)
	}
	return nil
}

// refuseSecond looks for another open ticket with the same unique key. The Store enforces it again at the Commit; this is
// to name the one there is.
func (m *Manager) refuseSecond(ctx context.Context, op string, t Ticket) error {
	q := Query{ServerID: t.ServerID, Kinds: []Kind{t.Kind}, States: []Status{Open, NeedsDetails, Confirmed, Forwarded}, Sort: "age"}
	return m.each(ctx, t.ResellerID, q, func(other Ticket) error {
		if other.UniqueKey != t.UniqueKey || other.ID == t.ID {
			return nil
		}
		return &Error{
			Op: op, TicketID: t.ID, ServerID: t.ServerID, Field: "Kind", OpenID: other.ID, OpenRef: other.Ref, Err: ErrConflict,
			Msg: fmt.Sprintf("there is one already: ticket %s (%s) of the kind %s is open for server %s", other.Ref, other.ID, t.Kind, t.ServerName),
		}
	})
}

// each calls visit for every ticket of a query, page by page, until it returns an error; errStop ends it without one.
func (m *Manager) each(ctx context.Context, reseller uuid.UUID, q Query, visit func(Ticket) error) error {
	for {
		items, next, err := m.store.Tickets(ctx, reseller, q)
		if err != nil {
			return err
		}
		for _, t := range items {
			if err := visit(t); err != nil {
				if errors.Is(err, errStop) {
					return nil
				}
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.After = next
	}
}

var errStop = errors.New("stop")
