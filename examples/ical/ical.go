// Package ical writes the backups of a reseller or a client as an iCalendar (RFC 5545). Calendar programs can subscribe to it.
//
// Every task becomes an event. The occurrences after the last task of a request become one event with a recurrence rule. Times
// are local times in the zone of the request, and the calendar defines that zone. So a backup at 02:30 stays at 02:30 before and
// after a clock change.
//
// A host reads requests and tasks from its backup.Manager as the actor who subscribes, so every actor gets only its own:
//
//	requests, _, err := backups.Requests(ctx, actor, backup.RequestQuery{Live: true})
//	tasks, _, err := backups.Tasks(ctx, actor, backup.TaskQuery{From: monthAgo})
//	err = ical.Write(w, ical.Calendar{Name: "Backups", Requests: requests, Tasks: tasks}, time.Now())
package ical

import (
	"fmt"
	"io"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
)

// Calendar holds the content of a calendar.
type Calendar struct {
	Name     string                  // the name that calendar programs show
	Requests []backup.Request        // requests that have ended are left out
	Tasks    []backup.Task           // past and pending tasks
	Ends     map[uuid.UUID]time.Time // by server: no occurrence is shown from this time on; may be nil
}

// layout is the format of local times in RFC 5545 (section 3.3.5, form 1). Times in UTC have a Z at the end.
const layout = "20060102T150405"

// Write writes the calendar as of now. It returns an error if the zone of a request is unknown, or if w fails.
func Write(w io.Writer, c Calendar, now time.Time) error {
	cal := ics.NewCalendarFor("metalkeep")
	cal.SetProductId("-//metalkeep//backups//EN")
	cal.SetMethod(ics.MethodPublish)
	cal.SetName(c.Name)
	cal.SetXWRCalName(c.Name)
	z := zones{}
	var events []*ics.VEvent
	schedules := map[uuid.UUID]backup.Schedule{}
	for _, r := range c.Requests {
		schedules[r.ID] = r.Form.Schedule
		s, ok := remaining(r, c.Ends[r.ServerID], now)
		if !ok {
			continue
		}
		e, err := z.event(r.ID, s.Start, s.Zone, now)
		if err != nil {
			return err
		}
		if rule := s.RRule(); rule != "" {
			e.AddRrule(rule)
		}
		e.SetSummary("Backup of " + r.ServerName)
		e.SetDescription(joined(r.Form.What, r.Form.Note, r.Form.Schedule.String()))
		e.SetStatus(ics.ObjectStatusConfirmed)
		events = append(events, e)
	}
	for _, t := range c.Tasks {
		e, err := z.event(t.ID, t.At, schedules[t.RequestID].Zone, now)
		if err != nil {
			return err
		}
		describe(e, t)
		events = append(events, e)
	}
	z.addTo(cal)
	for _, e := range events {
		cal.AddVEvent(e)
	}
	return cal.SerializeTo(w, ics.WithNewLineWindows)
}

// remaining returns the part of a live request's schedule after its last task. Its Start is the first occurrence, as the DTSTART
// of an event must be. ok is false if no occurrence remains.
func remaining(r backup.Request, end, now time.Time) (backup.Schedule, bool) {
	s := r.Form.Schedule
	if s.MonthDay == 31 {
		s.MonthDay = -1 // the same days, without BYSETPOS, which some programs ignore
	}
	after := r.Recorded
	if after.Before(now) {
		after = now
	}
	first, ok := s.Next(after)
	if !r.Live() || !ok || !end.IsZero() && !first.Before(end) {
		return s, false
	}
	left := s.Count
	if left > 0 {
		done, _ := s.CountBetween(s.Start.Add(-1), first.Add(-1))
		left -= done
	}
	s.Start, s.Count = first, left
	if end.IsZero() || s.Frequency == backup.Once {
		return s, true
	}
	if s.Until.IsZero() || end.Before(s.Until) {
		if last := end.Add(-time.Second); left == 0 || occursFrom(s, end) {
			s.Until, s.Count = last, 0
		}
	}
	return s, true
}

// occursFrom reports whether a schedule has an occurrence at end or later.
func occursFrom(s backup.Schedule, end time.Time) bool {
	_, ok := s.Next(end.Add(-1))
	return ok
}

// event makes an event at an instant, in local time of a zone.
func (z zones) event(id uuid.UUID, at time.Time, zone string, now time.Time) (*ics.VEvent, error) {
	e := ics.NewEvent(id.String())
	e.SetDtStampTime(now)
	e.SetTimeTransparency(ics.TransparencyTransparent)
	if zone == "" || zone == "UTC" {
		e.SetProperty(ics.ComponentPropertyDtStart, at.UTC().Format(layout)+"Z")
		return e, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("the zone of event %s: %w", id, err)
	}
	z.use(loc, at)
	e.SetProperty(ics.ComponentPropertyDtStart, at.In(loc).Format(layout), ics.WithTZID(zone))
	return e, nil
}

// describe sets the summary, the description and the status of a task's event. A completed task is confirmed, a pending one is
// tentative, and all others are cancelled (RFC 5545, section 3.8.1.11).
func describe(e *ics.VEvent, t backup.Task) {
	e.SetSummary(fmt.Sprintf("Backup of %s: %s", t.ServerName, status(t)))
	lines := []string{t.What, t.Reason}
	if t.Result.Bytes > 0 {
		lines = append(lines, fmt.Sprintf("%d bytes", t.Result.Bytes))
	}
	e.SetDescription(joined(append(lines, t.Result.Note)...))
	if t.Result.Location != "" {
		e.SetLocation(t.Result.Location)
	}
	switch {
	case t.State == backup.Completed:
		e.SetStatus(ics.ObjectStatusConfirmed)
	case t.State == backup.Pending && !t.WillNotRun:
		e.SetStatus(ics.ObjectStatusTentative)
	default:
		e.SetStatus(ics.ObjectStatusCancelled)
	}
}

func status(t backup.Task) string {
	switch {
	case t.WillNotRun:
		return "will not run"
	case t.Overdue:
		return "overdue"
	case t.State == backup.Skipped && t.Missed > 1:
		return fmt.Sprintf("skipped, the last of %d", t.Missed)
	}
	return string(t.State)
}

// joined joins texts with line breaks. It leaves out empty ones.
func joined(lines ...string) string {
	text := ""
	for _, line := range lines {
		if line != "" && text != "" {
			text += "\n"
		}
		text += line
	}
	return text
}
