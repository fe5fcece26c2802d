package backup

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// series is a request with those of its tasks that a change may touch: the pending ones, the skipped one that still grows,
// and whatever the change makes. They are written together, so that the request's version keeps two changes of one series
// apart. Everything here is arithmetic; load reads, and the Manager commits.
type series struct {
	conf  *Config
	r     Request
	tasks []*Task
	was   map[uuid.UUID]Task // as stored
	taken []time.Time        // later than Recorded or now, but have their task already; only a changed schedule can meet them
	facts []fact
}

// checkEvery is how often the server of a task that waits is looked at again.
const checkEvery = time.Hour

// keep takes in a task as it is stored.
func (s *series) keep(t Task) *Task {
	s.was[t.ID] = t
	return s.add(t)
}

func (s *series) add(t Task) *Task {
	s.tasks = append(s.tasks, &t)
	return &t
}

func (s *series) find(id uuid.UUID) (*Task, bool) {
	n := slices.IndexFunc(s.tasks, func(t *Task) bool { return t.ID == id })
	if n < 0 {
		return nil, false
	}
	return s.tasks[n], true
}

// pending are the tasks to be done, the planned one and retried ones.
func (s *series) pending() []*Task {
	var tasks []*Task
	for _, t := range s.tasks {
		if t.State == Pending {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// task makes the task for an occurrence.
func (s *series) task(at time.Time, state State) Task {
	r := &s.r
	return Task{
		ID: occurrenceID(r, at), RequestID: r.ID, ResellerID: r.ResellerID, ClientID: r.ClientID, ServerID: r.ServerID,
		Assignment: r.Assignment, ServerName: r.ServerName, What: r.Form.What, AtProvider: r.AtProvider, At: zone.Instant(at), State: state,
	}
}

// plan makes the next task ahead, or ends a series that has none.
func (s *series) plan(now time.Time) {
	at, ok := s.next(later(s.r.Recorded, now))
	if !ok {
		s.end(now, Finished, "the schedule has no further date")
		return
	}
	t := s.task(at, Pending)
	t.RemindAt = t.At.Add(s.conf.Grace)
	s.add(t)
	s.r.Planned, s.r.Recorded = t.At, t.At
}

// next is the first occurrence after an instant that has no task yet.
func (s *series) next(after time.Time) (time.Time, bool) {
	at, ok := s.r.Form.Schedule.Next(after)
	for ok && slices.ContainsFunc(s.taken, at.Equal) {
		at, ok = s.r.Form.Schedule.Next(at)
	}
	return zone.Instant(at), ok // the zero time if not ok
}

// catchUp records what fell due until an instant while the task made ahead was pending: all of it in one skipped task.
func (s *series) catchUp(until time.Time) {
	if !s.r.Live() {
		return
	}
	missed, last := s.missed(until)
	if missed == 0 {
		return
	}
	t, ok := s.find(s.r.Skipped)
	if !ok {
		first, _ := s.next(s.r.Recorded)
		t = s.add(s.task(first, Skipped))
		s.r.Skipped = t.ID
	}
	t.At, t.Missed = zone.Instant(last), t.Missed+missed
	s.r.Recorded = t.At
}

// missed counts the occurrences that are not recorded, until an instant, but for those that have a task already.
func (s *series) missed(until time.Time) (n int, last time.Time) {
	from := s.r.Recorded
	count := func(until time.Time) {
		if more, at := s.r.Form.Schedule.between(from, until); more > 0 {
			n, last = n+more, at
		}
		from = until
	}
	for _, at := range s.taken {
		if at.After(from) && !at.After(until) {
			count(at.Add(-time.Microsecond))
			from = at
		}
	}
	count(until)
	return n, last
}

// settle takes a pending task to the state that op leads to; if it is the one made ahead, the next one follows.
func (s *series) settle(op string, t *Task, now time.Time) error {
	planned := t.planned()
	if err := t.move(op); err != nil {
		return err
	}
	t.RemindAt, t.TryAt, t.Reason = time.Time{}, time.Time{}, ""
	if planned && s.r.Live() {
		s.r.Skipped = uuid.Nil
		s.plan(now)
	}
	return nil
}

// stop cancels everything that is pending and ends the series, if that has not happened yet.
func (s *series) stop(op string, now time.Time, how Ending, reason string) ([]*Task, error) {
	live := s.r.Live()
	if live {
		s.end(now, how, reason)
	}
	tasks := s.pending()
	for _, t := range tasks {
		if err := s.settle(op, t, now); err != nil {
			return nil, err
		}
		t.Reason = reason
	}
	return tasks, nil
}

func (s *series) end(now time.Time, how Ending, reason string) {
	s.r.Ended, s.r.Ending, s.r.EndReason = now, how, reason
	s.r.Planned, s.r.Skipped = time.Time{}, uuid.Nil
}

// revise changes the form. A schedule that changes counts from now: the task made ahead moves to the new one's next
// occurrence, or, if it is due, stays.
func (s *series) revise(op string, f Form, now time.Time) error {
	for _, t := range s.pending() {
		t.What = f.What
	}
	changed := !f.Schedule.same(s.r.Form.Schedule)
	s.r.Form = f
	if !changed {
		return nil
	}
	if err := f.Schedule.mustOccur(op, now); err != nil {
		return err
	}
	s.r.Revisions++
	n := slices.IndexFunc(s.tasks, (*Task).planned)
	t := s.tasks[n]
	if !t.At.After(now) || s.r.Skipped != uuid.Nil {
		s.r.Recorded = later(s.r.Recorded, now)
		return nil
	}
	at, ok := s.next(now)
	if !ok {
		return invalid(op, "Schedule", "all its occurrences have their tasks already")
	}
	t.At, t.RemindAt = at, at.Add(s.conf.Grace)
	s.r.Planned, s.r.Recorded = at, at
	return nil
}

// due is when the Manager has next something to do: the earliest of its reasons.
func (s *series) due(now time.Time) time.Time {
	var due time.Time
	if s.r.Live() {
		due, _ = s.next(later(s.r.Recorded, now))
	}
	for _, t := range s.pending() {
		due = earlier(due, t.RemindAt)
		if t.At.After(now) {
			due = earlier(due, t.At)
		} else {
			due = earlier(due, now.Add(checkEvery))
		}
		if s.conf.Performer != nil {
			due = earlier(due, later(t.At, t.TryAt))
		}
	}
	return due
}

// earlier and later treat the zero time as never and as the beginning.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// change is what is written: the request, the tasks that are not as they were, and the events.
func (s *series) change(now time.Time) (Change, error) {
	s.r.Due = s.due(now)
	c := Change{Requests: []Request{s.r}}
	for _, t := range s.tasks {
		if old, ok := s.was[t.ID]; !ok || old != *t {
			c.Tasks = append(c.Tasks, *t)
		}
	}
	for _, f := range s.facts {
		e, err := f.event(now)
		if err != nil {
			return Change{}, err
		}
		c.Events = append(c.Events, e)
	}
	return c, nil
}
