package main

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
)

func submit(key, what string, schedule backup.Schedule) action {
	return func(s *stage, c cue) (line, error) {
		schedule.Zone = c.server.billing.Zone
		r, err := s.backups.Submit(s.ctx, s.actor(c), backup.Form{
			ID: idOf("backup", key), ServerID: c.server.id(), What: what, Note: c.text, Schedule: schedule,
		})
		l := line{"backup.submitted", fmt.Sprintf("%s asks for backups of %s, %s: %s.", s.subject(c), c.server.name, what, schedule), data{
			"request_id": idOf("backup", key), "what": what, "schedule": schedule.String(),
		}}
		if err == nil {
			l.text += "\n-> the first is due on " + local(r.Planned, c.server.billing)
			l.data["first"] = r.Planned
		}
		return l, err
	}
}

// cancelNext cancels the pending backup of a series and leaves the rest.
func cancelNext(key string) action {
	return func(s *stage, c cue) (line, error) {
		tasks, err := s.tasks(backup.TaskQuery{RequestID: idOf("backup", key), States: []backup.State{backup.Pending}})
		if err != nil || len(tasks) == 0 {
			return line{}, err
		}
		t, err := s.backups.Cancel(s.ctx, s.actor(c), tasks[0].ID, c.text)
		return line{"backup.cancelled", fmt.Sprintf("%s cancels the backup of %s on %s%s", s.subject(c), c.server.name,
			local(tasks[0].At, c.server.billing), said(c.text)), data{"task_id": t.ID, "state": t.State}}, err
	}
}

func withdraw(key string) action {
	return func(s *stage, c cue) (line, error) {
		r, err := s.backups.Withdraw(s.ctx, s.actor(c), idOf("backup", key), c.text)
		return line{"backup.withdrawn", fmt.Sprintf("%s ends the backups of %s%s", s.subject(c), c.server.name, said(c.text)),
			data{"request_id": idOf("backup", key), "ending": r.Ending}}, err
	}
}

// agenda is the reseller's list of backups, as somebody keeps an eye on it.
type agenda struct {
	known  map[string]bool        // what was told
	visits map[uuid.UUID][]string // what will become of a request's backups, one after the other; after that they succeed
}

// The things that the reseller does with a backup that is due.
const (
	leave = "leave"
	fail  = "fail"
)

func newAgenda() agenda {
	return agenda{known: map[string]bool{}, visits: map[uuid.UUID][]string{
		idOf("backup", "monthly"):   {fail},
		idOf("backup", "forgotten"): {leave, leave},
	}}
}

// tasks lists all pages.
func (s *stage) tasks(q backup.TaskQuery) ([]backup.Task, error) {
	var all []backup.Task
	for {
		items, next, err := s.backups.Tasks(s.ctx, s.reseller, q)
		all = append(all, items...)
		if err != nil || next == "" {
			return all, err
		}
		q.After = next
	}
}

// lookAtAgenda tells what has fallen due, and returns when the next backup will; zero: none is planned.
func (s *stage) lookAtAgenda() (time.Time, error) {
	var next time.Time
	now := s.clock.Now()
	tasks, err := s.tasks(backup.TaskQuery{States: []backup.State{backup.Pending, backup.Skipped}})
	if err != nil {
		return next, err
	}
	for _, t := range tasks {
		if t.At.After(now) {
			next = earlier(next, t.At)
			continue
		}
		key := fmt.Sprint(t.ID, t.Missed)
		if s.agenda.known[key] {
			continue
		}
		s.agenda.known[key] = true
		e := event{Kind: "backup.due", Who: resellerName, Server: t.ServerName, Data: data{"task_id": t.ID, "planned": t.At},
			Text: fmt.Sprintf("The backup of %s is due, %s: %s.", t.ServerName, t.What, local(t.At, s.billing(t.ServerID)))}
		if t.State == backup.Skipped {
			e.Kind = "backup.skipped"
			e.Text = fmt.Sprintf("The backup of %s is due again before the last one was made: %s missed.", t.ServerName, count(t.Missed, "date"))
			e.Data = data{"task_id": t.ID, "missed": t.Missed}
		}
		s.expect(rankDue, t.ID, e)
	}
	return next, nil
}

// workThrough is the reseller's morning: what has failed is tried again, what is due is made.
func workThrough(s *stage, c cue) (line, error) {
	tasks, err := s.tasks(backup.TaskQuery{States: []backup.State{backup.Failed}})
	if err != nil {
		return line{}, err
	}
	for _, t := range tasks {
		t, err := s.backups.Retry(s.ctx, s.reseller, t.ID)
		if err != nil {
			return line{}, err
		}
		s.tell("backup.retried", resellerName, t.ServerName, fmt.Sprintf("The reseller tries the backup of %s again.", t.ServerName),
			data{"task_id": t.ID, "attempt": t.Attempt})
	}
	tasks, err = s.tasks(backup.TaskQuery{States: []backup.State{backup.Pending}, To: s.clock.Now()})
	if err != nil {
		return line{}, err
	}
	for _, t := range tasks {
		if err := s.make(t); err != nil {
			return line{}, err
		}
	}
	return line{}, nil
}

// make makes a backup, fails to, or leaves it for another day.
func (s *stage) make(t backup.Task) error {
	verdict := ""
	if visits := s.agenda.visits[t.RequestID]; len(visits) > 0 {
		verdict, s.agenda.visits[t.RequestID] = visits[0], visits[1:]
	}
	switch verdict {
	case leave:
		return nil
	case fail:
		return s.failBackup(t, "the backup disk is full")
	}
	day := t.At.In(place(s.billing(t.ServerID)))
	size := int64(40 + day.YearDay())
	t, err := s.backups.Complete(s.ctx, s.reseller, t.ID, backup.Result{
		Bytes: size * 1_000_000_000, Location: fmt.Sprintf("vault-2/%s/%s", t.ServerName, day.Format(time.DateOnly)),
	})
	if err != nil {
		return err
	}
	s.tell("backup.completed", resellerName, t.ServerName,
		fmt.Sprintf("The reseller has made the backup of %s: %d GB in %s.", t.ServerName, size, t.Result.Location),
		data{"task_id": t.ID, "bytes": t.Result.Bytes, "location": t.Result.Location})
	return nil
}

func (s *stage) failBackup(t backup.Task, reason string) error {
	t, err := s.backups.Fail(s.ctx, s.reseller, t.ID, reason)
	if err != nil {
		return err
	}
	s.tell("backup.failed", resellerName, t.ServerName, fmt.Sprintf("The reseller could not make the backup of %s: %s.", t.ServerName, reason),
		data{"task_id": t.ID, "reason": reason})
	return nil
}
