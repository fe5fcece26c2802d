package ticket

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

// Change holds tickets and the events that the change caused. All of it is stored, or nothing.
type Change struct {
	Tickets []Ticket
	Events  []notify.Event
}

// Due is what ClaimDue returns: tickets, the oldest Due first.
type Due struct {
	Tickets []Ticket
	// Unreadable are due records that the Store has, but cannot read; it has put them aside. See line 12 of Store.
	Unreadable []notify.Unreadable
	// Next is the earliest Due that this call did not claim, that is under no lease at now and not put aside; zero: none.
	Next time.Time
}

// Store remembers tickets. It knows no rules: the Manager enforces all rules, permissions and statuses.
//
// An implementation must keep the numbered lines below. Package tickettest tests it line by line.
//
//  1. Concurrency: many goroutines and processes call every method at once.
//  2. Missing: Ticket returns an error that is ErrNotFound.
//  3. Duplicate create: a Version of 0 means new; Commit of a new ticket whose ID is stored is ErrConflict.
//  4. Atomicity: if the Version of a ticket is not the stored one, Commit fails with ErrConflict; the check and the write
//     are one step. All tickets and events of all changes of a call are stored together, or none is. Changes apply in order, so
//     that one call may write a ticket twice. The stored Version is one higher than the given one. Unique: no two tickets have
//     the same UniqueKey; any number may have "". A second one is ErrConflict, in the same step. If a ticket that comes earlier
//     in the call gives a key up, a later one may take it.
//  5. Ownership: the Store keeps no slice, map or pointer that it was given, and returns none that it keeps.
//  6. Time: times come back in UTC, exact to the microsecond. The zero time comes back as zero.
//  7. Decimal: tickets hold none. Fields come back byte by byte. A Store may keep a ticket as its JSON: json.Unmarshal gives back
//     exactly what json.Marshal got.
//  8. Order: Tickets lists the tickets of one reseller that match the Query, by UrgentAt or by OpenedAt, ties by ID. A cursor is
//     opaque, "" at the end, and marks a position in that order. Paging returns each ticket that exists throughout, with an
//     unchanged key, exactly once. A cursor that is not one of this list in this order is ErrInvalid. Counts counts the tickets
//     that match by status, without regard to Limit and After, and has no entry for a status without tickets.
//  9. Context: if ctx ended before the call, the Store returns its error and writes nothing. If it ends during a Commit, the
//     outcome may be unknown. Repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: ClaimDue returns the tickets that are due (Due is not zero and not after now) and under no lease at now, the
//     oldest Due first, ties by ID, at most limit. In the same step it sets their LeaseUntil to until and raises their Version.
//     Other claims do not see a claimed ticket before until; from until on they do. Commit stores Due and LeaseUntil as given.
//     A lease further ahead of now than an hour plus twice until − now counts as ended: a clock was wrong when it was set. A
//     limit below 1 is ErrInvalid.
//  11. Our promises to the implementer: IDs are never nil. Times are in UTC, truncated to the microsecond. Texts are valid UTF-8
//     without zero bytes. Queries were checked: Limit is not negative, Kinds are names, States, WaitingOn and Sort are known. No
//     hook runs inside a store call.
//  12. Unreadable records: a ticket that the Store has but cannot read holds up no other. ClaimDue names it in Due.Unreadable and puts
//     it aside: for a minute the first time, twice as long each time after that, and for a day at most. It keeps its Due.
//     Meanwhile ClaimDue ignores it. Ticket returns an error for it that is neither ErrNotFound nor ErrConflict. Tickets leaves it out,
//     goes past it, and tells the host in a way of the Store's own. A Store without such records has nothing to do here.
type Store interface {
	// Ticket returns one ticket of any reseller, or ErrNotFound.
	Ticket(ctx context.Context, id uuid.UUID) (Ticket, error)
	// Tickets lists one reseller's tickets. next is the cursor of the next page, "" at the end.
	Tickets(ctx context.Context, reseller uuid.UUID, q Query) (items []Ticket, next string, err error)
	// Counts counts one reseller's tickets by status.
	Counts(ctx context.Context, reseller uuid.UUID, q Query) (map[Status]int, error)
	// ClaimDue claims the tickets that are due at now, under a lease until until.
	ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}

// guardedStore guards every call of a host's Store: what goes wrong in it is ErrHost.
type guardedStore struct{ store Store }

func (g guardedStore) Ticket(ctx context.Context, id uuid.UUID) (Ticket, error) {
	return manage.Get(ctx, func() (Ticket, error) { return g.store.Ticket(ctx, id) })
}

func (g guardedStore) Tickets(ctx context.Context, reseller uuid.UUID, q Query) ([]Ticket, string, error) {
	return manage.List(ctx, q.After, func() ([]Ticket, string, error) { return g.store.Tickets(ctx, reseller, q) })
}

func (g guardedStore) Counts(ctx context.Context, reseller uuid.UUID, q Query) (map[Status]int, error) {
	return manage.GetMany(ctx, func() (map[Status]int, error) { return g.store.Counts(ctx, reseller, q) })
}

func (g guardedStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error) {
	return manage.GetMany(ctx, func() (Due, error) { return g.store.ClaimDue(ctx, now, until, limit) })
}

func (g guardedStore) Commit(ctx context.Context, changes ...Change) error {
	return manage.Commit(ctx, func() error { return g.store.Commit(ctx, changes...) })
}
