package backup_test

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
)

// The model implements the rules in the simplest way: it steps through a schedule from one occurrence to the next, and keeps a
// plain list of tasks.

type modelTask struct {
	id      uuid.UUID // nil until the library has told it
	at      time.Time
	state   backup.State
	missed  int
	attempt int
}

type modelSeries struct {
	id       uuid.UUID
	schedule backup.Schedule
	tasks    []*modelTask
	planned  *modelTask // nil once ended
	skipped  *modelTask
	recorded time.Time
	ending   backup.Ending
	epoch    string // of the last decision of a person
}

func (s *modelSeries) add(at time.Time, state backup.State) *modelTask {
	t := &modelTask{at: at, state: state}
	s.tasks = append(s.tasks, t)
	return t
}

// has reports whether an occurrence has a task already, in any state.
func (s *modelSeries) has(at time.Time) bool {
	return slices.ContainsFunc(s.tasks, func(t *modelTask) bool { return t.at.Equal(at) && t != s.planned })
}

func (s *modelSeries) next(after time.Time) (time.Time, bool) {
	at, ok := s.schedule.Next(after)
	for ok && s.has(at) {
		at, ok = s.schedule.Next(at)
	}
	return at.UTC(), ok
}

func (s *modelSeries) plan(now time.Time) {
	s.planned, s.skipped = nil, nil
	at, ok := s.next(latest(s.recorded, now))
	if !ok {
		s.ending = backup.Finished
		return
	}
	s.planned, s.recorded = s.add(at, backup.Pending), at
}

// catchUp steps through the occurrences that fell due.
func (s *modelSeries) catchUp(now time.Time) {
	if s.planned == nil {
		return
	}
	for at, ok := s.next(s.recorded); ok && !at.After(now); at, ok = s.next(s.recorded) {
		if s.skipped == nil {
			s.skipped = s.add(at, backup.Skipped)
		}
		s.skipped.at, s.recorded = at, at
		s.skipped.missed++
	}
}

func (s *modelSeries) close(t *modelTask, to backup.State, now time.Time) {
	s.catchUp(now)
	t.state = to
	if t == s.planned {
		s.plan(now)
	}
}

func (s *modelSeries) end(ending backup.Ending, now time.Time) {
	s.catchUp(now)
	if s.planned != nil {
		s.ending = ending
	}
	s.planned, s.skipped = nil, nil
	for _, t := range s.tasks {
		if t.state == backup.Pending {
			t.state = backup.Cancelled
		}
	}
}

// unconfirmed reports whether something may still happen that nobody has confirmed in the epoch.
func (s *modelSeries) unconfirmed(epoch string) bool {
	return s.epoch != epoch && slices.ContainsFunc(s.tasks, func(t *modelTask) bool { return t.state == backup.Pending })
}

func (s *modelSeries) revise(schedule backup.Schedule, now time.Time) {
	s.catchUp(now)
	s.schedule = schedule
	if !s.planned.at.After(now) || s.skipped != nil {
		s.recorded = latest(s.recorded, now)
		return
	}
	at, _ := s.next(now)
	s.planned.at, s.recorded = at, at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
