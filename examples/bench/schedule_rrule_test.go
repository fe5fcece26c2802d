package bench_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/metalkeep/metalkeep/backup"
)

// comparableZones returns zones whose clock changes are at night, but not at midnight. comparableSchedule uses times of day outside of
// the night. rrule-go treats times that a change skips or repeats as time.Date does, not as RFC 5545. And where midnight is
// skipped (São Paulo, 8 October 2000) it returns the day before.
func comparableZones() []string {
	return []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Auckland"}
}

// comparableSchedule returns a random schedule that rrule-go and the library treat alike.
func comparableSchedule(r *rand.Rand) backup.Schedule {
	s := backup.Schedule{
		Frequency: backup.Daily + backup.Frequency(r.IntN(3)),
		Interval:  1 + r.IntN(14),
		Hour:      6 + r.IntN(17), Minute: r.IntN(60),
		Zone:  comparableZones()[r.IntN(len(comparableZones()))],
		Start: time.Unix(r.Int64N(4_000_000_000), 0).UTC(),
	}
	switch s.Frequency {
	case backup.Weekly:
		days := r.Perm(7)[:1+r.IntN(7)]
		for _, day := range days {
			s.Weekdays = append(s.Weekdays, time.Weekday(day))
		}
	case backup.Monthly:
		if s.MonthDay = r.IntN(32); s.MonthDay == 0 {
			s.MonthDay = -1
		}
	}
	switch r.IntN(3) {
	case 0:
		s.Count = 1 + r.IntN(40)
	case 1:
		s.Until = s.Start.Add(time.Duration(r.IntN(20_000)) * time.Hour)
	}
	return s
}

// rruleOf converts a schedule to a rule of rrule-go.
func rruleOf(tb testing.TB, s backup.Schedule) *rrule.RRule {
	tb.Helper()
	loc, err := time.LoadLocation(s.Zone)
	if err != nil {
		tb.Fatal(err)
	}
	option, err := rrule.StrToROption(s.RRule())
	if err != nil {
		tb.Fatalf("%s: %v", s.RRule(), err)
	}
	option.Dtstart = s.Start.In(loc)
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		tb.Fatalf("%s: %v", s.RRule(), err)
	}
	return rule
}

// TestScheduleAgainstRRuleGo compares a thousand schedules with rrule-go: their first fifty occurrences, and the next one after a random
// instant.
func TestScheduleAgainstRRuleGo(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5545, 1))
	compared := 0
	for range 1000 {
		s := comparableSchedule(r)
		rule := rruleOf(t, s)
		next := rule.Iterator()
		at := s.Start.Add(-1)
		after := at
		for range 50 {
			want, wantOK := next()
			got, ok := s.Next(at)
			if ok != wantOK || ok && !got.Equal(want) {
				t.Fatalf("%s from %s (%s) after %s: %s %t, rrule-go says %s %t", s, s.Start, s.RRule(), at, got, ok, want, wantOK)
			}
			if !ok {
				break
			}
			compared++
			after, at = at, got
		}
		after = after.Add(time.Duration(r.Int64N(int64(at.Sub(after)) + 1)))
		got, _ := s.Next(after)
		if want := rule.After(after, false); !got.Equal(want) {
			t.Fatalf("%s from %s (%s) after %s: %s, rrule-go says %s", s, s.Start, s.RRule(), after, got, want)
		}
	}
	if compared < 20_000 {
		t.Fatalf("only %d occurrences were compared", compared)
	}
}
