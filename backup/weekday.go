package backup

import (
	"slices"
	"time"
)

// WeekStart is the day on which the weeks of a Schedule begin (WKST in RFC 5545, section 3.3.10). The zero value is Monday.
type WeekStart uint8

// The days on which weeks begin.
const (
	FromMonday WeekStart = iota
	FromTuesday
	FromWednesday
	FromThursday
	FromFriday
	FromSaturday
	FromSunday
)

// Weekday returns the day. For a value above FromSunday it returns a day of the week as well, although Schedule.Validate refuses
// that value.
func (w WeekStart) Weekday() time.Weekday { return time.Weekday((int(w) + 1) % 7) }

// weeksFrom returns the WeekStart of a day.
func weeksFrom(day time.Weekday) WeekStart { return WeekStart((day + 6) % 7) }

// NthWeekday is a weekday by its place in a month or year: {N: 1, Weekday: time.Monday} is the first Monday, {-1, time.Friday} the
// last Friday, {-2, time.Friday} the one a week before it. N is from 1 to 5 or from -1 to -5 in a month, and from 1 to 53 or from -1
// to -53 in a year.
type NthWeekday struct {
	N       int
	Weekday time.Weekday
}

// The highest N of an NthWeekday.
const (
	mostInMonth = 5
	mostInYear  = 53
)

// number returns a number for the set of NthWeekdays: 1 to 371, negative if N is.
func (n NthWeekday) number() int {
	if n.N < 0 {
		return n.N*7 - int(n.Weekday) + 6
	}
	return n.N*7 + int(n.Weekday) - 6
}

// weekdaySet returns a set of days: bit 0 is Monday, bit 6 is Sunday.
func weekdaySet(days []time.Weekday) uint8 {
	var set uint8
	for _, day := range days {
		set |= 1 << ((day + 6) % 7)
	}
	return set
}

// sortedWeekdays returns days from Monday to Sunday.
func sortedWeekdays(days []time.Weekday) []time.Weekday {
	return slices.SortedFunc(slices.Values(days), func(a, b time.Weekday) int { return int(a+6)%7 - int(b+6)%7 })
}
