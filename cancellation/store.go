package cancellation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// Query says which of a reseller's cancellations to list. The zero value is all of them.
type Query struct {
	States   []State        // one of these; empty: any
	From, To time.Time      // At in [From, To); zero: no bound
	ClientID uuid.UUID      // nil: any
	ServerID uuid.UUID      // nil: any
	By       dedicated.Role // who ordered it; 0: any
	Stuck    bool           // only what is active and has failed: Attempts above 0
	Limit    int            // how many at the most; 0: the store's default; more than the store's maximum: that maximum
	After    string         // the cursor that the page before returned; "": from the start
}

// Change is cancellations, settings and the events that the change caused: all of it is stored or none.
type Change struct {
	Cancellations []Cancellation
	Settings      []Settings
	Events        []notify.Event
}

// Due is what a claim got: both kinds, oldest Due first each.
type Due struct {
	Cancellations []Cancellation
	Settings      []Settings
	// Next is when the earliest of both kinds is due that was neither claimed nor is under a lease; zero: there is none.
	Next time.Time
}

// Store remembers cancellations and settings. It is dumb: all rules, permissions and states are the Manager's.
//
// What an implementation owes, and what package cancellationtest tests line by line:
//
//  1. Concurrency: every method may be called by many goroutines and processes at once.
//  2. Missing: Cancellation and Settings return an error that is ErrNotFound. Active leaves out what is not there.
//  3. Duplicate create: a Version of 0 means new; Commit of one whose ID is stored is ErrConflict. The ID of settings is
//     their ResellerID.
//  4. Atomicity: a record whose Version is not the stored one makes Commit fail with ErrConflict, check and write being one
//     step. All records and events of all changes of a call are stored together or not at all. Changes apply in order,
//     so that one call may write a record twice. The stored Version is one higher than the one given. Unique: at most one
//     cancellation that is scheduled or executing for each Assignment that is not nil; a second is ErrConflict, in the same
//     step.
//  5. Ownership: it keeps no slice or map that it was given and hands out none that it keeps.
//  6. Time: comes back in UTC, exact to the microsecond; the zero time comes back as zero.
//  7. Decimal: value and scale survive, never through a float.
//  8. Order: Cancellations lists one reseller's by At, ties by ID. The cursor is opaque, "" at the end, and stands for a
//     place in that order: who pages through meets everything that was there all the time and kept its At exactly once,
//     whatever is added or removed meanwhile. Another list's cursor, or no cursor at all, is ErrInvalid, as is a negative
//     Limit. Active is in no order.
//  9. Context: when ctx has ended before the call, nothing is written and its error is returned; when it ends during a
//     Commit the outcome may be unknown, and repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: ClaimDue hands out what is due (Due not zero and ≤ now) and under no lease at now, oldest first, at most
//     limit of each kind, setting LeaseUntil to until and raising Version in the same step. Claimed is hidden before until,
//     and claimable again from until on. Commit stores Due and LeaseUntil as given. A limit below 1 is ErrInvalid. What a
//     claim costs follows what is due, not what is stored.
//  11. Our promises: IDs of cancellations and settings are never nil, times are already in UTC and truncated to the
//     microsecond, and no hook runs inside a store call.
type Store interface {
	// Cancellation returns one cancellation of any reseller, or ErrNotFound.
	Cancellation(ctx context.Context, id uuid.UUID) (Cancellation, error)
	// Cancellations lists one reseller's cancellations; next is the cursor of the page after, "" at the end.
	Cancellations(ctx context.Context, reseller uuid.UUID, q Query) (items []Cancellation, next string, err error)
	// Active returns every cancellation of these servers that is scheduled or executing.
	Active(ctx context.Context, servers []uuid.UUID) ([]Cancellation, error)
	// Settings returns one reseller's settings, or ErrNotFound.
	Settings(ctx context.Context, reseller uuid.UUID) (Settings, error)
	// ClaimDue leases what is due at now until until.
	ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}
