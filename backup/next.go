package backup

import (
	"math/bits"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// Next returns the first occurrence strictly after an instant, in the schedule's zone, on a whole minute of the local clock. It
// returns false without one: the schedule has ended, or Validate refuses it. Every schedule ends before the last day of
// the year 9999 (in UTC), so that the year of an occurrence has four digits in every zone.
//
// Its cost does not depend on how far the instant is from Start. There is one exception: with Count, a schedule that arithmetic does not
// find counts the dates since Start. Every search and every count ends after one or two cycles of the calendar, see rule. Next does not
// allocate.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	loc, err := s.check()
	if err != nil || after.Unix() >= lastDayBegin {
		return time.Time{}, false
	}
	// Occurrences are on whole seconds, so "after", "not before" and "until" compare seconds.
	start := ceilSeconds(s.Start)
	d := s.dates(loc)
	if s.Frequency == Once {
		at := d.at(d.origin, loc)
		return result(at, at > after.Unix(), loc)
	}
	if !s.byArithmetic() {
		var r rule
		r.set(&s, d.origin)
		d.rule = &r
	}
	day, at, ok := d.firstFrom(max(start, after.Unix()+1), loc)
	if ok && s.Count > 0 {
		first, _, _ := d.firstFrom(start, loc)
		ok = d.count(first, day) < int64(s.Count)
	}
	return result(at, ok && (s.Until.IsZero() || at <= s.Until.Unix()), loc)
}

func result(unix int64, ok bool, loc *time.Location) (time.Time, bool) {
	if !ok || unix >= lastDayBegin {
		return time.Time{}, false
	}
	return time.Unix(unix, 0).In(loc), true
}

// dates is the sequence of the dates of a recurring schedule. It is endless in both directions. It ignores Start, Until and Count.
// A day is the number that zone.Days gives it. If Months, MonthDays, NthWeekdays and SetPos are not set, arithmetic finds the n-th
// date of the sequence. Otherwise, a rule searches.
type dates struct {
	frequency Frequency
	interval  int64
	origin    int64 // the day, week, month or year from which Interval counts: see period
	weekBegin int64 // the days from Monday to WeekStart
	weekdays  uint8 // weekdaySet, but bit 0 is WeekStart
	perWeek   int64 // the number of weekdays
	monthDay  int
	ofDay     int64 // seconds since midnight, local time
	rule      *rule // nil: arithmetic
}

// byArithmetic reports whether arithmetic finds the dates.
func (s *Schedule) byArithmetic() bool {
	if s.Frequency == Yearly || s.Frequency == Daily && len(s.Weekdays) > 0 || s.Frequency == Monthly && s.MonthDay == 0 {
		return false
	}
	return len(s.Months) == 0 && len(s.MonthDays) == 0 && len(s.NthWeekdays) == 0 && len(s.SetPos) == 0
}

func (s *Schedule) dates(loc *time.Location) dates {
	d := dates{
		frequency: s.Frequency,
		interval:  int64(max(s.Interval, 1)),
		monthDay:  s.MonthDay,
		ofDay:     int64(s.Hour)*3600 + int64(s.Minute)*60,
	}
	if s.Frequency == Weekly {
		d.weekBegin = int64(s.WeekStart)
		set := weekdaySet(s.Weekdays)
		d.weekdays = (set>>d.weekBegin | set<<(7-d.weekBegin)) & 127
		d.perWeek = int64(bits.OnesCount8(d.weekdays))
	}
	if d.interval > 1 || s.Frequency == Once { // with an interval of 1 the origin makes no difference
		local := zone.SpanAt(s.Start, loc).Local(s.Start.Unix())
		d.origin, _ = d.period(zone.FloorDiv(local, secondsADay))
	}
	return d
}

// period returns the number of the day, week, month or year that contains a day, and the day's index in it: 0 for the first day. A
// year has no index.
func (d *dates) period(day int64) (number int64, index int) {
	switch d.frequency {
	case Weekly:
		number = zone.FloorDiv(day+3-d.weekBegin, 7) // 1 January 1970 was a Thursday
		return number, int(day + 3 - d.weekBegin - number*7)
	case Monthly:
		year, month, dayOfMonth := zone.Civil(day)
		return int64(year)*12 + int64(month) - 1, dayOfMonth - 1
	case Yearly:
		year, _, _ := zone.Civil(day)
		return int64(year), 0
	default:
		return day, 0
	}
}

// notBefore returns the index in the sequence of the first date that is not before a day.
func (d *dates) notBefore(day int64) int64 {
	number, index := d.period(day)
	turn := zone.FloorDiv(number-d.origin, d.interval)
	if turn*d.interval+d.origin < number { // Interval leaves out the period of the day
		turn, number, index = turn+1, (turn+1)*d.interval+d.origin, 0
	}
	switch d.frequency {
	case Weekly:
		return turn*d.perWeek + int64(bits.OnesCount8(d.weekdays&(1<<index-1)))
	case Monthly:
		if _, _, date := d.inMonth(number); date <= index {
			return turn + 1
		}
	}
	return turn
}

// inMonth returns the date of MonthDay in the month with a number.
func (d *dates) inMonth(number int64) (year int, month time.Month, day int) {
	year = int(zone.FloorDiv(number, 12))
	month = time.Month(number - int64(year)*12 + 1)
	day = zone.DaysIn(year, month)
	if d.monthDay != -1 {
		day = min(day, d.monthDay)
	}
	return year, month, day
}

// date returns the n-th day.
func (d *dates) date(n int64) int64 {
	switch d.frequency {
	case Weekly:
		turn := zone.FloorDiv(n, d.perWeek)
		left := d.weekdays
		for range n - turn*d.perWeek {
			left &= left - 1 // removes the earliest day
		}
		return (d.origin+turn*d.interval)*7 - 3 + d.weekBegin + int64(bits.TrailingZeros8(left))
	case Monthly:
		return zone.Days(d.inMonth(d.origin + n*d.interval))
	default:
		return d.origin + n*d.interval
	}
}

// nth returns the n-th date, from 0, that is not before a day. It returns false if the calendar ends before it.
func (d *dates) nth(day, n int64) (int64, bool) {
	if d.rule != nil {
		return d.rule.nth(day, n)
	}
	return d.date(d.notBefore(day) + n), true
}

// count returns the number of dates from one day until before another.
func (d *dates) count(from, to int64) int64 {
	if d.rule != nil {
		return d.rule.count(from, to)
	}
	return d.notBefore(to) - d.notBefore(from)
}

// at returns the second of the occurrence on a date.
func (d *dates) at(day int64, loc *time.Location) int64 {
	at, _ := zone.UnixIn(day*secondsADay+d.ofDay, loc, zone.Span{})
	return at
}

// firstFrom returns the first occurrence not before a second, and its date. It returns the day after the last of the calendar and
// false without one. Right after a change of offset it also tries the date before, because a gap may have moved the occurrence
// of that date past the second. A change is a day at most, so it tries only a few dates.
func (d *dates) firstFrom(second int64, loc *time.Location) (day, at int64, ok bool) {
	span := zone.SpanAt(time.Unix(second, 0), loc)
	local := span.Local(second)
	if !span.Steady(second) {
		local -= secondsADay
	}
	day = zone.FloorDiv(local-d.ofDay+secondsADay-1, secondsADay) // the first whose time of day is not before local
	for ; ; day++ {
		if day, ok = d.nth(day, 0); !ok {
			return endOfCalendar, 0, false
		}
		if at, span = zone.UnixIn(day*secondsADay+d.ofDay, loc, span); at >= second {
			return day, at, true
		}
	}
}

// CountBetween counts the occurrences after an instant and not after another, and returns the last of them. It does not go from one
// occurrence to the next: its cost is that of Next for any number of them. It counts as Count does: a date that a zone left out
// counts, too. It returns 0 and the zero time without one, or if Validate refuses the schedule.
func (s Schedule) CountBetween(after, until time.Time) (n int, last time.Time) {
	loc, err := s.check()
	if err != nil {
		return 0, time.Time{}
	}
	first, ok := s.Next(after)
	if !ok || first.After(until) {
		return 0, time.Time{}
	}
	if s.Frequency == Once {
		return 1, first
	}
	d := s.dates(loc)
	if !s.byArithmetic() {
		var r rule
		r.set(&s, d.origin)
		d.rule = &r
	}
	end := min(until.Unix(), lastDayBegin-1)
	if !s.Until.IsZero() {
		end = min(end, s.Until.Unix())
	}
	from, _, _ := d.firstFrom(first.Unix(), loc)
	to, _, _ := d.firstFrom(end+1, loc)
	found := d.count(from, to)
	if s.Count > 0 {
		zeroth, _, _ := d.firstFrom(ceilSeconds(s.Start), loc)
		found = min(found, int64(s.Count)-d.count(zeroth, from))
	}
	date, _ := d.nth(from, found-1)
	return int(found), time.Unix(d.at(date, loc), 0).In(loc)
}

// ceilSeconds returns the first whole second that is not before t, as Unix counts them.
func ceilSeconds(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}
