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
	return func(s *stage, c cue) (line, error) {
		saved, err := s.cancellations.SaveSettings(s.ctx, s.actor(c), settings)
		leads := strings.Trim(strings.ReplaceAll(fmt.Sprint(settings.DaysAhead), " ", " and "), "[]")
		return line{"cancellation.settings", fmt.Sprintf(
			"%s has clients warned %s days before their server is cancelled. A client cancels with %d days' notice.",
			s.subject(c), leads, settings.NoticeDays), data{"days_ahead": saved.DaysAhead, "notice_days": saved.NoticeDays}}, err
	}
}

// on is a fixed date, endOfPeriod what a client may choose.
func on(day int, at time.Duration) func(*stage) cancellation.When {
	return func(s *stage) cancellation.When { return cancellation.When{At: s.day(day, at)} }
}

func endOfPeriod(*stage) cancellation.When { return cancellation.When{EndOfPeriod: true} }

func words(w cancellation.When, b dedicated.Billing) string {
	if w.EndOfPeriod {
		return "at the end of the billing period"
	}
	return "on " + local(w.At, b)
}

func cancel(key string, when func(*stage) cancellation.When) action {
	return func(s *stage, c cue) (line, error) {
		w := when(s)
		planned, err := s.cancellations.Schedule(s.ctx, s.actor(c), cancellation.Order{
			ID: idOf("cancellation", key), ServerID: c.server.id(), When: w, Reason: c.text,
		})
		l := line{"cancellation.scheduled", fmt.Sprintf("%s wants %s to be cancelled %s%s", s.subject(c), c.server.name,
			words(w, c.server.billing), said(c.text)), data{"cancellation_id": idOf("cancellation", key)}}
		return l.planned(planned, c, err)
	}
}

func reschedule(key string, when func(*stage) cancellation.When) action {
	return func(s *stage, c cue) (line, error) {
		w := when(s)
		planned, err := s.cancellations.Reschedule(s.ctx, s.actor(c), idOf("cancellation", key), w)
		l := line{"cancellation.rescheduled", fmt.Sprintf("%s moves the cancellation of %s: it is to be %s", s.subject(c), c.server.name, words(w, c.server.billing)),
			data{"cancellation_id": idOf("cancellation", key)}}
		return l.planned(planned, c, err)
	}
}

func (l line) planned(planned cancellation.Cancellation, c cue, err error) (line, error) {
	if err == nil {
		l.text += "\n-> planned for " + local(planned.At, c.server.billing)
		l.data["for"] = planned.At
	}
	return l, err
}

func discard(key string) action {
	return func(s *stage, c cue) (line, error) {
		_, err := s.cancellations.Discard(s.ctx, s.actor(c), idOf("cancellation", key), c.text)
		return line{"cancellation.discarded", fmt.Sprintf("%s calls the cancellation of %s off%s", s.subject(c), c.server.name, said(c.text)),
			data{"cancellation_id": idOf("cancellation", key)}}, err
	}
}

// quote asks what would be paid back.
func quote(when func(*stage) cancellation.When) action {
	return func(s *stage, c cue) (line, error) {
		w := when(s)
		r, err := s.cancellations.Quote(s.ctx, s.actor(c), c.server.id(), w)
		l := line{"cancellation.quoted", fmt.Sprintf("%s asks what is paid back if %s is cancelled %s", s.subject(c), c.server.name,
			words(w, c.server.billing)), data{}}
		if err == nil {
			l.text += bill(r.Lines, r.Total, c.server.billing)
			l.data["total"], l.data["currency"], l.data["lines"] = r.Total.StringFixed(c.server.billing.Places), c.server.billing.Currency, billLines(r.Lines, c.server.billing)
		}
		return l, err
	}
}

// lookAtSigns is the reseller's list of servers: which of them are to be cancelled, and what will not be done any more.
func lookAtSigns(s *stage, c cue) (line, error) {
	var ids []uuid.UUID
	for _, l := range s.stock.servers {
		ids = append(ids, l.id())
	}
	signs, err := s.cancellations.Badges(s.ctx, s.actor(c), ids)
	if err != nil {
		return line{}, err
	}
	tasks, err := s.tasks(backup.TaskQuery{States: []backup.State{backup.Pending}})
	if err != nil {
		return line{}, err
	}
	l := line{"cancellation.signs", fmt.Sprintf("%s looks at the list of servers: %s to be cancelled.", s.subject(c), count(len(signs), "server")), data{}}
	var all []data
	for _, listed := range s.stock.servers {
		sign, ok := signs[listed.id()]
		if !ok {
			continue
		}
		l.text += fmt.Sprintf("\n  %s on %s, by the %s", listed.name, local(sign.At, listed.billing), sign.By)
		all = append(all, data{"server": listed.name, "for": sign.At, "by": sign.By.String()})
		for _, t := range tasks {
			if t.ServerID == listed.id() && t.WillNotRun {
				l.text += "; its backup on " + local(t.At, listed.billing) + " will not run"
			}
		}
	}
	l.data["signs"] = all
	return l, nil
}
