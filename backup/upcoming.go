package backup

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/page"
)

// Occurrence is a backup to come, as a calendar shows it. Only the first of a request has a task already.
type Occurrence struct {
	RequestID  uuid.UUID
	ServerID   uuid.UUID
	At         time.Time // UTC
	WillNotRun bool      // the server will be cancelled before it
}

// Upcoming returns the backups to come from one instant until before another, oldest first, ties by request: the planned
// tasks, and the occurrences after now that follow them under the present schedules. A zero instant is no bound. Nothing is
// stored. A client gets its own. It returns at most limit occurrences: 0 means 100, more than 1,000 means 1,000, a negative
// limit is ErrInvalid. Its cost follows the number of live requests, and the limit.
func (m *Manager) Upcoming(ctx context.Context, a dedicated.Actor, from, to time.Time, limit int) ([]Occurrence, error) {
	now := m.now()
	if limit < 0 {
		return nil, invalid(opUpcoming, "limit", "%d is negative", limit)
	}
	limit, err := page.CheckLimit(limit)
	if err != nil {
		return nil, explain(opUpcoming, ids{}, err)
	}
	q, possible, err := RequestQuery{Live: true, Limit: page.MaxLimit}.forActor(opUpcoming, a)
	if err != nil || !possible {
		return nil, err
	}
	var all projection
	for r, err := range m.requests(ctx, a.ResellerID, q) {
		if err != nil {
			return nil, explain(opUpcoming, ids{}, err)
		}
		all.add(r, now, from, to)
	}
	heap.Init(&all)
	occurrences := all.first(limit, to)
	if err := m.markEnds(ctx, occurrences); err != nil {
		return nil, explain(opUpcoming, ids{}, err)
	}
	return occurrences, nil
}

// markEnds sets WillNotRun.
func (m *Manager) markEnds(ctx context.Context, occurrences []Occurrence) error {
	var servers []uuid.UUID
	for _, o := range occurrences {
		servers = append(servers, o.ServerID)
	}
	ends, err := m.ends(ctx, manage.Distinct(servers))
	for i := range occurrences {
		o := &occurrences[i]
		o.WillNotRun = endsBefore(ends[o.ServerID], o.At)
	}
	return err
}

// projection is a heap of requests by their next occurrence.
type projection []projected

type projected struct {
	Occurrence
	schedule Schedule
	after    time.Time // the following occurrence is later than this
}

// add takes in a request whose first occurrence in the range is before its end.
func (p *projection) add(r Request, now, from, to time.Time) {
	next := projected{
		Occurrence: Occurrence{RequestID: r.ID, ServerID: r.ServerID, At: r.Planned},
		schedule:   r.Form.Schedule, after: later(r.Recorded, now),
	}
	if r.Planned.Before(from) && !next.advance(later(next.after, from.Add(-1))) {
		return
	}
	if to.IsZero() || next.At.Before(to) {
		*p = append(*p, next)
	}
}

// advance moves to the next occurrence after an instant. It returns false without one.
func (p *projected) advance(after time.Time) bool {
	at, ok := p.schedule.Next(after)
	p.At, p.after = at.UTC(), at
	return ok
}

// first removes the first occurrences from the heap and returns them.
func (p *projection) first(limit int, to time.Time) []Occurrence {
	var found []Occurrence
	for len(*p) > 0 && len(found) < limit {
		next := &(*p)[0]
		found = append(found, next.Occurrence)
		if next.advance(next.after) && (to.IsZero() || next.At.Before(to)) {
			heap.Fix(p, 0)
		} else {
			heap.Pop(p)
		}
	}
	return found
}

func (p projection) Len() int { return len(p) }

func (p projection) Less(i, j int) bool {
	return cmp.Or(p[i].At.Compare(p[j].At), slices.Compare(p[i].RequestID[:], p[j].RequestID[:])) < 0
}

func (p projection) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push implements heap.Interface. It is never called.
func (p *projection) Push(x any) { *p = append(*p, x.(projected)) }

// Pop implements heap.Interface.
func (p *projection) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	*p = (*p)[:last]
	return x
}
