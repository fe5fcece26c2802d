package memory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
)

func byDue(r *record) page.Key { return page.Key{Sort: page.SortTime(r.Due), ID: r.ID} }

func everyRecord(*record) bool { return true }

// TestPage compares Page with page.Of, which sorts all records. Between the pages the test adds records, changes their sort keys and
// moves them to another group.
func TestPage(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	owners := []uuid.UUID{uuid.New(), uuid.New()}
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		table, stored := newTable(), []record{}
		random := func(r record) record {
			r.Owner, r.Due = owners[rnd.IntN(2)], base.Add(time.Duration(rnd.IntN(1000))*time.Hour)
			return r
		}
		for step := range 4000 {
			i := rnd.IntN(len(stored) + 1)
			if rnd.IntN(4) > 0 || i == len(stored) {
				i = len(stored)
				stored = append(stored, record{ID: uuid.New()})
			}
			stored[i] = random(stored[i])
			require.NoError(t, put(table, stored[i]))
			stored[i].Version++
			if step%1000 == 999 {
				comparePages(t, table, owners[0], fmt.Sprintf("seed %d, step %d", seed, step))
			}
		}
	}
}

func comparePages(t *testing.T, table *memory.Table[record], owner uuid.UUID, where string) {
	t.Helper()
	even := func(r *record) bool { return r.Due.Hour()%2 == 0 }
	for _, limit := range []int{1, 7, 1000} {
		after := ""
		for n := range 4 {
			where := fmt.Sprintf("%s, limit %d, page %d", where, limit, n)
			want, wantNext, err := page.Cut("list", table.Select(owner, even), byDue, limit, after)
			require.NoError(t, err)
			got, next, err := table.Page("list", owner, even, limit, after)
			require.NoError(t, err)
			require.Equal(t, wantNext, next, where)
			require.True(t, slices.EqualFunc(want, got, func(a *record, b record) bool { return a.ID == b.ID }), where)
			if after = next; after == "" {
				break
			}
		}
	}
}

func TestPageOfEmptyGroup(t *testing.T) {
	t.Parallel()
	items, next, err := newTable().Page("list", uuid.New(), everyRecord, 0, "")
	require.NoError(t, err)
	assert.Empty(t, items)
	assert.Empty(t, next)
}

func TestPageChecksCursor(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"nonsense", page.Key{Sort: "a", ID: uuid.New()}.Cursor("other list")} {
		_, _, err := newTable().Page("list", uuid.Nil, everyRecord, 1, after)
		require.ErrorIs(t, err, fault.ErrInvalid, after)
	}
}

// BenchmarkPage reads the first page of 100 records, a page in the middle, and all pages. It
// does not read all pages of 100,000 records, which takes 7 s.
func BenchmarkPage(b *testing.B) {
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, stored := range []int{1_000, 10_000, 100_000} {
		table, owner := newTable(), uuid.New()
		for i := range stored {
			r := record{ID: uuid.New(), Owner: owner, Due: base.Add(time.Duration(i*7919%stored) * time.Minute)}
			require.NoError(b, put(table, r))
		}
		read := func(after string) (n int, next string) {
			items, next, err := table.Page("list", owner, everyRecord, 100, after)
			require.NoError(b, err)
			return len(items), next
		}
		middle := page.Key{Sort: page.SortTime(base.Add(time.Duration(stored/2) * time.Minute))}.Cursor("list")
		for name, after := range map[string]string{"first": "", "middle": middle} {
			b.Run(fmt.Sprintf("stored=%d/%s", stored, name), func(b *testing.B) {
				for b.Loop() {
					if n, _ := read(after); n != 100 {
						b.Fatalf("the page has %d records", n)
					}
				}
			})
		}
		if stored > 10_000 {
			continue
		}
		b.Run(fmt.Sprintf("stored=%d/all", stored), func(b *testing.B) {
			for b.Loop() {
				total, after := read("")
				for n := 0; after != ""; total += n {
					n, after = read(after)
				}
				if total != stored {
					b.Fatalf("the pages have %d records", total)
				}
			}
		})
	}
}
