package backup

import (
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
	Monthly                      // on MonthDay, or on days that other fields name, in every Interval-th month
	Yearly                       // on MonthDays, Weekdays or NthWeekdays, in every Interval-th year
)

// String returns "once", "daily", "weekly", "monthly", "yearly" or, for anything else, "no frequency".
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
	case Yearly:
		return "yearly"
	default:
		return "no frequency"
	}
}

// The bounds of a Schedule's numbers. They keep all arithmetic far from overflow.
const (
	MaxInterval = 10_000    // the highest Schedule.Interval: days, weeks, months or years
	MaxCount    = 1_000_000 // the highest Schedule.Count: dates
)

// Schedule says when backups are due: at a local time of day, on dates that recur. It is a value without hidden state. Its
// methods are pure functions, and safe for concurrent use while no goroutine writes to its slices. The zero Schedule is invalid
// and has no occurrences.
//
// It says every recurrence rule of RFC 5545 (section 3.3.10) with FREQ from DAILY to YEARLY, and with BYMONTH, BYMONTHDAY, BYDAY,
// BYSETPOS and WKST. Start is the DTSTART. A Schedule has the meaning of those rules, and MonthDay adds one that they lack: it
// leaves out no month. If a change of offset skips the time of an occurrence, the occurrence moves forward by the gap (as section
// 3.3.5 says of any date-time). If a change of offset repeats the time, the occurrence is at the first of the two instants.
//
// Interval chooses the days, weeks, months or years. Months, MonthDays, Weekdays and NthWeekdays choose days in them: a date is a
// date of the schedule if each of these fields that is set allows it, where Weekdays and NthWeekdays count as one field. SetPos
// chooses again among the days of one week, month or year.
type Schedule struct {
	// Frequency is required. It decides which of the other fields may be set. The others must be zero.
	Frequency Frequency

	// Interval n means every n-th day, week, month or year, counted from that of Start's local date. 0 means 1. The highest value
	// is MaxInterval. A Once schedule has no Interval above 1.
	Interval int

	// WeekStart is the day on which the weeks of a Weekly schedule begin. It matters if Interval is above 1, or with SetPos. The
	// zero value is FromMonday.
	WeekStart WeekStart

	// Months are the months in which the schedule has dates, in any order, each at most once. None means all. Once has none.
	Months []time.Month

	// Weekdays are days of the week, in any order, each at most once. A Weekly schedule needs at least one. A Monthly or Yearly
	// schedule may have both Weekdays and NthWeekdays: it has the dates of both. Once has none.
	Weekdays []time.Weekday

	// NthWeekdays are weekdays by their place, such as the first Monday and the last Friday, in any order, each at most once: places
	// in the month for a Monthly schedule and for a Yearly one with Months, and in the year for a Yearly one without. Others have
	// none. A month or year without the fifth or 53rd has no such date.
	NthWeekdays []NthWeekday

	// MonthDay is the day of a Monthly schedule that leaves out no month: 1 to 31, or -1 for the last day of each month. In a
	// shorter month, 29 to 31 mean its last day. It may not be set together with MonthDays, Weekdays, NthWeekdays or SetPos.
	MonthDay int

	// MonthDays are days of the month, in any order, each at most once: 1 to 31, or -1 (the last day) to -31. A month that lacks a
	// day has no such date: unlike MonthDay, day 31 leaves out shorter months. Once and Weekly schedules have none.
	MonthDays []int

	// SetPos chooses from the dates that the other fields name in one week, month or year, in any order, each position at most once: 1
	// is the first of them, 2 the second, -1 the last. So Weekdays from Monday to Friday with SetPos -1 is the last working day of the
	// month. The highest position is 7 for a Weekly schedule, 31 for a Monthly and 366 for a Yearly one. Others have none.
	SetPos []int

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
	if s.Frequency < Once || s.Frequency > Yearly {
		return nil, s.invalid("Frequency", "%d is not a frequency: want Once, Daily, Weekly, Monthly or Yearly", s.Frequency)
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
