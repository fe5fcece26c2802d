package storetest

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

// TestLists tests the lines about lists. A suite runs it again for each further sort order of its store's lists.
func TestLists[E any](t *testing.T, k Kind[E]) {
	t.Run("8 order: pages return each record once, sorted", k.testPages)
	t.Run("8 order: a cursor stays valid while records are added", k.testCursor)
	t.Run("8 order: an unknown cursor is ErrInvalid", k.testUnknownCursor)
	t.Run("8 order: a list has the records of one reseller", k.testReseller)
}

// fill stores n records of a reseller, unsorted, and returns them in the order of the list.
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

// listAll reads all pages of a reseller's list. It calls between after each page except the last one.
func (k Kind[E]) listAll(t *testing.T, s Store[E], reseller uuid.UUID, limit int, between func()) []E {
	t.Helper()
	var all []E
	for after, pages := "", 0; pages < 1000; pages++ {
		items, next, err := s.List(t.Context(), reseller, limit, after)
		if err != nil {
			t.Fatalf("page %d: %v", pages+1, err)
		}
		if len(items) > limit {
			t.Fatalf("page %d has %d records, the limit is %d", pages+1, len(items), limit)
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

func (k Kind[E]) testPages(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	want := k.fill(t, s, reseller, 23)
	for _, limit := range []int{1, 4, 23, 100} {
		got := k.listAll(t, s, reseller, limit, func() {})
		if d := Diff(want, got); d != "" {
			t.Errorf("with pages of %d: %s\ngot  %v\nwant %v", limit, d, k.ids(got), k.ids(want))
		}
	}
	items, next, err := s.List(t.Context(), reseller, 0, "")
	if err != nil || len(items) == 0 || len(items) < 23 && next == "" {
		t.Errorf("with limit 0, the default: got %d records, cursor %q, %v", len(items), next, err)
	}
}

func (k Kind[E]) testCursor(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	old := k.fill(t, s, reseller, 20)
	n := 0
	got := k.listAll(t, s, reseller, 3, func() {
		n++
		k.put(t, s, k.Make(reseller, n))
	})
	counts := map[uuid.UUID]int{}
	for _, e := range got {
		counts[k.id(e)]++
	}
	for _, e := range old {
		if counts[k.id(e)] != 1 {
			t.Errorf("%s existed all the time and was listed %d times, want once", k.id(e), counts[k.id(e)])
		}
	}
	for id, count := range counts {
		if count > 1 {
			t.Errorf("%s was listed %d times", id, count)
		}
	}
}

func (k Kind[E]) testUnknownCursor(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	k.fill(t, s, reseller, 5)
	for _, after := range []string{"?", "nonsense", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		_, _, err := s.List(t.Context(), reseller, 2, after)
		WantInvalid(t, "the cursor "+after, err)
	}
}

func (k Kind[E]) testReseller(t *testing.T) {
	s, reseller, other := k.Open(t), uuid.New(), uuid.New()
	want := k.fill(t, s, reseller, 4)
	k.fill(t, s, other, 6)
	if d := Diff(want, k.listAll(t, s, reseller, 3, func() {})); d != "" {
		t.Errorf("the list of one of two resellers: %s", d)
	}
	if got := k.listAll(t, s, uuid.Nil, 3, func() {}); len(got) > 0 {
		t.Errorf("the list of the nil reseller has %d records", len(got))
	}
}

// Criteria is a query and the records that a list must return for it, in order.
type Criteria[E, Q any] struct {
	Name  string
	Query Q
	Want  []E
}

// TestCriteria compares lists with what they must return. label returns a short text for a record, for failure messages.
func TestCriteria[E, Q any](
	t *testing.T, id func(E) uuid.UUID, label func(E) string, list func(Q) ([]E, string, error), cases ...Criteria[E, Q],
) {
	t.Helper()
	for _, c := range cases {
		got, next, err := list(c.Query)
		if err != nil || next != "" {
			t.Errorf("%s: got the cursor %q and the error %v, want neither", c.Name, next, err)
		}
		if !slices.EqualFunc(got, c.Want, func(a, b E) bool { return id(a) == id(b) }) {
			t.Errorf("%s: got %q, want %q", c.Name, labels(got, label), labels(c.Want, label))
		}
	}
}

func labels[E any](records []E, label func(E) string) []string {
	var all []string
	for _, e := range records {
		all = append(all, label(e))
	}
	return all
}
