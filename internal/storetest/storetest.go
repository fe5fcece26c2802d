// Package storetest is the common part of the published suites for stores: one test for each numbered line of the contract in the
// comment of every Store. A suite describes each kind of record as a Kind, runs Test on it, and adds the tests that only its own
// store needs.
//
// The package also tests the suites themselves. Breaks makes stores that break one line on purpose, and Fails checks that a suite
// fails on each of them, in the test of that line.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// Kind describes one kind of record of a store to the tests.
type Kind[E any] struct {
	// Open returns a fresh, empty store.
	Open func(t *testing.T) Store[E]
	// Make returns a valid record of a reseller: every field is set, the ID is fresh, Version is 0, and Due is zero. The fields
	// that lists are sorted by depend on n and repeat after five values.
	Make func(reseller uuid.UUID, n int) E
	// Edit changes fields that Make set. It does not change the sort order.
	Edit func(E) E
	// Scribble overwrites every slice and map of the record. nil: the record has none.
	Scribble func(E)
	// Meta returns pointers to the fields that all records have.
	Meta func(*E) Meta
	// Compare is the order of lists.
	Compare func(a, b E) int
	// Unlisted means that the store has no list of these records. Store.List and Compare are nil.
	Unlisted bool
}

// Meta has pointers into a record. Due and Lease are nil for records that are never claimed.
type Meta struct {
	ID         *uuid.UUID
	Version    *int64
	Due, Lease *time.Time
}

// Store is the store under test, reduced to one kind of record. Claim is nil for records that are never claimed.
type Store[E any] struct {
	Get    func(ctx context.Context, id uuid.UUID) (E, error)
	List   func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]E, string, error)
	Commit func(ctx context.Context, changes ...Change[E]) error
	Claim  func(ctx context.Context, now, until time.Time, limit int) ([]E, time.Time, error)
	Outbox notify.Outbox // receives the events of Commit
}

// Change is an argument of Store.Commit.
type Change[E any] struct {
	Records []E
	Events  []notify.Event
}

// AdaptCommit returns Store.Commit for the method Commit of a store. change makes a change of the store from the records and the
// events of a Change.
func AdaptCommit[E, C any](
	commit func(context.Context, ...C) error, change func([]E, []notify.Event) C,
) func(context.Context, ...Change[E]) error {
	return func(ctx context.Context, changes ...Change[E]) error {
		var adapted []C
		for _, c := range changes {
			adapted = append(adapted, change(c.Records, c.Events))
		}
		return commit(ctx, adapted...)
	}
}

// Test tests every line of the contract that all stores have in common.
func Test[E any](t *testing.T, k Kind[E]) {
	t.Run("1 concurrency: one of two writers of the same version wins", k.testWriters)
	t.Run("2 missing: an unknown ID is ErrNotFound", k.testMissing)
	t.Run("3 duplicate create: ErrConflict", k.testDuplicate)
	t.Run("4 atomicity: a stale version is ErrConflict", k.testStale)
	t.Run("4 atomicity: Commit raises the version by one", k.testVersion)
	t.Run("4 atomicity: a failed call stores nothing", k.testAllOrNothing)
	t.Run("4 atomicity: events are stored with their change", k.testEvents)
	t.Run("4 atomicity: changes of a call apply in order", k.testOrderOfChanges)
	t.Run("5 ownership: Commit copies its arguments", k.testCommitCopies)
	if k.Scribble != nil {
		t.Run("5 ownership: reads return copies", k.testReadsCopy)
	}
	t.Run("6 time, 7 decimal: a stored record is read back unchanged", k.testRoundTrip)
	if !k.Unlisted {
		TestLists(t, k)
	}
	t.Run("9 context: a cancelled context is an error, and Commit stores nothing", k.testCancelled)
	if k.claimable() {
		k.testLeases(t)
	}
}

// claimable reports whether the records have a Due and a Lease.
func (k Kind[E]) claimable() bool {
	var e E
	return k.Meta(&e).Due != nil
}

func (k Kind[E]) id(e E) uuid.UUID { return *k.Meta(&e).ID }

func (k Kind[E]) ids(records []E) []uuid.UUID {
	var ids []uuid.UUID
	for _, e := range records {
		ids = append(ids, k.id(e))
	}
	return ids
}

// make returns a record of a fresh reseller.
func (k Kind[E]) make(n int) E { return k.Make(uuid.New(), n) }

// put commits records, each in a change of its own, and returns them as the store returns them.
func (k Kind[E]) put(t *testing.T, s Store[E], records ...E) []E {
	t.Helper()
	var changes []Change[E]
	for _, e := range records {
		changes = append(changes, Change[E]{Records: []E{e}})
	}
	if err := s.Commit(t.Context(), changes...); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	var stored []E
	for _, e := range records {
		stored = append(stored, k.get(t, s, k.id(e)))
	}
	return stored
}

func (k Kind[E]) get(t *testing.T, s Store[E], id uuid.UUID) E {
	t.Helper()
	e, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("reading %s: %v", id, err)
	}
	return e
}

// wantConflict commits changes that must be refused.
func (k Kind[E]) wantConflict(t *testing.T, s Store[E], what string, changes ...Change[E]) {
	t.Helper()
	WantConflict(t, what, s.Commit(t.Context(), changes...))
}

// instant returns the n-th hour of the suite's time.
func instant(n int) time.Time {
	return time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC)
}

// Name returns one of five names. Their order by bytes differs from their alphabetical order.
func Name(n int) string {
	return []string{"Wéb-1", "web-2", "Zulu", "alpha", "Öl-3"}[n%5]
}
