package backup

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

// Change holds requests, tasks and the events that the change caused. All of it is stored, or nothing.
type Change struct {
	Requests []Request
	Tasks    []Task
	Events   []notify.Event
}

// Due is the result of ClaimDue.
type Due struct {
	Requests []Request
	// Unreadable are due requests that the Store has, but cannot read; it has put them aside. See line 12 of Store.
	Unreadable []notify.Unreadable
	// Next is the earliest Due of all requests that are neither claimed now nor under a lease nor put aside; zero: no request has one.
	Next time.Time
}

// Store remembers requests and their tasks. It knows no rules: the Manager enforces all rules, permissions and states.
//
// An implementation must keep the numbered lines below. Package backuptest tests it line by line.
//
//  1. Concurrency: many goroutines and processes call every method at once.
//  2. Missing: Request and Task return an error that is ErrNotFound.
//  3. Duplicate create: a Version of 0 means new; Commit of a new record whose ID is stored is ErrConflict.
//  4. Atomicity: if the Version of a record is not the stored one, Commit fails with ErrConflict. A second pending task with
//     Attempt 0 of one request is ErrConflict, too. The checks and the write are one step. All records and events of all
//     changes of a call are stored together, or none is. Changes apply in order, so that one call may write a record twice.
//     The stored Version is one higher than the given one.
//  5. Ownership: the Store keeps no slice or map that it was given, and returns none that it keeps.
//  6. Time: times come back in UTC, exact to the microsecond. The zero time comes back as zero. That includes the Schedule's
//     Start and Until.
//  7. Decimal: the records hold none. A Store may keep a record as its JSON: json.Unmarshal gives back exactly what json.Marshal
//     got. A Store need not keep a task's WillNotRun and Overdue: they are false at every Commit.
//  8. Order: Tasks lists the tasks of one reseller by At. Requests lists the requests of one reseller by ServerName, in the
//     order of bytes. Ties are broken by ID. A cursor is opaque, "" at the end, and marks a position in that order. Paging
//     returns each record that exists throughout, with an unchanged key, exactly once. A cursor of another list, and any
//     other text, is ErrInvalid. Counts counts the tasks that Tasks lists on all its pages together; it ignores Limit and
//     After. The cost of finding the tasks of one request (RequestID) does not grow with the tasks of other requests.
//  9. Context: if ctx ended before the call, the Store returns its error and writes nothing. If it ends during a Commit, the
//     outcome may be unknown. Repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: ClaimDue returns requests whose Due is not zero and not after now, and that are under no lease at now: by Due,
//     ties by ID, at most limit of them. A limit below 1 is ErrInvalid. In the same step it sets their LeaseUntil to until
//     and raises their Version. Until then they are hidden from other claims, then they can be claimed again. Commit stores
//     LeaseUntil as given. A lease further ahead of now than an hour plus twice until − now counts as ended: a clock was
//     wrong when it was set. Next is the earliest Due, in the past or not, of all requests that are neither claimed by
//     the call nor under a lease at now. The cost of a claim follows what is due, not what is stored.
//  11. Our promises to the implementer: IDs are never nil. Times are in UTC, truncated to the microsecond. Queries were
//     checked: Limit is not negative, States and Owner are known, Overdue is false. No hook runs inside a store call.
//  12. Unreadable records: a record that the Store has but cannot read holds up no other. ClaimDue names such a request in
//     Due.Unreadable and puts it aside: for a minute the first time, twice as long each time after that, and for a day at
//     most. It keeps its Due. Meanwhile ClaimDue ignores it. Request and Task return an error for such a record that is
//     neither ErrNotFound nor ErrConflict. So do OpenTasks, and Tasks for one request (RequestID): the Manager decides by all
//     tasks of a request. Requests, and Tasks otherwise, leave the record out; they go past it, and tell the host in a way of
//     the Store's own. A Store without such records has nothing to do here.
type Store interface {
	// Request returns one request of any reseller, or ErrNotFound.
	Request(ctx context.Context, id uuid.UUID) (Request, error)
	// Requests lists one reseller's requests. next is the cursor of the next page, "" at the end.
	Requests(ctx context.Context, reseller uuid.UUID, q RequestQuery) (items []Request, next string, err error)
	// Task returns one task of any reseller, or ErrNotFound.
	Task(ctx context.Context, id uuid.UUID) (Task, error)
	// Tasks lists one reseller's tasks. next is the cursor of the next page, "" at the end.
	Tasks(ctx context.Context, reseller uuid.UUID, q TaskQuery) (items []Task, next string, err error)
	// Counts counts one reseller's tasks by state. A state without tasks may be left out.
	Counts(ctx context.Context, reseller uuid.UUID, q TaskQuery) (map[State]int, error)
	// ClaimDue leases due requests until the given instant, at most limit of them.
	ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}

// BulkStore is a Store that reads the tasks of many requests with one question. It is optional: with any other Store a
// Manager reads them request by request, with the same result. A wrapper around a BulkStore should implement BulkStore as
// well: a struct that embeds a Store has only the methods of Store.
type BulkStore interface {
	Store
	// OpenTasks returns the pending tasks of these requests, and the tasks with these IDs that exist: of any reseller, each
	// once and in any order. Lines 1, 5, 6 and 9 of Store's contract hold for it. Its cost follows what is pending, not
	// what the requests had before.
	OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]Task, error)
}

// guarded returns the Store with every call guarded: what goes wrong in it is ErrHost.
func guarded(s Store) Store {
	if bulk, ok := s.(BulkStore); ok {
		return guardedBulkStore{guardedStore{s}, bulk}
	}
	return guardedStore{s}
}

type guardedStore struct{ store Store }

func (g guardedStore) Request(ctx context.Context, id uuid.UUID) (Request, error) {
	return manage.Get(ctx, func() (Request, error) { return g.store.Request(ctx, id) })
}

func (g guardedStore) Requests(ctx context.Context, reseller uuid.UUID, q RequestQuery) ([]Request, string, error) {
	return manage.List(ctx, q.After, func() ([]Request, string, error) { return g.store.Requests(ctx, reseller, q) })
}

func (g guardedStore) Task(ctx context.Context, id uuid.UUID) (Task, error) {
	return manage.Get(ctx, func() (Task, error) { return g.store.Task(ctx, id) })
}

func (g guardedStore) Tasks(ctx context.Context, reseller uuid.UUID, q TaskQuery) ([]Task, string, error) {
	return manage.List(ctx, q.After, func() ([]Task, string, error) { return g.store.Tasks(ctx, reseller, q) })
}

func (g guardedStore) Counts(ctx context.Context, reseller uuid.UUID, q TaskQuery) (map[State]int, error) {
	return manage.GetMany(ctx, func() (map[State]int, error) { return g.store.Counts(ctx, reseller, q) })
}

func (g guardedStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error) {
	return manage.GetMany(ctx, func() (Due, error) { return g.store.ClaimDue(ctx, now, until, limit) })
}

func (g guardedStore) Commit(ctx context.Context, changes ...Change) error {
	return manage.Commit(ctx, func() error { return g.store.Commit(ctx, changes...) })
}

type guardedBulkStore struct {
	guardedStore
	bulk BulkStore
}

func (g guardedBulkStore) OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]Task, error) {
	return manage.GetMany(ctx, func() ([]Task, error) { return g.bulk.OpenTasks(ctx, requests, ids) })
}
