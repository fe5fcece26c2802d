package storetest

import (
	"testing"

	"github.com/metalkeep/metalkeep/notify"
)

func (k Kind[E]) testWriters(t *testing.T) {
	s := k.Open(t)
	e := k.put(t, s, k.make(0))[0]
	for range Rounds {
		write := func() error { return s.Commit(t.Context(), Change[E]{Records: []E{e}}) }
		Race(t, "two writes of one version", [2]func() error{write, write})
		e = k.get(t, s, k.id(e))
	}
}

func (k Kind[E]) testDuplicate(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	k.put(t, s, e)
	k.wantConflict(t, s, "creating a record whose ID is stored", Change[E]{Records: []E{e}})
	twice := k.make(1)
	k.wantConflict(t, s, "creating a record twice in one call", Change[E]{Records: []E{twice, twice}})
}

func (k Kind[E]) testStale(t *testing.T) {
	s := k.Open(t)
	first := k.put(t, s, k.make(0))[0]
	second := k.put(t, s, k.Edit(first))[0]
	k.wantConflict(t, s, "writing an old version", Change[E]{Records: []E{first}})
	if d := Diff(second, k.get(t, s, k.id(first))); d != "" {
		t.Errorf("a refused write changed the record: %s", d)
	}
	future := second
	*k.Meta(&future).Version += 5
	k.wantConflict(t, s, "writing a version that was never stored", Change[E]{Records: []E{future}})
	unknown := k.make(1)
	*k.Meta(&unknown).Version = 1
	k.wantConflict(t, s, "writing version 1 of a record that is not stored", Change[E]{Records: []E{unknown}})
}

func (k Kind[E]) testVersion(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	for want := int64(1); want <= 3; want++ {
		e = k.put(t, s, e)[0]
		if got := *k.Meta(&e).Version; got != want {
			t.Fatalf("after commit %d the version is %d", want, got)
		}
	}
}

func (k Kind[E]) testAllOrNothing(t *testing.T) {
	s := k.Open(t)
	Register(t, s.Outbox)
	old := k.put(t, s, k.make(0))[0]
	k.put(t, s, old)
	fresh, other := k.make(1), k.make(2)
	k.wantConflict(t, s, "a call with one stale record",
		Change[E]{Records: []E{fresh}, Events: []notify.Event{Event(k.id(fresh))}}, Change[E]{Records: []E{other, old}})
	for _, e := range []E{fresh, other} {
		_, err := s.Get(t.Context(), k.id(e))
		WantNotFound(t, "reading a record of a failed call", err)
	}
	WantNoEvents(t, s.Outbox)
}

func (k Kind[E]) testEvents(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	Register(t, s.Outbox)
	first, second := Event(k.id(e)), Event(k.id(e))
	err := s.Commit(t.Context(), Change[E]{Records: []E{e}, Events: []notify.Event{first, second}})
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	due, err := s.Outbox.ClaimDue(t.Context(), "suite", instant(100), instant(101), 10)
	if err != nil || len(due.Deliveries) != 1 {
		t.Fatalf("a claim returns %d deliveries, %v, want 1: the first event of a subject with two events", len(due.Deliveries), err)
	}
	if d := Diff(first, due.Deliveries[0].Event); d != "" {
		t.Errorf("the event was changed: %s", d)
	}
	all, _, err := s.Outbox.Deliveries(t.Context(), notify.DeliveryQuery{})
	if err != nil || len(all) != 2 {
		t.Errorf("the outbox has %d deliveries, %v, want 2, one for each event", len(all), err)
	}
}

func (k Kind[E]) testOrderOfChanges(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	edited := k.Edit(e)
	*k.Meta(&edited).Version = 1
	if err := s.Commit(t.Context(), Change[E]{Records: []E{e}}, Change[E]{Records: []E{edited}}); err != nil {
		t.Fatalf("a call that creates a record and then edits it: %v", err)
	}
	*k.Meta(&edited).Version = 2
	if d := Diff(edited, k.get(t, s, k.id(e))); d != "" {
		t.Errorf("the store does not have the later change: %s", d)
	}
}

func (k Kind[E]) testCommitCopies(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	want := clone(k.put(t, s, e)[0]) // a clone: this store may also return its own slices
	if k.Scribble != nil {
		k.Scribble(e)
	}
	if d := Diff(want, k.get(t, s, k.id(e))); d != "" {
		t.Errorf("the caller overwrote an argument of Commit, and the stored record changed: %s", d)
	}
	Register(t, s.Outbox)
	ev := Event(k.id(e))
	data := string(ev.Data)
	if err := s.Commit(t.Context(), Change[E]{Events: []notify.Event{ev}}); err != nil {
		t.Fatalf("Commit of an event without records: %v", err)
	}
	copy(ev.Data, `XXXXXXX`)
	all, _, err := s.Outbox.Deliveries(t.Context(), notify.DeliveryQuery{})
	if err != nil || len(all) != 1 || string(all[0].Event.Data) != data {
		t.Errorf("the caller overwrote the data of an event, and the outbox changed: %v, %v", all, err)
	}
}
