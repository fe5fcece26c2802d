package backup

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// The layouts of UNTIL in RFC 5545 (section 3.3.5): a date with UTC time (form 2), and a date with local time (form 1).
const (
	untilLayout      = "20060102T150405Z"
	localUntilLayout = "20060102T150405"
)

// RRule returns the schedule as the value of RFC 5545's RRULE (section 3.3.10), for an event whose DTSTART is Start in Zone. It
// returns "" for Once, because an event without a rule happens once, and for a schedule that Validate refuses. ParseRRule reads a
// schedule with the same occurrences from it.
//
// If Start is not at Hour:Minute itself, the rule has the time of day (BYHOUR). Many calendars ignore that part, and show DTSTART
// as an occurrence although it is not one. For them, move Start to the first occurrence, which changes nothing else:
//
//	s.Start, _ = s.Next(s.Start.Add(-1))
//
// A MonthDay from 29 to 31 becomes "the last of the days from 28 to MonthDay": BYMONTHDAY=28,29,30,31;BYSETPOS=-1. The same day in
// MonthDays becomes BYMONTHDAY=31.
func (s Schedule) RRule() string {
	loc, err := s.check()
	if err != nil || s.Frequency == Once {
		return ""
	}
	parts := []string{"FREQ=" + strings.ToUpper(s.Frequency.String())}
	if s.Interval > 1 {
		parts = append(parts, "INTERVAL="+strconv.Itoa(s.Interval))
	}
	parts = append(parts, s.dateParts()...)
	ofDay := time.Duration(s.Hour)*time.Hour + time.Duration(s.Minute)*time.Minute
	if s.Start.IsZero() || zone.WallOf(s.Start, loc).OfDay != ofDay {
		parts = append(parts, fmt.Sprintf("BYHOUR=%d;BYMINUTE=%d;BYSECOND=0", s.Hour, s.Minute))
	}
	if s.WeekStart != FromMonday && s.weeksMatter() {
		parts = append(parts, "WKST="+weekdayName(s.WeekStart.Weekday()))
	}
	if s.Count > 0 {
		parts = append(parts, "COUNT="+strconv.Itoa(s.Count))
	}
	if !s.Until.IsZero() {
		parts = append(parts, "UNTIL="+s.Until.UTC().Format(untilLayout))
	}
	return strings.Join(parts, ";")
}

// weeksMatter reports whether the dates depend on the day on which weeks begin.
func (s *Schedule) weeksMatter() bool {
	return s.Frequency == Weekly && (s.Interval > 1 || len(s.SetPos) > 0)
}

// dateParts returns the parts that choose dates.
func (s *Schedule) dateParts() []string {
	var months, weekdays []string
	for _, month := range slices.Sorted(slices.Values(s.Months)) {
		months = append(months, strconv.Itoa(int(month)))
	}
	for _, day := range sortedWeekdays(s.Weekdays) {
		weekdays = append(weekdays, weekdayName(day))
	}
	for _, nth := range sortedNthWeekdays(s.NthWeekdays) {
		weekdays = append(weekdays, strconv.Itoa(nth.N)+weekdayName(nth.Weekday))
	}
	var parts []string
	add := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+"="+strings.Join(values, ","))
		}
	}
	add("BYMONTH", months)
	add("BYMONTHDAY", numberNames(s.MonthDays))
	if s.MonthDay != 0 {
		parts = append(parts, monthDayRule(s.MonthDay))
	}
	add("BYDAY", weekdays)
	add("BYSETPOS", numberNames(s.SetPos))
	return parts
}

func weekdayName(day time.Weekday) string { return strings.ToUpper(day.String()[:2]) }

func numberNames(numbers []int) []string {
	var names []string
	for _, n := range sortedNumbers(numbers) {
		names = append(names, strconv.Itoa(n))
	}
	return names
}

// sortedNumbers returns the numbers from the begin of a period in order, then those from its end: 1, 15, -2, -1.
func sortedNumbers(numbers []int) []int {
	return slices.SortedFunc(slices.Values(numbers), compareNumbers)
}

func compareNumbers(a, b int) int {
	if (a < 0) != (b < 0) {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

func sortedNthWeekdays(days []NthWeekday) []NthWeekday {
	return slices.SortedFunc(slices.Values(days), func(a, b NthWeekday) int {
		return cmp.Or(compareNumbers(a.N, b.N), int(a.Weekday+6)%7-int(b.Weekday+6)%7)
	})
}

func monthDayRule(day int) string {
	if day <= 28 {
		return "BYMONTHDAY=" + strconv.Itoa(day)
	}
	return "BYMONTHDAY=" + strings.Join([]string{"28", "29", "30", "31"}[:day-27], ",") + ";BYSETPOS=-1"
}
