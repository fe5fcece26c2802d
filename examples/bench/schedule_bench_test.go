package bench_test

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/metalkeep/metalkeep/backup"
)

// The benchmarks calculate the next occurrence after each of 512 instants in two years. The series begins ten years before.
const zoneName = "Europe/Berlin"

func began() time.Time { return time.Date(2016, 1, 4, 1, 30, 0, 0, time.UTC) }

func instants() []time.Time {
	out := make([]time.Time, 512)
	for i := range out {
		out[i] = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 34 * time.Hour)
	}
	return out
}

// The floor functions are written by hand for one schedule and one zone. They try each date from that of the instant on. They have
// no checks, no interval and no end, and leave clock changes to time.Date.
func floorDaily(after time.Time, loc *time.Location) time.Time {
	year, month, day := after.In(loc).Date()
	for n := 0; ; n++ {
		if at := time.Date(year, month, day+n, 2, 30, 0, 0, loc); at.After(after) {
			return at
		}
	}
}

func floorWeekly(after time.Time, loc *time.Location) time.Time {
	year, month, day := after.In(loc).Date()
	for n := 0; ; n++ {
		at := time.Date(year, month, day+n, 2, 30, 0, 0, loc)
		if at.Weekday() == time.Tuesday && at.After(after) {
			return at
		}
	}
}

func floorMonthly(after time.Time, loc *time.Location) time.Time {
	year, month, _ := after.In(loc).Date()
	for n := time.Month(0); ; n++ {
		last := time.Date(year, month+n+1, 0, 0, 0, 0, 0, loc).Day()
		if at := time.Date(year, month+n, min(31, last), 2, 30, 0, 0, loc); at.After(after) {
			return at
		}
	}
}

// BenchmarkScheduleNext measures one call of the library, of the floor, of robfig/cron's Next, and of rrule-go in two ways: its
// iterator, which must pass all earlier occurrences, and After. cron has no day 31 that is clamped, so its monthly schedule uses
// day 28.
func BenchmarkScheduleNext(b *testing.B) {
	loc, err := time.LoadLocation(zoneName)
	if err != nil {
		b.Fatal(err)
	}
	series := backup.Schedule{Hour: 2, Minute: 30, Zone: zoneName, Start: began()}
	daily, weekly, monthly := series, series, series
	daily.Frequency = backup.Daily
	weekly.Frequency, weekly.Weekdays = backup.Weekly, []time.Weekday{time.Tuesday}
	monthly.Frequency, monthly.MonthDay = backup.Monthly, 31
	for _, bm := range []struct {
		name     string
		schedule backup.Schedule
		floor    func(time.Time, *time.Location) time.Time
		cron     string
	}{
		{"daily", daily, floorDaily, "30 2 * * *"},
		{"weekly", weekly, floorWeekly, "30 2 * * TUE"},
		{"monthly", monthly, floorMonthly, "30 2 28 * *"},
	} {
		each(b, bm.name+"/metalkeep", func(after time.Time) time.Time {
			at, _ := bm.schedule.Next(after)
			return at
		})
		each(b, bm.name+"/floor", func(after time.Time) time.Time { return bm.floor(after, loc) })
		table, err := cron.ParseStandard("TZ=" + zoneName + " " + bm.cron)
		if err != nil {
			b.Fatal(err)
		}
		each(b, bm.name+"/robfig_cron", table.Next)
		rule := rruleOf(b, bm.schedule)
		next, steps := rule.Iterator(), 0
		each(b, bm.name+"/rrule_go_iterator", func(time.Time) time.Time {
			if steps++; steps%100 == 0 { // stay in years whose clock changes are in the table of the zone
				next = rule.Iterator()
			}
			at, _ := next()
			return at
		})
		each(b, bm.name+"/rrule_go_after", func(after time.Time) time.Time { return rule.After(after, false) })
	}
}

func each(b *testing.B, name string, next func(after time.Time) time.Time) {
	b.Run(name, func(b *testing.B) {
		afters := instants()
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if next(afters[n%len(afters)]).IsZero() {
				b.Fatal("no occurrence")
			}
		}
	})
}

// TestScheduleAgainstCron shows how robfig/cron differs from the library at clock changes. It skips the night that has no 02:30, and
// runs twice in the night that has 02:30 twice.
func TestScheduleAgainstCron(t *testing.T) {
	t.Parallel()
	table, err := cron.ParseStandard("TZ=" + zoneName + " 30 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	s := backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: zoneName}
	for _, tt := range []struct {
		name       string
		from, to   time.Time // three nights, the change in the middle
		ours, cron int
	}{
		{"spring", time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC), 3, 2},
		{"autumn", time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 26, 12, 0, 0, 0, time.UTC), 3, 4},
	} {
		ours := count(tt.from, tt.to, func(after time.Time) time.Time {
			at, _ := s.Next(after)
			return at
		})
		if ours != tt.ours {
			t.Errorf("%s: %d backups in three nights, want %d", tt.name, ours, tt.ours)
		}
		if got := count(tt.from, tt.to, table.Next); got != tt.cron {
			t.Errorf("%s: cron has %d runs in three nights, want %d", tt.name, got, tt.cron)
		}
	}
}

func count(from, to time.Time, next func(after time.Time) time.Time) (n int) {
	for at := next(from); at.Before(to); at = next(at) {
		n++
	}
	return n
}
