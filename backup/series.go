package backup

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// series is a request with the tasks that a change of it may touch: the pending ones, the skipped one that still counts, and
// the tasks that the change makes. They are written together, so that two changes of one series conflict by the request's
// version. A series only computes: it neither reads nor writes.
type series struct {
	config  *Config
	request Request
	tasks   []*Task
	stored  map[uuid.UUID]Task // the tasks as they are stored
	taken   []time.Time        // see reading.taken
	facts   []manage.Fact
}

// recheck is how often the server of a due task is checked.
const recheck = time.Hour

// series returns the series of a reading. It records what fell due until the given instant.
func (r reading) series(config *Config, until time.Time) *series {
	s := &series{config: config, request: r.request, taken: r.taken, stored: map[uuid.UUID]Task{}}
	for _, t := range r.open {
		s.addStored(t)
	}
	s.catchUp(until)
	return s
}

func (s *series) addStored(t Task) *Task {
	s.stored[t.ID] = t
	return s.add(t)
}

func (s *series) add(t Task) *Task {
	s.tasks = append(s.tasks, &t)
	return &t
}

func (s *series) find(id uuid.UUID) (*Task, bool) {
	i := slices.IndexFunc(s.tasks, func(t *Task) bool { return t.ID == id })
	if i < 0 {
		return nil, false
	}
	return s.tasks[i], true
}

// pending returns the tasks that are to be done: the planned one and retried ones.
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
	r := &s.request
	return Task{
		ID: occurrenceID(r, at), RequestID: r.ID, ResellerID: r.ResellerID, ClientID: r.ClientID, ServerID: r.ServerID,
		Assignment: r.Assignment, ServerName: r.ServerName, What: r.Form.What, AtProvider: r.AtProvider, At: zone.Instant(at), State: state,
	}
}

// plan makes the next task ahead. If there is no further occurrence, it ends the request.
func (s *series) plan(now time.Time) {
	at, ok := s.next(later(s.request.Recorded, now))
	if !ok {
		s.end(now, Finished, "the schedule has no further date")
		return
	}
	t := s.task(at, Pending)
	t.RemindAt = t.At.Add(s.config.Grace)
	s.add(t)
	s.request.Planned, s.request.Recorded = t.At, t.At
}

// next returns the first occurrence after an instant that has no task yet.
func (s *series) next(after time.Time) (time.Time, bool) {
	at, ok := s.request.Form.Schedule.Next(after)
	for ok && slices.ContainsFunc(s.taken, at.Equal) {
		at, ok = s.request.Form.Schedule.Next(at)
	}
	return zone.Instant(at), ok // the zero time if not ok
}

// catchUp records what fell due until an instant while the planned task was pending: all of it in one skipped task.
func (s *series) catchUp(until time.Time) {
	if !s.request.Live() {
		return
	}
	missed, last := s.missed(until)
	if missed == 0 {
		return
	}
	t, ok := s.find(s.request.Skipped)
	if !ok {
		first, _ := s.next(s.request.Recorded)
		t = s.add(s.task(first, Skipped))
		s.request.Skipped = t.ID
	}
	t.At, t.Missed = zone.Instant(last), t.Missed+missed
	s.request.Recorded = t.At
}

// missed counts the occurrences until an instant that are neither recorded nor have a task already, and returns the last.
func (s *series) missed(until time.Time) (n int, last time.Time) {
	from := s.request.Recorded
	count := func(until time.Time) {
		if more, at := s.request.Form.Schedule.CountBetween(from, until); more > 0 {
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

// close takes a pending task to the state that op leads to. If it is the planned task, the next one is planned.
func (s *series) close(op Op, t *Task, now time.Time) error {
	planned := t.planned()
	if err := t.move(op); err != nil {
		return err
	}
	t.RemindAt, t.TryAt, t.Reason, t.PerformerFailed = time.Time{}, time.Time{}, "", false
	if planned && s.request.Live() {
		s.request.Skipped = uuid.Nil
		s.plan(now)
	}
	return nil
}

// cancelAll ends the request, if it is live, and cancels all pending tasks. It returns them.
func (s *series) cancelAll(op Op, now time.Time, how Ending, reason string) ([]*Task, error) {
	if s.request.Live() {
		s.end(now, how, reason)
	}
	tasks := s.pending()
	for _, t := range tasks {
		if err := s.close(op, t, now); err != nil {
			return nil, err
		}
		t.Reason = reason
	}
	return tasks, nil
}

func (s *series) end(now time.Time, how Ending, reason string) {
	r := &s.request
	r.Ended, r.Ending, r.EndReason = now, how, reason
	r.Planned, r.Skipped = time.Time{}, uuid.Nil
}

// reschedule makes the present schedule count from now. The planned task moves to its next occurrence. If the task is due, it
// stays.
func (s *series) reschedule(op Op, now time.Time) error {
	r := &s.request
	if err := r.Form.Schedule.checkOccurs(op, now); err != nil {
		return err
	}
	r.Revisions++
	i := slices.IndexFunc(s.tasks, (*Task).planned)
	if i < 0 {
		return fault.Nonsense("store", errors.New("a live request has no planned task"))
	}
	t := s.tasks[i]
	if !t.At.After(now) || r.Skipped != uuid.Nil {
		r.Recorded = later(r.Recorded, now)
		return nil
	}
	at, ok := s.next(now)
	if !ok {
		return invalid(op, "Schedule", "each of its occurrences has a task already")
	}
	t.At, t.RemindAt = at, at.Add(s.config.Grace)
	r.Planned, r.Recorded = at, at
	return nil
}

// due returns when the Manager has to look at the request next: the earliest of its reasons.
func (s *series) due(now time.Time) time.Time {
	var due time.Time
	if s.request.Live() {
		due, _ = s.next(later(s.request.Recorded, now))
	}
	for _, t := range s.pending() {
		due = zone.Earlier(due, t.RemindAt)
		if t.At.After(now) {
			due = zone.Earlier(due, t.At)
		} else {
			due = zone.Earlier(due, now.Add(recheck))
		}
		if s.performs() {
			due = zone.Earlier(due, t.performAt())
		}
	}
	return due
}

// later returns the later of two instants. A zero time is before all others.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// change returns what is written: the request, the tasks that differ from the stored ones, and the events.
func (s *series) change(now time.Time) (Change, error) {
	s.request.Due = s.due(now)
	c := Change{Requests: []Request{s.request}}
	for _, t := range s.tasks {
		if stored, ok := s.stored[t.ID]; !ok || stored != *t {
			c.Tasks = append(c.Tasks, *t)
		}
	}
	events, err := manage.Events(s.config.Epoch, now, s.facts)
	c.Events = events
	return c, err
}
