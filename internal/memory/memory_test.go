package memory_test

import (
	"bytes"
	"cmp"
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
)

type record struct {
	ID, Owner  uuid.UUID
	Version    int64
	Due, Lease time.Time
	Keys       []string
}

func newTable() *memory.Table[record] {
	return memory.NewTable(memory.Spec[record]{
		Name: "record",
		Clone: func(r record) record {
			r.Keys = slices.Clone(r.Keys)
			return r
		},
		ID:      func(r *record) uuid.UUID { return r.ID },
		Version: func(r *record) *int64 { return &r.Version },
		Group:   func(r *record) uuid.UUID { return r.Owner },
		Due:     func(r *record) (time.Time, *time.Time) { return r.Due, &r.Lease },
		Unique:  func(r *record) []string { return r.Keys },
		Key:     byDue,
	})
}

func put(t *memory.Table[record], items ...record) error {
	tx := t.Begin()
	if err := tx.Put(items...); err != nil {
		return err
	}
	tx.Apply()
	return nil
}

func TestTableVersions(t *testing.T) {
	t.Parallel()
	table, r := newTable(), record{ID: uuid.New(), Owner: uuid.New()}
	require.NoError(t, put(table, r))
	require.ErrorIs(t, put(table, r), fault.ErrConflict, "a second create")
	got, err := table.Get(r.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, got.Version)

	next := got
	next.Version = 2
	require.NoError(t, put(table, got, next), "two writes of one record in one call")
	require.ErrorIs(t, put(table, next), fault.ErrConflict, "a stale version")
	require.ErrorIs(t, put(table, record{}), fault.ErrInvalid, "no ID")
	_, err = table.Get(uuid.New())
	require.ErrorIs(t, err, fault.ErrNotFound)
}

func TestTableAllOrNothing(t *testing.T) {
	t.Parallel()
	table := newTable()
	good, stale := record{ID: uuid.New()}, record{ID: uuid.New(), Version: 7}
	require.ErrorIs(t, put(table, good, stale), fault.ErrConflict)
	_, err := table.Get(good.ID)
	require.ErrorIs(t, err, fault.ErrNotFound)
}

func TestTableUnique(t *testing.T) {
	t.Parallel()
	table := newTable()
	a, b := record{ID: uuid.New(), Keys: []string{"k"}}, record{ID: uuid.New(), Keys: []string{"k"}}
	require.ErrorIs(t, put(table, a, b), fault.ErrConflict)
	require.NoError(t, put(table, a))
	require.ErrorIs(t, put(table, b), fault.ErrConflict)
	stored, err := table.Get(a.ID)
	require.NoError(t, err)

	keyless := stored
	keyless.Keys = nil
	require.NoError(t, put(table, keyless, b), "one call moves the key from a to b")
	stored, err = table.Get(b.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"k"}, stored.Keys)
	keyless.Version++
	keyless.Keys = []string{"k"}
	require.ErrorIs(t, put(table, keyless), fault.ErrConflict, "the key belongs to b now")
	keyless.Keys = []string{"other"}
	require.NoError(t, put(table, keyless), "no record has the other key")
}

func TestTableCopiesRecords(t *testing.T) {
	t.Parallel()
	table, r := newTable(), record{ID: uuid.New(), Keys: []string{"k"}}
	require.NoError(t, put(table, r))
	r.Keys[0] = "changed"
	got, err := table.Get(r.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"k"}, got.Keys)
	got.Keys[0] = "changed"
	rows := table.Copy(table.Select(uuid.Nil, func(*record) bool { return true }))
	require.Len(t, rows, 1)
	assert.Equal(t, []string{"k"}, rows[0].Keys)
	assert.Empty(t, table.Select(uuid.New(), func(*record) bool { return true }), "another group")
}

func TestTableClaimRaisesVersions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	table, r := newTable(), record{ID: uuid.New(), Due: now}
	require.NoError(t, put(table, r))
	_, _, err := table.Claim(now, now.Add(time.Hour), 0)
	require.ErrorIs(t, err, fault.ErrInvalid)
	items, next, err := table.Claim(now, now.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, items, 1)
	assert.EqualValues(t, 2, items[0].Version)
	assert.Equal(t, now.Add(time.Hour), items[0].Lease)
	assert.True(t, next.IsZero())
	r.Version = 1
	require.ErrorIs(t, put(table, r), fault.ErrConflict, "a claim raised the version")
}

// TestDueQueue compares the queue with a plain search through all records. The clock sometimes goes backwards, and sometimes it was
// far ahead when a lease was set.
func TestDueQueue(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		at := func() time.Time { return base.Add(time.Duration(rnd.IntN(50)) * time.Minute) }
		var queue memory.DueQueue
		model, ids := queueModel{}, []uuid.UUID{}
		for range 20 {
			ids = append(ids, uuid.New())
		}
		for step := range 200 {
			id := ids[rnd.IntN(len(ids))]
			switch rnd.IntN(4) {
			case 0:
				e := queueEntry{due: at()}
				if rnd.IntN(3) == 0 {
					e.lease = at().Add(time.Duration(rnd.IntN(3)) * time.Hour)
				}
				queue.Set(id, e.due, e.lease)
				model[id] = e
			case 1:
				queue.Remove(id)
				delete(model, id)
			case 2:
				queue.Set(id, time.Time{}, at())
				delete(model, id)
			default:
				now, limit := at(), rnd.IntN(4)
				until := now.Add(time.Duration(rnd.IntN(20)) * time.Minute)
				want, wantNext := model.claim(now, until, limit)
				got, next := queue.Claim(now, until, limit)
				where := fmt.Sprintf("seed %d, step %d", seed, step)
				require.Equal(t, want, got, where)
				require.Equal(t, wantNext, next, where)
			}
		}
	}
}

type queueEntry struct{ due, lease time.Time }

// queueModel is a DueQueue that searches all its records.
type queueModel map[uuid.UUID]queueEntry

func (m queueModel) claim(now, until time.Time, limit int) (ids []uuid.UUID, next time.Time) {
	var free []uuid.UUID
	for id, e := range m {
		if !e.lease.After(now) || e.lease.After(now.Add(time.Hour+2*until.Sub(now))) {
			free = append(free, id)
		}
	}
	slices.SortFunc(free, func(a, b uuid.UUID) int {
		return cmp.Or(m[a].due.Compare(m[b].due), bytes.Compare(a[:], b[:]))
	})
	for len(free) > 0 && len(ids) < limit && !m[free[0]].due.After(now) {
		ids = append(ids, free[0])
		free = free[1:]
	}
	if len(free) > 0 {
		next = m[free[0]].due
	}
	for _, id := range ids {
		m[id] = queueEntry{m[id].due, until}
	}
	return ids, next
}

// TestDueQueueFarLeases: a thousand leases of a clock nine years ahead end at the first claim of a clock that is right.
func TestDueQueueFarLeases(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var queue memory.DueQueue
	for range 1000 {
		queue.Set(uuid.New(), now, time.Time{})
	}
	wrong := now.AddDate(9, 0, 0)
	ids, _ := queue.Claim(wrong, wrong.Add(5*time.Minute), 1000)
	require.Len(t, ids, 1000)
	ids, next := queue.Claim(now, now.Add(5*time.Minute), 1)
	require.Len(t, ids, 1)
	assert.Equal(t, now, next, "the others count for next")
	ids, next = queue.Claim(now, now.Add(5*time.Minute), 1000)
	require.Len(t, ids, 999)
	assert.Zero(t, next)
	ids, _ = queue.Claim(wrong, wrong.Add(5*time.Minute), 1000)
	require.Len(t, ids, 1000, "they end for the wrong clock as every lease ends")
}

// BenchmarkClaim claims 100 due records. The cost hardly depends on the number of stored records.
func BenchmarkClaim(b *testing.B) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, stored := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("stored=%d", stored), func(b *testing.B) {
			var queue memory.DueQueue
			for range stored {
				queue.Set(uuid.New(), now.Add(24*time.Hour), time.Time{})
			}
			due := make([]uuid.UUID, 100)
			for i := range due {
				due[i] = uuid.New()
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, id := range due {
					queue.Set(id, now, time.Time{})
				}
				if ids, _ := queue.Claim(now, now.Add(time.Minute), 1000); len(ids) != len(due) {
					b.Fatal(len(ids))
				}
			}
		})
	}
}
