package backup

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Bounds of what people type, in bytes of UTF-8.
const (
	MaxReason = 1000 // why something was cancelled, failed or withdrawn; also a Result's Location
	MaxText   = 4000 // what to back up, and notes
)

// Form is what a client fills in to ask for backups.
type Form struct {
	ID       uuid.UUID // optional; a repeat of Submit with the same ID and content returns what is stored
	ServerID uuid.UUID // in Revise nil or the request's own: a request stays with its server
	What     string    // what to back up, in the client's words, at most MaxText bytes; "": everything
	Note     string    // at most MaxText bytes
	Schedule Schedule  // a zero Start is filled with the present
}

// Request is a client's wish for backups of one server, under one assignment of it. It is live until it has Ended; a live
// one always has exactly one pending task that was made ahead. All times are in UTC, to the microsecond.
type Request struct {
	ID         uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID
	ServerID   uuid.UUID
	Assignment uuid.UUID // of the server to the client: the request ends with it
	Form       Form
	ServerName string // as it was when the Manager last looked
	AtProvider bool   // the machine is an upstream provider's; false for clients, who may not know

	Planned   time.Time // the date of the task made ahead; zero once ended
	Recorded  time.Time // the instant up to which every occurrence has its task; planning goes on after it
	Skipped   uuid.UUID // the task that counts what falls due while the one made ahead is pending; nil: nothing yet
	Revisions int       // how often the schedule was changed

	Ended     time.Time // zero: live
	Ending    Ending    // how it ended
	EndReason string    // and why, in the words of who ended it

	Due        time.Time // when the Manager has next something to do; zero: never
	LeaseUntil time.Time // until then somebody is doing it
	Failures   int       // how often in a row that failed
	Version    int64
}

// Live says whether the request has not ended.
func (r Request) Live() bool { return r.Ended.IsZero() }

// Ending is how a request came to its end.
type Ending string

// The endings.
const (
	Finished  Ending = "finished"  // the schedule has no further occurrence
	Withdrawn Ending = "withdrawn" // by the client, or by the reseller for it
	Closed    Ending = "closed"    // the server is not the client's any more
)

// clone returns a copy that shares nothing.
func (r Request) clone() Request {
	r.Form.Schedule.Weekdays = slices.Clone(r.Form.Schedule.Weekdays)
	return r
}

// normal is the form as it is stored: with a Start, times in UTC to the microsecond, and a Weekdays of its own.
func (f Form) normal(op string, now time.Time) (Form, error) {
	if err := checkBlock(op, "What", f.What); err != nil {
		return f, err
	}
	if err := checkBlock(op, "Note", f.Note); err != nil {
		return f, err
	}
	f.Schedule = f.Schedule.normal(now)
	if err := f.Schedule.Validate(); err != nil {
		return f, renamed(op, err)
	}
	return f, nil
}

// mustOccur refuses a schedule without an occurrence to come.
func (s Schedule) mustOccur(op string, now time.Time) error {
	if _, ok := s.Next(now); ok {
		return nil
	}
	return invalid(op, "Schedule", "it has no occurrence after %s: a later Start, Until or Count has", now.Format(time.RFC3339))
}

func (s Schedule) normal(start time.Time) Schedule {
	if s.Start.IsZero() {
		s.Start = start
	}
	s.Start, s.Until = zone.Instant(s.Start), zone.Instant(s.Until)
	s.Weekdays = slices.Clone(s.Weekdays)
	return s
}

// same says whether two normal schedules are written alike.
func (s Schedule) same(o Schedule) bool {
	return s.Frequency == o.Frequency && s.Interval == o.Interval && slices.Equal(s.Weekdays, o.Weekdays) &&
		s.MonthDay == o.MonthDay && s.Hour == o.Hour && s.Minute == o.Minute && s.Zone == o.Zone &&
		s.Start.Equal(o.Start) && s.Until.Equal(o.Until) && s.Count == o.Count
}

// same says whether a form, as it was given, asks for what is stored: a zero Start is the one that was filled in.
func (f Form) same(stored Form) bool {
	return f.ServerID == stored.ServerID && f.What == stored.What && f.Note == stored.Note &&
		f.Schedule.normal(stored.Schedule.Start).same(stored.Schedule)
}

func checkBlock(op, field, s string) error {
	if err := text.Block(field, s, MaxText); err != nil {
		return &Error{Op: op, Field: field, Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}

func checkLine(op, field, s string) error {
	if err := text.Line(field, s, MaxReason); err != nil {
		return &Error{Op: op, Field: field, Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}
