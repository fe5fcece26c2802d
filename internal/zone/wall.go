package zone

import (
	"math"
	"time"
)

// Wall is a local date and time of day, without a zone. Its parts may be out of range, as in time.Date: day 32 of
// January is 1 February.
type Wall struct {
	Year  int
	Month time.Month
	Day   int
	OfDay time.Duration // since local midnight, by the clock on the wall
}

// WallOf returns what the wall clock of loc shows at t.
func WallOf(t time.Time, loc *time.Location) Wall {
	l := t.In(loc)
	y, m, d := l.Date()
	hour, minute, sec := l.Clock()
	ofDay := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(sec)*time.Second
	return Wall{y, m, d, ofDay + time.Duration(l.Nanosecond())}
}

// AddDays returns the same time of day n calendar days later.
func (w Wall) AddDays(n int) Wall {
	w.Day += n
	return w
}

// AddMonths returns the same day and time of day n months later; a day that the month lacks becomes its last.
func (w Wall) AddMonths(n int) Wall {
	months := w.Year*12 + int(w.Month) - 1 + n
	w.Year, w.Month = FloorDiv(months, 12), time.Month(months-12*FloorDiv(months, 12)+1)
	w.Day = min(w.Day, DaysIn(w.Year, w.Month))
	return w
}

// In returns the instant at which loc's wall clock shows w: RFC 5545's reading (section 3.3.5). A time that a change of
// offset skips is moved forward by the gap; one that it repeats is the first. It does not allocate.
func (w Wall) In(loc *time.Location) time.Time {
	t, _ := w.InSpan(loc, Span{})
	return t
}

// Span is a stretch of time in which a zone keeps one offset, in seconds: a hint that saves looking it up again.
type Span struct{ start, end, offset int64 }

// reach is more than any zone's distance from UTC, in seconds.
const reach = 26 * 3600

// InSpan is In with a hint: the span that an earlier call for the same zone returned, or the zero Span. It returns the
// span that t was found in.
func (w Wall) InSpan(loc *time.Location, hint Span) (time.Time, Span) {
	unix, span := UnixIn(Days(w.Year, w.Month, w.Day)*86400+int64(w.OfDay/time.Second), loc, hint)
	return time.Unix(unix, int64(w.OfDay%time.Second)).In(loc), span
}

// UnixIn is InSpan in seconds: it turns those since 1970 by loc's wall clock into those since 1970 as Unix counts them.
func UnixIn(local int64, loc *time.Location, hint Span) (unix int64, span Span) {
	span = hint
	if local-reach < hint.start || local-reach >= hint.end {
		span = spanAt(local-reach, loc)
	}
	// The first span whose wall clock reaches local is the one; if it begins beyond local, the time was skipped, and is
	// read with the offset before.
	offset := span.offset
	for local-span.offset >= span.end {
		offset = span.offset
		span = spanAt(span.end, loc)
	}
	if local-span.offset >= span.start {
		offset = span.offset
	}
	return local - offset, span
}

// SpanAt returns the span that t is in.
func SpanAt(t time.Time, loc *time.Location) Span { return spanAt(t.Unix(), loc) }

// Local returns what the wall clock shows at a second of the span, in seconds since 1970 by that clock.
func (s Span) Local(unix int64) int64 { return unix + s.offset }

// Steady says that no change of offset, not even the largest, has an effect any more at a second of the span: every time
// that the clock will show next, it shows once, and none that it skipped is still to come.
func (s Span) Steady(unix int64) bool { return unix-reach >= s.start }

func spanAt(unix int64, loc *time.Location) Span {
	t := time.Unix(unix, 0).In(loc)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	span := Span{start: math.MinInt64, end: math.MaxInt64, offset: int64(offset)}
	if !start.IsZero() {
		span.start = start.Unix()
	}
	if !end.IsZero() {
		span.end = end.Unix()
	}
	if span.end <= unix { // Go gives every year 365 days, once the zone's table has ended: golang/go issue 81583
		span.end += 86400
	}
	return span
}

// Wall returns what the wall clock shows at t, where t lies in the span; elsewhere, what a clock with its offset shows.
func (s Span) Wall(t time.Time) Wall {
	local := t.Unix() + s.offset
	day := FloorDiv(local, 86400)
	y, m, d := Civil(day)
	return Wall{y, m, d, time.Duration(local-day*86400)*time.Second + time.Duration(t.Nanosecond())}
}

// Days counts the days from 1 January 1970 to a date of the proleptic Gregorian calendar. Month and day may be out of
// range.
func Days(year int, month time.Month, day int) int64 {
	months := int64(year)*12 + int64(month) - 1
	y, m := FloorDiv(months, 12), months-12*FloorDiv(months, 12)+1
	// Years begin in March, so that the leap day is the last of its year.
	if m <= 2 {
		y--
		m += 12
	}
	return 365*y + FloorDiv(y, 4) - FloorDiv(y, 100) + FloorDiv(y, 400) + (153*(m-3)+2)/5 + int64(day) - 1 - 719468
}

// Civil is the inverse of Days.
func Civil(days int64) (year int, month time.Month, day int) {
	days += 719468
	era := FloorDiv(days, 146097)
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m := yoe+era*400, mp+3
	if m > 12 {
		y, m = y+1, m-12
	}
	return int(y), time.Month(m), int(doy - (153*mp+2)/5 + 1)
}

// DaysIn is how many days the month has.
func DaysIn(year int, month time.Month) int {
	switch month {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// FloorDiv is a/b rounded down, for b above 0.
func FloorDiv[T int | int64](a, b T) T {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
