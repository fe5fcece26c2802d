package backup

import (
	"math/bits"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// Next returns the first occurrence strictly after an instant, in the schedule's zone, on a whole minute of its clock.
// false means never again: the schedule has ended, or is one that Validate refuses. The last day of the year 9999 (in UTC)
// is past the end of every schedule, so that an occurrence has four digits for its year in every zone.
//
// It takes the same few steps for any instant, however far from Start, and does not allocate.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	loc, err := s.check()
	if err != nil || after.Unix() >= lastDayBegin {
		return time.Time{}, false
	}
	// Occurrences lie on whole seconds, which makes "after", "not before" and "until" comparisons of seconds.
	start := ceil(s.Start)
	d := s.dates(loc)
	if s.Frequency == Once {
		at := d.at(0, loc)
		return result(at, at > after.Unix(), loc)
	}
	n, at := d.firstFrom(max(start, after.Unix()+1), loc)
	if s.Count > 0 {
		first, _ := d.firstFrom(start, loc)
		return result(at, n-first < int64(s.Count), loc)
	}
	return result(at, s.Until.IsZero() || at <= s.Until.Unix(), loc)
}

func result(unix int64, ok bool, loc *time.Location) (time.Time, bool) {
	if !ok || unix >= lastDayBegin {
		return time.Time{}, false
	}
	return time.Unix(unix, 0).In(loc), true
}

// dates are those of a schedule that recurs: an endless sequence in both directions, in which the n-th is found by
// arithmetic. What Start, Until and Count leave of it is not their business. A day is the number that zone.Days gives it.
type dates struct {
	frequency Frequency
	interval  int64
	origin    int64 // the day, week or month that Interval counts from: see period
	weekdays  uint8 // weekdaySet
	perWeek   int64 // how many those are
	monthDay  int
	ofDay     int64 // seconds since midnight, by the clock on the wall
}

func (s *Schedule) dates(loc *time.Location) dates {
	d := dates{
		frequency: s.Frequency,
		interval:  int64(max(s.Interval, 1)),
		monthDay:  s.MonthDay,
		ofDay:     int64(s.Hour)*3600 + int64(s.Minute)*60,
	}
	if s.Frequency == Weekly {
		d.weekdays = weekdaySet(s.Weekdays)
		d.perWeek = int64(bits.OnesCount8(d.weekdays))
	}
	if d.interval > 1 || s.Frequency == Once { // of every day, week or month, any may be the origin
		local := zone.SpanAt(s.Start, loc).Local(s.Start.Unix())
		d.origin, _ = d.period(zone.FloorDiv(local, secondsADay))
	}
	return d
}

// period returns the number of the day, week or month that a day lies in, and where in it: 0 for Monday or for the 1st.
func (d *dates) period(day int64) (number int64, place int) {
	switch d.frequency {
	case Weekly:
		number = zone.FloorDiv(day+3, 7) // 1 January 1970 was a Thursday
		return number, int(day + 3 - number*7)
	case Monthly:
		year, month, dayOfMonth := zone.Civil(day)
		return int64(year)*12 + int64(month) - 1, dayOfMonth - 1
	default:
		return day, 0
	}
}

// notBefore returns the place in the sequence of the first date that is not before a day.
func (d *dates) notBefore(day int64) int64 {
	number, place := d.period(day)
	turn := zone.FloorDiv(number-d.origin, d.interval)
	if turn*d.interval+d.origin < number { // the day lies in a period that Interval leaves out
		turn, number, place = turn+1, (turn+1)*d.interval+d.origin, 0
	}
	switch d.frequency {
	case Weekly:
		return turn*d.perWeek + int64(bits.OnesCount8(d.weekdays&(1<<place-1)))
	case Monthly:
		if _, _, meant := d.inMonth(number); meant <= place {
			return turn + 1
		}
	}
	return turn
}

// inMonth returns the date that MonthDay means in the month of that number.
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
			left &= left - 1 // drops the earliest day
		}
		return (d.origin+turn*d.interval)*7 - 3 + int64(bits.TrailingZeros8(left))
	case Monthly:
		return zone.Days(d.inMonth(d.origin + n*d.interval))
	default:
		return d.origin + n*d.interval
	}
}

// at returns the second of the n-th date's occurrence.
func (d *dates) at(n int64, loc *time.Location) int64 {
	at, _ := zone.UnixIn(d.date(n)*secondsADay+d.ofDay, loc, zone.Span{})
	return at
}

// firstFrom finds the first occurrence not before a second, and its place in the sequence. Right after a change of offset
// it also looks at the date before: a gap may have moved that date's occurrence to beyond the second. No change is of more
// than a day, so that a handful of dates are looked at.
func (d *dates) firstFrom(second int64, loc *time.Location) (n, at int64) {
	span := zone.SpanAt(time.Unix(second, 0), loc)
	local := span.Local(second)
	if !span.Steady(second) {
		local -= secondsADay
	}
	day := zone.FloorDiv(local-d.ofDay+secondsADay-1, secondsADay) // the first whose time of day is not before local
	for n = d.notBefore(day); ; n++ {
		if at, span = zone.UnixIn(d.date(n)*secondsADay+d.ofDay, loc, span); at >= second {
			return n, at
		}
	}
}
