package backup

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String returns the schedule in English for people: "every second Tuesday at 02:30, Europe/Berlin". If the schedule has an end,
// that follows: ", until 31 December 2026 at 23:59" or ", 10 times". Start appears only as the date of a Once schedule. If
// Validate refuses the schedule, String returns "invalid schedule".
func (s Schedule) String() string {
	loc, err := s.check()
	if err != nil {
		return "invalid schedule"
	}
	var b strings.Builder
	b.WriteString(s.datesText(loc))
	fmt.Fprintf(&b, " at %02d:%02d, ", s.Hour, s.Minute)
	if s.Zone == "" {
		b.WriteString("UTC")
	} else {
		b.WriteString(s.Zone)
	}
	switch {
	case !s.Until.IsZero():
		b.WriteString(", until " + s.Until.In(loc).Format("2 January 2006 at 15:04"))
	case s.Count == 1:
		b.WriteString(", one time")
	case s.Count > 1:
		fmt.Fprintf(&b, ", %d times", s.Count)
	}
	return b.String()
}

func (s *Schedule) datesText(loc *time.Location) string {
	switch s.Frequency {
	case Once:
		if s.Start.IsZero() {
			return "once"
		}
		return "once on " + s.Start.In(loc).Format("2 January 2006")
	case Weekly:
		days := s.sortedWeekdays()
		if len(days) > 1 && s.Interval > 1 { // "every second Monday and Friday" would be ambiguous
			return "every " + s.nth() + "week on " + list(days)
		}
		return "every " + s.nth() + list(days)
	case Monthly:
		return "every " + s.nth() + "month on " + s.monthDayText()
	default:
		return "every " + s.nth() + "day"
	}
}

func (s *Schedule) monthDayText() string {
	switch {
	case s.MonthDay == -1:
		return "the last day"
	case s.MonthDay > 28:
		return "the " + ordinal(s.MonthDay) + " or the last day"
	default:
		return "the " + ordinal(s.MonthDay)
	}
}

// nth returns the text of Interval with a space after it. It returns "" for 1.
func (s *Schedule) nth() string {
	switch s.Interval {
	case 0, 1:
		return ""
	case 2:
		return "second "
	case 3:
		return "third "
	case 4:
		return "fourth "
	default:
		return ordinal(s.Interval) + " "
	}
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// sortedWeekdays returns Weekdays from Monday to Sunday.
func (s *Schedule) sortedWeekdays() []time.Weekday {
	set := weekdaySet(s.Weekdays)
	days := make([]time.Weekday, 0, len(s.Weekdays))
	for n := range 7 {
		if set&(1<<n) != 0 {
			days = append(days, time.Weekday(n+1)%7)
		}
	}
	return days
}

func list(days []time.Weekday) string {
	var b strings.Builder
	for n, day := range days {
		switch {
		case n > 0 && n == len(days)-1:
			b.WriteString(" and ")
		case n > 0:
			b.WriteString(", ")
		}
		b.WriteString(day.String())
	}
	return b.String()
}
