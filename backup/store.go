package backup

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// TaskQuery says which of a reseller's tasks to list or count. The zero value is all of them. Criteria add up.
type TaskQuery struct {
	From, To  time.Time // planned at From or later, and before To; zero: open
	States    []State   // one of these; empty: any
	Overdue   bool      // pending for longer than Config.Grace; the Manager turns it into States and To
	ClientID  uuid.UUID // nil: any
	ServerID  uuid.UUID // nil: any
	RequestID uuid.UUID // nil: any
	Text      string    // in the server's name or its ID, whatever the case of letters; "": any
	Owner     string    // "": any, "own": on the reseller's own servers, "provider": on a provider's; refused for clients
	Limit     int       // how many at the most; 0: the store's default; more than the store's maximum: that maximum
	After     string    // the cursor that the page before returned; "": from the start
}

// RequestQuery says which of a reseller's requests to list. The zero value is all of them.
type RequestQuery struct {
	ClientID, ServerID uuid.UUID // nil: any
	Live               bool      // only what has not ended
	Limit              int       // as in TaskQuery
	After              string    // as in TaskQuery
}

// Change is requests and tasks and the events that the change caused: all of it is stored or none.
type Change struct {
	Requests []Request
	Tasks    []Task
	Events   []notify.Event
}

// Due is what ClaimDue hands out.
type Due struct {
	Requests []Request
	Next     time.Time // when the earliest that is neither claimed nor under a lease is due; zero: none is
}

// Store remembers requests and their tasks. It is dumb: all rules, permissions and states are the Manager's.
//
// What an implementation owes, and what package backuptest tests line by line:
//
//  1. Concurrency: every method may be called by many goroutines and processes at once.
//  2. Missing: Request and Task return an error that is ErrNotFound.
//  3. Duplicate create: a Version of 0 means new; Commit of one whose ID is stored is ErrConflict.
//  4. Atomicity: a record whose Version is not the stored one makes Commit fail with ErrConflict, and so does a second
//     pending task with Attempt 0 of one request, check and write being one step. All records and events of all changes of
//     a call are stored together or not at all. Changes apply in order, so that one call may write a record twice. The
//     stored Version is one higher than the one given.
//  5. Ownership: it keeps no slice or map that it was given and hands out none that it keeps.
//  6. Time: comes back in UTC, exact to the microsecond; the zero time comes back as zero. The Schedule's Start and Until
//     are among the times.
//  7. Decimal: there are none. WillNotRun and Overdue of tasks are always false here.
//  8. Order: Tasks lists one reseller's tasks by At, Requests one reseller's requests by ServerName, in the order of bytes,
//     ties by ID. The cursor is opaque, "" at the end, and stands for a place in that order: who pages through meets every
//     record that was there all the time and kept its place exactly once, whatever is added or removed meanwhile. Another
//     list's cursor, or no cursor at all, is ErrInvalid, as are a negative Limit and an Owner that TaskQuery does not know.
//     Counts counts what Tasks lists on all its pages together, by state; Limit and After mean nothing to it. Overdue is
//     never asked for. Tasks of one request (RequestID) are found without looking at those of all others.
//  9. Context: when ctx has ended before the call, nothing is written and its error is returned; when it ends during a
//     Commit the outcome may be unknown, and repeating the same Commit is safe: at worst it is ErrConflict.
//  10. Leases: ClaimDue hands out requests whose Due is not zero and not after now and whose LeaseUntil is not after now, by
//     Due, ties by ID, limit at the most (below 1: ErrInvalid). In the same step it sets their LeaseUntil to until and raises
//     their Version; until then they are hidden from other claims, then claimable again. Commit stores LeaseUntil as given.
//     Next is the earliest Due, in the past or not, that is neither claimed by the call nor under a lease at now. What a
//     claim costs follows what is due, not what is stored.
//  11. Our promises: IDs are never nil, times are already in UTC and truncated to the microsecond, and no hook runs inside a
//     store call.
type Store interface {
	// Request returns one request of any reseller, or ErrNotFound.
	Request(ctx context.Context, id uuid.UUID) (Request, error)
	// Requests lists one reseller's requests; next is the cursor of the page after, "" at the end.
	Requests(ctx context.Context, reseller uuid.UUID, q RequestQuery) (items []Request, next string, err error)
	// Task returns one task of any reseller, or ErrNotFound.
	Task(ctx context.Context, id uuid.UUID) (Task, error)
	// Tasks lists one reseller's tasks; next is the cursor of the page after, "" at the end.
	Tasks(ctx context.Context, reseller uuid.UUID, q TaskQuery) (items []Task, next string, err error)
	// Counts counts one reseller's tasks by state; a state without any may be left out.
	Counts(ctx context.Context, reseller uuid.UUID, q TaskQuery) (map[State]int, error)
	// ClaimDue leases due requests until until.
	ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error)
	// Commit stores all changes with their events, or nothing.
	Commit(ctx context.Context, changes ...Change) error
}

// BulkStore is a Store that can read the tasks of many requests with one question. It is optional: over any other a Manager
// reads them request by request, with the same outcome. Whoever wraps a Store that is one should be one, too.
type BulkStore interface {
	Store
	// OpenTasks returns the pending tasks of these requests and the tasks with these IDs, where there are any: of any
	// reseller, each once and in any order. Lines 1, 5, 6 and 9 of Store's contract hold for it. What it costs follows what
	// is pending, not what the requests have had before.
	OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]Task, error)
}
