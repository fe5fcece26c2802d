package backup

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/page"
)

// Request returns a request that the actor may see. A client sees its own, also of servers that it used once.
func (m *Manager) Request(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Request, error) {
	r, err := m.seen(ctx, a, "Request", id)
	if err != nil {
		return Request{}, asError("Request", err)
	}
	return r.forActor(a), nil
}

// Requests lists the actor's reseller's requests by the name of the server, ties by ID; next is the cursor for
// RequestQuery.After, "" at the end. A client gets its own. A cursor that is not this list's and a negative limit are
// ErrInvalid.
func (m *Manager) Requests(ctx context.Context, a dedicated.Actor, q RequestQuery) (items []Request, next string, err error) {
	const op = "Requests"
	client, possible, err := narrowed(op, a, q.ClientID)
	if err != nil || !possible {
		return nil, "", err
	}
	q.ClientID = client
	items, next, err = m.conf.Store.Requests(ctx, a.ResellerID, q)
	for i := range items {
		items[i] = items[i].forActor(a)
	}
	return items, next, asError(op, err)
}

// Task returns a task that the actor may see. A client sees its own, also of servers that it used once.
func (m *Manager) Task(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Task, error) {
	now := m.now()
	t, _, err := m.seenTask(ctx, a, "Task", id)
	if err != nil {
		return Task{}, asError("Task", err)
	}
	shown, err := m.shown(ctx, a, now, t)
	if err != nil {
		return Task{}, asError("Task", err)
	}
	return shown[0], nil
}

// Tasks lists the actor's reseller's tasks by date, ties by ID; next is the cursor for TaskQuery.After, "" at the end. A
// client gets its own, and may not search by owner: that is ErrForbidden. A cursor that is not this list's, a negative
// limit and an unknown Owner are ErrInvalid.
func (m *Manager) Tasks(ctx context.Context, a dedicated.Actor, q TaskQuery) (items []Task, next string, err error) {
	const op = "Tasks"
	now := m.now()
	q, possible, err := m.narrowedTasks(op, a, q, now)
	if err != nil || !possible {
		return nil, "", err
	}
	items, next, err = m.conf.Store.Tasks(ctx, a.ResellerID, q)
	if err != nil {
		return nil, "", asError(op, err)
	}
	items, err = m.shown(ctx, a, now, items...)
	return items, next, asError(op, err)
}

// Counts counts by state what Tasks lists, on all pages together. Every state is there.
func (m *Manager) Counts(ctx context.Context, a dedicated.Actor, q TaskQuery) (map[State]int, error) {
	const op = "Counts"
	all := map[State]int{}
	for _, state := range States() {
		all[state] = 0
	}
	q, possible, err := m.narrowedTasks(op, a, q, m.now())
	if err != nil || !possible {
		return all, err
	}
	q.Limit, q.After = 0, ""
	counts, err := m.conf.Store.Counts(ctx, a.ResellerID, q)
	if err != nil {
		return nil, asError(op, err)
	}
	for state, n := range counts {
		all[state] = n
	}
	return all, nil
}

// narrowed says which client's records an actor gets, of the client that it asks for; false where nothing can match.
func narrowed(op string, a dedicated.Actor, client uuid.UUID) (uuid.UUID, bool, error) {
	switch {
	case a.Manages(a.ResellerID):
		return client, true, nil
	case !a.IsClient(a.ResellerID, a.ID):
		return client, false, nobody(op)
	}
	return a.ID, client == uuid.Nil || client == a.ID, nil
}

// narrowedTasks makes of an actor's query the store's.
func (m *Manager) narrowedTasks(op string, a dedicated.Actor, q TaskQuery, now time.Time) (TaskQuery, bool, error) {
	client, possible, err := narrowed(op, a, q.ClientID)
	if err != nil {
		return q, false, err
	}
	if q.Owner != "" && !a.Manages(a.ResellerID) {
		return q, false, &Error{Op: op, Field: "Owner", Err: ErrForbidden, Msg: "whose machines servers are is the reseller's to know"}
	}
	if err := q.validate(op); err != nil {
		return q, false, err
	}
	q.ClientID = client
	if q.Overdue {
		if len(q.States) > 0 && !slices.Contains(q.States, Pending) {
			return q, false, nil
		}
		q.States, q.Overdue = []State{Pending}, false
		q.To = earlier(q.To, now.Add(-m.conf.Grace).Add(time.Microsecond))
	}
	return q, possible, nil
}

// shown is what the actor may see of tasks, with what is derived at reading.
func (m *Manager) shown(ctx context.Context, a dedicated.Actor, now time.Time, tasks ...Task) ([]Task, error) {
	var servers []uuid.UUID
	for _, t := range tasks {
		if t.State == Pending {
			servers = append(servers, t.ServerID)
		}
	}
	ends, err := m.ends(ctx, distinct(servers))
	if err != nil {
		return nil, err
	}
	for i := range tasks {
		t := &tasks[i]
		t.Overdue = t.overdue(now, m.conf.Grace)
		t.WillNotRun = t.lostBy(ends[t.ServerID])
		if !a.Manages(t.ResellerID) {
			t.AtProvider = false
			if t.State == Pending {
				t.Reason = ""
			}
		}
	}
	return tasks, nil
}

// Occurrence is a backup to come, as a calendar shows it. Only the first of a request is a task already.
type Occurrence struct {
	RequestID  uuid.UUID
	ServerID   uuid.UUID
	At         time.Time // UTC
	WillNotRun bool      // the server is cancelled before
}

// Upcoming projects what comes, from from until before to, oldest first, ties by request: the pending tasks made ahead,
// and what follows them after now as the schedules stand. Nothing is stored. A client gets its own. It returns limit
// occurrences at the most: 0 is 100, more than 1,000 are 1,000, fewer than 0 is ErrInvalid. Its cost follows the
// number of live requests, and the limit.
func (m *Manager) Upcoming(ctx context.Context, a dedicated.Actor, from, to time.Time, limit int) ([]Occurrence, error) {
	const op = "Upcoming"
	now := m.now()
	limit, err := page.Limit(limit)
	if err != nil {
		return nil, &Error{Op: op, Field: "limit", Msg: err.Error(), Err: ErrInvalid}
	}
	q := RequestQuery{Live: true, Limit: page.MaxLimit}
	var possible bool
	if q.ClientID, possible, err = narrowed(op, a, uuid.Nil); err != nil || !possible {
		return nil, err
	}
	var all projection
	for {
		requests, next, err := m.conf.Store.Requests(ctx, a.ResellerID, q)
		if err != nil {
			return nil, asError(op, err)
		}
		for _, r := range requests {
			all.add(r, now, from, to)
		}
		if next == "" {
			break
		}
		q.After = next
	}
	heap.Init(&all)
	occurrences := all.take(limit, to)
	return occurrences, asError(op, m.markLost(ctx, occurrences))
}

func (m *Manager) markLost(ctx context.Context, occurrences []Occurrence) error {
	var servers []uuid.UUID
	for _, o := range occurrences {
		servers = append(servers, o.ServerID)
	}
	ends, err := m.ends(ctx, distinct(servers))
	for i := range occurrences {
		o := &occurrences[i]
		end := ends[o.ServerID]
		o.WillNotRun = !end.IsZero() && !o.At.Before(end)
	}
	return err
}

// projection is a heap of requests by their next occurrence.
type projection []projected

type projected struct {
	Occurrence
	schedule Schedule
	after    time.Time // what follows comes after this
}

// add takes in a request whose first occurrence in the range is before its end.
func (p *projection) add(r Request, now, from, to time.Time) {
	next := projected{Occurrence{RequestID: r.ID, ServerID: r.ServerID, At: r.Planned}, r.Form.Schedule, later(r.Recorded, now)}
	if r.Planned.Before(from) && !next.forward(later(next.after, from.Add(-1))) {
		return
	}
	if to.IsZero() || next.At.Before(to) {
		*p = append(*p, next)
	}
}

// forward goes to the next occurrence after an instant; false: there is none.
func (p *projected) forward(after time.Time) bool {
	at, ok := p.schedule.Next(after)
	p.At, p.after = at.UTC(), at
	return ok
}

// take takes the first occurrences off the heap.
func (p *projection) take(limit int, to time.Time) []Occurrence {
	var taken []Occurrence
	for len(*p) > 0 && len(taken) < limit {
		first := &(*p)[0]
		taken = append(taken, first.Occurrence)
		if first.forward(first.after) && (to.IsZero() || first.At.Before(to)) {
			heap.Fix(p, 0)
		} else {
			heap.Pop(p)
		}
	}
	return taken
}

func (p projection) Len() int { return len(p) }

func (p projection) Less(i, j int) bool {
	return cmp.Or(p[i].At.Compare(p[j].At), slices.Compare(p[i].RequestID[:], p[j].RequestID[:])) < 0
}

func (p projection) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push implements heap.Interface; nobody calls it.
func (p *projection) Push(x any) { *p = append(*p, x.(projected)) }

// Pop implements heap.Interface.
func (p *projection) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	*p = (*p)[:last]
	return x
}
