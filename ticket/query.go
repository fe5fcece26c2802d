package ticket

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// View returns what the ticket's client sees of it, to that client, also when the server has left it, and to the reseller.
func (m *Manager) View(ctx context.Context, a dedicated.Actor, id uuid.UUID) (View, error) {
	t, err := m.seen(ctx, a, "View", id)
	if err != nil {
		return View{}, asError("View", id, err)
	}
	return t.view(), nil
}

// Views lists tickets as their clients see them; next is the cursor for Query.After, "" at the end. A client gets its own,
// oldest first: Public is set, a Status of Confirmed finds what is forwarded too and Forwarded nothing, and Assignee,
// MinPriority, UrgentBy and sorting by urgency are ErrForbidden, so that neither criteria nor order tell what a View does
// not. The reseller may search as in Tickets.
func (m *Manager) Views(ctx context.Context, a dedicated.Actor, q Query) (items []View, next string, err error) {
	const op = "Views"
	tickets, next, err := m.list(ctx, a, op, q)
	if err != nil {
		return nil, "", asError(op, uuid.Nil, err)
	}
	for _, t := range tickets {
		items = append(items, t.view())
	}
	return items, next, nil
}

func (m *Manager) list(ctx context.Context, a dedicated.Actor, op string, q Query) ([]Ticket, string, error) {
	if !a.IsClient(a.ResellerID, a.ID) {
		return m.search(ctx, a, op, q)
	}
	if err := q.check(op); err != nil {
		return nil, "", err
	}
	q, possible, err := q.forClient(op, a.ID)
	if err != nil || !possible {
		return nil, "", err
	}
	return m.store.Tickets(ctx, a.ResellerID, q)
}

// Ticket returns a ticket with everything that the reseller knows of it, to the reseller alone. Priority is as it stands
// now, waiting included.
func (m *Manager) Ticket(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Ticket, error) {
	const op = "Ticket"
	t, err := m.seen(ctx, a, op, id)
	if err != nil {
		return Ticket{}, asError(op, id, err)
	}
	if !a.Manages(t.ResellerID) {
		return Ticket{}, nobody(op, a)
	}
	t.Priority = m.aging.at(t.Priority, t.UrgentAt, m.now())
	return t, nil
}

// Tickets lists the actor's reseller's tickets, to the reseller alone: by urgency or by age, ties by ID; next is the cursor
// for Query.After, "" at the end. Priority and MinPriority are as they stand now, waiting included. A cursor that is not
// this list's and whatever else is wrong with the Query are ErrInvalid.
func (m *Manager) Tickets(ctx context.Context, a dedicated.Actor, q Query) (items []Ticket, next string, err error) {
	const op = "Tickets"
	items, next, err = m.search(ctx, a, op, q)
	return items, next, asError(op, uuid.Nil, err)
}

// Counts counts the actor's reseller's tickets that Tickets would list, by status, to the reseller alone. Limit and After
// are not looked at. A status without tickets has no entry.
func (m *Manager) Counts(ctx context.Context, a dedicated.Actor, q Query) (map[Status]int, error) {
	const op = "Counts"
	if !a.Manages(a.ResellerID) {
		return nil, nobody(op, a)
	}
	if err := q.check(op); err != nil {
		return nil, err
	}
	counts, err := m.store.Counts(ctx, a.ResellerID, m.asOf(q, m.now()))
	return counts, asError(op, uuid.Nil, err)
}

func (m *Manager) search(ctx context.Context, a dedicated.Actor, op string, q Query) ([]Ticket, string, error) {
	if !a.Manages(a.ResellerID) {
		return nil, "", nobody(op, a)
	}
	if err := q.check(op); err != nil {
		return nil, "", err
	}
	now := m.now()
	items, next, err := m.store.Tickets(ctx, a.ResellerID, m.asOf(q, now))
	for i, t := range items {
		items[i].Priority = m.aging.at(t.Priority, t.UrgentAt, now)
	}
	return items, next, err
}

func (m *Manager) now() time.Time { return zone.Instant(m.clock.Now()) }

// asOf makes a priority that waiting raises into the instant that the store compares.
func (m *Manager) asOf(q Query, now time.Time) Query {
	if q.MinPriority > LowestPriority {
		by := m.aging.reaches(q.MinPriority, now)
		if q.UrgentBy.IsZero() || by.Before(q.UrgentBy) {
			q.UrgentBy = by
		}
	}
	q.MinPriority = 0
	return q
}

// check refuses a query that no list takes.
func (q Query) check(op string) error {
	var found []FieldError
	if err := text.Block("Text", q.Text, MaxSearch); err != nil {
		found = append(found, FieldError{"Text", err.Error()})
	}
	if q.MinPriority < 0 || q.MinPriority > HighestPriority {
		msg := fmt.Sprintf("%d: %d to %d, or 0 for any", q.MinPriority, LowestPriority, HighestPriority)
		found = append(found, FieldError{"MinPriority", msg})
	}
	for _, k := range q.Kinds {
		if !identifier.MatchString(string(k)) { // one that is registered no more is still looked for
			found = append(found, FieldError{"Kinds", fmt.Sprintf("%.64q is not the name of a kind", k)})
		}
	}
	for _, s := range q.States {
		if !slices.Contains(statuses(), s) {
			found = append(found, FieldError{"Statuses", fmt.Sprintf("%.20q is not a status", s)})
		}
	}
	if q.WaitingOn > dedicated.Reseller {
		found = append(found, FieldError{"WaitingOn", "Client, Reseller, or 0 for any"})
	}
	if _, _, err := q.order(); err != nil {
		found = append(found, FieldError{"Sort", fmt.Sprintf(`%.20q is none of "", "urgency", "age"`, q.Sort)})
	}
	if e := wrong(op, found); e != nil {
		return e
	}
	return nil
}

// forClient narrows a query to what the client may know; false where nothing can match.
func (q Query) forClient(op string, client uuid.UUID) (Query, bool, error) {
	secrets := []struct {
		field string
		used  bool
	}{
		{"Assignee", q.Assignee != uuid.Nil},
		{"MinPriority", q.MinPriority != 0},
		{"UrgentBy", !q.UrgentBy.IsZero()},
		{"Sort", q.Sort == "urgency"},
	}
	for _, s := range secrets {
		if s.used {
			return q, false, &Error{Op: op, Field: s.field, Err: ErrForbidden, Msg: s.field + " is the reseller's to know: a client lists by age"}
		}
	}
	if q.ClientID != uuid.Nil && q.ClientID != client {
		return q, false, nil
	}
	q.ClientID, q.Public, q.Sort = client, true, "age"
	return q.publicStatuses()
}

// publicStatuses makes the statuses that a client sees into those that are stored, and whom a ticket waits on, which a
// forwarded one would tell apart, into statuses.
func (q Query) publicStatuses() (Query, bool, error) {
	waiting := map[dedicated.Role][]Status{
		0:                  {Open, NeedsDetails, Confirmed, Done, Rejected, Closed},
		dedicated.Client:   {NeedsDetails},
		dedicated.Reseller: {Open, Confirmed},
	}[q.WaitingOn]
	filtered := len(q.States) > 0 || q.WaitingOn != 0
	var stored []Status
	for _, s := range waiting {
		if len(q.States) > 0 && !slices.Contains(q.States, s) {
			continue
		}
		stored = append(stored, s)
		if s == Confirmed {
			stored = append(stored, Forwarded)
		}
	}
	q.WaitingOn, q.States = 0, stored
	if !filtered {
		q.States = nil
	}
	return q, len(stored) > 0, nil
}
