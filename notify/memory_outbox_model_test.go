package notify_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// model is an outbox for one subscriber, in the simplest form: a list in the sequence in which events were added.
type model []notify.Delivery

// isFree reports whether the i-th delivery may be claimed once it is due.
func (m model) isFree(i int, now time.Time) bool {
	d := m[i]
	if d.Delivered || d.Dead || d.LeaseUntil.After(now) {
		return false
	}
	return d.Event.SubjectID == uuid.Nil || !slices.ContainsFunc(m[:i], func(earlier notify.Delivery) bool {
		return earlier.Event.SubjectID == d.Event.SubjectID && !earlier.Delivered && !earlier.Dead
	})
}

func (m model) claim(now, until time.Time, limit int) notify.Due {
	var free []int
	for i := range m {
		if m.isFree(i, now) {
			free = append(free, i)
		}
	}
	slices.SortStableFunc(free, func(a, b int) int { return m[a].Due.Compare(m[b].Due) })
	var due notify.Due
	for _, i := range free {
		if m[i].Due.After(now) || len(due.Deliveries) == limit {
			due.Next = m[i].Due
			break
		}
		m[i].LeaseUntil = until
		m[i].Version++
		due.Deliveries = append(due.Deliveries, m[i])
	}
	return due
}

// TestMemoryOutboxAgainstModel compares random operations, at times that also go backwards.
func TestMemoryOutboxAgainstModel(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		at := func() time.Time { return base.Add(time.Duration(rnd.IntN(40)) * time.Minute) }
		subjects := []uuid.UUID{uuid.Nil, uuid.New(), uuid.New(), uuid.New()}
		var outbox notify.MemoryOutbox
		var m model
		require.NoError(t, outbox.Register(t.Context(), "a", nil))
		for step := range 150 {
			where := fmt.Sprintf("seed %d, step %d", seed, step)
			switch op := rnd.IntN(4); {
			case op == 0 || len(m) == 0:
				e := event()
				e.At, e.SubjectID = at(), subjects[rnd.IntN(len(subjects))]
				outbox.Append(e)
				m = append(m, notify.Delivery{Event: e, Subscriber: "a", Due: e.At, Version: 1})
			case op == 1:
				d := &m[rnd.IntN(len(m))]
				change := *d
				change.Due, change.LeaseUntil = at(), time.Time{}
				change.Delivered, change.Dead = rnd.IntN(3) == 0, rnd.IntN(4) == 0
				if rnd.IntN(3) == 0 {
					change.LeaseUntil = at()
				}
				require.NoError(t, outbox.Settle(t.Context(), change), where)
				*d = change
				d.Version++
			default:
				now, limit := at(), 1+rnd.IntN(4)
				until := now.Add(time.Duration(rnd.IntN(20)) * time.Minute)
				got, err := outbox.ClaimDue(t.Context(), "a", now, until, limit)
				require.NoError(t, err, where)
				require.Equal(t, m.claim(now, until, limit), got, where)
			}
		}
		waiting, dead, oldest, err := outbox.Depth(t.Context())
		require.NoError(t, err)
		var wantWaiting, wantDead int
		var wantOldest time.Time
		for _, d := range m {
			switch {
			case d.Dead:
				wantDead++
			case !d.Delivered:
				wantWaiting++
				if wantOldest.IsZero() || d.Event.At.Before(wantOldest) {
					wantOldest = d.Event.At
				}
			}
		}
		require.Equal(t, []any{wantWaiting, wantDead, wantOldest}, []any{waiting, dead, oldest}, "seed %d", seed)
	}
}
