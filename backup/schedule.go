package backup

import (
	"math/bits"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// Frequency is how often a schedule recurs. Schedule.Validate refuses the zero value.
type Frequency uint8

// The frequencies.
const (
	Once    Frequency = iota + 1 // one time, on Start's local date at Hour:Minute
	Daily                        // every Interval-th day
	Weekly                       // on Weekdays, in every Interval-th week
	Monthly                      // on MonthDay, in every Interval-th month
)

// String returns "once", "daily", "weekly", "monthly" or, for anything else, "no frequency".
func (f Frequency) String() string {
	switch f {
	case Once:
		return "once"
	case Daily:
		return "daily"
	case Weekly:
		return "weekly"
	case Monthly:
		return "monthly"
	default:
		return "no frequency"
	}
}

// The bounds of a Schedule's numbers. They keep all arithmetic far from overflow.
const (
	MaxInterval = 10_000    // the highest Schedule.Interval: days, weeks or months
	MaxCount    = 1_000_000 // the highest Schedule.Count: dates
)

// Schedule says when backups are due: at a local time of day, on dates that recur. It is a value without hidden state. Its
// methods are pure functions, and safe for concurrent use while no goroutine writes to Weekdays. The zero Schedule is invalid
// and has no occurrences.
//
// It is the part of RFC 5545's recurrence rules (section 3.3.10) that backups need, with Start as DTSTART. It has the meaning
// of those rules, with two exceptions, which make sure that no backup is left out. If a month is shorter than MonthDay, the
// occurrence is on the last day of the month. If a change of offset skips the time of an occurrence, the occurrence moves
// forward by the gap (as section 3.3.5 says of any date-time). If a change of offset repeats the time, the occurrence is at
// the first of the two instants.
type Schedule struct {
	// Frequency is required. It decides which of the other fields may be set. The others must be zero.
	Frequency Frequency

	// Interval n means every n-th day, week or month, counted from the day, week or month of Start's local date. Weeks start
	// on Monday. 0 means 1. The highest value is MaxInterval. A Once schedule has no Interval above 1.
	Interval int

	// Weekdays are the days of a Weekly schedule, in any order: at least one, each at most once.
	Weekdays []time.Weekday

	// MonthDay is the day of a Monthly schedule: 1 to 31, or -1 for the last day of each month. In a shorter month, 29 to 31
	// mean its last day.
	MonthDay int

	// Hour (0 to 23) and Minute (0 to 59) are the local time of day in Zone.
	Hour, Minute int

	// Zone is an IANA name such as Europe/Berlin; "" is UTC.
	Zone string

	// Start is the earliest instant of an occurrence. A Once schedule uses only its local date. Manager.Submit sets a zero
	// Start to the present; Next uses a zero Start as it is: the beginning of the year 1. Start must be in the years 1 to
	// 9999.
	Start time.Time

	// Until is the latest instant of an occurrence. Zero means no end. It may not be before Start. It may not be set together
	// with Count, or for Once.
	Until time.Time

	// Count is the number of dates after which the schedule ends. The first is that of the first occurrence not before Start. 0
	// means no end. The highest value is MaxCount. It may not be set together with Until, or for Once. If a zone left out a
	// whole date (Samoa left out 30 December 2011), that date and the next have their occurrences at one instant, and both
	// count.
	Count int
}

// Validate returns nil, or an *Error that is ErrInvalid and names in Field the first field that is wrong. It accepts a
// schedule that has no occurrence left.
func (s Schedule) Validate() error {
	_, err := s.check()
	return err
}

// check does the work of Validate and returns the location of Zone. It does not allocate for a valid schedule, because Next
// calls it each time.
func (s *Schedule) check() (*time.Location, error) {
	if s.Frequency < Once || s.Frequency > Monthly {
		return nil, s.invalid("Frequency", "%d is not a frequency: want Once, Daily, Weekly or Monthly", s.Frequency)
	}
	if s.Hour < 0 || s.Hour > 23 {
		return nil, s.invalid("Hour", "%d is not from 0 to 23", s.Hour)
	}
	if s.Minute < 0 || s.Minute > 59 {
		return nil, s.invalid("Minute", "%d is not from 0 to 59", s.Minute)
	}
	if err := s.checkDates(); err != nil {
		return nil, err
	}
	if err := s.checkEnds(); err != nil {
		return nil, err
	}
	loc, err := zone.Load(s.Zone)
	if err != nil {
		return nil, s.invalid("Zone", "%.64q is not an IANA name such as Europe/Berlin", s.Zone)
	}
	return loc, nil
}

func (s *Schedule) checkDates() error {
	if s.Interval < 0 || s.Interval > MaxInterval {
		return s.invalid("Interval", "%d: want 1 to %d, or 0 for 1", s.Interval, MaxInterval)
	}
	if s.Frequency == Once && s.Interval > 1 {
		return s.invalid("Interval", "%d: a schedule that happens once has none", s.Interval)
	}
	if s.Frequency != Weekly && len(s.Weekdays) > 0 {
		return s.invalid("Weekdays", "only a weekly schedule has weekdays, this one is %v", s.Frequency)
	}
	if s.Frequency == Weekly {
		return s.checkWeekdays()
	}
	if s.Frequency != Monthly && s.MonthDay != 0 {
		return s.invalid("MonthDay", "only a monthly schedule has a day of the month, this one is %v", s.Frequency)
	}
	if s.Frequency == Monthly && (s.MonthDay < -1 || s.MonthDay == 0 || s.MonthDay > 31) {
		return s.invalid("MonthDay", "%d: want 1 to 31, or -1 for the last day", s.MonthDay)
	}
	return nil
}

func (s *Schedule) checkWeekdays() error {
	if s.MonthDay != 0 {
		return s.invalid("MonthDay", "only a monthly schedule has a day of the month, this one is %v", s.Frequency)
	}
	for _, day := range s.Weekdays {
		if day < time.Sunday || day > time.Saturday {
			return s.invalid("Weekdays", "%d: want 0 (Sunday) to 6 (Saturday)", int(day))
		}
	}
	switch days := bits.OnesCount8(weekdaySet(s.Weekdays)); {
	case days == 0:
		return s.invalid("Weekdays", "a weekly schedule needs at least one")
	case days < len(s.Weekdays):
		return s.invalid("Weekdays", "each may be named once")
	}
	return nil
}

func (s *Schedule) checkEnds() error {
	if !withinYears(s.Start) {
		return s.invalid("Start", "it must be in the years 1 to 9999")
	}
	if !withinYears(s.Until) {
		return s.invalid("Until", "it must be in the years 1 to 9999")
	}
	if s.Count < 0 || s.Count > MaxCount {
		return s.invalid("Count", "%d: want 1 to %d, or 0 for no end", s.Count, MaxCount)
	}
	if s.Frequency == Once && s.Count != 0 {
		return s.invalid("Count", "%d: a schedule that happens once has none", s.Count)
	}
	if s.Frequency == Once && !s.Until.IsZero() {
		return s.invalid("Until", "a schedule that happens once has none")
	}
	if s.Count != 0 && !s.Until.IsZero() {
		return s.invalid("Until", "it is set together with Count: want one of them")
	}
	if !s.Until.IsZero() && s.Until.Before(s.Start) {
		return s.invalid("Until", "%s is before Start, %s", s.Until.UTC().Format(time.RFC3339), s.Start.UTC().Format(time.RFC3339))
	}
	return nil
}

func (*Schedule) invalid(field, format string, args ...any) *Error {
	return invalid(opSchedule, "Schedule."+field, format, args...)
}

// Instants in seconds since 1970, as Unix counts them.
const (
	yearOne      = -62_135_596_800 // 1 January of the year 1: the zero Time
	yearTenK     = 253_402_300_800 // 1 January of the year 10000
	lastDayBegin = yearTenK - secondsADay
	secondsADay  = 24 * 60 * 60
)

func withinYears(t time.Time) bool {
	return t.Unix() >= yearOne && t.Unix() < yearTenK
}

// weekdaySet returns a set of days: bit 0 is Monday, bit 6 is Sunday.
func weekdaySet(days []time.Weekday) uint8 {
	var set uint8
	for _, day := range days {
		set |= 1 << ((day + 6) % 7)
	}
	return set
}
