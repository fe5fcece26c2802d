// Package storetest is what the published suites of the stores have in common: one test for each numbered line of the
// contract that every Store's comment states. The suites adapt their store to a Kind and add what is theirs alone.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/notify"
)

// Kind is one kind of record in one store, as the tests need it.
type Kind[E any] struct {
	// Open returns a fresh, empty store.
	Open func(t *testing.T) Store[E]
	// Make returns a valid record of a reseller with every field set, Version 0, a fresh ID, nothing due; n makes records
	// differ in what lists are sorted by, and repeats it every five.
	Make func(reseller uuid.UUID, n int) E
	// Edit changes what Make set, leaving the sort order.
	Edit func(E) E
	// Scribble overwrites every slice and map that the record holds. nil: it holds none.
	Scribble func(E)
	// Meta points at what all records have.
	Meta func(*E) Meta
	// Compare is the order of lists.
	Compare func(a, b E) int
	// Unlisted: the store keeps these records but lists none. Store.List and Compare are nil.
	Unlisted bool
}

// Meta points into a record. Due and Lease are nil for records that are never claimed.
type Meta struct {
	ID         *uuid.UUID
	Version    *int64
	Due, Lease *time.Time
}

// Store is a store under test, seen as one of this kind alone.
type Store[E any] struct {
	Get    func(ctx context.Context, id uuid.UUID) (E, error)
	List   func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]E, string, error)
	Commit func(ctx context.Context, changes ...Change[E]) error
	Claim  func(ctx context.Context, now, until time.Time, limit int) ([]E, time.Time, error)
	Outbox notify.Outbox // where the events of Commit arrive
}

// Change is what one Commit call is made of.
type Change[E any] struct {
	Records []E
	Events  []notify.Event
}

// Test runs every line.
func Test[E any](t *testing.T, k Kind[E]) {
	t.Run("1 concurrency: of two writers of one version one wins", k.race)
	t.Run("2 missing: ErrNotFound", k.missing)
	t.Run("3 duplicate create: ErrConflict", k.duplicate)
	t.Run("4 atomicity: a stale version is ErrConflict", k.stale)
	t.Run("4 atomicity: the stored version is one higher", k.version)
	t.Run("4 atomicity: all records of a call or none", k.allOrNothing)
	t.Run("4 atomicity: events arrive with their change", k.events)
	t.Run("4 atomicity: changes of a call apply in order", k.inOrder)
	t.Run("5 ownership: keeps nothing it was given", k.keepsNothing)
	if k.Scribble != nil {
		t.Run("5 ownership: hands out nothing it keeps", k.handsOutNothing)
	}
	t.Run("6 time, 7 decimal: what is stored comes back the same", k.roundTrip)
	if !k.Unlisted {
		TestLists(t, k)
	}
	t.Run("9 context: a cancelled one writes nothing", k.cancelled)
	if k.claimable() {
		k.testLeases(t)
	}
}

func (k Kind[E]) claimable() bool {
	var e E
	return k.Meta(&e).Due != nil
}

func (k Kind[E]) id(e E) uuid.UUID { return *k.Meta(&e).ID }

// put commits records, each as a change of its own, and returns them as stored.
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

func (k Kind[E]) make(n int) E { return k.Make(uuid.New(), n) }

// rounds is how often a race is run: without a start barrier and many rounds, a store that checks first and writes
// afterwards passes.
const rounds = 200

func (k Kind[E]) race(t *testing.T) {
	s := k.Open(t)
	e := k.put(t, s, k.make(0))[0]
	for range rounds {
		start, results := make(chan struct{}), make(chan error, 2)
		for range 2 {
			go func() {
				<-start
				results <- s.Commit(t.Context(), Change[E]{Records: []E{e}})
			}()
		}
		close(start)
		a, b := <-results, <-results
		if (a == nil) == (b == nil) || a != nil && !errors.Is(a, fault.ErrConflict) || b != nil && !errors.Is(b, fault.ErrConflict) {
			t.Fatalf("two writers of one version got %v and %v: one must win, the other must get ErrConflict", a, b)
		}
		e = k.get(t, s, k.id(e))
	}
}

func (k Kind[E]) missing(t *testing.T) {
	s := k.Open(t)
	k.put(t, s, k.make(0))
	if _, err := s.Get(t.Context(), uuid.New()); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("an unknown ID gave %v, want ErrNotFound", err)
	}
}

func (k Kind[E]) duplicate(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	k.put(t, s, e)
	k.wantConflict(t, s, "creating an ID that is stored", Change[E]{Records: []E{e}})
	twice := k.make(1)
	k.wantConflict(t, s, "creating an ID twice in one call", Change[E]{Records: []E{twice, twice}})
}

func (k Kind[E]) wantConflict(t *testing.T, s Store[E], what string, changes ...Change[E]) {
	t.Helper()
	if err := s.Commit(t.Context(), changes...); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("%s gave %v, want ErrConflict", what, err)
	}
}

func (k Kind[E]) stale(t *testing.T) {
	s := k.Open(t)
	first := k.put(t, s, k.make(0))[0]
	second := k.put(t, s, k.Edit(first))[0]
	k.wantConflict(t, s, "writing an old version", Change[E]{Records: []E{first}})
	if d := Diff(second, k.get(t, s, k.id(first))); d != "" {
		t.Errorf("a refused write changed the record: %s", d)
	}
	ahead := second
	*k.Meta(&ahead).Version += 5
	k.wantConflict(t, s, "writing a version that was never stored", Change[E]{Records: []E{ahead}})
	unknown := k.make(1)
	*k.Meta(&unknown).Version = 1
	k.wantConflict(t, s, "writing version 1 of what is not stored", Change[E]{Records: []E{unknown}})
}

func (k Kind[E]) version(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	for want := int64(1); want <= 3; want++ {
		e = k.put(t, s, e)[0]
		if got := *k.Meta(&e).Version; got != want {
			t.Fatalf("after commit %d the version is %d", want, got)
		}
	}
}

func (k Kind[E]) allOrNothing(t *testing.T) {
	s := k.Open(t)
	old := k.put(t, s, k.make(0))[0]
	k.put(t, s, old)
	fresh, other := k.make(1), k.make(2)
	k.wantConflict(t, s, "a call with one stale record",
		Change[E]{Records: []E{fresh}, Events: []notify.Event{event(k.id(fresh))}}, Change[E]{Records: []E{other, old}})
	for _, e := range []E{fresh, other} {
		if _, err := s.Get(t.Context(), k.id(e)); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("a record of a call that failed was stored (reading it gave %v)", err)
		}
	}
	if got, _, err := s.Outbox.Deliveries(t.Context(), notify.DeliveryQuery{}); err != nil || len(got) > 0 {
		t.Errorf("an event of a call that failed is in the outbox: %v, %v", got, err)
	}
}

func event(subject uuid.UUID) notify.Event {
	return notify.Event{
		ID: uuid.New(), Kind: "suite.event", At: instant(0), ResellerID: uuid.New(), SubjectID: subject, Data: []byte(`{"n":1}`),
	}
}

// instant is the n-th hour of the suite's own time.
func instant(n int) time.Time {
	return time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC)
}

func (k Kind[E]) events(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	if err := s.Outbox.Register(t.Context(), "suite", nil); err != nil {
		t.Fatalf("Register: %v", err)
	}
	first, second := event(k.id(e)), event(k.id(e))
	err := s.Commit(t.Context(), Change[E]{Records: []E{e}, Events: []notify.Event{first, second}})
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	due, err := s.Outbox.ClaimDue(t.Context(), "suite", instant(100), instant(101), 10)
	if err != nil || len(due.Deliveries) != 1 {
		t.Fatalf("the outbox hands out %d deliveries, %v: the first of the subject's two events was wanted", len(due.Deliveries), err)
	}
	if d := Diff(first, due.Deliveries[0].Event); d != "" {
		t.Errorf("the event came back changed: %s", d)
	}
	all, _, err := s.Outbox.Deliveries(t.Context(), notify.DeliveryQuery{})
	if err != nil || len(all) != 2 {
		t.Errorf("the outbox holds %d deliveries, %v: two events were committed", len(all), err)
	}
}

func (k Kind[E]) inOrder(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	again := k.Edit(e)
	*k.Meta(&again).Version = 1
	if err := s.Commit(t.Context(), Change[E]{Records: []E{e}}, Change[E]{Records: []E{again}}); err != nil {
		t.Fatalf("one call that creates a record and then writes it: %v", err)
	}
	*k.Meta(&again).Version = 2
	if d := Diff(again, k.get(t, s, k.id(e))); d != "" {
		t.Errorf("not the later change is stored: %s", d)
	}
}

func (k Kind[E]) keepsNothing(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	want := clone(k.put(t, s, e)[0]) // a store that keeps what it is given may hand it out, too
	if k.Scribble != nil {
		k.Scribble(e)
	}
	if d := Diff(want, k.get(t, s, k.id(e))); d != "" {
		t.Errorf("who overwrites what it gave to Commit overwrites the store: %s", d)
	}
	data := []byte(`{"n":1}`)
	if err := s.Outbox.Register(t.Context(), "suite", nil); err != nil {
		t.Fatalf("Register: %v", err)
	}
	ev := event(k.id(e))
	ev.Data = data
	if err := s.Commit(t.Context(), Change[E]{Events: []notify.Event{ev}}); err != nil {
		t.Fatalf("Commit of an event alone: %v", err)
	}
	copy(data, `XXXXXXX`)
	all, _, err := s.Outbox.Deliveries(t.Context(), notify.DeliveryQuery{})
	if err != nil || len(all) != 1 || string(all[0].Event.Data) != `{"n":1}` {
		t.Errorf("who overwrites an event's data overwrites the outbox: %v, %v", all, err)
	}
}

func (k Kind[E]) handsOutNothing(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	want := clone(k.put(t, s, k.Make(reseller, 0))[0])
	k.Scribble(k.get(t, s, k.id(want)))
	if d := Diff(want, k.get(t, s, k.id(want))); d != "" {
		t.Errorf("who overwrites what it read overwrites the store: %s", d)
	}
	if k.Unlisted {
		return
	}
	listed, _, err := s.List(t.Context(), reseller, 10, "")
	if err != nil || len(listed) != 1 {
		t.Fatalf("listing gave %d records, %v", len(listed), err)
	}
	k.Scribble(listed[0])
	if d := Diff(want, k.get(t, s, k.id(want))); d != "" {
		t.Errorf("who overwrites what it listed overwrites the store: %s", d)
	}
}

func (k Kind[E]) roundTrip(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	full := k.Make(reseller, 3)
	var empty E
	*k.Meta(&empty).ID = uuid.New()
	for what, e := range map[string]E{"a record with every field set": full, "a record with only an ID": empty} {
		if err := s.Commit(t.Context(), Change[E]{Records: []E{e}}); err != nil {
			t.Errorf("%s: Commit: %v", what, err)
			continue
		}
		*k.Meta(&e).Version++
		if d := Diff(e, k.get(t, s, k.id(e))); d != "" {
			t.Errorf("%s came back changed: %s", what, d)
		}
	}
	if k.Unlisted {
		return
	}
	listed, _, err := s.List(t.Context(), reseller, 10, "")
	if err != nil || len(listed) != 1 {
		t.Fatalf("listing gave %d records, %v", len(listed), err)
	}
	*k.Meta(&full).Version = 1
	if d := Diff(full, listed[0]); d != "" {
		t.Errorf("a record is listed changed: %s", d)
	}
}

func (k Kind[E]) cancelled(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, Change[E]{Records: []E{e}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit under a cancelled context gave %v", err)
	}
	if _, err := s.Get(t.Context(), k.id(e)); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("Commit under a cancelled context wrote (reading gave %v)", err)
	}
	if _, err := s.Get(ctx, k.id(e)); !errors.Is(err, context.Canceled) {
		t.Errorf("reading under a cancelled context gave %v", err)
	}
	if !k.Unlisted {
		if _, _, err := s.List(ctx, uuid.New(), 1, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("listing under a cancelled context gave %v", err)
		}
	}
	if k.claimable() {
		if _, _, err := s.Claim(ctx, instant(0), instant(1), 1); !errors.Is(err, context.Canceled) {
			t.Errorf("claiming under a cancelled context gave %v", err)
		}
	}
}

func describe[E any](k Kind[E], items []E) string {
	var ids []uuid.UUID
	for _, e := range items {
		ids = append(ids, k.id(e))
	}
	return fmt.Sprint(ids)
}
