package backup_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// The functions of this file find the dates of a rule as RFC 5545, section 3.3.10, describes it: each BYxxx part expands or limits the
// set of dates of one period, by the table there and its notes, in the order in which the table has them.

func date(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// periodOf returns the first and the last day of the day, week, month or year that contains t, and how many periods there are from the
// one with start.
func periodOf(s backup.Schedule, t, start time.Time) (first, last time.Time, distance int) {
	switch s.Frequency {
	case backup.Weekly:
		begin := func(t time.Time) time.Time {
			for t = date(t); t.Weekday() != s.WeekStart.Weekday(); {
				t = t.AddDate(0, 0, -1)
			}
			return t
		}
		first = begin(t)
		return first, first.AddDate(0, 0, 6), int(first.Sub(begin(start)).Hours()) / 24 / 7
	case backup.Monthly:
		first = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return first, first.AddDate(0, 1, -1), (t.Year()-start.Year())*12 + int(t.Month()) - int(start.Month())
	case backup.Yearly:
		first = time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		return first, first.AddDate(1, 0, -1), t.Year() - start.Year()
	default:
		first = date(t)
		return first, first, int(first.Sub(date(start)).Hours()) / 24
	}
}

// between returns all days from first to last.
func between(first, last time.Time) (days []time.Time) {
	for ; !first.After(last); first = first.AddDate(0, 0, 1) {
		days = append(days, first)
	}
	return days
}

// placed returns the days that Weekdays and NthWeekdays name among days that follow each other.
func placed(s backup.Schedule, days []time.Time) (named []time.Time) {
	for _, day := range days {
		if slices.Contains(s.Weekdays, day.Weekday()) {
			named = append(named, day)
		}
	}
	for _, nth := range s.NthWeekdays {
		var same []time.Time
		for _, day := range days {
			if day.Weekday() == nth.Weekday {
				same = append(same, day)
			}
		}
		if nth.N > 0 && nth.N <= len(same) {
			named = append(named, same[nth.N-1])
		}
		if nth.N < 0 && -nth.N <= len(same) {
			named = append(named, same[len(same)+nth.N])
		}
	}
	return named
}

// rfcDates returns the dates of one period.
func rfcDates(s backup.Schedule, first, last time.Time) (dates []time.Time) {
	limit := func(keep func(time.Time) bool) {
		dates = slices.DeleteFunc(dates, func(day time.Time) bool { return !keep(day) })
	}
	inMonths := func(day time.Time) bool { return len(s.Months) == 0 || slices.Contains(s.Months, day.Month()) }
	monthDay := func(day time.Time) bool {
		length := day.AddDate(0, 1, -day.Day()).Day()
		return slices.Contains(s.MonthDays, day.Day()) || slices.Contains(s.MonthDays, day.Day()-length-1) ||
			s.MonthDay == day.Day() || day.Day() == length && (s.MonthDay == -1 || s.MonthDay > length)
	}
	byDay := len(s.Weekdays)+len(s.NthWeekdays) > 0
	byMonthDay := len(s.MonthDays) > 0 || s.MonthDay != 0
	var months [][]time.Time // the days of the months that the period has, after BYMONTH
	for day := first; !day.After(last); day = day.AddDate(0, 1, 1-day.Day()) {
		end := day.AddDate(0, 1, -day.Day())
		if inMonths(day) && s.Frequency >= backup.Monthly {
			months = append(months, between(day, end))
		}
	}
	switch {
	case s.Frequency == backup.Daily:
		dates = between(first, last)
		limit(inMonths)
		if byMonthDay {
			limit(monthDay)
		}
		if byDay {
			limit(func(day time.Time) bool { return slices.Contains(s.Weekdays, day.Weekday()) })
		}
	case s.Frequency == backup.Weekly:
		dates = placed(s, between(first, last))
		limit(inMonths)
	case byMonthDay: // BYMONTHDAY expands, and BYDAY limits
		dates = slices.Concat(months...)
		limit(monthDay)
		if byDay {
			limit(func(day time.Time) bool {
				days := between(first, last) // of the month, or of the year
				if s.Frequency == backup.Yearly && len(s.Months) > 0 {
					begin := day.AddDate(0, 0, 1-day.Day())
					days = between(begin, begin.AddDate(0, 1, -1))
				}
				return slices.ContainsFunc(placed(s, days), day.Equal)
			})
		}
	case s.Frequency == backup.Yearly && len(s.Months) == 0: // BYDAY expands in the year
		dates = placed(s, between(first, last))
	default: // BYDAY expands in each month
		for _, days := range months {
			dates = append(dates, placed(s, days)...)
		}
	}
	slices.SortFunc(dates, time.Time.Compare)
	dates = slices.CompactFunc(dates, time.Time.Equal)
	if len(s.SetPos) == 0 {
		return dates
	}
	var chosen []time.Time
	for i, day := range dates {
		if slices.Contains(s.SetPos, i+1) || slices.Contains(s.SetPos, i-len(dates)) {
			chosen = append(chosen, day)
		}
	}
	return chosen
}

// onRule reports whether w is on a date of the schedule. It ignores Start's time of day, Until and Count.
func onRule(s backup.Schedule, w, start time.Time) bool {
	first, last, distance := periodOf(s, w, start)
	return distance%max(s.Interval, 1) == 0 && slices.ContainsFunc(rfcDates(s, first, last), date(w).Equal)
}

// sampleRule returns a random schedule that begins in the years 1990 to 2029, in UTC.
func sampleRule(r *rand.Rand) backup.Schedule {
	s := backup.Schedule{
		Frequency: backup.Daily + backup.Frequency(r.IntN(4)), Interval: []int{0, 1, 1, 2, 3, 5, 7, 12, 14, 31, 32}[r.IntN(11)],
		Hour: r.IntN(24), Minute: r.IntN(60), Start: time.Unix(631_152_000+r.Int64N(1_262_304_000), 0).UTC(),
	}
	signed := func(high int) int { return (1 + r.IntN(high)) * (1 - 2*r.IntN(2)) }
	some := func(high, atMost int) (numbers []int) {
		for range 1 + r.IntN(atMost) {
			numbers = append(numbers, signed(high))
		}
		return distinct(numbers)
	}
	if r.IntN(3) == 0 {
		for _, month := range r.Perm(12)[:1+r.IntN(4)] {
			s.Months = append(s.Months, time.Month(month+1))
		}
	}
	if r.IntN(2) == 0 || s.Frequency == backup.Weekly {
		for _, day := range r.Perm(7)[:1+r.IntN(5)] {
			s.Weekdays = append(s.Weekdays, time.Weekday(day))
		}
	}
	if s.Frequency >= backup.Monthly && r.IntN(2) == 0 {
		most := 5
		if s.Frequency == backup.Yearly && len(s.Months) == 0 {
			most = 53
		}
		for _, n := range some(most, 4) {
			s.NthWeekdays = append(s.NthWeekdays, backup.NthWeekday{N: n, Weekday: time.Weekday(r.IntN(7))})
		}
	}
	if s.Frequency != backup.Weekly && (r.IntN(2) == 0 || s.Frequency != backup.Daily && len(s.Weekdays)+len(s.NthWeekdays) == 0) {
		s.MonthDays = some(31, 6)
	}
	if s.Frequency == backup.Weekly {
		s.WeekStart = backup.WeekStart(r.IntN(7))
	}
	if s.Frequency >= backup.Weekly && r.IntN(3) == 0 {
		s.SetPos = some([]int{4, 8, 12}[s.Frequency-backup.Weekly], 3)
	}
	if s.Frequency == backup.Monthly && r.IntN(8) == 0 { // the days of the month without a gap, in some months
		s.Weekdays, s.NthWeekdays, s.MonthDays, s.SetPos, s.MonthDay = nil, nil, nil, nil, 1+r.IntN(31)
	}
	switch r.IntN(4) {
	case 0:
		s.Count = 1 + r.IntN(30)
	case 1:
		s.Until = s.Start.Add(time.Duration(r.IntN(40_000)) * time.Hour)
	}
	return s
}

func distinct(numbers []int) []int {
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// sameAsRFC compares Next and CountBetween with the functions above, for the days from Start until an end. The zone is UTC.
func sameAsRFC(t *testing.T, s backup.Schedule, days int) {
	t.Helper()
	require.NoError(t, s.Validate(), "%+v", s)
	end := date(s.Start).AddDate(0, 0, days)
	var want []time.Time
	for day := date(s.Start); day.Before(end); day = day.AddDate(0, 0, 1) {
		first, last, distance := periodOf(s, day, s.Start)
		if distance%max(s.Interval, 1) == 0 {
			for _, found := range rfcDates(s, first, last) {
				if found.Before(end) {
					want = append(want, found.Add(time.Duration(s.Hour*60+s.Minute)*time.Minute))
				}
			}
		}
		day = last // goes on with the next period
	}
	want = ended(s, want)
	require.Equal(t, texts(want), texts(following(s, s.Start.Add(-time.Hour), end)), "%s: %+v", s.RRule(), s)
	for i, at := range want {
		n, last := s.CountBetween(s.Start.Add(-1), at)
		require.Equal(t, i+1, n, "%s: %+v", s.RRule(), s)
		require.True(t, last.Equal(at), "%s: %+v", s.RRule(), s)
	}
	if len(want) > 0 {
		n, last := s.CountBetween(want[len(want)/2], end.Add(-time.Second))
		require.Equal(t, len(want)-len(want)/2-1, n, "%s: %+v", s.RRule(), s)
		require.True(t, n == 0 || last.Equal(want[len(want)-1]))
	}
}

func TestRulesAgainstRFC5545(t *testing.T) {
	t.Parallel()
	for part := range 8 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(part), 3310))
			for range 60 {
				s := sampleRule(r)
				sameAsRFC(t, s, 2200)
				requireSame(t, s)
			}
		})
	}
}

// The walk checks that rules follow the local clock as the other schedules do.
func TestRulesAgainstWalk(t *testing.T) {
	t.Parallel()
	for zone, name := range oracleZones() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(zone), 3311))
			for range 3 {
				s := sampleRule(r)
				s.Zone, s.Interval, s.Frequency = name, min(s.Interval, 2), min(s.Frequency, backup.Monthly)
				if s.Validate() == nil { // a yearly schedule may have what a monthly one may not
					sameAsWalk(t, s, 100*24*time.Hour, time.Duration(r.Int64N(int64(100*24*time.Hour))))
				}
			}
		})
	}
}

// FuzzRuleAgainstRFC: every rule that is accepted has the dates that RFC 5545 describes, and comes back from its own rule.
func FuzzRuleAgainstRFC(f *testing.F) {
	for _, e := range rfcExamples() {
		f.Add(e.rule, int64(873_204_600))
	}
	f.Add("FREQ=MONTHLY;BYMONTHDAY=31,-1;BYSETPOS=1", int64(1_700_000_000))
	f.Add("FREQ=WEEKLY;BYDAY=MO,WE;BYSETPOS=-1;WKST=WE;BYMONTH=2,3", int64(1_700_000_000))
	f.Fuzz(func(t *testing.T, rule string, start int64) {
		s, err := backup.ParseRRule(rule, time.Unix(((start%4e9)+4e9)%4e9, 0).UTC(), "")
		if err != nil {
			return
		}
		sameAsRFC(t, s, 1500)
		requireSame(t, s)
	})
}
