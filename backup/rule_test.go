package backup_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// datesOf returns the dates of a rule that begins on a date at 09:00 UTC, at most n of them.
func datesOf(t *testing.T, rule, start string, n int) []string {
	t.Helper()
	s, err := backup.ParseRRule(rule, instant(t, start+"T09:00:00Z"), "")
	require.NoError(t, err, rule)
	dates := []string{}
	for at, ok := s.Next(s.Start.Add(-1)); ok && len(dates) < n; at, ok = s.Next(at) {
		dates = append(dates, at.Format(time.DateOnly))
	}
	return dates
}

// The expected dates of the rules that begin on 1997-09-02 are those that the tests of dateutil (Python) expect.
func TestRuleDates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule, start string
		want        []string // the first dates
	}{
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=FR;WKST=SU", "2017-10-07", []string{"2017-10-20", "2017-11-03"}},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", "2017-10-07", []string{"2017-10-08", "2017-10-22"}},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU", "2017-10-07", []string{"2017-10-15", "2017-10-29"}},
		{"FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-01", []string{"2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"}},
		{"FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2026-01-01", []string{"2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"}},
		{"FREQ=MONTHLY;BYMONTHDAY=31,-1;BYSETPOS=1", "2028-01-01", []string{"2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"}},
		{"FREQ=MONTHLY;BYMONTHDAY=1,16", "2026-11-02", []string{"2026-11-16", "2026-12-01", "2026-12-16"}},
		{"FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "2026-11-26", []string{"2026-11-26", "2026-11-27", "2026-11-30", "2026-12-01"}},
		{"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-11-28", []string{"2026-12-04", "2026-12-11"}},
		{"FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=1", "2026-11-24", []string{"2026-11-30", "2026-12-07"}},
		{"FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=1;WKST=SU", "2026-11-24", []string{"2026-11-29", "2026-12-06"}},
		{"FREQ=WEEKLY;BYMONTH=12;BYDAY=MO,WE;BYSETPOS=1", "2026-11-24", []string{"2026-12-02", "2026-12-07", "2026-12-14"}},
		{"FREQ=MONTHLY;BYDAY=MO,-1SU", "2026-11-20", []string{"2026-11-23", "2026-11-29", "2026-11-30", "2026-12-07"}},
		{"FREQ=MONTHLY;BYDAY=5MO", "2026-11-20", []string{"2026-11-30", "2027-03-29", "2027-05-31"}},
		{"FREQ=MONTHLY;BYDAY=-5MO", "2026-11-20", []string{"2027-03-01", "2027-05-03"}},
		{"FREQ=YEARLY", "2024-02-29", []string{"2024-02-29", "2028-02-29", "2032-02-29"}},
		{"FREQ=YEARLY;BYDAY=53TH", "2020-01-01", []string{"2020-12-31", "2026-12-31", "2032-12-30"}},
		{"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=366", "2021-01-01", []string{"2024-12-31", "2028-12-31"}},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2096-01-01", []string{"2096-02-29", "2104-02-29"}},

		{"FREQ=YEARLY;COUNT=3;BYMONTHDAY=1,3", "1997-09-02", []string{"1997-09-03", "1997-10-01", "1997-10-03"}},
		{"FREQ=YEARLY;COUNT=3;BYMONTH=1,3;BYMONTHDAY=5,7", "1997-09-02", []string{"1998-01-05", "1998-01-07", "1998-03-05"}},
		{"FREQ=YEARLY;COUNT=3;BYDAY=1TU,-1TH", "1997-09-02", []string{"1997-12-25", "1998-01-06", "1998-12-31"}},
		{"FREQ=YEARLY;COUNT=3;BYDAY=3TU,-3TH", "1997-09-02", []string{"1997-12-11", "1998-01-20", "1998-12-17"}},
		{"FREQ=YEARLY;COUNT=3;BYMONTH=1,3;BYDAY=1TU,-1TH", "1997-09-02", []string{"1998-01-06", "1998-01-29", "1998-03-03"}},
		{"FREQ=YEARLY;COUNT=3;BYMONTHDAY=1,3;BYDAY=TU,TH", "1997-09-02", []string{"1998-01-01", "1998-02-03", "1998-03-03"}},
		{"FREQ=YEARLY;COUNT=3;BYMONTHDAY=1,3;BYMONTH=1,3;BYDAY=TU,TH", "1997-09-02", []string{"1998-01-01", "1998-03-03", "2001-03-01"}},
		{"FREQ=MONTHLY;COUNT=3;INTERVAL=18", "1997-09-02", []string{"1997-09-02", "1999-03-02", "2000-09-02"}},
		{"FREQ=MONTHLY;COUNT=3;BYMONTH=1,3;BYMONTHDAY=5,7", "1997-09-02", []string{"1998-01-05", "1998-01-07", "1998-03-05"}},
		{"FREQ=MONTHLY;COUNT=3;BYDAY=3TU,-3TH", "1997-09-02", []string{"1997-09-11", "1997-09-16", "1997-10-16"}},
		{"FREQ=WEEKLY;COUNT=3;BYMONTH=1,3;BYDAY=TU,TH", "1997-09-02", []string{"1998-01-01", "1998-01-06", "1998-01-08"}},
		{"FREQ=DAILY;COUNT=3;BYMONTH=1,3", "1997-09-02", []string{"1998-01-01", "1998-01-02", "1998-01-03"}},
		{"FREQ=DAILY;COUNT=3;BYMONTHDAY=1,3;BYDAY=TU,TH", "1997-09-02", []string{"1998-01-01", "1998-02-03", "1998-03-03"}},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, datesOf(t, tt.rule, tt.start, len(tt.want)), tt.rule)
	}
}

// Each of these rules is correct, and has no date.
func TestRulesWithoutDates(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=MONTHLY;BYMONTH=4,6,9,11;BYMONTHDAY=31",
		"FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=-30",
		"FREQ=DAILY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=30,31",
		"FREQ=MONTHLY;BYMONTHDAY=20;BYDAY=1MO",
		"FREQ=MONTHLY;INTERVAL=12;BYMONTH=2;BYDAY=MO",
		"FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
		"FREQ=YEARLY;INTERVAL=400;BYMONTH=3;BYMONTHDAY=1;BYDAY=MO",
		"FREQ=YEARLY;BYMONTH=1;BYDAY=MO;BYSETPOS=6",
		"FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,WE;BYSETPOS=3,-3",
		"FREQ=DAILY;INTERVAL=7;BYDAY=MO",
		"FREQ=DAILY;INTERVAL=49;BYDAY=SA,SU,MO;BYMONTHDAY=1",
		"FREQ=DAILY;INTERVAL=5411;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
	} {
		assert.Empty(t, datesOf(t, rule, "2026-01-01", 1), rule)
		s := parsed(t, rule)
		n, last := s.CountBetween(time.Time{}, s.Start.AddDate(5000, 0, 0))
		assert.Zero(t, n, rule)
		assert.True(t, last.IsZero())
	}
}

// The calendar repeats after 400 years, and that is how long a search may last.
func TestRulesRepeat(t *testing.T) {
	t.Parallel()
	begin := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		rule string
		want int // in 400 years
	}{
		{"FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", 688},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", 97},
		{"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU", 13},
		{"FREQ=YEARLY;BYDAY=53SU", 71},
		{"FREQ=MONTHLY;BYMONTHDAY=-1", 4800},
		{"FREQ=MONTHLY;BYMONTHDAY=30,-1", 4800 + 7*400},
		{"FREQ=DAILY;BYMONTHDAY=31", 7 * 400},
		{"FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=-1", 20_871},
		{"FREQ=YEARLY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=29", 97},
	}
	for _, tt := range tests {
		s, err := backup.ParseRRule(tt.rule, begin, "")
		require.NoError(t, err)
		years := 400 * max(s.Interval, 1)
		n, last := s.CountBetween(begin.Add(-1), begin.AddDate(years, 0, 0).Add(-1))
		assert.Equal(t, tt.want, n, tt.rule)
		twice, later := s.CountBetween(begin.Add(-1), begin.AddDate(2*years, 0, 0).Add(-1))
		assert.Equal(t, 2*tt.want, twice, tt.rule)
		assert.Equal(t, last.AddDate(years, 0, 0), later, tt.rule)
		s.Count = tt.want
		end, ok := s.Next(last.Add(-1))
		assert.True(t, ok && end.Equal(last), tt.rule)
		_, ok = s.Next(last)
		assert.False(t, ok, tt.rule)
	}
}

// No occurrence is in the last day of the year 9999 (UTC), also of a rule.
func TestRuleAtTheEndOfTheCalendar(t *testing.T) {
	t.Parallel()
	s := parsed(t, "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=30,31")
	at, ok := s.Next(time.Date(9999, 12, 1, 0, 0, 0, 0, time.UTC))
	require.True(t, ok)
	assert.Equal(t, "9999-12-30T02:30:00+01:00", at.Format(time.RFC3339))
	_, ok = s.Next(at)
	assert.False(t, ok)
	n, last := s.CountBetween(s.Start, time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC))
	assert.Equal(t, 7974*2-1, n)
	assert.True(t, last.Equal(at))
}

func TestRuleNextDoesNotAllocate(t *testing.T) {
	for _, rule := range []string{
		"FREQ=MONTHLY;BYDAY=1MO", "FREQ=DAILY;BYDAY=MO;COUNT=100000", "FREQ=WEEKLY;BYDAY=MO;BYMONTH=2", "FREQ=YEARLY;BYDAY=20MO;BYSETPOS=1",
	} {
		s := parsed(t, rule)
		assert.Zero(t, testing.AllocsPerRun(100, func() { s.Next(s.Start.AddDate(3, 0, 0)) }), rule)
		assert.Zero(t, testing.AllocsPerRun(100, func() { s.CountBetween(s.Start, s.Start.AddDate(3, 0, 0)) }), rule)
	}
}
