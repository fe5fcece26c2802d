package backup_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// parsed returns the schedule of a rule that begins on 1 January 2026 at 02:30 in Berlin.
func parsed(tb testing.TB, rule string) backup.Schedule {
	tb.Helper()
	s, err := backup.ParseRRule(rule, time.Date(2026, 1, 1, 1, 30, 0, 0, time.UTC), "Europe/Berlin")
	require.NoError(tb, err, rule)
	return s
}

// BenchmarkRuleNext measures Next for schedules that arithmetic does not find. "never" and "rare" are the most expensive ones that are
// known: their search looks at as many periods as possible.
func BenchmarkRuleNext(b *testing.B) {
	for _, bm := range []struct{ name, rule string }{
		{"first_monday", "FREQ=MONTHLY;BYDAY=1MO"},
		{"1st_and_16th", "FREQ=MONTHLY;BYMONTHDAY=1,16"},
		{"working_days", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"},
		{"last_working_day", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"},
		{"fathers_day", "FREQ=YEARLY;BYMONTH=6;BYDAY=3SU"},
		{"last_day_of_the_year", "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1"},
		{"weeks_in_summer", "FREQ=WEEKLY;BYMONTH=6,7,8;BYDAY=MO;BYSETPOS=1"},
		{"working_days_with_count", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=1000000"},

		{"never/30_february", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"},
		{"never/30_february_daily", "FREQ=DAILY;INTERVAL=29;BYMONTH=2;BYMONTHDAY=30"},
		{"never/31st_of_a_short_month", "FREQ=DAILY;INTERVAL=29;BYMONTH=2,4,6,9,11;BYMONTHDAY=31"},
		{"never/every_7th_day_on_another_weekday", "FREQ=DAILY;INTERVAL=7;BYDAY=TU"},
		{"never/every_28th_day_on_another_weekday", "FREQ=DAILY;INTERVAL=28;BYDAY=TU"},
		{"never/every_35th_day_on_another_weekday", "FREQ=DAILY;INTERVAL=35;BYDAY=TU"},
		{"never/first_monday_on_the_20th", "FREQ=MONTHLY;BYMONTHDAY=20;BYDAY=1MO"},
		{"never/a_second_of_one_weekday", "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2"},
		{"never/a_second_of_one_weekday_in_months", "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2;BYMONTH=1,3,5,7,9,11"},
		{"rare/friday_29_february", "FREQ=YEARLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29;BYDAY=FR"},
		{"rare/friday_29_february_in_years", "FREQ=YEARLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29;BYDAY=FR"},
		{"rare/friday_29_february_daily", "FREQ=DAILY;INTERVAL=29;BYMONTH=2;BYMONTHDAY=29;BYDAY=FR"},
		{"rare/friday_29_february_in_39_days", "FREQ=DAILY;INTERVAL=39;BYMONTH=2;BYMONTHDAY=29;BYDAY=FR"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := parsed(b, bm.rule)
			after := s.Start.AddDate(10, 0, 0)
			b.ReportAllocs()
			for b.Loop() {
				s.Next(after)
			}
		})
	}
}

// BenchmarkRuleCount measures the counting of occurrences. "since_the_year_1" is the most expensive kind that is known: 2,000 years of
// weeks, of which at most two cycles of 400 years are looked at.
func BenchmarkRuleCount(b *testing.B) {
	until := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, bm := range []struct {
		name, rule string
		after      time.Time
	}{
		{"a_week_of_working_days", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", until.AddDate(0, 0, -7)},
		{"three_years_of_working_days", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", until.AddDate(-3, 0, 0)},
		{"since_the_year_1/daily", "FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR", time.Time{}},
		{"since_the_year_1/weekly", "FREQ=WEEKLY;BYMONTH=1,3,5,7,9,11;BYDAY=MO,TU", time.Time{}},
		{"since_the_year_1/monthly", "FREQ=MONTHLY;BYDAY=1MO", time.Time{}},
		{"since_the_year_1/yearly", "FREQ=YEARLY;BYDAY=20MO", time.Time{}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := parsed(b, bm.rule)
			s.Start = bm.after
			b.ReportAllocs()
			for b.Loop() {
				if n, _ := s.CountBetween(bm.after, until); n == 0 {
					b.Fatal("no occurrence")
				}
			}
		})
	}
}
