package sqlstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/ticket"
)

type tickets struct {
	db    *DB
	table *table[ticket.Ticket]
}

// Tickets returns the store for ticket.Config.
func (db *DB) Tickets() ticket.Store {
	return tickets{db, table[ticket.Ticket]{
		name: "tickets", record: "ticket", keys: 1, fields: ticketFields,
		due:           func(t *ticket.Ticket) (uuid.UUID, time.Time) { return t.ID, t.Due },
		rarelyChanged: []string{"reseller_id", "client_id", "server_id", "assignee", "urgent_at", "opened_at", "unique_key"},
	}.prepared()}
}

func ticketFields(t *ticket.Ticket) fields {
	return fields{
		{"id", &t.ID},
		{"version", &t.Version},
		{"reseller_id", &t.ResellerID},
		{"client_id", &t.ClientID},
		{"server_id", &t.ServerID},
		{"assignment", &t.Assignment},
		{"ref", &t.Ref},
		{"server_name", &t.ServerName},
		{"kind", &t.Kind},
		{"fields", document{(*rawFields)(&t.Fields)}},
		{"subject", &t.Subject},
		{"status", &t.Status},
		{"decision", &t.Decision},
		{"reminded", &t.Reminded},
		{"answered_at", &t.AnsweredAt},
		{"unanswered_since", &t.UnansweredSince},
		{"client_mails", &t.ClientMails},
		{"tell_at", &t.TellAt},
		{"thread", document{&t.Thread}},
		{"upstream", document{&t.Upstream}},
		{"former", document{&t.Former}},
		{"assignee", &t.Assignee},
		{"priority", &t.Priority},
		{"urgent_at", &t.UrgentAt},
		{"paused_at", &t.PausedAt},
		{"unique_key", &t.UniqueKey},
		{"opened_at", &t.OpenedAt},
		{"last_at", &t.LastAt},
		{"closes_at", &t.ClosesAt},
		{"closed_at", &t.ClosedAt},
		{"due", &t.Due},
		{"lease_until", &t.LeaseUntil},
		{"waiting_on", computed{t.WaitingOn()}},
		{"search", computed{t.SearchText(false)}},
		{"search_public", computed{t.SearchText(true)}},
	}
}

// rawFields holds the fields of a ticket as byte strings. They come back byte by byte, unlike JSON that is nested in JSON.
type rawFields map[string]json.RawMessage

// MarshalJSON implements json.Marshaler.
func (r rawFields) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	bytes := map[string][]byte{}
	for name, value := range r {
		bytes[name] = value
	}
	return json.Marshal(bytes)
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *rawFields) UnmarshalJSON(text []byte) error {
	var bytes map[string][]byte
	if err := json.Unmarshal(text, &bytes); err != nil || bytes == nil {
		*r = nil
		return err
	}
	*r = rawFields{}
	for name, value := range bytes {
		(*r)[name] = value
	}
	return nil
}

// Ticket implements ticket.Store.
func (s tickets) Ticket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	return s.table.get(ctx, s.db, id)
}

// Tickets implements ticket.Store.
func (s tickets) Tickets(ctx context.Context, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
	by := order[ticket.Ticket]{"tickets by urgency", "urgent_at", func(t *ticket.Ticket) (any, uuid.UUID) { return t.UrgentAt, t.ID }}
	if q.Sort == "age" {
		by = order[ticket.Ticket]{"tickets by age", "opened_at", func(t *ticket.Ticket) (any, uuid.UUID) { return t.OpenedAt, t.ID }}
	}
	return s.table.list(ctx, s.db, s.search(reseller, q), by, q.Limit, q.After)
}

// Counts implements ticket.Store.
func (s tickets) Counts(ctx context.Context, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
	return count[ticket.Status](ctx, s.db, s.table.name, "status", s.search(reseller, q))
}

func (s tickets) search(reseller uuid.UUID, q ticket.Query) query {
	found := query{dialect: s.db.dialect}
	found.where("reseller_id = %s", reseller)
	matchAny(&found, "kind", q.Kinds)
	matchAny(&found, "status", q.States)
	found.match("client_id", q.ClientID)
	found.match("server_id", q.ServerID)
	found.match("assignee", q.Assignee)
	found.match("waiting_on", q.WaitingOn)
	if q.MinPriority > 0 {
		found.where("priority >= %s", q.MinPriority)
	}
	if !q.UrgentBy.IsZero() {
		found.where("urgent_at <= %s", q.UrgentBy)
	}
	column := "search"
	if q.Public {
		column = "search_public"
	}
	for _, word := range q.Words() {
		found.contains(column, word)
	}
	return found
}

// ClaimDue implements ticket.Store.
func (s tickets) ClaimDue(ctx context.Context, now, until time.Time, limit int) (due ticket.Due, err error) {
	if err := checkClaim(limit); err != nil {
		return due, err
	}
	err = s.db.transact(ctx, func(t *tx) error {
		claimed, err := s.table.claim(ctx, t, now, until, limit)
		due = ticket.Due{Tickets: claimed.records, Unreadable: claimed.unreadable, Next: claimed.next}
		return err
	})
	s.db.logUnreadable(ctx, due.Unreadable)
	return due, err
}

// Commit implements ticket.Store.
func (s tickets) Commit(ctx context.Context, changes ...ticket.Change) error {
	var c commit
	for _, change := range changes {
		put(&c, s.table, change.Tickets)
		c.events = append(c.events, change.Events...)
	}
	return s.db.commit(ctx, c)
}
