package backup

import (
	"math"
	"time"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// rule finds the dates of a schedule that names them by Months, MonthDays, Weekdays, NthWeekdays and SetPos (RFC 5545, section
// 3.3.10: the table of BYxxx parts and its notes). It goes from one period to the next: the weeks, months or years that Interval
// chooses, and all months for a Daily schedule. The set of dates in a period depends on few properties of the period, so that a rule
// remembers most sets.
//
// The Gregorian calendar repeats after 400 years, which are 146,097 days and 20,871 whole weeks. So the dates of a rule repeat after
// the lowest common multiple of that and of Interval. If one such cycle has no date, no other has. The calendar ends with the year 9999,
// often before the cycle does. BenchmarkRuleNext and BenchmarkRuleCount measure the most expensive rules: a fraction of a millisecond
// for Next, and about one for a count since the year 1.
type rule struct {
	dates  dates // finds the periods
	cycle  int64 // in days: the dates repeat after it
	inYear bool  // NthWeekdays are places in the year

	months      uint16  // bit n is month n
	monthDays   numbers // from the begin and from the end of the month
	weekdays    uint8   // weekdaySet
	nthWeekdays numbers // NthWeekday.number
	setPos      numbers
	every       uint64 // Daily: bits 0, Interval, 2 Interval, …
	none        bool   // no period has a date

	known [kindsOfPeriods]bool // whether sets has the set
	sets  [kindsOfPeriods]daySet
}

// kindsOfPeriods is the number of kinds of months: four lengths and seven weekdays of the first day. There are 14 kinds of years.
const kindsOfPeriods = 4 * 7

const (
	daysInCycle   = 146_097 // of the Gregorian calendar
	allMonths     = 1<<13 - 2
	endOfCalendar = yearTenK/secondsADay + 1 // the day after which no date is looked for
)

// set makes r the rule of a valid schedule. origin is that of the schedule's dates.
func (r *rule) set(s *Schedule, origin int64) {
	r.dates = dates{frequency: s.Frequency, interval: int64(max(s.Interval, 1)), origin: origin, weekBegin: int64(s.WeekStart)}
	r.inYear = s.nthInYear()
	r.weekdays = weekdaySet(s.Weekdays)
	for _, month := range s.Months {
		r.months |= 1 << month
	}
	for _, day := range s.MonthDays {
		r.monthDays.add(day)
	}
	if s.MonthDay > 28 {
		for day := 28; day <= s.MonthDay; day++ { // the last of these days, see Schedule.RRule
			r.monthDays.add(day)
		}
		r.setPos.add(-1)
	} else if s.MonthDay != 0 {
		r.monthDays.add(s.MonthDay)
	}
	for _, nth := range s.NthWeekdays {
		r.nthWeekdays.add(nth.number())
	}
	for _, position := range s.SetPos {
		r.setPos.add(position)
	}
	for day := int64(0); s.Frequency == Daily && day < 31; day += r.dates.interval {
		r.every |= 1 << day
	}
	r.cycle = daysInCycle * r.dates.interval / commonDivisor(r.dates.interval, r.periodsInCycle())
	r.leaveOut(s)
}

// leaveOut leaves out months that are too short for MonthDays, and recognizes common rules without dates. It changes no result. Without
// it, a search for these rules would look at each period of a cycle.
func (r *rule) leaveOut(s *Schedule) {
	shortest := 31 // the length that a month needs
	for _, day := range s.MonthDays {
		shortest = min(shortest, max(day, -day))
	}
	if r.months == 0 {
		r.months = allMonths
	}
	for month := time.January; month <= time.December && len(s.MonthDays) > 0; month++ {
		if zone.DaysIn(2000, month) < shortest {
			r.months &^= 1 << month
		}
	}
	lowest := 1
	if len(s.SetPos) > 0 {
		lowest = 366
	}
	for _, position := range s.SetPos {
		lowest = min(lowest, max(position, -position))
	}
	switch r.dates.frequency {
	case Weekly:
		r.none = lowest > len(s.Weekdays)
	case Daily: // if Interval is a number of whole weeks, the weekday is always that of the first day
		r.none = r.weekdays != 0 && r.dates.interval%7 == 0 && r.weekdays&(1<<weekdayOf(r.dates.origin)) == 0
	}
	r.none = r.none || r.months == 0
}

func (r *rule) periodsInCycle() int64 {
	switch r.dates.frequency {
	case Weekly:
		return daysInCycle / 7
	case Monthly:
		return 400 * 12
	case Yearly:
		return 400
	default:
		return daysInCycle
	}
}

// nth returns the n-th date, from 0, that is not before a day. It returns false if the calendar ends before it.
func (r *rule) nth(day, n int64) (int64, bool) {
	date, size, ok := r.scan(day, min(day+r.cycle, endOfCalendar), n)
	if ok || size == 0 || day+r.cycle >= endOfCalendar {
		return date, ok
	}
	date, _, ok = r.scan(day+n/size*r.cycle, endOfCalendar, n%size)
	return date, ok
}

// count returns the number of dates from one day until before another.
func (r *rule) count(from, to int64) (n int64) {
	if cycles := (to - from) / r.cycle; cycles > 0 {
		_, size, _ := r.scan(from, from+r.cycle, math.MaxInt64)
		n, from = cycles*size, from+cycles*r.cycle
	}
	_, rest, _ := r.scan(from, to, math.MaxInt64)
	return n + rest
}

// scan looks at the dates from one day until before another. It returns the n-th of them, from 0. Without such a date it returns false
// and the number of dates.
func (r *rule) scan(from, to, n int64) (date, size int64, ok bool) {
	for number := r.begin(from); !r.none; number = r.next(number) {
		first, set := r.period(number)
		if first >= to {
			break
		}
		if first < from || first+366 > to {
			set.keep(from-first, to-first)
		}
		more := set.size()
		if n < size+more {
			return first + set.nth(n-size), 0, true
		}
		size += more
	}
	return 0, size, false
}

// begin returns the number of the first period that ends after a day and that Interval does not leave out.
func (r *rule) begin(day int64) int64 {
	number, _ := r.dates.period(day)
	if r.dates.frequency == Daily && r.dates.interval <= 31 {
		return monthOf(day)
	}
	number = r.dates.origin - zone.FloorDiv(r.dates.origin-number, r.dates.interval)*r.dates.interval
	if r.dates.frequency == Daily {
		return monthOf(number)
	}
	return number
}

// next returns the number of the next period.
func (r *rule) next(number int64) int64 {
	switch {
	case r.dates.frequency != Daily:
		return number + r.dates.interval
	case r.dates.interval > 31:
		return r.begin(firstOfMonth(number + 1))
	default:
		return number + 1
	}
}

// period returns the first day and the dates of the week, month or year with a number.
func (r *rule) period(number int64) (first int64, dates daySet) {
	switch r.dates.frequency {
	case Weekly:
		first = number*7 - 3 + r.dates.weekBegin
		year, month, day := zone.Civil(first)
		if day+6 > zone.DaysIn(year, month) && r.months != allMonths {
			return first, r.search(first, 7)
		}
		if !r.inMonth(month) {
			return first, daySet{}
		}
		return first, *r.remembered(first, 7, 0)
	case Yearly:
		first = zone.Days(int(number), time.January, 1)
		length := int(zone.Days(int(number)+1, time.January, 1) - first)
		return first, *r.remembered(first, length, length-365)
	}
	first = firstOfMonth(number)
	if !r.inMonth(time.Month(number-zone.FloorDiv(number, 12)*12) + 1) {
		return first, daySet{}
	}
	length := int(firstOfMonth(number+1) - first)
	dates = *r.remembered(first, length, length-28)
	if r.dates.frequency == Daily && r.dates.interval > 1 {
		days := r.dates.origin - first
		dates[0] &= r.every << (days - zone.FloorDiv(days, r.dates.interval)*r.dates.interval)
	}
	return first, dates
}

// remembered returns the set of a period. It depends only on the number of days (longer is how many more there are than in the shortest
// such period) and on the weekday of the first day, because the period is a month, a year, or a week in one month.
func (r *rule) remembered(first int64, length, longer int) *daySet {
	kind := longer*7 + weekdayOf(first)
	if !r.known[kind] {
		r.known[kind], r.sets[kind] = true, r.search(first, length)
	}
	return &r.sets[kind]
}

// search looks at each day of a period. It returns the dates, of which SetPos has chosen.
func (r *rule) search(first int64, length int) (dates daySet) {
	year, month, day := zone.Civil(first)
	inMonth := zone.DaysIn(year, month)
	for i := range length {
		place, of := day-1, inMonth
		if r.inYear {
			place, of = i, length
		}
		if r.inMonth(month) && r.onMonthDay(day, inMonth) && r.onWeekday(weekdayOf(first+int64(i)), place, of) {
			dates.add(i)
		}
		if day++; day > inMonth {
			year, month, day = nextMonth(year, month)
			inMonth = zone.DaysIn(year, month)
		}
	}
	if r.setPos.some {
		return r.chosen(dates, length)
	}
	return dates
}

func (r *rule) inMonth(month time.Month) bool { return r.months&(1<<month) != 0 }

func (r *rule) onMonthDay(day, inMonth int) bool {
	return !r.monthDays.some || r.monthDays.has(day) || r.monthDays.has(day-inMonth-1)
}

// onWeekday checks a weekday (0 is Monday) with its place, from 0, among the days of its month or year.
func (r *rule) onWeekday(weekday, place, of int) bool {
	if r.weekdays == 0 && !r.nthWeekdays.some || r.weekdays&(1<<weekday) != 0 {
		return true
	}
	day := time.Weekday(weekday+1) % 7
	fromBegin, fromEnd := NthWeekday{place/7 + 1, day}, NthWeekday{-(of-1-place)/7 - 1, day}
	return r.nthWeekdays.some && (r.nthWeekdays.has(fromBegin.number()) || r.nthWeekdays.has(fromEnd.number()))
}

// chosen returns the dates that SetPos chooses.
func (r *rule) chosen(dates daySet, length int) (chosen daySet) {
	position, size := 0, int(dates.size())
	for i := range length {
		if !dates.has(i) {
			continue
		}
		if position++; r.setPos.has(position) || r.setPos.has(position-size-1) {
			chosen.add(i)
		}
	}
	return chosen
}

// weekdayOf returns the weekday of a day: 0 is Monday. 1 January 1970 was a Thursday.
func weekdayOf(day int64) int { return int(day + 3 - zone.FloorDiv(day+3, 7)*7) }

// monthOf returns the number of the month of a day. Month 0 is January of the year 0.
func monthOf(day int64) int64 {
	year, month, _ := zone.Civil(day)
	return int64(year)*12 + int64(month) - 1
}

func firstOfMonth(number int64) int64 { return zone.Days(0, time.Month(number+1), 1) }

func nextMonth(year int, month time.Month) (nextYear int, next time.Month, day int) {
	if month == time.December {
		return year + 1, time.January, 1
	}
	return year, month + 1, 1
}

func commonDivisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
