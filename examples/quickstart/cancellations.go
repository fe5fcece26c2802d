package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

func saveSettings(settings cancellation.Settings) action {
	return func(s *simulation, c call) (event, error) {
		saved, err := s.cancellations.SaveSettings(s.ctx, s.actor(c), settings)
		days := strings.Trim(strings.ReplaceAll(fmt.Sprint(settings.DaysAhead), " ", " and "), "[]")
		return newEvent("cancellation.settings", fmt.Sprintf(
			"%s saves the settings for cancellations: clients are warned %s days ahead and give %d days' notice.",
			s.subject(c), days, settings.NoticeDays), data{"days_ahead": saved.DaysAhead, "notice_days": saved.NoticeDays}), err
	}
}

// on is a fixed date, which only resellers may choose.
func on(day int, at time.Duration) func(*simulation) cancellation.When {
	return func(s *simulation) cancellation.When { return cancellation.When{At: s.day(day, at)} }
}

// endOfPeriod is the date that clients may choose.
func endOfPeriod(*simulation) cancellation.When { return cancellation.When{EndOfPeriod: true} }

func describe(w cancellation.When, b dedicated.Billing) string {
	if w.EndOfPeriod {
		return "the end of the billing period"
	}
	return local(w.At, b)
}

func cancel(key string, when func(*simulation) cancellation.When) action {
	return func(s *simulation, c call) (event, error) {
		w := when(s)
		scheduled, err := s.cancellations.Schedule(s.ctx, s.actor(c), cancellation.Order{
			ID: idOf("cancellation", key), ServerID: c.server.id(), When: w, Reason: c.text,
		})
		e := newEvent("cancellation.scheduled", fmt.Sprintf("%s orders the cancellation of %s for %s%s", s.subject(c), c.server.name,
			describe(w, c.server.billing), quotation(c.text)), data{"cancellation_id": idOf("cancellation", key)})
		return addDate(e, scheduled, c, err)
	}
}

func reschedule(key string, when func(*simulation) cancellation.When) action {
	return func(s *simulation, c call) (event, error) {
		w := when(s)
		scheduled, err := s.cancellations.Reschedule(s.ctx, s.actor(c), idOf("cancellation", key), w)
		e := newEvent("cancellation.rescheduled", fmt.Sprintf("%s moves the cancellation of %s to %s", s.subject(c), c.server.name,
			describe(w, c.server.billing)), data{"cancellation_id": idOf("cancellation", key)})
		return addDate(e, scheduled, c, err)
	}
}

// addDate adds the date of a cancellation to an event, unless err is set.
func addDate(e event, scheduled cancellation.Cancellation, c call, err error) (event, error) {
	if err == nil {
		e.Text += "\n-> scheduled for " + local(scheduled.At, c.server.billing)
		e.Data["for"] = scheduled.At
	}
	return e, err
}

func discard(key string) action {
	return func(s *simulation, c call) (event, error) {
		_, err := s.cancellations.Discard(s.ctx, s.actor(c), idOf("cancellation", key), c.text)
		return newEvent("cancellation.discarded",
			fmt.Sprintf("%s discards the cancellation of %s%s", s.subject(c), c.server.name, quotation(c.text)),
			data{"cancellation_id": idOf("cancellation", key)}), err
	}
}

// quote asks for the refund of a cancellation, without scheduling it.
func quote(when func(*simulation) cancellation.When) action {
	return func(s *simulation, c call) (event, error) {
		w := when(s)
		r, err := s.cancellations.Quote(s.ctx, s.actor(c), c.server.id(), w)
		b := c.server.billing
		e := newEvent("cancellation.quoted", fmt.Sprintf("%s asks for a refund quote: cancellation of %s for %s", s.subject(c), c.server.name,
			describe(w, b)), data{})
		if err == nil {
			e.Text += refundText(r.Lines, r.Total, b)
			e.Data["total"], e.Data["currency"], e.Data["lines"] = r.Total.StringFixed(b.Decimals()), b.Currency, refundLines(r.Lines, b)
		}
		return e, err
	}
}

// readBadges reads the reseller's list of servers with the badges of their cancellations, and the backups that will not run.
func readBadges(s *simulation, c call) (event, error) {
	var ids []uuid.UUID
	for _, l := range s.inventory.servers {
		ids = append(ids, l.id())
	}
	badges, err := s.cancellations.Badges(s.ctx, s.actor(c), ids)
	if err != nil {
		return event{}, err
	}
	tasks, err := s.tasks(backup.TaskQuery{States: []backup.State{backup.Pending}})
	if err != nil {
		return event{}, err
	}
	e := newEvent("cancellation.badges",
		fmt.Sprintf("%s reads the list of servers. Scheduled cancellations: %d.", s.subject(c), len(badges)), data{})
	var all []data
	for _, listed := range s.inventory.servers {
		badge, ok := badges[listed.id()]
		if !ok {
			continue
		}
		e.Text += fmt.Sprintf("\n  %s on %s, by the %s", listed.name, local(badge.At, listed.billing), badge.By)
		all = append(all, data{"server": listed.name, "for": badge.At, "by": badge.By.String()})
		for _, t := range tasks {
			if t.ServerID == listed.id() && t.WillNotRun {
				e.Text += "; its backup on " + local(t.At, listed.billing) + " will not run"
			}
		}
	}
	e.Data["badges"] = all
	return e, nil
}
