package main

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
)

func submit(key, what string, schedule backup.Schedule) action {
	return func(s *simulation, c call) (event, error) {
		schedule.Zone = c.server.billing.Zone
		r, err := s.backups.Submit(s.ctx, s.actor(c), backup.Form{
			ID: idOf("backup", key), ServerID: c.server.id(), What: what, Note: c.text, Schedule: schedule,
		})
		e := newEvent("backup.submitted", fmt.Sprintf("%s requests backups of %s (%s): %s.", s.subject(c), c.server.name, what, schedule),
			data{"request_id": idOf("backup", key), "what": what, "schedule": schedule.String()})
		if err == nil {
			e.Text += "\n-> the first backup is due on " + local(r.Planned, c.server.billing)
			e.Data["first"] = r.Planned
		}
		return e, err
	}
}

// cancelNext cancels the pending task of a request. The later ones stay.
func cancelNext(key string) action {
	return func(s *simulation, c call) (event, error) {
		tasks, err := s.tasks(backup.TaskQuery{RequestID: idOf("backup", key), States: []backup.State{backup.Pending}})
		if err != nil || len(tasks) == 0 {
			return event{}, err
		}
		t, err := s.backups.Cancel(s.ctx, s.actor(c), tasks[0].ID, c.text)
		return newEvent("backup.cancelled", fmt.Sprintf("%s cancels the backup of %s on %s%s", s.subject(c), c.server.name,
			local(tasks[0].At, c.server.billing), quotation(c.text)), data{"task_id": t.ID, "state": t.State}), err
	}
}

func withdraw(key string) action {
	return func(s *simulation, c call) (event, error) {
		r, err := s.backups.Withdraw(s.ctx, s.actor(c), idOf("backup", key), c.text)
		return newEvent("backup.withdrawn",
			fmt.Sprintf("%s withdraws the backup request for %s%s", s.subject(c), c.server.name, quotation(c.text)),
			data{"request_id": idOf("backup", key), "ending": r.Ending}), err
	}
}

// backlog holds the reseller's list of due backups.
type backlog struct {
	reported map[string]bool        // tasks that an event was recorded for
	results  map[uuid.UUID][]string // the results of a request's next tasks, in order; later tasks succeed
}

// What the reseller does with a due task, other than to complete it.
const (
	wait = "wait"
	fail = "fail"
)

func newBacklog() backlog {
	return backlog{reported: map[string]bool{}, results: map[uuid.UUID][]string{
		idOf("backup", "monthly"):   {fail},
		idOf("backup", "forgotten"): {wait, wait},
	}}
}

// tasks reads all pages of a query.
func (s *simulation) tasks(q backup.TaskQuery) ([]backup.Task, error) {
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

// checkBacklog queues an event for each task that has become due. It returns the time at which the next one is due; zero
// if none is planned.
func (s *simulation) checkBacklog() (time.Time, error) {
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
		if s.backlog.reported[key] {
			continue
		}
		s.backlog.reported[key] = true
		e := event{Kind: "backup.due", Who: resellerName, Server: t.ServerName, Data: data{"task_id": t.ID, "planned": t.At},
			Text: fmt.Sprintf("The backup of %s (%s) is due: %s.", t.ServerName, t.What, local(t.At, s.billing(t.ServerID)))}
		if t.State == backup.Skipped {
			e.Kind = "backup.skipped"
			e.Text = fmt.Sprintf("The backup of %s is due again, but the previous one is still pending: %s skipped.",
				t.ServerName, count(t.Missed, "date"))
			e.Data = data{"task_id": t.ID, "missed": t.Missed}
		}
		s.enqueue(rankDue, t.ID, e)
	}
	return next, nil
}

// processBacklog is the reseller's daily routine. It retries failed backups and makes the due ones.
func processBacklog(s *simulation, _ call) (event, error) {
	tasks, err := s.tasks(backup.TaskQuery{States: []backup.State{backup.Failed}})
	if err != nil {
		return event{}, err
	}
	for _, t := range tasks {
		t, err := s.backups.Retry(s.ctx, s.reseller, t.ID)
		if err != nil {
			return event{}, err
		}
		s.record("backup.retried", resellerName, t.ServerName, fmt.Sprintf("The reseller retries the backup of %s.", t.ServerName),
			data{"task_id": t.ID, "attempt": t.Attempt})
	}
	tasks, err = s.tasks(backup.TaskQuery{States: []backup.State{backup.Pending}, To: s.clock.Now()})
	if err != nil {
		return event{}, err
	}
	for _, t := range tasks {
		if err := s.makeBackup(t); err != nil {
			return event{}, err
		}
	}
	return event{}, nil
}

// makeBackup completes a task, fails it, or leaves it pending.
func (s *simulation) makeBackup(t backup.Task) error {
	result := ""
	if results := s.backlog.results[t.RequestID]; len(results) > 0 {
		result, s.backlog.results[t.RequestID] = results[0], results[1:]
	}
	switch result {
	case wait:
		return nil
	case fail:
		return s.failBackup(t, "the backup disk is full")
	}
	day := t.At.In(location(s.billing(t.ServerID)))
	size := int64(40 + day.YearDay())
	t, err := s.backups.Complete(s.ctx, s.reseller, t.ID, backup.Result{
		Bytes: size * 1_000_000_000, Location: fmt.Sprintf("vault-2/%s/%s", t.ServerName, day.Format(time.DateOnly)),
	})
	if err != nil {
		return err
	}
	s.record("backup.completed", resellerName, t.ServerName,
		fmt.Sprintf("The reseller completes the backup of %s: %d GB in %s.", t.ServerName, size, t.Result.Location),
		data{"task_id": t.ID, "bytes": t.Result.Bytes, "location": t.Result.Location})
	return nil
}

func (s *simulation) failBackup(t backup.Task, reason string) error {
	t, err := s.backups.Fail(s.ctx, s.reseller, t.ID, reason)
	if err != nil {
		return err
	}
	s.record("backup.failed", resellerName, t.ServerName,
		fmt.Sprintf("The reseller reports that the backup of %s failed: %s.", t.ServerName, reason),
		data{"task_id": t.ID, "reason": reason})
	return nil
}
