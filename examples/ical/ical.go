// Package ical writes a reseller's or a client's backups as an iCalendar (RFC 5545), for any calendar to subscribe to.
//
// What is on record, and the next task of each request, becomes an event each; what follows the tasks becomes one event
// with a rule for each request. Times are local times in the zone of the request, which comes along, so that a backup at
// 02:30 stays at 02:30 on both sides of a change of clocks.
//
// A host asks its backup.Manager for the requests and tasks of whoever subscribes, so that everybody gets what they may see:
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

// Calendar is what is written.
type Calendar struct {
	Name     string                  // as calendars show it
	Requests []backup.Request        // those that have ended are left out: their tasks are on record
	Tasks    []backup.Task           // whatever is to be shown of the record, and the pending ones
	Ends     map[uuid.UUID]time.Time // when servers will be cancelled: nothing is projected from then on; nil: never
}

// layout is a local time in RFC 5545 (section 3.3.5, form 1); in UTC it has a Z at its end.
const layout = "20060102T150405"

// Write writes the calendar as of now.
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
		s, ok := rest(r, c.Ends[r.ServerID], now)
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

// rest is what of a live request's schedule comes after its tasks, with its first occurrence as Start: what calendars take
// DTSTART for.
func rest(r backup.Request, end, now time.Time) (backup.Schedule, bool) {
	s := r.Form.Schedule
	if s.MonthDay == 31 {
		s.MonthDay = -1 // the same days, said so that every program knows it: not all of them heed BYSETPOS
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
	for at, ok := s.Next(s.Start.Add(-1)); left > 0 && ok && at.Before(first); at, ok = s.Next(at) {
		left--
	}
	s.Start, s.Count = first, left
	if end.IsZero() || s.Frequency == backup.Once {
		return s, true
	}
	if s.Until.IsZero() || end.Before(s.Until) {
		if last := end.Add(-time.Second); left == 0 || runsBeyond(s, end) {
			s.Until, s.Count = last, 0
		}
	}
	return s, true
}

// runsBeyond says whether a schedule with a Count has an occurrence at end or later.
func runsBeyond(s backup.Schedule, end time.Time) bool {
	_, ok := s.Next(end.Add(-1))
	return ok
}

// event makes an event at an instant, shown in a zone.
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

// describe says what became of a task. Events know three states (RFC 5545, section 3.8.1.11): one that took or takes place
// is confirmed, one that did or will not is cancelled, and what is still to be done is tentative.
func describe(e *ics.VEvent, t backup.Task) {
	e.SetSummary(fmt.Sprintf("Backup of %s: %s", t.ServerName, standing(t)))
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

func standing(t backup.Task) string {
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

// joined joins what is not empty, a line each.
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
