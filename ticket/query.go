package ticket

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Query selects the tickets of one reseller to list or count. The zero value selects all of them, the most urgent first. All
// criteria must match.
type Query struct {
	Text        string         // words that must all be found: see Query.Words and Ticket.SearchText; "": any
	Kinds       []Kind         // one of these; empty: any
	States      []Status       // one of these; empty: any
	ClientID    uuid.UUID      // nil: any
	ServerID    uuid.UUID      // nil: any
	Assignee    uuid.UUID      // nil: any
	MinPriority int            // for a Manager: with the waiting, and of what waits for the reseller; for a Store: as it was set. 0 and 1: any
	UrgentBy    time.Time      // UrgentAt not after this; zero: any. A Manager expresses MinPriority by it
	WaitingOn   dedicated.Role // what Ticket.WaitingOn returns: Client or Reseller; 0: any
	Sort        string         // "urgency" or "": by UrgentAt; "age": by OpenedAt; ties by ID
	Public      bool           // search only subject, public comments, server name and ID, and Ref; Views sets it for clients
	Limit       int            // the most tickets on a page; 0: the Store's default; above the Store's maximum: that maximum
	After       string         // the cursor that the page before returned; "": the first page
}

// Words returns the words of the query's Text, in lower case. A ticket matches if its SearchText contains each of them.
func (q Query) Words() []string { return strings.Fields(strings.ToLower(q.Text)) }

// SearchText returns the text in which a search looks for words, in lower case: the subject, the reference, the name and the ID of
// the server, and the public comments. If public is false, it also has the internal comments, and of each upstream thread the
// comments, the provider and both references. A Store may keep both texts beside the ticket.
func (t Ticket) SearchText(public bool) string {
	parts := []string{t.Subject, t.Ref, t.ServerName, t.ServerID.String()}
	add := func(thread []Comment) {
		for _, c := range thread {
			if !public || !c.Internal {
				parts = append(parts, c.Text)
			}
		}
	}
	add(t.Thread)
	if !public {
		for u := range t.upstreams() {
			parts = append(parts, u.Ref, u.Provider, u.Reference)
			add(u.Thread)
		}
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

// check refuses a query that no list takes. Only Managers check queries; a Store checks the cursor.
func (q Query) check(op Op) error {
	var found []FieldError
	add := func(field, format string, args ...any) {
		found = append(found, FieldError{field, fmt.Sprintf(format, args...)})
	}
	if err := text.CheckBlock("Text", q.Text, MaxSearch); err != nil {
		add("Text", "%v", err)
	}
	for _, k := range q.Kinds {
		if !identifier.MatchString(string(k)) { // a kind that is no longer registered is allowed
			add("Kinds", "%.64q is not the name of a kind", k)
		}
	}
	for _, s := range q.States {
		if !slices.Contains(Statuses(), s) {
			add("States", "%.20q is not a status: want %s", s, text.Or(Statuses()))
		}
	}
	if q.MinPriority < 0 || q.MinPriority > HighestPriority {
		add("MinPriority", "%d, expected %d to %d, or 0 for any", q.MinPriority, LowestPriority, HighestPriority)
	}
	if q.WaitingOn > dedicated.Reseller {
		add("WaitingOn", "expected Client, Reseller, or 0 for any")
	}
	switch q.Sort {
	case "", "urgency", "age":
	default:
		add("Sort", `%.20q: want "", "urgency" or "age"`, q.Sort)
	}
	if q.Limit < 0 {
		add("Limit", "%d is negative", q.Limit)
	}
	if e := invalidFields(op, found); e != nil {
		return e
	}
	return nil
}

// sort returns the name of the list that the query's pages belong to, and the time that it is sorted by.
func (q Query) sort() (list string, sortTime func(*Ticket) time.Time) {
	if q.Sort == "age" {
		return "tickets by age", func(t *Ticket) time.Time { return t.OpenedAt }
	}
	return "tickets by urgency", func(t *Ticket) time.Time { return t.UrgentAt }
}

// matcher returns what a Store answers the query by. It compares the text last, because that costs most.
func (q Query) matcher() func(*Ticket) bool {
	words := q.Words()
	return func(t *Ticket) bool {
		return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, t.Kind)) &&
			(len(q.States) == 0 || slices.Contains(q.States, t.Status)) &&
			(q.ClientID == uuid.Nil || q.ClientID == t.ClientID) &&
			(q.ServerID == uuid.Nil || q.ServerID == t.ServerID) &&
			(q.Assignee == uuid.Nil || q.Assignee == t.Assignee) &&
			t.Priority >= q.MinPriority &&
			(q.UrgentBy.IsZero() || !t.UrgentAt.After(q.UrgentBy)) &&
			(q.WaitingOn == 0 || q.WaitingOn == t.WaitingOn()) &&
			(len(words) == 0 || containsAll(t.SearchText(q.Public), words))
	}
}

func containsAll(s string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(s, word) {
			return false
		}
	}
	return true
}

// asOf expresses MinPriority, which waiting raises, by the instant that a Store compares.
func (q Query) asOf(g aging, now time.Time) Query {
	if q.MinPriority > LowestPriority {
		by := g.urgentAt(q.MinPriority, now)
		if q.UrgentBy.IsZero() || by.Before(q.UrgentBy) {
			q.UrgentBy = by
		}
	}
	q.MinPriority = 0
	return q
}

// forClient narrows a query to what the client may know. possible is false if no ticket can match.
func (q Query) forClient(op Op, client uuid.UUID) (narrowed Query, possible bool, err error) {
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
			return q, false, &Error{Op: op, Field: s.field, Err: ErrForbidden,
				Msg: fmt.Sprintf("%s: only the reseller may search or sort by it; a client lists by age", s.field)}
		}
	}
	if q.ClientID != uuid.Nil && q.ClientID != client {
		return q, false, nil
	}
	q.ClientID, q.Public, q.Sort = client, true, "age"
	q, possible = q.forPublicStatuses()
	return q, possible, nil
}

// forPublicStatuses replaces the statuses that a client sees by the stored ones. It expresses WaitingOn by statuses as well,
// because WaitingOn differs between a forwarded and a confirmed ticket.
func (q Query) forPublicStatuses() (narrowed Query, possible bool) {
	if len(q.States) == 0 && q.WaitingOn == 0 {
		return q, true
	}
	waiting := map[dedicated.Role][]Status{
		0:                  {Open, NeedsDetails, Confirmed, Done, Rejected, Closed},
		dedicated.Client:   {NeedsDetails},
		dedicated.Reseller: {Open, Confirmed},
	}[q.WaitingOn]
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
	return q, len(stored) > 0
}
