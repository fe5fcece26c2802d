package ticket

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// Query says which of a reseller's tickets to list. The zero value is all of them, the most urgent first.
type Query struct {
	Text        string         // words, each of which must be found; see Query.Words and Ticket.SearchText; "": any
	Kinds       []Kind         // one of these; empty: any
	States      []Status       // one of these; empty: any
	ClientID    uuid.UUID      // nil: any
	ServerID    uuid.UUID      // nil: any
	Assignee    uuid.UUID      // nil: any
	MinPriority int            // to a Manager: as it stands now, waiting included; to a Store: as it was set. 0: any
	UrgentBy    time.Time      // UrgentAt at the latest; zero: any. A Manager makes MinPriority into it
	WaitingOn   dedicated.Role // as Ticket.WaitingOn says; 0: any
	Sort        string         // "urgency" (and ""): by UrgentAt; "age": by OpenedAt; ties by ID
	Public      bool           // set by Views for clients: Text matches only subject, public comments, server name and ID, Ref
	Limit       int            // how many at the most; 0: the store's default; more than the store's maximum: that maximum
	After       string         // the cursor that the page before returned; "": from the start
}

// Words are what a Store looks for: a ticket matches Text when its SearchText holds every one of them.
func (q Query) Words() []string { return strings.Fields(strings.ToLower(q.Text)) }

// SearchText is what Query.Text is looked for in, in lower case: subject, reference, server name and ID, and the public
// comments; with public false also internal comments and the upstream thread with its provider and references. A Store
// may keep both beside the ticket.
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
	if t.Upstream != nil && !public {
		parts = append(parts, t.Upstream.Ref, t.Upstream.Provider, t.Upstream.Reference)
		add(t.Upstream.Thread)
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

// Change is tickets and the events that the change caused: all of it is stored or none.
type Change struct {
	Tickets []Ticket
	Events  []notify.Event
}

// Due is what ClaimDue hands out.
type Due struct {
	Tickets []Ticket
	Next    time.Time // the earliest Due neither claimed by this call nor under a lease at now; zero: none
}

// Store remembers tickets. It is dumb: all rules, permissions and statuses are the Manager's.
//
// What an implementation owes, and what package tickettest tests line by line:
//
//  1. Concurrency: every method may be called by many goroutines and processes at once.
//  2. Missing: Ticket returns an error that is ErrNotFound.
//  3. Duplicate create: a Version of 0 means new; Commit of one whose ID is stored is ErrConflict.
//  4. Atomicity: a ticket whose Version is not the stored one makes Commit fail with ErrConflict, check and write being one
//     step. All tickets and events of all changes of a call are stored together or not at all. Changes apply in order, so
//     that one call may write a ticket twice. The stored Version is one higher than the one given. Unique: no two tickets
//     have the same UniqueKey, "" aside; a Commit that would make two is ErrConflict, in the same step. A ticket written
//     earlier in the call gives its key up for one written later.
//  5. Ownership: it keeps no slice, map or pointer that it was given and hands out none that it keeps.
//  6. Time: comes back in UTC, exact to the microsecond; the zero time comes back as zero.
//  7. Decimal: tickets hold none. Fields come back byte by byte.
//  8. Order: Tickets lists one reseller's tickets that match the Query by UrgentAt, or by OpenedAt, ties by ID; Counts counts
//     those that match by status, Limit and After aside, and has no entry for a status without tickets. The cursor is
//     opaque, "" at the end, and stands for a place in that order: who pages through meets every ticket that was there all the
//     time and kept its place exactly once, whatever is added or removed meanwhile. The cursor of another list or another
//     order, or no cursor at all, is ErrInvalid, as are a negative Limit and a Sort that Query does not know.
//  9. Context: when ctx has ended before the call, nothing is written and its error is returned; when it ends during a
//     Commit the outcome may be unknown, and repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: ClaimDue hands out what is Due at now and not leased beyond now, oldest first, ties by ID; in the same step
//     each gets until as LeaseUntil and a Version one higher. It is hidden until then and may be claimed again afterwards.
//     Commit stores LeaseUntil and Due as given; a zero Due is never due. A limit below 1 is ErrInvalid.
//  11. Our promises: IDs are never nil, times are already in UTC and truncated to the microsecond, texts are valid UTF-8
//     without zero bytes, and no hook runs inside a store call.
type Store interface {
	// Ticket returns one ticket of any reseller, or ErrNotFound.
	Ticket(ctx context.Context, id uuid.UUID) (Ticket, error)
	// Tickets lists one reseller's tickets; next is the cursor of the page after, "" at the end.
	Tickets(ctx context.Context, reseller uuid.UUID, q Query) (items []Ticket, next string, err error)
	// Counts counts one reseller's tickets by status.
	Counts(ctx context.Context, reseller uuid.UUID, q Query) (map[Status]int, error)
	// ClaimDue leases at most limit tickets that are due at now until until.
	ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}
