package dedicated

import (
	"context"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

// Change holds servers and the events that the change caused. All of it is stored, or nothing.
type Change struct {
	Servers []Server
	Events  []notify.Event
}

// Store remembers servers. It knows no rules: the Manager enforces all rules, permissions and states.
//
// An implementation must keep the numbered lines below. Package dedicatedtest tests it line by line.
//
//  1. Concurrency: many goroutines and processes call every method at once.
//  2. Missing: Server returns an error that is ErrNotFound.
//  3. Duplicate create: a Version of 0 means new; Commit of a new server whose ID is stored is ErrConflict.
//  4. Atomicity: if the Version of a server is not the stored one, Commit fails with ErrConflict; the check and the write
//     are one step. All servers and events of all changes of a call are stored together, or none is. Changes apply in order, so
//     that one call may write a server twice. The stored Version is one higher than the given one.
//  5. Ownership: the Store keeps no slice or map that it was given, and returns none that it keeps.
//  6. Time: times come back in UTC, exact to the microsecond. The zero time comes back as zero.
//  7. Decimal: servers hold none. A Store may keep a server as its JSON: json.Unmarshal gives back exactly what json.Marshal got.
//  8. Order: Servers lists the servers of one reseller by name, in the order of bytes, ties by ID. A cursor is opaque, "" at the
//     end, and marks a position in that order. Paging returns each server that exists throughout, with an unchanged name,
//     exactly once. A cursor that is not one of this list is ErrInvalid.
//  9. Context: if ctx ended before the call, the Store returns its error and writes nothing. If it ends during a Commit, the
//     outcome may be unknown. Repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: servers are never claimed.
//  11. Our promises to the implementer: IDs are never nil. Times are in UTC, truncated to the microsecond. Queries were
//     checked: Limit is not negative, States and Owner are known. No hook runs inside a store call.
type Store interface {
	// Server returns one server of any reseller, or ErrNotFound.
	Server(ctx context.Context, id uuid.UUID) (Server, error)
	// Servers lists one reseller's servers. next is the cursor of the next page, "" at the end.
	Servers(ctx context.Context, reseller uuid.UUID, q Query) (items []Server, next string, err error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}

// BulkStore is a Store that reads many servers with one question. It is optional: with any other Store a Manager reads them
// one by one, with the same result. A wrapper around a BulkStore should implement BulkStore as well: a struct that
// embeds a Store has only the three methods of Store.
type BulkStore interface {
	Store
	// ServersByID returns those of the servers that exist, of any reseller, each once and in any order. Lines 1, 5, 6 and 9
	// of Store's contract hold for it.
	ServersByID(ctx context.Context, ids []uuid.UUID) ([]Server, error)
}

// EpochStore is what the Store of any package may implement, too, if its database holds an epoch: see Config.Epoch. It is optional. The
// Manager asks New's Store once. A wrapper around an EpochStore should implement it as well.
type EpochStore interface {
	// Epoch returns the epoch that the database held when this process opened it. "" is the first one. Once the database holds another
	// one, every Commit and every claim must fail.
	Epoch() string
}

// guarded returns the Store with every call guarded: what goes wrong in it is ErrHost.
func guarded(s Store) Store {
	if bulk, ok := s.(BulkStore); ok {
		return guardedBulkStore{guardedStore{s}, bulk}
	}
	return guardedStore{s}
}

type guardedStore struct{ store Store }

func (g guardedStore) Server(ctx context.Context, id uuid.UUID) (Server, error) {
	return manage.Get(ctx, func() (Server, error) { return g.store.Server(ctx, id) })
}

func (g guardedStore) Servers(ctx context.Context, reseller uuid.UUID, q Query) ([]Server, string, error) {
	return manage.List(ctx, q.After, func() ([]Server, string, error) { return g.store.Servers(ctx, reseller, q) })
}

func (g guardedStore) Commit(ctx context.Context, changes ...Change) error {
	return manage.Commit(ctx, func() error { return g.store.Commit(ctx, changes...) })
}

type guardedBulkStore struct {
	guardedStore
	bulk BulkStore
}

func (g guardedBulkStore) ServersByID(ctx context.Context, ids []uuid.UUID) ([]Server, error) {
	return manage.GetMany(ctx, func() ([]Server, error) { return g.bulk.ServersByID(ctx, ids) })
}
