package refund

import "time"

// moment is what a case says about the instant of cancellation, worked out once for all its charges.
type moment struct {
	at  time.Time
	loc *time.Location
	day int64 // the date of at, as in dayOf
}

func (c *Case) moment() moment {
	loc := c.Location
	if loc == nil {
		loc = time.UTC
	}
	return moment{at: c.At, loc: loc, day: latestDay(c.At.In(loc))}
}

// dayOf numbers the local dates from 1 January 1970, so that the days between two dates are a difference.
func dayOf(local time.Time) int64 {
	_, offset := local.Zone()
	return floorDays(local.Unix() + int64(offset))
}

func floorDays(seconds int64) int64 {
	const day = 24 * 60 * 60 // of a count without changes of offset, where every day has as many
	days := seconds / day
	if seconds%day < 0 {
		days--
	}
	return days
}

// latestDay is dayOf, but never goes back: a clock set back over midnight (St. John's did so every autumn until 2011,
// at 00:01) shows yesterday's date again, and a refund must not rise with time.
func latestDay(local time.Time) int64 {
	day := dayOf(local)
	if change, _ := local.ZoneBounds(); !change.IsZero() {
		day = max(day, dayOf(change.Add(-1).In(local.Location())))
	}
	return day
}

// days counts the charge's local dates d with date(Start) <= d < date(End), and those of them that are unused: all up to
// and including Start, none from End on. today is how many of the day of cancellation are used, 1 or 0.
func (m moment) days(c *Charge, today int64) (unused, total int64) {
	first, end := dayOf(c.Start.In(m.loc)), dayOf(c.End.In(m.loc))
	total = max(0, end-first) // a clock set back may end a short period on the day before
	if !m.at.After(c.Start) {
		return total, total
	}
	if !m.at.Before(c.End) {
		return 0, total
	}
	return min(max(0, end-m.day-today), total), total
}

// seconds counts the elapsed seconds of the charge's period, and those from the instant of cancellation to its end. A
// second begun is used.
func (m moment) seconds(c *Charge) (unused, total int64) {
	total = secondsBetween(c.Start, c.End)
	return min(max(0, secondsBetween(m.at, c.End)), total), total
}

// served counts the dates from that of start to that of cancellation: 0 on the first day.
func (m moment) served(start time.Time) int64 {
	return max(0, m.day-dayOf(start.In(m.loc)))
}

// secondsBetween rounds down. Unlike Sub it holds for more than 292 years.
func secondsBetween(from, to time.Time) int64 {
	seconds := to.Unix() - from.Unix()
	if to.Nanosecond() < from.Nanosecond() {
		seconds--
	}
	return seconds
}
