package backup

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// The longest texts that people may type, in bytes of UTF-8.
const (
	MaxReason = 1000 // a reason; also a Result's Location
	MaxText   = 4000 // what to back up, and notes
)

// Form is what a client fills in to ask for backups.
type Form struct {
	ID       uuid.UUID // optional; a repeat of Submit with the same ID and content returns the stored request
	ServerID uuid.UUID // in Revise nil or the request's own: a request stays with its server
	What     string    // what to back up, in the client's words, at most MaxText bytes; "": everything
	Note     string    // at most MaxText bytes
	Schedule Schedule  // Submit sets a zero Start to the present
}

// Request asks for backups of one server, under one assignment of the server to a client. It is live until Ended. A live
// request has exactly one pending task that was planned ahead. All times are in UTC, to the microsecond.
type Request struct {
	ID         uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID
	ServerID   uuid.UUID
	Assignment uuid.UUID // of the server to the client: the request ends with it
	Form       Form
	ServerName string // the server's name when the Manager last read the server
	AtProvider bool   // the machine is an upstream provider's; false for clients, who may not know

	Planned   time.Time // the date of the task that was planned ahead; zero once ended
	Recorded  time.Time // every occurrence up to this instant has its task; planning continues after it
	Skipped   uuid.UUID // the task that counts occurrences that fall due while the planned task is pending; nil: none yet
	Revisions int       // how often the schedule was changed

	Ended     time.Time // zero: live
	Ending    Ending    // how it ended; "": live
	EndReason string    // why it ended: one line, or ""

	Due        time.Time // when the Manager has to look at it next; zero: never
	LeaseUntil time.Time // until then one process works on it; zero: none does
	Failures   int       // consecutive failures of Tick
	Epoch      string    // Config.Epoch at the last decision of a person; "" for clients
	Version    int64
}

// Live reports whether the request has not ended.
func (r Request) Live() bool { return r.Ended.IsZero() }

// Ending is how a request ended.
type Ending string

// The endings.
const (
	Finished  Ending = "finished"  // the schedule has no further occurrence
	Withdrawn Ending = "withdrawn" // by the client, or by the reseller on its behalf
	Closed    Ending = "closed"    // the server left the client
)

// clone returns a copy that shares nothing.
func (r Request) clone() Request {
	r.Form.Schedule = r.Form.Schedule.clone()
	return r
}

// visibleTo reports whether the actor may know of the request.
func (r Request) visibleTo(a dedicated.Actor) bool {
	return a.Manages(r.ResellerID) || a.IsClient(r.ResellerID, r.ClientID)
}

// unconfirmed reports whether the request goes on, and the last decision of a person about it was made in another epoch than the given
// one: before the database was restored. Until a person confirms it, its tasks are not performed.
func (r Request) unconfirmed(epoch string) bool {
	return r.Epoch != epoch && (r.Live() || !r.Due.IsZero())
}

// forActor returns what the actor may see of the request.
func (r Request) forActor(a dedicated.Actor) Request {
	if !a.Manages(r.ResellerID) {
		r.AtProvider, r.Epoch = false, ""
	}
	return r
}

// normalized returns the form as it is stored: with a Start, with times in UTC to the microsecond, and with slices of its own.
func (f Form) normalized(op Op, now time.Time) (Form, error) {
	if err := checkBlock(op, "What", f.What); err != nil {
		return f, err
	}
	if err := checkBlock(op, "Note", f.Note); err != nil {
		return f, err
	}
	f.Schedule = f.Schedule.normalized(now)
	return f, withOp(op, f.Schedule.Validate())
}

// sameContent reports whether a form, as it was given, asks for what is stored. A zero Start equals the one that was filled in.
func (f Form) sameContent(stored Form) bool {
	return f.ServerID == stored.ServerID && f.What == stored.What && f.Note == stored.Note &&
		f.Schedule.normalized(stored.Schedule.Start).equal(stored.Schedule)
}

// normalized returns the schedule as it is stored. A zero Start becomes start.
func (s Schedule) normalized(start time.Time) Schedule {
	if s.Start.IsZero() {
		s.Start = start
	}
	s.Start, s.Until = zone.Instant(s.Start), zone.Instant(s.Until)
	return s.clone()
}

// clone returns a copy that shares nothing.
func (s Schedule) clone() Schedule {
	s.Months, s.Weekdays, s.NthWeekdays = slices.Clone(s.Months), slices.Clone(s.Weekdays), slices.Clone(s.NthWeekdays)
	s.MonthDays, s.SetPos = slices.Clone(s.MonthDays), slices.Clone(s.SetPos)
	return s
}

// equal reports whether two normalized schedules have the same fields.
func (s Schedule) equal(o Schedule) bool {
	return s.Frequency == o.Frequency && s.Interval == o.Interval && s.WeekStart == o.WeekStart && s.MonthDay == o.MonthDay &&
		slices.Equal(s.Months, o.Months) && slices.Equal(s.Weekdays, o.Weekdays) && slices.Equal(s.NthWeekdays, o.NthWeekdays) &&
		slices.Equal(s.MonthDays, o.MonthDays) && slices.Equal(s.SetPos, o.SetPos) &&
		s.Hour == o.Hour && s.Minute == o.Minute && s.Zone == o.Zone &&
		s.Start.Equal(o.Start) && s.Until.Equal(o.Until) && s.Count == o.Count
}

// checkOccurs refuses a schedule without an occurrence after now.
func (s Schedule) checkOccurs(op Op, now time.Time) error {
	if _, ok := s.Next(now); ok {
		return nil
	}
	return invalid(op, "Schedule", "it has no occurrence after %s: choose a later Start or Until, or a higher Count", now.Format(time.RFC3339))
}

// checkBlock refuses a text of several lines that is too long or has control characters.
func checkBlock(op Op, field, s string) error {
	return invalidText(op, field, text.CheckBlock(field, s, MaxText))
}

// checkLine refuses a text that is not one line of at most MaxReason bytes.
func checkLine(op Op, field, s string) error {
	return invalidText(op, field, text.CheckLine(field, s, MaxReason))
}

// checkReason refuses a reason that is blank or not one line.
func checkReason(op Op, reason string) error {
	return invalidText(op, "reason", text.CheckFilled("reason", reason, MaxReason))
}

func invalidText(op Op, field string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Field: field, Msg: err.Error(), Err: ErrInvalid}
}
