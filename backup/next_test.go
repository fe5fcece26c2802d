package backup_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

func TestNext(t *testing.T) {
	t.Parallel()
	daily := backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin"}
	weekly := backup.Schedule{Frequency: backup.Weekly, Hour: 9, Weekdays: []time.Weekday{time.Sunday, time.Tuesday}}
	monthly := backup.Schedule{Frequency: backup.Monthly, Hour: 8, MonthDay: 31}
	once := backup.Schedule{Frequency: backup.Once, Hour: 2, Minute: 30, Zone: "Europe/Berlin"}
	with := func(s backup.Schedule, change func(*backup.Schedule)) backup.Schedule {
		change(&s)
		return s
	}
	every := func(n int) func(*backup.Schedule) { return func(s *backup.Schedule) { s.Interval = n } }
	in := func(zone string, hour, minute int) func(*backup.Schedule) {
		return func(s *backup.Schedule) { s.Zone, s.Hour, s.Minute = zone, hour, minute }
	}
	tests := []struct {
		name     string
		schedule backup.Schedule
		start    string
		after    string
		want     []string // "never" ends it
	}{
		{"daily over the spring gap", daily, "2026-01-01T00:00:00Z", "2026-03-28T01:30:00Z",
			[]string{"2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"daily over the autumn fold", daily, "2026-01-01T00:00:00Z", "2026-10-24T00:30:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"from within the fold's second hour", daily, "2026-01-01T00:00:00Z", "2026-10-25T01:15:00Z",
			[]string{"2026-10-26T02:30:00+01:00"}},
		{"after the gap, before the moved occurrence", daily, "2026-01-01T00:00:00Z", "2026-03-29T01:10:00Z",
			[]string{"2026-03-29T03:30:00+02:00"}},
		{"a gap past midnight", with(daily, in("America/Sao_Paulo", 0, 15)), "2018-01-01T00:00:00Z", "2018-11-03T12:00:00Z",
			[]string{"2018-11-04T01:15:00-02:00", "2018-11-05T00:15:00-02:00"}},
		{"a date left out", with(daily, in("Pacific/Apia", 12, 0)), "2011-12-29T00:00:00Z", "2011-12-29T00:00:00Z",
			[]string{"2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00", "2012-01-01T12:00:00+14:00"}},
		{"every second day over the end of the year", with(daily, every(2)), "2026-12-29T00:00:00Z", "2026-12-29T00:00:00Z",
			[]string{"2026-12-29T02:30:00+01:00", "2026-12-31T02:30:00+01:00", "2027-01-02T02:30:00+01:00"}},
		{"start is the first", daily, "2026-11-24T01:30:00Z", "2020-01-01T00:00:00Z", []string{"2026-11-24T02:30:00+01:00"}},
		{"start is just too late", daily, "2026-11-24T01:30:00.000001Z", "2020-01-01T00:00:00Z", []string{"2026-11-25T02:30:00+01:00"}},
		{"strictly after, to the nanosecond", daily, "", "2026-11-24T01:29:59.999999999Z", []string{"2026-11-24T02:30:00+01:00"}},
		{"strictly after", daily, "", "2026-11-24T01:30:00Z", []string{"2026-11-25T02:30:00+01:00"}},

		{"weekly on two days", weekly, "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z",
			[]string{"2026-11-24T09:00:00Z", "2026-11-29T09:00:00Z", "2026-12-01T09:00:00Z"}},
		{"every second week, from its Monday", with(weekly, every(2)), "2026-11-28T00:00:00Z", "2026-11-01T00:00:00Z",
			[]string{"2026-11-29T09:00:00Z", "2026-12-08T09:00:00Z", "2026-12-13T09:00:00Z", "2026-12-22T09:00:00Z"}},
		{"week 53", with(weekly, every(2)), "2026-12-21T00:00:00Z", "2026-12-28T00:00:00Z",
			[]string{"2027-01-05T09:00:00Z"}},

		{"31st, clamped", monthly, "2026-01-01T00:00:00Z", "2026-01-31T08:00:00Z",
			[]string{"2026-02-28T08:00:00Z", "2026-03-31T08:00:00Z", "2026-04-30T08:00:00Z"}},
		{"31st in a leap year", monthly, "2028-01-01T00:00:00Z", "2028-02-01T00:00:00Z", []string{"2028-02-29T08:00:00Z"}},
		{"30th", with(monthly, func(s *backup.Schedule) { s.MonthDay = 30 }), "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z",
			[]string{"2026-02-28T08:00:00Z", "2026-03-30T08:00:00Z"}},
		{"the last day", with(monthly, func(s *backup.Schedule) { s.MonthDay = -1 }), "2100-01-01T00:00:00Z", "2100-02-01T00:00:00Z",
			[]string{"2100-02-28T08:00:00Z", "2100-03-31T08:00:00Z"}},
		{"31st, every twelfth month from April", with(monthly, every(12)), "2026-04-10T00:00:00Z", "2026-04-10T00:00:00Z",
			[]string{"2026-04-30T08:00:00Z", "2027-04-30T08:00:00Z"}},
		{"done on 5 March, after February was missed", monthly, "2026-01-01T00:00:00Z", "2026-03-05T10:00:00Z",
			[]string{"2026-03-31T08:00:00Z"}},

		{"once", once, "2026-11-24T12:00:00Z", "2026-01-01T00:00:00Z", []string{"2026-11-24T02:30:00+01:00", "never"}},
		{"once, on the zone's date", once, "2026-11-24T23:30:00Z", "2026-01-01T00:00:00Z", []string{"2026-11-25T02:30:00+01:00", "never"}},
		{"once, too late", once, "2026-11-24T12:00:00Z", "2026-11-24T12:00:00Z", []string{"never"}},
		{"once, in the gap", once, "2026-03-29T12:00:00Z", "2026-01-01T00:00:00Z", []string{"2026-03-29T03:30:00+02:00", "never"}},

		{"until is inclusive", with(daily, func(s *backup.Schedule) { s.Until = time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC) }),
			"2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", []string{"2026-11-24T02:30:00+01:00", "2026-11-25T02:30:00+01:00", "never"}},
		{"until is an instant", with(daily, func(s *backup.Schedule) { s.Until = time.Date(2026, 11, 25, 1, 29, 59, 0, time.UTC) }),
			"2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", []string{"2026-11-24T02:30:00+01:00", "never"}},
		{"count", with(weekly, func(s *backup.Schedule) { s.Count, s.Interval = 3, 2 }), "2026-11-28T00:00:00Z", "2026-11-01T00:00:00Z",
			[]string{"2026-11-29T09:00:00Z", "2026-12-08T09:00:00Z", "2026-12-13T09:00:00Z", "never"}},
		{"count begins after start's time of day", with(daily, func(s *backup.Schedule) { s.Count = 2 }), "2026-11-24T12:00:00Z", "2026-11-01T00:00:00Z",
			[]string{"2026-11-25T02:30:00+01:00", "2026-11-26T02:30:00+01:00", "never"}},
		{"count is used up", with(daily, func(s *backup.Schedule) { s.Count = 365 }), "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z", []string{"never"}},

		{"a thousand years on", monthly, "2026-01-01T00:00:00Z", "3026-02-01T00:00:00Z", []string{"3026-02-28T08:00:00Z"}},
		{"every 10,000th month", with(monthly, every(10_000)), "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", []string{"2859-05-31T08:00:00Z"}},
		{"the end of the calendar", with(daily, in("Pacific/Kiritimati", 13, 0)), "", "9999-12-28T23:00:00Z", []string{"9999-12-30T13:00:00+14:00", "9999-12-31T13:00:00+14:00", "never"}},
		{"no start: the beginning of the calendar", with(daily, in("", 0, 0)), "", "0001-01-01T00:00:00Z", []string{"0001-01-02T00:00:00Z"}},
		{"the last day of a leap year after 2037", daily, "", "2040-12-31T00:00:00Z", []string{"2040-12-31T02:30:00+01:00", "2041-01-01T02:30:00+01:00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.schedule
			s.Start = instant(t, tt.start)
			require.NoError(t, s.Validate())
			at := instant(t, tt.after)
			for _, want := range tt.want {
				next, ok := s.Next(at)
				if want == "never" {
					require.False(t, ok, "%s", next)
					assert.True(t, next.IsZero())
					return
				}
				require.True(t, ok)
				require.Equal(t, want, next.Format(time.RFC3339Nano))
				at = next
			}
		})
	}
}

func TestNextTakesAnyInstant(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Interval: 12, Zone: "Europe/Berlin", Start: start}
	first, ok := s.Next(start)
	require.True(t, ok)
	for _, unix := range []int64{math.MinInt64, math.MinInt64 + 1, -1 << 40, 0} {
		at, ok := s.Next(time.Unix(unix, 0))
		require.True(t, ok)
		assert.True(t, first.Equal(at), "%d: %s", unix, at)
	}
	for _, unix := range []int64{math.MaxInt64, math.MaxInt64 - 1, 1 << 40} {
		_, ok := s.Next(time.Unix(unix, 999_999_999))
		assert.False(t, ok, "%d", unix)
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	start := time.Date(2016, 1, 4, 8, 0, 0, 0, time.UTC)
	for _, s := range []backup.Schedule{
		{Frequency: backup.Once, Start: start.AddDate(20, 0, 0)},
		{Frequency: backup.Daily, Interval: 2, Count: 100_000, Start: start},
		{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Tuesday}, Start: start},
		{Frequency: backup.Monthly, MonthDay: 31, Start: start},
	} {
		s.Zone = "Europe/Berlin"
		_, ok := s.Next(start)
		require.True(t, ok)
		assert.Zero(t, testing.AllocsPerRun(100, func() { s.Next(start.AddDate(10, 0, 0)) }), "%s", s)
	}
}

// FuzzNext checks Next for any values. It returns. An invalid schedule has no occurrence. The occurrence of a valid schedule is
// after the instant, not before Start, not after Until, at Hour:Minute of the local clock unless the clock skipped that, and
// the first such instant.
func FuzzNext(f *testing.F) {
	f.Add(uint8(2), 1, uint8(0), 0, 2, 30, "Europe/Berlin", int64(1_767_225_600), int64(0), 0, int64(1_774_746_000), int64(0))
	f.Add(uint8(4), 12, uint8(0), 31, 8, 0, "", int64(1_775_779_200), int64(0), 5, int64(253_402_200_000), int64(5))
	f.Add(uint8(3), 2, uint8(33), 0, 0, 0, "America/Santiago", int64(-62_135_596_800), int64(2_000_000_000), 0, int64(1_757_203_000), int64(1))
	f.Add(uint8(1), 0, uint8(0), 0, 0, 10, "America/Sitka", int64(-3_225_223_727), int64(0), 0, int64(math.MinInt64), int64(0))
	f.Fuzz(func(t *testing.T, frequency uint8, interval int, days uint8, monthDay, hour, minute int, zone string, start, until int64, count int, after, nanos int64) {
		s := backup.Schedule{
			Frequency: backup.Frequency(frequency), Interval: interval, MonthDay: monthDay, Hour: hour, Minute: minute,
			Zone: zone, Start: time.Unix(start, nanos%1e9), Count: count,
		}
		for day := time.Sunday; day <= time.Saturday; day++ {
			if days&(1<<day) != 0 {
				s.Weekdays = append(s.Weekdays, day)
			}
		}
		if until != 0 {
			s.Until = time.Unix(until, 0)
		}
		from := time.Unix(after, nanos%1e9)
		for range 4 {
			at, ok := s.Next(from)
			if !ok {
				return
			}
			require.NoError(t, s.Validate())
			require.True(t, at.Unix() > from.Unix(), "%s is not after %s", at, from)
			require.True(t, s.Frequency == backup.Once || !at.Before(s.Start), "%s is before %s", at, s.Start)
			require.True(t, s.Until.IsZero() || !at.After(s.Until), "%s is after %s", at, s.Until)
			requireReading(t, s, at)
			from = at
		}
	})
}

// requireReading checks the local time of an occurrence. It uses only the offsets around it.
func requireReading(t *testing.T, s backup.Schedule, at time.Time) {
	t.Helper()
	shows := func(at time.Time) bool {
		return at.Hour() == s.Hour && at.Minute() == s.Minute && at.Second() == 0
	}
	offsets := map[int]bool{}
	for quarter := -4 * 27; quarter <= 4*27; quarter++ {
		_, offset := at.Add(time.Duration(quarter) * 15 * time.Minute).Zone()
		offsets[offset] = true
	}
	_, offset := at.Zone()
	for other := range offsets {
		same := at.Add(time.Duration(offset-other) * time.Second) // shows the same date and time, if other holds there
		_, holds := same.Zone()
		require.False(t, shows(at) && holds == other && same.Before(at), "%s shows the same as %s, and is first", same, at)
	}
	if shows(at) {
		return
	}
	start, _ := at.ZoneBounds()
	_, before := start.Add(-1).Zone()
	require.True(t, before < offset && at.Sub(start) < time.Duration(offset-before)*time.Second, "%s is neither %02d:%02d nor moved by a gap", at, s.Hour, s.Minute)
	require.True(t, shows(at.In(time.FixedZone("", before))), "%s is not moved by the gap", at)
}
