package refund

import "time"

// serviceEnd holds the instant at which the service ends in the forms that the formulas need, for all charges of a case.
type serviceEnd struct {
	at   time.Time
	loc  *time.Location
	date int64 // the local date of at, as latestDateNumber returns it
}

func (c *Case) serviceEnd() serviceEnd {
	loc := c.Location
	if loc == nil {
		loc = time.UTC
	}
	return serviceEnd{at: c.At, loc: loc, date: latestDateNumber(c.At.In(loc))}
}

// dateNumber numbers local dates: 1 January 1970 is 0. The difference of two numbers is the number of days between the dates.
func dateNumber(local time.Time) int64 {
	_, offset := local.Zone()
	return floorDays(local.Unix() + int64(offset))
}

func floorDays(seconds int64) int64 {
	const day = 24 * 60 * 60 // seconds of local time, in which every date has 24 hours
	days := seconds / day
	if seconds%day < 0 {
		days--
	}
	return days
}

// latestDateNumber is dateNumber, but it never falls while time passes. A clock that is set back over midnight shows the date
// of the day before again: St. John's set its clocks back at 00:01 every autumn until 2011. A refund must not rise then.
func latestDateNumber(local time.Time) int64 {
	date := dateNumber(local)
	if change, _ := local.ZoneBounds(); !change.IsZero() {
		date = max(date, dateNumber(change.Add(-1).In(local.Location())))
	}
	return date
}

// days counts the local dates d of the charge with date(Start) <= d < date(End), and the unused ones among them. Up to and
// including Start all are unused, from End on none. used is 1 if the date of cancellation counts as used, else 0.
func (e serviceEnd) days(c *Charge, used int64) (unused, total int64) {
	first, end := dateNumber(c.Start.In(e.loc)), dateNumber(c.End.In(e.loc))
	total = max(0, end-first) // where a clock is set back, End may have an earlier date than Start
	if !e.at.After(c.Start) {
		return total, total
	}
	if !e.at.Before(c.End) {
		return 0, total
	}
	return min(max(0, end-e.date-used), total), total
}

// seconds counts the elapsed seconds of the charge's period, and those from the cancellation to the end of the period. Both
// are rounded down.
func (e serviceEnd) seconds(c *Charge) (unused, total int64) {
	total = secondsBetween(c.Start, c.End)
	return min(max(0, secondsBetween(e.at, c.End)), total), total
}

// daysSince counts the days from the local date of start to the date of cancellation: 0 on the first day and before it.
func (e serviceEnd) daysSince(start time.Time) int64 {
	return max(0, e.date-dateNumber(start.In(e.loc)))
}

// secondsBetween rounds down. Unlike time.Time.Sub it is correct for more than 292 years.
func secondsBetween(from, to time.Time) int64 {
	seconds := to.Unix() - from.Unix()
	if to.Nanosecond() < from.Nanosecond() {
		seconds--
	}
	return seconds
}
