package zone

import (
	"math"
	"time"
)

// Wall is a local date and time of day, without a zone. Its fields may be out of range, as in time.Date: 32 January means
// 1 February.
type Wall struct {
	Year  int
	Month time.Month
	Day   int
	OfDay time.Duration // the time that a clock shows, as a duration since 00:00
}

// WallOf returns the local date and time of t in loc.
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

// AddMonths returns the same day and time of day n months later. If that month does not have the day, it returns its last day.
func (w Wall) AddMonths(n int) Wall {
	months := w.Year*12 + int(w.Month) - 1 + n
	w.Year, w.Month = FloorDiv(months, 12), time.Month(months-12*FloorDiv(months, 12)+1)
	w.Day = min(w.Day, DaysIn(w.Year, w.Month))
	return w
}

// In returns the instant at which the local time in loc is w, by the rules of RFC 5545, section 3.3.5. A local time that a change
// of the offset skips is moved forward by the length of the gap. For a local time that occurs twice it returns the first instant.
// It does not allocate.
func (w Wall) In(loc *time.Location) time.Time {
	t, _ := w.InSpan(loc, Span{})
	return t
}

// Span is a range of time in which a zone has one offset. InSpan and UnixIn use it as a hint, to avoid another search.
type Span struct {
	start, end int64 // Unix time: the first second, and the first second after the span
	offset     int64 // in seconds east of UTC
}

// maxOffset exceeds the offset of every zone from UTC, in seconds.
const maxOffset = 26 * 3600

// InSpan is In with a hint: the Span that an earlier call for the same zone returned, or the zero Span. It also returns the Span
// in which the search ended.
func (w Wall) InSpan(loc *time.Location, hint Span) (time.Time, Span) {
	unix, span := UnixIn(Days(w.Year, w.Month, w.Day)*86400+int64(w.OfDay/time.Second), loc, hint)
	return time.Unix(unix, int64(w.OfDay%time.Second)).In(loc), span
}

// UnixIn is InSpan for whole seconds. local is the local time in loc, as the seconds since 1 January 1970, 00:00 local time, without
// regard to changes of the offset. It returns the Unix time.
func UnixIn(local int64, loc *time.Location, hint Span) (unix int64, span Span) {
	span = hint
	if local-maxOffset < hint.start || local-maxOffset >= hint.end {
		span = spanAt(local-maxOffset, loc)
	}
	// Search for the first span whose local time reaches local. If that span begins after local, the change of the offset skipped
	// local, and the offset before the change applies.
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

// SpanAt returns the Span that contains t.
func SpanAt(t time.Time, loc *time.Location) Span { return spanAt(t.Unix(), loc) }

// Local returns the local time of a Unix time within the span, in the form that UnixIn takes.
func (s Span) Local(unix int64) int64 { return unix + s.offset }

// Steady reports whether a Unix time within the span is so far after the start of the span that the change of the offset there no
// longer matters. No local time between it and the end of the span occurred before that change, or was skipped by it.
func (s Span) Steady(unix int64) bool { return unix-maxOffset >= s.start }

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
	if span.end <= unix { // Go assumes 365 days for every year after the end of the zone's table: golang/go#81583
		span.end += 86400
	}
	return span
}

// Wall returns the local date and time of t with the offset of the span. That is the local time in the zone if t is within the span.
func (s Span) Wall(t time.Time) Wall {
	local := t.Unix() + s.offset
	day := FloorDiv(local, 86400)
	y, m, d := Civil(day)
	return Wall{y, m, d, time.Duration(local-day*86400)*time.Second + time.Duration(t.Nanosecond())}
}

// Days returns the number of days from 1 January 1970 to a date of the proleptic Gregorian calendar. Month and day may be out of
// range, as in time.Date.
func Days(year int, month time.Month, day int) int64 {
	months := int64(year)*12 + int64(month) - 1
	y, m := FloorDiv(months, 12), months-12*FloorDiv(months, 12)+1
	// In this calculation a year begins in March, so the leap day is its last day.
	if m <= 2 {
		y--
		m += 12
	}
	return 365*y + FloorDiv(y, 4) - FloorDiv(y, 100) + FloorDiv(y, 400) + (153*(m-3)+2)/5 + int64(day) - 1 - 719468
}

// Civil returns the date that is the given number of days after 1 January 1970. It is the inverse of Days.
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

// DaysIn returns the number of days in a month.
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

// FloorDiv returns a/b rounded down. b must be above 0.
func FloorDiv[T int | int64](a, b T) T {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
