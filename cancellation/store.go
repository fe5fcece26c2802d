package cancellation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

// Change holds cancellations, settings and the events that the change caused. All of it is stored, or nothing.
type Change struct {
	Cancellations []Cancellation
	Settings      []Settings
	Events        []notify.Event
}

// Due is what ClaimDue returns: both kinds of record, the oldest Due first in each.
type Due struct {
	Cancellations []Cancellation
	Settings      []Settings
	// Unreadable are due records that the Store has, but cannot read; it has put them aside. The ID of settings is that of their
	// reseller. See line 12 of Store.
	Unreadable []notify.Unreadable
	// Next is the earliest Due of both kinds that this call did not claim, that is under no lease at now and not put aside; zero: none.
	Next time.Time
}

// Store remembers cancellations and settings. It knows no rules: the Manager enforces all rules, permissions and states.
//
// An implementation must keep the numbered lines below. Package cancellationtest tests it line by line.
//
//  1. Concurrency: many goroutines and processes call every method at once.
//  2. Missing: Cancellation and Settings return an error that is ErrNotFound. Active leaves out servers without one.
//  3. Duplicate create: a Version of 0 means new; Commit of a new record whose ID is stored is ErrConflict. The ID of settings
//     is their ResellerID.
//  4. Atomicity: if the Version of a record is not the stored one, Commit fails with ErrConflict; the check and the write
//     are one step. All records and events of all changes of a call are stored together, or none is. Changes apply in order, so
//     that one call may write a record twice. The stored Version is one higher than the given one. Unique: for each Assignment
//     that is not nil, at most one cancellation is scheduled or executing. A second one is ErrConflict, in the same step.
//  5. Ownership: the Store keeps no slice or map that it was given, and returns none that it keeps.
//  6. Time: times come back in UTC, exact to the microsecond. The zero time comes back as zero.
//  7. Decimal: value and scale survive, never through a float. A Store may keep a record as its JSON: json.Unmarshal gives back
//     exactly what json.Marshal got, decimals with their scale.
//  8. Order: Cancellations lists one reseller's cancellations by At, ties by ID. A cursor is opaque, "" at the end, and marks a
//     position in that order. Paging returns each cancellation that exists throughout, with an unchanged At, exactly
//     once. A cursor that is not one of this list is ErrInvalid. Active is in no order.
//  9. Context: if ctx ended before the call, the Store returns its error and writes nothing. If it ends during a Commit, the
//     outcome may be unknown. Repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: ClaimDue returns the records that are due (Due is not zero and not after now) and under no lease at now, the
//     oldest Due first, at most limit of each kind. In the same step it sets their LeaseUntil to until and raises their Version.
//     Other claims do not see a claimed record before until; from until on they do. Commit stores Due and LeaseUntil as
//     given. A lease further ahead of now than an hour plus twice until − now counts as ended: a clock was wrong when it was
//     set. A limit below 1 is ErrInvalid. The cost of a claim follows what is due, not what is stored.
//  11. Our promises to the implementer: the IDs of cancellations and settings are never nil. Times are in UTC, truncated to the
//     microsecond. Queries were checked: Limit is not negative, States and By are known, To is not before From. No hook runs
//     inside a store call.
//  12. Unreadable records: a record that the Store has but cannot read holds up no other. ClaimDue names it in Due.Unreadable and puts
//     it aside: for a minute the first time, twice as long each time after that, and for a day at most. It keeps its Due.
//     Meanwhile ClaimDue ignores it. Cancellation and Settings return an error for it that is neither ErrNotFound nor ErrConflict.
//     Cancellations leaves it out, goes past it, and tells the host in a way of the Store's own. So does Active for several servers.
//     For one server Active returns an error: an answer without the record would say that the server stays. It still counts for
//     what must be unique. A Store without such records has nothing to do here.
type Store interface {
	// Cancellation returns one cancellation of any reseller, or ErrNotFound.
	Cancellation(ctx context.Context, id uuid.UUID) (Cancellation, error)
	// Cancellations lists one reseller's cancellations. next is the cursor of the next page, "" at the end.
	Cancellations(ctx context.Context, reseller uuid.UUID, q Query) (items []Cancellation, next string, err error)
	// Active returns every cancellation of these servers that is scheduled or executing.
	Active(ctx context.Context, servers []uuid.UUID) ([]Cancellation, error)
	// Settings returns one reseller's settings, or ErrNotFound.
	Settings(ctx context.Context, reseller uuid.UUID) (Settings, error)
	// ClaimDue claims the records that are due at now, under a lease until until.
	ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}

// guardedStore guards every call of a host's Store: what goes wrong in it is ErrHost.
type guardedStore struct{ store Store }

func (g guardedStore) Cancellation(ctx context.Context, id uuid.UUID) (Cancellation, error) {
	return manage.Get(ctx, func() (Cancellation, error) { return g.store.Cancellation(ctx, id) })
}

func (g guardedStore) Cancellations(ctx context.Context, reseller uuid.UUID, q Query) ([]Cancellation, string, error) {
	return manage.List(ctx, q.After, func() ([]Cancellation, string, error) { return g.store.Cancellations(ctx, reseller, q) })
}

func (g guardedStore) Active(ctx context.Context, servers []uuid.UUID) ([]Cancellation, error) {
	return manage.GetMany(ctx, func() ([]Cancellation, error) { return g.store.Active(ctx, servers) })
}

func (g guardedStore) Settings(ctx context.Context, reseller uuid.UUID) (Settings, error) {
	return manage.Get(ctx, func() (Settings, error) { return g.store.Settings(ctx, reseller) })
}

func (g guardedStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error) {
	return manage.GetMany(ctx, func() (Due, error) { return g.store.ClaimDue(ctx, now, until, limit) })
}

func (g guardedStore) Commit(ctx context.Context, changes ...Change) error {
	return manage.Commit(ctx, func() error { return g.store.Commit(ctx, changes...) })
}
