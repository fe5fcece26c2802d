package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

func (k Kind[E]) testLeases(t *testing.T) {
	t.Run("10 leases: ClaimDue returns due records only, oldest first", k.testClaimsDue)
	t.Run("10 leases: ClaimDue says when the next record is due", k.testNext)
	t.Run("10 leases: a claimed record is hidden until its lease ends", k.testHidden)
	t.Run("10 leases: a lease too far ahead counts as ended", k.testFarLease)
	t.Run("10 leases: ClaimDue sets the lease and raises the version", k.testClaimRaises)
	t.Run("10 leases: Commit after a lost lease is ErrConflict", k.testLostLease)
	t.Run("10 leases: Commit stores the lease as given", k.testLeaseAsGiven)
	t.Run("10 leases: concurrent workers claim each record once", k.testWorkers)
	t.Run("10 leases: a limit below 1 is ErrInvalid", k.testClaimLimit)
	t.Run("12 unreadable records: a readable record is not named", k.testNoneNamed)
}

// makeDue returns a record that is due at the n-th hour.
func (k Kind[E]) makeDue(n int) E {
	e := k.make(n)
	*k.Meta(&e).Due = instant(n)
	return e
}

func (k Kind[E]) claim(t *testing.T, s Store[E], now, until time.Time, limit int) ([]E, time.Time) {
	t.Helper()
	items, next, err := s.Claim(t.Context(), now, until, limit)
	if err != nil {
		t.Fatalf("ClaimDue: %v", err)
	}
	return items, next
}

func (k Kind[E]) wantClaimed(t *testing.T, got []E, want ...E) {
	t.Helper()
	if fmt.Sprint(k.ids(got)) != fmt.Sprint(k.ids(want)) {
		t.Fatalf("claimed %v, want %v", k.ids(got), k.ids(want))
	}
}

func (k Kind[E]) testClaimsDue(t *testing.T) {
	s := k.Open(t)
	first, second, third, future, never := k.makeDue(1), k.makeDue(2), k.makeDue(3), k.makeDue(4), k.make(0)
	k.put(t, s, future, third, never, second, first)
	got, _ := k.claim(t, s, instant(3), instant(9), 2)
	k.wantClaimed(t, got, first, second)
	got, _ = k.claim(t, s, instant(3), instant(9), 10)
	k.wantClaimed(t, got, third)
}

func (k Kind[E]) testNext(t *testing.T) {
	s := k.Open(t)
	if _, next := k.claim(t, s, instant(0), instant(9), 10); !next.IsZero() {
		t.Errorf("in an empty store next is %v, want the zero time", next)
	}
	k.put(t, s, k.makeDue(1), k.makeDue(2), k.makeDue(5), k.make(0))
	if _, next := k.claim(t, s, instant(0), instant(9), 10); !next.Equal(instant(1)) {
		t.Errorf("before the first record is due, next is %v, want %v", next, instant(1))
	}
	if _, next := k.claim(t, s, instant(3), instant(9), 1); !next.Equal(instant(2)) {
		t.Errorf("with one of two due records claimed, next is %v, want %v", next, instant(2))
	}
	if _, next := k.claim(t, s, instant(3), instant(9), 1); !next.Equal(instant(5)) {
		t.Errorf("with all due records claimed, next is %v, want %v", next, instant(5))
	}
}

func (k Kind[E]) testHidden(t *testing.T) {
	s, e := k.Open(t), k.makeDue(1)
	k.put(t, s, e)
	got, _ := k.claim(t, s, instant(1), instant(5), 10)
	k.wantClaimed(t, got, e)
	got, _ = k.claim(t, s, instant(5).Add(-time.Microsecond), instant(9), 10)
	k.wantClaimed(t, got)
	got, _ = k.claim(t, s, instant(5), instant(9), 10)
	k.wantClaimed(t, got, e)
}

// testFarLease has one record claimed by a clock that is nine years ahead, and another one by a clock that is an hour ahead.
func (k Kind[E]) testFarLease(t *testing.T) {
	const length = 10 * time.Minute
	s := k.Open(t)
	first, second := k.makeDue(1), k.makeDue(2)
	k.put(t, s, first)
	got, _ := k.claim(t, s, instant(1).AddDate(9, 0, 0), instant(1).AddDate(9, 0, 0).Add(length), 10)
	k.wantClaimed(t, got, first)
	k.put(t, s, second)
	got, next := k.claim(t, s, instant(0), instant(0).Add(length), 10)
	k.wantClaimed(t, got)
	if !next.Equal(instant(1)) {
		t.Errorf("with a lease that ends in nine years, next is %v, want %v: the record counts as free", next, instant(1))
	}
	got, _ = k.claim(t, s, instant(2), instant(2).Add(length), 10)
	k.wantClaimed(t, got, first, second)

	limit := instant(2).Add(length).Add(-time.Hour - 2*length) // here the lease is an hour and twice its length ahead
	*k.Meta(&got[0]).Due, *k.Meta(&got[1]).Due = limit.Add(-time.Hour), limit.Add(-time.Minute)
	k.put(t, s, got...)
	got, next = k.claim(t, s, limit, limit.Add(length), 10)
	k.wantClaimed(t, got)
	if !next.IsZero() {
		t.Errorf("with leases of a clock that is a little ahead, next is %v, want the zero time", next)
	}
	got, _ = k.claim(t, s, limit.Add(-time.Microsecond), limit.Add(length-time.Microsecond), 1)
	k.wantClaimed(t, got, first)
}

func (k Kind[E]) testClaimRaises(t *testing.T) {
	s := k.Open(t)
	e := k.put(t, s, k.makeDue(1))[0]
	want := e
	*k.Meta(&want).Version++
	*k.Meta(&want).Lease = instant(5)
	got, _ := k.claim(t, s, instant(1), instant(5), 10)
	k.wantClaimed(t, got, e)
	if d := Diff(want, got[0]); d != "" {
		t.Errorf("the claimed record: %s", d)
	}
	if d := Diff(want, k.get(t, s, k.id(e))); d != "" {
		t.Errorf("the stored record after the claim: %s", d)
	}
}

func (k Kind[E]) testLostLease(t *testing.T) {
	s := k.Open(t)
	k.put(t, s, k.makeDue(1))
	first, _ := k.claim(t, s, instant(1), instant(2), 1)
	second, _ := k.claim(t, s, instant(2), instant(3), 1)
	k.wantClaimed(t, second, first...)
	k.wantConflict(t, s, "Commit by a worker that lost its lease", Change[E]{Records: first})
	if err := s.Commit(t.Context(), Change[E]{Records: second}); err != nil {
		t.Errorf("Commit by the worker with the lease: %v", err)
	}
}

func (k Kind[E]) testLeaseAsGiven(t *testing.T) {
	s := k.Open(t)
	k.put(t, s, k.makeDue(1))
	first, _ := k.claim(t, s, instant(1), instant(5), 1)
	*k.Meta(&first[0]).Lease = time.Time{}
	k.put(t, s, first...)
	again, _ := k.claim(t, s, instant(1), instant(5), 1)
	k.wantClaimed(t, again, first...)

	*k.Meta(&again[0]).Lease, *k.Meta(&again[0]).Due = instant(3), instant(2)
	k.put(t, s, again...)
	early, _ := k.claim(t, s, instant(2), instant(5), 1)
	k.wantClaimed(t, early)
	again, _ = k.claim(t, s, instant(3), instant(5), 1)
	k.wantClaimed(t, again, first...)

	*k.Meta(&again[0]).Lease, *k.Meta(&again[0]).Due = time.Time{}, time.Time{}
	k.put(t, s, again...)
	neverDue, _ := k.claim(t, s, instant(100), instant(101), 1)
	k.wantClaimed(t, neverDue)
}

func (k Kind[E]) testWorkers(t *testing.T) {
	s := k.Open(t)
	var all []E
	for range 200 {
		all = append(all, k.makeDue(1))
	}
	k.put(t, s, all...)
	var mu sync.Mutex
	var workers sync.WaitGroup
	start, claims := make(chan struct{}), map[uuid.UUID]int{}
	for range 8 {
		workers.Go(func() {
			<-start
			for range all { // bounded: a broken store may return the same records for ever
				items, _, err := s.Claim(t.Context(), instant(1), instant(5), 3)
				if err != nil {
					t.Errorf("ClaimDue: %v", err)
				}
				if err != nil || len(items) == 0 {
					return
				}
				mu.Lock()
				for _, e := range items {
					claims[k.id(e)]++
				}
				mu.Unlock()
			}
		})
	}
	close(start)
	workers.Wait()
	for _, e := range all {
		if claims[k.id(e)] != 1 {
			t.Fatalf("8 concurrent workers claimed %s %d times, want once", k.id(e), claims[k.id(e)])
		}
	}
}

// testNoneNamed relies on Store.Claim, which returns an error if a record is named: see NoUnreadable.
func (k Kind[E]) testNoneNamed(t *testing.T) {
	s := k.Open(t)
	var empty E
	*k.Meta(&empty).ID, *k.Meta(&empty).Due = uuid.New(), instant(1)
	full := k.makeDue(2)
	k.put(t, s, empty, full)
	got, _ := k.claim(t, s, instant(3), instant(4), 10)
	k.wantClaimed(t, got, empty, full)
}

func (k Kind[E]) testClaimLimit(t *testing.T) {
	s := k.Open(t)
	for _, limit := range []int{0, -1} {
		_, _, err := s.Claim(t.Context(), instant(1), instant(2), limit)
		WantInvalid(t, fmt.Sprintf("ClaimDue with limit %d", limit), err)
	}
}
