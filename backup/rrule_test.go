package backup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

func TestRRule(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC) // 02:30 in Berlin, a Tuesday
	at := func(s backup.Schedule) backup.Schedule {
		s.Hour, s.Minute, s.Zone, s.Start = 2, 30, "Europe/Berlin", start
		return s
	}
	some := []time.Weekday{time.Sunday, time.Friday, time.Monday}
	tests := []struct {
		schedule backup.Schedule
		want     string
	}{
		{at(backup.Schedule{Frequency: backup.Once}), ""},
		{at(backup.Schedule{Frequency: backup.Daily, Interval: 1}), "FREQ=DAILY"},
		{at(backup.Schedule{Frequency: backup.Daily, Interval: 3, Count: 10}), "FREQ=DAILY;INTERVAL=3;COUNT=10"},
		{at(backup.Schedule{Frequency: backup.Weekly, Weekdays: some}), "FREQ=WEEKLY;BYDAY=MO,FR,SU"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDay: 28}), "FREQ=MONTHLY;BYMONTHDAY=28"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDay: 29}), "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDay: 30}), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDay: 31}), "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDay: -1}), "FREQ=MONTHLY;BYMONTHDAY=-1"},
		{at(backup.Schedule{Frequency: backup.Daily, Until: start.AddDate(0, 1, 0)}), "FREQ=DAILY;UNTIL=20261224T013000Z"},
		{at(backup.Schedule{Frequency: backup.Daily, Weekdays: some, MonthDays: []int{-1, 3, -2, 1}, Months: []time.Month{7, 1}}),
			"FREQ=DAILY;BYMONTH=1,7;BYMONTHDAY=1,3,-2,-1;BYDAY=MO,FR,SU"},
		{at(backup.Schedule{Frequency: backup.Weekly, Weekdays: some, WeekStart: backup.FromSunday}), "FREQ=WEEKLY;BYDAY=MO,FR,SU"},
		{at(backup.Schedule{Frequency: backup.Weekly, Weekdays: some, WeekStart: backup.FromSunday, Interval: 2}),
			"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR,SU;WKST=SU"},
		{at(backup.Schedule{Frequency: backup.Weekly, Weekdays: some, WeekStart: backup.FromTuesday, SetPos: []int{1}}),
			"FREQ=WEEKLY;BYDAY=MO,FR,SU;BYSETPOS=1;WKST=TU"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDays: []int{31}}), "FREQ=MONTHLY;BYMONTHDAY=31"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDays: []int{15}}), "FREQ=MONTHLY;BYMONTHDAY=15"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDays: []int{31, -1}, SetPos: []int{1}}), "FREQ=MONTHLY;BYMONTHDAY=31,-1;BYSETPOS=1"},
		{at(backup.Schedule{Frequency: backup.Monthly, MonthDay: 30, Months: []time.Month{2}}),
			"FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=28,29,30;BYSETPOS=-1"},
		{at(backup.Schedule{Frequency: backup.Monthly, Weekdays: some[:1], NthWeekdays: []backup.NthWeekday{{-1, 0}, {2, 0}, {2, 1}}}),
			"FREQ=MONTHLY;BYDAY=SU,2MO,2SU,-1SU"},
		{at(backup.Schedule{Frequency: backup.Yearly, NthWeekdays: []backup.NthWeekday{{-53, 5}}, SetPos: []int{-1, 366}}),
			"FREQ=YEARLY;BYDAY=-53FR;BYSETPOS=366,-1"},
		{backup.Schedule{Frequency: backup.Daily, Hour: 4, Minute: 5, Start: start}, "FREQ=DAILY;BYHOUR=4;BYMINUTE=5;BYSECOND=0"},
		{backup.Schedule{Frequency: backup.Daily}, "FREQ=DAILY;BYHOUR=0;BYMINUTE=0;BYSECOND=0"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, tt.schedule.RRule())
		if tt.want != "" {
			requireSame(t, tt.schedule)
		}
	}
}

// requireSame checks that a schedule comes back from its rule, with the same next occurrences. A MonthDays that means the same as a
// MonthDay comes back as that, and a WeekStart that changes nothing does not come back.
func requireSame(t *testing.T, s backup.Schedule) {
	t.Helper()
	back, err := backup.ParseRRule(s.RRule(), s.Start, s.Zone)
	require.NoError(t, err, s.RRule())
	require.Equal(t, s.RRule(), back.RRule())
	requireSameNext(t, s, back)
	assert.ElementsMatch(t, s.Months, back.Months)
	assert.ElementsMatch(t, s.Weekdays, back.Weekdays)
	assert.ElementsMatch(t, s.NthWeekdays, back.NthWeekdays)
	assert.True(t, s.Start.Equal(back.Start), "start %s", back.Start)
	assert.True(t, s.Until.Truncate(time.Second).Equal(back.Until), "until %s", back.Until)
	s.Interval, back.Interval = max(s.Interval, 1), max(back.Interval, 1)
	s.Months, s.Weekdays, s.NthWeekdays, s.Start, s.Until = back.Months, back.Weekdays, back.NthWeekdays, back.Start, back.Until
	if s.MonthDay == 0 && back.MonthDay != 0 {
		s.MonthDay, s.MonthDays, s.SetPos = back.MonthDay, nil, nil
	}
	assert.ElementsMatch(t, s.MonthDays, back.MonthDays)
	assert.ElementsMatch(t, s.SetPos, back.SetPos)
	s.MonthDays, s.SetPos = back.MonthDays, back.SetPos
	if !strings.Contains(s.RRule(), "WKST") {
		s.WeekStart = backup.FromMonday
	}
	require.Equal(t, s, back)
}

// requireSameNext checks that two schedules have the same first occurrences.
func requireSameNext(t *testing.T, s, other backup.Schedule) {
	t.Helper()
	at, ok := s.Start.Add(-1), true
	for i := 0; i < 8 && ok; i++ {
		sameAt, sameOK := other.Next(at)
		at, ok = s.Next(at)
		require.Equal(t, ok, sameOK, s.RRule())
		require.True(t, at.Equal(sameAt), "%s: %s and %s", s.RRule(), at, sameAt)
	}
}

func TestParseRRule(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC) // 02:30 in Berlin, a Tuesday
	base := backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin", Start: start}
	with := func(change func(*backup.Schedule)) backup.Schedule {
		s := base
		change(&s)
		return s
	}
	monthly := func(day int) backup.Schedule {
		return with(func(s *backup.Schedule) { s.Frequency, s.MonthDay = backup.Monthly, day })
	}
	weekly := func(days ...time.Weekday) backup.Schedule {
		return with(func(s *backup.Schedule) { s.Frequency, s.Weekdays = backup.Weekly, days })
	}
	rule := func(s backup.Schedule) backup.Schedule {
		return with(func(to *backup.Schedule) {
			s.Frequency, s.Hour, s.Minute, s.Zone, s.Start = max(s.Frequency, backup.Monthly), to.Hour, to.Minute, to.Zone, to.Start
			*to = s
		})
	}
	tests := []struct {
		rule string
		want backup.Schedule
	}{
		{"FREQ=DAILY", base},
		{"RRULE:FREQ=DAILY", base},
		{"freq=daily;wkst=su", base},
		{"INTERVAL=2;FREQ=DAILY", with(func(s *backup.Schedule) { s.Interval = 2 })},
		{"FREQ=DAILY;COUNT=5", with(func(s *backup.Schedule) { s.Count = 5 })},
		{"FREQ=DAILY;UNTIL=20261231T225959Z", with(func(s *backup.Schedule) { s.Until = time.Date(2026, 12, 31, 22, 59, 59, 0, time.UTC) })},
		{"FREQ=DAILY;BYHOUR=4", with(func(s *backup.Schedule) { s.Hour = 4 })},
		{"FREQ=DAILY;BYHOUR=4;BYMINUTE=0;BYSECOND=0", with(func(s *backup.Schedule) { s.Hour, s.Minute = 4, 0 })},
		{"FREQ=WEEKLY", weekly(time.Tuesday)},
		{"FREQ=WEEKLY;BYDAY=SU,WE", weekly(time.Sunday, time.Wednesday)},
		{"FREQ=WEEKLY;BYDAY=MO;WKST=SU", weekly(time.Monday)},
		{"FREQ=MONTHLY", monthly(24)},
		{"FREQ=MONTHLY;BYMONTHDAY=15", monthly(15)},
		{"FREQ=MONTHLY;BYMONTHDAY=15;BYSETPOS=-1", monthly(15)},
		{"FREQ=MONTHLY;BYMONTHDAY=-1", monthly(-1)},
		{"FREQ=MONTHLY;BYMONTHDAY=15;BYSETPOS=1", monthly(15)},
		{"FREQ=MONTHLY;BYMONTHDAY=29,28;BYSETPOS=-1", monthly(29)},
		{"FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", monthly(31)},

		{"FREQ=DAILY;", base},
		{"FREQ=DAILY;UNTIL=20270101T235959", with(func(s *backup.Schedule) { s.Until = time.Date(2027, 1, 1, 22, 59, 59, 0, time.UTC) })},
		{"FREQ=DAILY;UNTIL=20270328T023000", with(func(s *backup.Schedule) { s.Until = time.Date(2027, 3, 28, 1, 30, 0, 0, time.UTC) })},
		{"FREQ=DAILY;UNTIL=20271031T023000", with(func(s *backup.Schedule) { s.Until = time.Date(2027, 10, 31, 0, 30, 0, 0, time.UTC) })},
		{"FREQ=DAILY;BYDAY=MO;BYSETPOS=1,-1", with(func(s *backup.Schedule) { s.Weekdays = []time.Weekday{time.Monday} })},
		{"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=+1,-2", with(func(s *backup.Schedule) { s.Months, s.MonthDays = []time.Month{2}, []int{1, -2} })},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU", with(func(s *backup.Schedule) {
			s.Frequency, s.Interval, s.Weekdays, s.WeekStart = backup.Weekly, 2, []time.Weekday{time.Monday}, backup.FromSunday
		})},
		{"FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=-1;WKST=TU", with(func(s *backup.Schedule) {
			s.Frequency, s.Weekdays, s.SetPos, s.WeekStart = backup.Weekly, []time.Weekday{time.Monday, time.Tuesday}, []int{-1}, backup.FromTuesday
		})},
		{"FREQ=MONTHLY;BYMONTHDAY=31", rule(backup.Schedule{MonthDays: []int{31}})},
		{"FREQ=MONTHLY;BYMONTHDAY=31;BYSETPOS=-1", rule(backup.Schedule{MonthDays: []int{31}, SetPos: []int{-1}})},
		{"FREQ=MONTHLY;BYMONTHDAY=-2", rule(backup.Schedule{MonthDays: []int{-2}})},
		{"FREQ=MONTHLY;BYMONTHDAY=1,16", rule(backup.Schedule{MonthDays: []int{1, 16}})},
		{"FREQ=MONTHLY;BYMONTHDAY=28,29", rule(backup.Schedule{MonthDays: []int{28, 29}})},
		{"FREQ=MONTHLY;BYMONTHDAY=28,30;BYSETPOS=-1", rule(backup.Schedule{MonthDays: []int{28, 30}, SetPos: []int{-1}})},
		{"FREQ=MONTHLY;BYMONTHDAY=31,-1;BYSETPOS=1", rule(backup.Schedule{MonthDays: []int{31, -1}, SetPos: []int{1}})},
		{"FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=15", rule(backup.Schedule{Months: []time.Month{4, 6}, MonthDay: 15})},
		{"FREQ=MONTHLY;BYDAY=1MO,-1SU,FR;WKST=SU", rule(backup.Schedule{
			Weekdays: []time.Weekday{time.Friday}, NthWeekdays: []backup.NthWeekday{{1, time.Monday}, {-1, time.Sunday}},
		})},
		{"FREQ=MONTHLY;BYDAY=+2TU;BYMONTHDAY=9", rule(backup.Schedule{NthWeekdays: []backup.NthWeekday{{2, time.Tuesday}}, MonthDays: []int{9}})},
		{"FREQ=YEARLY", rule(backup.Schedule{Frequency: backup.Yearly, Months: []time.Month{11}, MonthDays: []int{24}})},
		{"FREQ=YEARLY;BYMONTH=6,7", rule(backup.Schedule{Frequency: backup.Yearly, Months: []time.Month{6, 7}, MonthDays: []int{24}})},
		{"FREQ=YEARLY;BYMONTHDAY=5", rule(backup.Schedule{Frequency: backup.Yearly, MonthDays: []int{5}})},
		{"FREQ=YEARLY;BYDAY=-53SU", rule(backup.Schedule{Frequency: backup.Yearly, NthWeekdays: []backup.NthWeekday{{-53, time.Sunday}}})},
		{"FREQ=YEARLY;BYDAY=SU;BYSETPOS=366", rule(backup.Schedule{
			Frequency: backup.Yearly, Weekdays: []time.Weekday{time.Sunday}, SetPos: []int{366},
		})},
	}
	for _, tt := range tests {
		got, err := backup.ParseRRule(tt.rule, start, "Europe/Berlin")
		require.NoError(t, err, tt.rule)
		assert.Equal(t, tt.want, got, tt.rule)
	}
}

func TestParseRRuleStart(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 1, 30, 15, 500, time.UTC)
	s, err := backup.ParseRRule("FREQ=DAILY", start, "")
	require.NoError(t, err)
	assert.Equal(t, start.Truncate(time.Minute), s.Start, "seconds are dropped")
	s, err = backup.ParseRRule("FREQ=DAILY;BYHOUR=2;BYMINUTE=0;BYSECOND=0", start, "")
	require.NoError(t, err)
	assert.Equal(t, start, s.Start, "the rule has its own seconds")
	s, err = backup.ParseRRule("FREQ=WEEKLY;BYDAY=FR;BYHOUR=2;BYMINUTE=0", time.Time{}, "")
	require.NoError(t, err)
	assert.True(t, s.Start.IsZero())
	for rule, field := range map[string]string{
		"FREQ=DAILY":                           "start",
		"FREQ=DAILY;BYHOUR=2":                  "start",
		"FREQ=WEEKLY;BYHOUR=2;BYMINUTE=0":      "BYDAY",
		"FREQ=MONTHLY;BYHOUR=2;BYMINUTE=0":     "BYMONTHDAY",
		"FREQ=YEARLY;BYHOUR=2;BYMINUTE=0":      "BYMONTHDAY",
		"FREQ=DAILY;COUNT=3;UNTIL=2026;BYHOUR": "rule",
	} {
		_, err := backup.ParseRRule(rule, time.Time{}, "")
		requireField(t, err, field, rule)
	}
	_, err = backup.ParseRRule("FREQ=DAILY", start.AddDate(8000, 0, 0), "")
	requireField(t, err, "start")
	_, err = backup.ParseRRule("FREQ=DAILY", start, "Local")
	requireField(t, err, "zone")
	s, err = backup.ParseRRule("FREQ=MONTHLY", time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), "")
	require.NoError(t, err)
	assert.Equal(t, []int{31}, s.MonthDays, "shorter months are left out")
	_, err = backup.ParseRRule("FREQ=DAILY;UNTIL=20200101T000000Z", start, "")
	requireField(t, err, "Schedule.Until")
}

func requireField(t *testing.T, err error, field string, msg ...any) {
	t.Helper()
	require.ErrorIs(t, err, backup.ErrInvalid, msg...)
	var e *backup.Error
	require.ErrorAs(t, err, &e, msg...)
	require.Equal(t, field, e.Field, "%v", err)
}

func TestParseRRuleRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ rule, field string }{
		{"", "FREQ"},
		{"RRULE:", "FREQ"},
		{"INTERVAL=2", "FREQ"},
		{"FREQ=HOURLY", "FREQ"},
		{"DAILY", "rule"},
		{"FREQ=", "rule"},
		{"=DAILY", "rule"},
		{"FREQ=DAILY;" + strings.Repeat("BYHOUR=1,", 1112), "rule"},
		{"FREQ=DAILY;FREQ=DAILY", "FREQ"},
		{"FREQ=SECONDLY", "FREQ"},
		{";", "FREQ"},
		{"FREQ=DAILY;;", "rule"},
		{"FREQ=YEARLY;BYYEARDAY=1", "BYYEARDAY"},
		{"FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO"},
		{"RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD", "RSCALE"},
		{"FREQ=DAILY;X-MINE=1", "X-MINE"},
		{"FREQ=DAILY;INTERVAL=0", "INTERVAL"},
		{"FREQ=DAILY;INTERVAL=-1", "INTERVAL"},
		{"FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL"},
		{"FREQ=DAILY;COUNT=0", "COUNT"},
		{"FREQ=DAILY;COUNT=1000001", "COUNT"},
		{"FREQ=DAILY;COUNT=3;UNTIL=20261231T225959Z", "UNTIL"},
		{"FREQ=DAILY;UNTIL=20261231", "UNTIL"},
		{"FREQ=DAILY;UNTIL=20261331T225959Z", "UNTIL"},
		{"FREQ=DAILY;UNTIL=20261331T225959", "UNTIL"},
		{"FREQ=DAILY;UNTIL=20261231T225959.5Z", "UNTIL"},
		{"FREQ=DAILY;UNTIL=20261231T225959.5", "UNTIL"},
		{"FREQ=DAILY;BYMONTH=0", "BYMONTH"},
		{"FREQ=DAILY;BYMONTH=-1", "BYMONTH"},
		{"FREQ=DAILY;BYMONTH=13", "BYMONTH"},
		{"FREQ=DAILY;BYMONTH=1,", "BYMONTH"},
		{"FREQ=DAILY;BYMONTH=1,1", "Schedule.Months"},
		{"FREQ=DAILY;BYDAY=1MO", "BYDAY"},
		{"FREQ=DAILY;BYMONTHDAY=-32", "BYMONTHDAY"},
		{"FREQ=DAILY;BYSETPOS=1", "BYSETPOS"},
		{"FREQ=DAILY;BYDAY=MO;BYSETPOS=2", "BYSETPOS"},
		{"FREQ=WEEKLY;BYSETPOS=1", "BYSETPOS"},
		{"FREQ=WEEKLY;BYDAY=MO;BYSETPOS=8", "BYSETPOS"},
		{"FREQ=MONTHLY;BYDAY=0MO", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=6MO", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=-6MO", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=--1MO", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=1", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=1MO,+1MO", "Schedule.NthWeekdays"},
		{"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=32", "BYSETPOS"},
		{"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS"},
		{"FREQ=MONTHLY;BYMONTHDAY=1,1", "Schedule.MonthDays"},
		{"FREQ=YEARLY;BYDAY=54MO", "BYDAY"},
		{"FREQ=YEARLY;BYMONTH=3;BYDAY=6MO", "BYDAY"},
		{"FREQ=YEARLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS"},
		{"FREQ=YEARLY;BYDAY=MO;BYSETPOS=1,1", "Schedule.SetPos"},
		{"FREQ=DAILY;BYHOUR=24", "BYHOUR"},
		{"FREQ=DAILY;BYHOUR=1,2", "BYHOUR"},
		{"FREQ=DAILY;BYMINUTE=60", "BYMINUTE"},
		{"FREQ=DAILY;BYSECOND=1", "BYSECOND"},
		{"FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"},
		{"FREQ=WEEKLY;BYDAY=1MO", "BYDAY"},
		{"FREQ=WEEKLY;BYDAY=XX", "BYDAY"},
		{"FREQ=WEEKLY;BYDAY=MO,", "BYDAY"},
		{"FREQ=WEEKLY;BYDAY=MO,MO", "Schedule.Weekdays"},
		{"FREQ=WEEKLY;WKST=XX", "WKST"},
		{"FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"},
		{"FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"},
		{"FREQ=MONTHLY;BYSETPOS=-1", "BYSETPOS"},
	}
	start := time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC)
	for _, tt := range tests {
		_, err := backup.ParseRRule(tt.rule, start, "Europe/Berlin")
		requireField(t, err, tt.field, tt.rule)
	}
}

// FuzzParseRRule: any text is either refused as ErrInvalid or read to a valid schedule that comes back from its own rule.
func FuzzParseRRule(f *testing.F) {
	for _, rule := range []string{
		"FREQ=DAILY;INTERVAL=2;COUNT=3", "RRULE:FREQ=WEEKLY;BYDAY=MO,SU;WKST=MO", "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1",
		"FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20991231T235959Z", "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0",
		"FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=1,-1;BYMONTH=1,2", "FREQ=YEARLY;BYDAY=20MO;UNTIL=20300101T000000;",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", "FREQ=MONTHLY;BYMONTHDAY=31,-1;BYSETPOS=1", "FREQ=YEARLY",
	} {
		f.Add(rule, int64(1_764_000_000), "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, rule string, start int64, zone string) {
		s, err := backup.ParseRRule(rule, time.Unix(start, 0), zone)
		if err != nil {
			require.ErrorIs(t, err, backup.ErrInvalid)
			return
		}
		require.NoError(t, s.Validate())
		requireSame(t, s)
	})
}

// FuzzRRule: every schedule that recurs comes back from its rule.
func FuzzRRule(f *testing.F) {
	f.Add(uint8(1), uint8(3), uint8(3), uint8(31), uint8(2), uint8(59), uint8(5), int64(1_700_000_000))
	f.Add(uint8(1), uint8(2), uint8(2), uint8(65), uint8(0), uint8(0), uint8(2), int64(1_600_000_000))
	f.Fuzz(func(t *testing.T, zone, frequency, interval, days, hour, minute, end uint8, start int64) {
		s, _ := sample(zone, frequency, interval, days, hour, minute, end, start)
		if s.Frequency == backup.Once {
			require.Empty(t, s.RRule())
			return
		}
		requireSame(t, s)
	})
}
