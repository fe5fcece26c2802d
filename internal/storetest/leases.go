package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

func (k Kind[E]) testLeases(t *testing.T) {
	t.Run("10 leases: due alone is claimed, oldest first", k.claimsDue)
	t.Run("10 leases: says when the next is due", k.saysNext)
	t.Run("10 leases: hidden until the lease ends", k.hidden)
	t.Run("10 leases: claiming sets the lease and raises the version", k.claimRaises)
	t.Run("10 leases: who lost its lease fails its commit", k.lostLease)
	t.Run("10 leases: commit stores the lease as given", k.leaseAsGiven)
	t.Run("10 leases: each is claimed once by many", k.claimRace)
	t.Run("10 leases: a limit below one is ErrInvalid", k.claimLimit)
}

// due makes a record that is due at the n-th hour.
func (k Kind[E]) due(n int) E {
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
	if len(got) != len(want) {
		t.Fatalf("claimed %s, want %s", describe(k, got), describe(k, want))
	}
	for i := range want {
		if k.id(got[i]) != k.id(want[i]) {
			t.Fatalf("claimed %s, want %s", describe(k, got), describe(k, want))
		}
	}
}

func (k Kind[E]) claimsDue(t *testing.T) {
	s := k.Open(t)
	late, soon, now, future, never := k.due(1), k.due(2), k.due(3), k.due(4), k.make(0)
	k.put(t, s, future, now, never, soon, late)
	got, _ := k.claim(t, s, instant(3), instant(9), 2)
	k.wantClaimed(t, got, late, soon)
	got, _ = k.claim(t, s, instant(3), instant(9), 10)
	k.wantClaimed(t, got, now)
}

func (k Kind[E]) saysNext(t *testing.T) {
	s := k.Open(t)
	if _, next := k.claim(t, s, instant(0), instant(9), 10); !next.IsZero() {
		t.Errorf("in an empty store the next is due at %v, want the zero time", next)
	}
	k.put(t, s, k.due(1), k.due(2), k.due(5), k.make(0))
	if _, next := k.claim(t, s, instant(0), instant(9), 10); !next.Equal(instant(1)) {
		t.Errorf("the next is due at %v, want %v", next, instant(1))
	}
	if _, next := k.claim(t, s, instant(3), instant(9), 1); !next.Equal(instant(2)) {
		t.Errorf("what the limit left is due at %v, want %v", next, instant(2))
	}
	if _, next := k.claim(t, s, instant(3), instant(9), 1); !next.Equal(instant(5)) {
		t.Errorf("after the due ones the next is at %v, want %v", next, instant(5))
	}
}

func (k Kind[E]) hidden(t *testing.T) {
	s, e := k.Open(t), k.due(1)
	k.put(t, s, e)
	got, _ := k.claim(t, s, instant(1), instant(5), 10)
	k.wantClaimed(t, got, e)
	got, _ = k.claim(t, s, instant(5).Add(-time.Microsecond), instant(9), 10)
	k.wantClaimed(t, got)
	got, _ = k.claim(t, s, instant(5), instant(9), 10)
	k.wantClaimed(t, got, e)
}

func (k Kind[E]) claimRaises(t *testing.T) {
	s := k.Open(t)
	e := k.put(t, s, k.due(1))[0]
	want := e
	*k.Meta(&want).Version++
	*k.Meta(&want).Lease = instant(5)
	got, _ := k.claim(t, s, instant(1), instant(5), 10)
	k.wantClaimed(t, got, e)
	if d := Diff(want, got[0]); d != "" {
		t.Errorf("what was claimed: %s", d)
	}
	if d := Diff(want, k.get(t, s, k.id(e))); d != "" {
		t.Errorf("what is stored after the claim: %s", d)
	}
}

func (k Kind[E]) lostLease(t *testing.T) {
	s := k.Open(t)
	k.put(t, s, k.due(1))
	mine, _ := k.claim(t, s, instant(1), instant(2), 1)
	theirs, _ := k.claim(t, s, instant(2), instant(3), 1)
	k.wantClaimed(t, theirs, mine...)
	k.wantConflict(t, s, "who lost its lease", Change[E]{Records: mine})
	if err := s.Commit(t.Context(), Change[E]{Records: theirs}); err != nil {
		t.Errorf("who has the lease got %v", err)
	}
}

func (k Kind[E]) leaseAsGiven(t *testing.T) {
	s := k.Open(t)
	k.put(t, s, k.due(1))
	got, _ := k.claim(t, s, instant(1), instant(5), 1)
	*k.Meta(&got[0]).Lease = time.Time{}
	k.put(t, s, got...)
	again, _ := k.claim(t, s, instant(1), instant(5), 1)
	k.wantClaimed(t, again, got...)
	*k.Meta(&again[0]).Lease, *k.Meta(&again[0]).Due = instant(3), instant(2)
	k.put(t, s, again...)
	none, _ := k.claim(t, s, instant(2), instant(5), 1)
	k.wantClaimed(t, none)
	again, _ = k.claim(t, s, instant(3), instant(5), 1)
	k.wantClaimed(t, again, got...)
	*k.Meta(&again[0]).Lease, *k.Meta(&again[0]).Due = time.Time{}, time.Time{}
	k.put(t, s, again...)
	none, _ = k.claim(t, s, instant(100), instant(101), 1)
	k.wantClaimed(t, none)
}

func (k Kind[E]) claimRace(t *testing.T) {
	s := k.Open(t)
	var all []E
	for range 200 {
		all = append(all, k.due(1))
	}
	k.put(t, s, all...)
	var mu sync.Mutex
	var workers sync.WaitGroup
	start, times := make(chan struct{}), map[uuid.UUID]int{}
	for range 8 {
		workers.Go(func() {
			<-start
			for range all { // a store that hands out the same again and again must not keep the test from ending
				items, _, err := s.Claim(t.Context(), instant(1), instant(5), 3)
				if err != nil || len(items) == 0 {
					if err != nil {
						t.Errorf("ClaimDue: %v", err)
					}
					return
				}
				mu.Lock()
				for _, e := range items {
					times[k.id(e)]++
				}
				mu.Unlock()
			}
		})
	}
	close(start)
	workers.Wait()
	for _, e := range all {
		if times[k.id(e)] != 1 {
			t.Fatalf("of 8 workers claiming at once, %d got %s; one must", times[k.id(e)], k.id(e))
		}
	}
}

func (k Kind[E]) claimLimit(t *testing.T) {
	s := k.Open(t)
	for _, limit := range []int{0, -1} {
		if _, _, err := s.Claim(t.Context(), instant(1), instant(2), limit); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("a limit of %d gave %v, want ErrInvalid", limit, err)
		}
	}
}
