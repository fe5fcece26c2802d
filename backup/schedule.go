package backup

import (
	"math/bits"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// Frequency is how often a schedule recurs. Its zero value is none: Schedule.Validate refuses it.
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

// Bounds of a Schedule's numbers. They leave out what nobody means and keep all arithmetic far from overflow.
const (
	MaxInterval = 10_000    // days, weeks or months: Schedule.Interval
	MaxCount    = 1_000_000 // dates: Schedule.Count
)

// Schedule says when a backup is wanted: a local time of day on dates that recur. It is a value without hidden state; its
// methods are pure functions, safe for concurrent use while nobody writes to Weekdays. The zero Schedule is invalid and
// never occurs.
//
// It is the part of RFC 5545's recurrence rules (section 3.3.10) that backups need, and reads as they do, with Start as
// DTSTART. Two readings are ours, because a backup that is due should not be left out: a month without its MonthDay has
// the occurrence on its last day, and an occurrence at a time that a change of offset skips is moved forward by the gap
// (as section 3.3.5 says of any date-time). A time that the clock shows twice is the first.
type Schedule struct {
	// Frequency is required, and says which of the other fields have a meaning. One without must be zero.
	Frequency Frequency

	// Interval n is every n-th day, week or month, counted from that of Start's local date; weeks start on Monday. 0 is 1,
	// the most is MaxInterval. Once has none.
	Interval int

	// Weekdays are the days of a Weekly schedule, in any order: at least one, none twice.
	Weekdays []time.Weekday

	// MonthDay is the day of a Monthly schedule: 1 to 31, in shorter months their last day, or -1, always the last.
	MonthDay int

	// Hour (0 to 23) and Minute (0 to 59) are the time of day by the clock on the wall in Zone.
	Hour, Minute int

	// Zone is an IANA name such as Europe/Berlin; "" is UTC.
	Zone string

	// Start is the instant from which on occurrences count: those before it, even on its own date, are none. Only Once
	// takes no more than its date. Manager.Submit fills a zero Start with the present; Next takes it as the instant that
	// it is, the beginning of the year 1. Start lies in the years 1 to 9999.
	Start time.Time

	// Until is the last instant at which an occurrence may be; zero is no end. Not before Start, not beside Count, not for
	// Once.
	Until time.Time

	// Count ends the schedule after so many dates, from the first occurrence not before Start; 0 is no end, the most is
	// MaxCount. Not beside Until, not for Once. Where a zone left out a whole date (Samoa did 30 December 2011), that
	// date's occurrence falls together with the next date's: two that count, at one instant.
	Count int
}

// Validate returns nil, or an *Error that is ErrInvalid and names in Field the first field that is wrong. It accepts a
// schedule that has no occurrence left.
func (s Schedule) Validate() error {
	_, err := s.check()
	return err
}

// check is Validate. It does not allocate for a valid schedule, so that Next can afford it each time.
func (s *Schedule) check() (*time.Location, error) {
	if s.Frequency < Once || s.Frequency > Monthly {
		return nil, s.invalid("Frequency", "%d is none: want Once, Daily, Weekly or Monthly", s.Frequency)
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
		return s.invalid("Interval", "%d is not from 1 to %d, nor 0 for 1", s.Interval, MaxInterval)
	}
	if s.Frequency == Once && s.Interval > 1 {
		return s.invalid("Interval", "%d has no meaning for what happens once", s.Interval)
	}
	if s.Frequency != Weekly && len(s.Weekdays) > 0 {
		return s.invalid("Weekdays", "only a weekly schedule has them, this is %v", s.Frequency)
	}
	if s.Frequency == Weekly {
		return s.checkWeekdays()
	}
	if s.Frequency != Monthly && s.MonthDay != 0 {
		return s.invalid("MonthDay", "only a monthly schedule has one, this is %v", s.Frequency)
	}
	if s.Frequency == Monthly && (s.MonthDay < -1 || s.MonthDay == 0 || s.MonthDay > 31) {
		return s.invalid("MonthDay", "%d is neither from 1 to 31 nor -1, the last day", s.MonthDay)
	}
	return nil
}

func (s *Schedule) checkWeekdays() error {
	if s.MonthDay != 0 {
		return s.invalid("MonthDay", "only a monthly schedule has one, this is %v", s.Frequency)
	}
	for _, day := range s.Weekdays {
		if day < time.Sunday || day > time.Saturday {
			return s.invalid("Weekdays", "%d is not from 0, Sunday, to 6, Saturday", int(day))
		}
	}
	switch days := bits.OnesCount8(weekdaySet(s.Weekdays)); {
	case days == 0:
		return s.invalid("Weekdays", "a weekly schedule wants at least one")
	case days < len(s.Weekdays):
		return s.invalid("Weekdays", "one is named twice")
	}
	return nil
}

func (s *Schedule) checkEnds() error {
	if !withinYears(s.Start) {
		return s.invalid("Start", "it does not lie in the years 1 to 9999")
	}
	if !withinYears(s.Until) {
		return s.invalid("Until", "it does not lie in the years 1 to 9999")
	}
	if s.Count < 0 || s.Count > MaxCount {
		return s.invalid("Count", "%d is not from 1 to %d, nor 0 for no end", s.Count, MaxCount)
	}
	if s.Frequency == Once && s.Count != 0 {
		return s.invalid("Count", "%d has no meaning for what happens once", s.Count)
	}
	if s.Frequency == Once && !s.Until.IsZero() {
		return s.invalid("Until", "it has no meaning for what happens once")
	}
	if s.Count != 0 && !s.Until.IsZero() {
		return s.invalid("Until", "it stands beside Count: want one of them")
	}
	if !s.Until.IsZero() && s.Until.Before(s.Start) {
		return s.invalid("Until", "%s is before Start, %s", s.Until.UTC().Format(time.RFC3339), s.Start.UTC().Format(time.RFC3339))
	}
	return nil
}

func (*Schedule) invalid(field, format string, args ...any) *Error {
	return invalid("Schedule", "Schedule."+field, format, args...)
}

// Seconds since 1970, as Unix counts them.
const (
	yearOne      = -62_135_596_800 // 1 January of the year 1: the zero Time
	yearTenK     = 253_402_300_800 // 1 January of the year 10000
	lastDayBegin = yearTenK - secondsADay
	secondsADay  = 24 * 60 * 60
)

func withinYears(t time.Time) bool {
	return t.Unix() >= yearOne && t.Unix() < yearTenK
}

// weekdaySet has bit 0 for Monday to bit 6 for Sunday.
func weekdaySet(days []time.Weekday) uint8 {
	var set uint8
	for _, day := range days {
		set |= 1 << ((day + 6) % 7)
	}
	return set
}
