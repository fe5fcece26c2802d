package dedicated

import (
	"context"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// Query says which of a reseller's servers to list. The zero value is all of them.
type Query struct {
	Text     string    // in the name or the ID, whatever the case of letters; "": any
	States   []State   // one of these; empty: any
	Owner    string    // "": any, "own": the reseller's own, "provider": a provider's
	ClientID uuid.UUID // the client it is or was last assigned to; nil: any
	Limit    int       // how many at the most; 0: the store's default; more than the store's maximum: that maximum
	After    string    // the cursor that the page before returned; "": from the start
}

// Change is servers and the events that the change caused: all of it is stored or none.
type Change struct {
	Servers []Server
	Events  []notify.Event
}

// Store remembers servers. It is dumb: all rules, permissions and states are the Manager's.
//
// What an implementation owes, and what package dedicatedtest tests line by line:
//
//  1. Concurrency: every method may be called by many goroutines and processes at once.
//  2. Missing: Server returns an error that is ErrNotFound.
//  3. Duplicate create: a Version of 0 means new; Commit of one whose ID is stored is ErrConflict.
//  4. Atomicity: a server whose Version is not the stored one makes Commit fail with ErrConflict, check and write being one
//     step. All servers and events of all changes of a call are stored together or not at all. Changes apply in
//     order, so that one call may write a server twice. The stored Version is one higher than the one given.
//  5. Ownership: it keeps no slice or map that it was given and hands out none that it keeps.
//  6. Time: comes back in UTC, exact to the microsecond; the zero time comes back as zero.
//  7. Decimal: servers hold none.
//  8. Order: Servers lists one reseller's servers by name, in the order of bytes, ties by ID. The cursor is opaque, "" at
//     the end, and stands for a place in that order: who pages through meets every server that was there all the time and
//     kept its name exactly once, whatever is added or removed meanwhile. Another list's cursor, or no cursor at all, is
//     ErrInvalid, as are a negative Limit and an Owner that Query does not know.
//  9. Context: when ctx has ended before the call, nothing is written and its error is returned; when it ends during a
//     Commit the outcome may be unknown, and repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: servers are never claimed.
//  11. Our promises: IDs are never nil, times are already in UTC and truncated to the microsecond, and no hook runs inside a
//     store call.
type Store interface {
	// Server returns one server of any reseller, or ErrNotFound.
	Server(ctx context.Context, id uuid.UUID) (Server, error)
	// Servers lists one reseller's servers; next is the cursor of the page after, "" at the end.
	Servers(ctx context.Context, reseller uuid.UUID, q Query) (items []Server, next string, err error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}
