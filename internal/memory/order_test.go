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

func newOrdered() *memory.Table[record] {
	return memory.NewTable(memory.Spec[record]{
		Name:    "record",
		Clone:   func(r record) record { return r },
		ID:      func(r *record) uuid.UUID { return r.ID },
		Version: func(r *record) *int64 { return &r.Version },
		Group:   func(r *record) uuid.UUID { return r.Owner },
		Key:     byDue,
	})
}

func byDue(r *record) page.Key { return page.Key{Sort: page.SortTime(r.Due), ID: r.ID} }

// TestPage compares with sorting everything, while records come, move within their group and to another one.
func TestPage(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	owners := []uuid.UUID{uuid.New(), uuid.New()}
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		table, model := newOrdered(), []record{}
		random := func(r record) record {
			r.Owner, r.Due = owners[rnd.IntN(2)], base.Add(time.Duration(rnd.IntN(1000))*time.Hour)
			return r
		}
		for step := range 4000 {
			if rnd.IntN(4) > 0 || len(model) == 0 {
				model = append(model, random(record{ID: uuid.New()}))
				require.NoError(t, put(table, model[len(model)-1]))
				model[len(model)-1].Version = 1
			} else {
				i := rnd.IntN(len(model))
				model[i] = random(model[i])
				require.NoError(t, put(table, model[i]))
				model[i].Version++
			}
			if step%1000 < 999 {
				continue
			}
			even := func(r *record) bool { return r.Due.Hour()%2 == 0 }
			for _, limit := range []int{1, 7, 1000} {
				after := ""
				for n := range 4 {
					rows := table.Select(owners[0], even)
					want, wantNext, err := page.Of("list", rows, byDue, limit, after)
					require.NoError(t, err)
					got, next, err := table.Page("list", owners[0], even, limit, after)
					require.NoError(t, err)
					where := fmt.Sprintf("seed %d, step %d, limit %d, page %d", seed, step, limit, n)
					require.Equal(t, wantNext, next, where)
					require.True(t, slices.EqualFunc(want, got, func(a *record, b record) bool { return a.ID == b.ID }), where)
					if after = next; after == "" {
						break
					}
				}
			}
		}
	}
}

func TestPageRefuses(t *testing.T) {
	t.Parallel()
	table, all := newOrdered(), func(*record) bool { return true }
	items, next, err := table.Page("list", uuid.New(), all, 0, "")
	require.NoError(t, err)
	assert.Empty(t, items)
	assert.Empty(t, next)
	_, _, err = table.Page("list", uuid.Nil, all, -1, "")
	require.ErrorIs(t, err, fault.ErrInvalid)
	_, _, err = table.Page("list", uuid.Nil, all, 1, "nonsense")
	require.ErrorIs(t, err, fault.ErrInvalid)
}

// BenchmarkPage reads a page in the middle: the cost follows the page.
func BenchmarkPage(b *testing.B) {
	for _, stored := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("stored=%d", stored), func(b *testing.B) {
			table, owner := newOrdered(), uuid.New()
			base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for i := range stored {
				require.NoError(b, put(table, record{ID: uuid.New(), Owner: owner, Due: base.Add(time.Duration(i*7919%stored) * time.Minute)}))
			}
			middle := page.Key{Sort: page.SortTime(base.Add(time.Duration(stored/2) * time.Minute))}.Cursor("list")
			for b.Loop() {
				items, _, err := table.Page("list", owner, func(*record) bool { return true }, 100, middle)
				if err != nil || len(items) != 100 {
					b.Fatal(len(items), err)
				}
			}
		})
	}
}
