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

// comparableRule returns a random schedule with the fields that arithmetic does not find. It never has both weekdays and weekdays by
// their place: rrule-go then looks for days that are both. A weekly schedule has no positions: rrule-go leaves out the days of the first
// week before Start.
func comparableRule(r *rand.Rand) backup.Schedule {
	s := comparableSchedule(r)
	s.Frequency, s.MonthDay, s.Weekdays = backup.Daily+backup.Frequency(r.IntN(4)), 0, nil
	signed := func(high int) int { return (1 + r.IntN(high)) * (1 - 2*r.IntN(2)) }
	if r.IntN(3) == 0 {
		for _, month := range r.Perm(12)[:1+r.IntN(6)] {
			s.Months = append(s.Months, time.Month(month+1))
		}
	}
	places := s.Frequency >= backup.Monthly && r.IntN(2) == 0
	if places {
		s.NthWeekdays = []backup.NthWeekday{{N: signed(4), Weekday: time.Weekday(r.IntN(7))}, {N: 5, Weekday: time.Weekday(r.IntN(7))}}
	} else {
		for _, day := range r.Perm(7)[:1+r.IntN(6)] {
			s.Weekdays = append(s.Weekdays, time.Weekday(day))
		}
	}
	if s.Frequency != backup.Weekly && !places && r.IntN(3) == 0 {
		s.MonthDays = []int{signed(14), 15 + r.IntN(17), -15 - r.IntN(17)}
	}
	if s.Frequency == backup.Weekly {
		s.WeekStart = backup.WeekStart(r.IntN(7))
	}
	if s.Frequency >= backup.Monthly && len(s.MonthDays) == 0 && r.IntN(3) == 0 {
		s.SetPos = []int{signed(2)}
	}
	s.Interval = min(s.Interval, 4)
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

// TestScheduleAgainstRRuleGo compares a thousand schedules of each kind with rrule-go: their first fifty occurrences, and the next one
// after a random instant.
func TestScheduleAgainstRRuleGo(t *testing.T) {
	t.Parallel()
	for name, sample := range map[string]func(*rand.Rand) backup.Schedule{"arithmetic": comparableSchedule, "rules": comparableRule} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5545, 1))
			compared := 0
			for range 1000 {
				compared += sameAsRRuleGo(t, r, sample(r))
			}
			if compared < 20_000 {
				t.Fatalf("only %d occurrences were compared", compared)
			}
		})
	}
}

// sameAsRRuleGo compares one schedule. It returns the number of occurrences.
func sameAsRRuleGo(t *testing.T, r *rand.Rand, s backup.Schedule) (compared int) {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	rule := rruleOf(t, s)
	next := rule.Iterator()
	at := s.Start.Add(-1)
	after := at
	for range 50 {
		want, wantOK := next()
		got, ok := s.Next(at)
		if got.Year() > s.Start.Year()+100 { // rrule-go gives up after some centuries
			return compared
		}
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
	return compared
}
