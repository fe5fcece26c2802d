package backup_test

import (
	"testing"
	"time"

	"github.com/metalkeep/metalkeep/backup"
)

// BenchmarkScheduleNext measures Next by frequency, for near and far instants, with and without Count. The benchmarks in examples
// compare it with other libraries.
func BenchmarkScheduleNext(b *testing.B) {
	start := time.Date(2016, 1, 4, 8, 0, 0, 0, time.UTC)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	days := []time.Weekday{time.Tuesday, time.Saturday}
	with := func(s backup.Schedule) backup.Schedule {
		s.Hour, s.Minute, s.Zone, s.Start = 2, 30, "Europe/Berlin", start
		return s
	}
	for _, bm := range []struct {
		name     string
		schedule backup.Schedule
		after    time.Time
	}{
		{"once", with(backup.Schedule{Frequency: backup.Once}), start.AddDate(0, 0, -1)},
		{"daily", with(backup.Schedule{Frequency: backup.Daily}), now},
		{"weekly", with(backup.Schedule{Frequency: backup.Weekly, Weekdays: days}), now},
		{"monthly", with(backup.Schedule{Frequency: backup.Monthly, MonthDay: 31}), now},
		{"every_third_month", with(backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Interval: 3}), now},
		{"daily_count", with(backup.Schedule{Frequency: backup.Daily, Count: 100_000}), now},
		{"daily_in_6000_years", with(backup.Schedule{Frequency: backup.Daily}), now.AddDate(6000, 0, 0)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := bm.schedule.Next(bm.after); !ok {
					b.Fatal("no occurrence")
				}
			}
		})
	}
}
