package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// TestLists runs the lines on lists alone: once more for each further order that a store's lists have.
func TestLists[E any](t *testing.T, k Kind[E]) {
	t.Run("8 order: sorted, each once, page by page", k.pages)
	t.Run("8 order: a cursor stands while records come", k.cursorStands)
	t.Run("8 order: what is no cursor is ErrInvalid", k.badCursor)
	t.Run("8 order: one reseller's records alone", k.oneReseller)
}

// fill stores n records of a reseller, in no order, and returns them sorted as a list must be.
func (k Kind[E]) fill(t *testing.T, s Store[E], reseller uuid.UUID, n int) []E {
	t.Helper()
	var records []E
	for i := range n {
		records = append(records, k.Make(reseller, (i*7)%n))
	}
	records = k.put(t, s, records...)
	slices.SortFunc(records, k.Compare)
	return records
}

// listAll pages through a reseller's records; between is called after each page but the last.
func (k Kind[E]) listAll(t *testing.T, s Store[E], reseller uuid.UUID, limit int, between func()) []E {
	t.Helper()
	var all []E
	for after, pages := "", 0; pages < 1000; pages++ {
		items, next, err := s.List(t.Context(), reseller, limit, after)
		if err != nil {
			t.Fatalf("page %d: %v", pages+1, err)
		}
		if len(items) > limit {
			t.Fatalf("page %d has %d records, the limit was %d", pages+1, len(items), limit)
		}
		all = append(all, items...)
		if next == "" {
			return all
		}
		between()
		after = next
	}
	t.Fatal("the list does not end")
	return nil
}

func (k Kind[E]) pages(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	want := k.fill(t, s, reseller, 23)
	for _, limit := range []int{1, 4, 23, 100} {
		got := k.listAll(t, s, reseller, limit, func() {})
		if d := Diff(want, got); d != "" {
			t.Errorf("by pages of %d: %s\ngot  %s\nwant %s", limit, d, describe(k, got), describe(k, want))
		}
	}
	items, next, err := s.List(t.Context(), reseller, 0, "")
	if err != nil || len(items) == 0 || len(items) < 23 && next == "" {
		t.Errorf("limit 0 is the store's default: got %d records, cursor %q, %v", len(items), next, err)
	}
	if _, _, err := s.List(t.Context(), reseller, -1, ""); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("a negative limit gave %v, want ErrInvalid", err)
	}
}

func (k Kind[E]) cursorStands(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	old := k.fill(t, s, reseller, 20)
	n := 0
	got := k.listAll(t, s, reseller, 3, func() {
		n++
		k.put(t, s, k.Make(reseller, n))
	})
	seen := map[uuid.UUID]int{}
	for _, e := range got {
		seen[k.id(e)]++
	}
	for _, e := range old {
		if seen[k.id(e)] != 1 {
			t.Errorf("%s was there all the time and was listed %d times", k.id(e), seen[k.id(e)])
		}
	}
	for id, times := range seen {
		if times > 1 {
			t.Errorf("%s was listed %d times", id, times)
		}
	}
}

func (k Kind[E]) badCursor(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	k.fill(t, s, reseller, 5)
	for _, after := range []string{"?", "nonsense", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, _, err := s.List(t.Context(), reseller, 2, after); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("the cursor %q gave %v, want ErrInvalid", after, err)
		}
	}
}

func (k Kind[E]) oneReseller(t *testing.T) {
	s, mine, other := k.Open(t), uuid.New(), uuid.New()
	want := k.fill(t, s, mine, 4)
	k.fill(t, s, other, 6)
	if d := Diff(want, k.listAll(t, s, mine, 3, func() {})); d != "" {
		t.Errorf("the list of one reseller of two: %s", d)
	}
	if got := k.listAll(t, s, uuid.Nil, 3, func() {}); len(got) > 0 {
		t.Errorf("the nil reseller has %d records", len(got))
	}
}

// Name returns one of five names, which repeat. In the order of bytes they are in another order than people have them.
func Name(n int) string {
	return []string{"Wéb-1", "web-2", "Zulu", "alpha", "Öl-3"}[n%5]
}
