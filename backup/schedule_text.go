package backup

import (
	"fmt"
	"slices"
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
	if s.WeekStart != FromMonday && s.weeksMatter() {
		b.WriteString(", weeks begin on " + s.WeekStart.Weekday().String())
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
		return s.weeklyText()
	case Monthly:
		if s.Interval <= 1 && len(s.Months) > 0 {
			return "every " + join(s.monthTexts(), "and") + " on " + s.daysText()
		}
		return "every " + s.nth() + "month on " + s.daysText() + s.monthsText()
	case Yearly:
		return "every " + s.nth() + "year on " + s.daysText() + s.monthsText()
	default:
		return s.dailyText()
	}
}

func (s *Schedule) weeklyText() string {
	days := weekdayTexts("", s.Weekdays)
	switch {
	case len(s.SetPos) > 0:
		return "every " + s.nth() + "week on " + s.chosenText(join(days, "and")) + s.monthsText()
	case len(days) > 1 && s.Interval > 1: // "every second Monday and Friday" would be ambiguous
		return "every " + s.nth() + "week on " + join(days, "and") + s.monthsText()
	default:
		return "every " + s.nth() + join(days, "and") + s.monthsText()
	}
}

// dailyText returns the text of a Daily schedule. Its MonthDays and Weekdays are conditions.
func (s *Schedule) dailyText() string {
	if s.Interval <= 1 && len(s.MonthDays) == 0 && len(s.Weekdays) > 0 {
		return "every " + join(weekdayTexts("", s.Weekdays), "and") + s.monthsText()
	}
	var conditions []string
	if len(s.MonthDays) > 0 {
		conditions = append(conditions, join(monthDayTexts(s.MonthDays, false), "or"))
	}
	if len(s.Weekdays) > 0 {
		conditions = append(conditions, join(weekdayTexts("a ", s.Weekdays), "or"))
	}
	text := "every " + s.nth() + "day" + s.monthsText()
	if len(conditions) > 0 {
		text += ", if it is " + strings.Join(conditions, " and also ") + ","
	}
	return text
}

// daysText returns the days of a Monthly or Yearly schedule. If it has days of the month and weekdays, the weekdays are a condition.
func (s *Schedule) daysText() string {
	if s.MonthDay > 28 {
		return "the " + ordinal(s.MonthDay) + " or the last day"
	}
	monthDays := monthDayTexts(s.MonthDays, true)
	if s.MonthDay != 0 {
		monthDays = monthDayTexts([]int{s.MonthDay}, true)
	}
	prefix, word := "every ", "and"
	if len(monthDays) > 0 {
		prefix, word = "a ", "or"
	}
	weekdays := weekdayTexts(prefix, s.Weekdays)
	for _, nth := range sortedNthWeekdays(s.NthWeekdays) {
		weekdays = append(weekdays, nth.text(s.nthInYear()))
	}
	text := join(weekdays, word)
	switch {
	case len(monthDays) > 0 && len(weekdays) > 0:
		text = join(monthDays, "and") + ", if it is " + text + ","
	case len(monthDays) > 0:
		text = join(monthDays, "and")
	}
	return s.chosenText(text)
}

// chosenText puts what SetPos chooses before the days that it chooses from.
func (s *Schedule) chosenText(days string) string {
	if len(s.SetPos) == 0 {
		return days
	}
	var positions []string
	for _, n := range sortedNumbers(s.SetPos) {
		positions = append(positions, "the "+place(n))
	}
	return join(positions, "and") + " of (" + strings.TrimSuffix(days, ",") + ")"
}

// monthsText returns Months with words before them. It returns "" for all months.
func (s *Schedule) monthsText() string {
	if len(s.Months) == 0 {
		return ""
	}
	return " in " + join(s.monthTexts(), "and")
}

func (s *Schedule) monthTexts() []string {
	var texts []string
	for _, month := range slices.Sorted(slices.Values(s.Months)) {
		texts = append(texts, month.String())
	}
	return texts
}

func weekdayTexts(prefix string, days []time.Weekday) []string {
	var texts []string
	for _, day := range sortedWeekdays(days) {
		texts = append(texts, prefix+day.String())
	}
	return texts
}

// monthDayTexts returns days of the month. With all set, it says of days that some months lack that they do.
func monthDayTexts(days []int, all bool) []string {
	var texts []string
	for _, day := range sortedNumbers(days) {
		text := "the " + place(day)
		switch {
		case day == -1:
			text = "the last day"
		case day > 0:
			text = "the " + ordinal(day)
		default:
			text += " day"
		}
		if all && (day > 28 || day < -28) {
			text += " if there is one"
		}
		texts = append(texts, text)
	}
	return texts
}

func (n NthWeekday) text(inYear bool) string {
	text := "the " + place(n.N) + " " + n.Weekday.String()
	most := mostInMonth
	if inYear {
		most = mostInYear
	}
	if n.N == most || n.N == -most {
		text += " if there is one"
	}
	return text
}

// place returns "first", "second", "last" for -1, "second last" for -2 and so on.
func place(n int) string {
	word := func(n int) string {
		if n <= 4 {
			return []string{"", "first", "second", "third", "fourth"}[n]
		}
		return ordinal(n)
	}
	switch {
	case n > 0:
		return word(n)
	case n == -1:
		return "last"
	default:
		return word(-n) + " last"
	}
}

// nth returns the text of Interval with a space after it. It returns "" for 1.
func (s *Schedule) nth() string {
	if s.Interval <= 1 {
		return ""
	}
	return place(s.Interval) + " "
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

// join joins texts with commas, and the last two with a word.
func join(texts []string, word string) string {
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " " + word + " " + texts[last]
}
