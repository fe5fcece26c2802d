package backup_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	if s == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at
}

func TestScheduleValidate(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	daily := backup.Schedule{Frequency: backup.Daily, Zone: "Europe/Berlin", Start: start}
	weekly := backup.Schedule{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Sunday, time.Monday}, Start: start}
	monthly := backup.Schedule{Frequency: backup.Monthly, MonthDay: 31, Start: start}
	once := backup.Schedule{Frequency: backup.Once, Start: start}
	with := func(s backup.Schedule, change func(*backup.Schedule)) backup.Schedule {
		change(&s)
		return s
	}
	tests := []struct {
		name     string
		schedule backup.Schedule
		field    string
	}{
		{"daily", daily, ""},
		{"weekly", weekly, ""},
		{"monthly", monthly, ""},
		{"once", once, ""},
		{"no start yet", with(daily, func(s *backup.Schedule) { s.Start = time.Time{} }), ""},
		{"once, interval 1", with(once, func(s *backup.Schedule) { s.Interval = 1 }), ""},
		{"the last moment", with(daily, func(s *backup.Schedule) { s.Hour, s.Minute = 23, 59 }), ""},
		{"the most", with(daily, func(s *backup.Schedule) { s.Interval, s.Count = backup.MaxInterval, backup.MaxCount }), ""},
		{"last day of the month", with(monthly, func(s *backup.Schedule) { s.MonthDay = -1 }), ""},
		{"daily with weekdays", with(daily, func(s *backup.Schedule) { s.Weekdays = weekly.Weekdays }), ""},
		{"until the start", with(daily, func(s *backup.Schedule) { s.Until = start }), ""},

		{"zero", backup.Schedule{}, "Schedule.Frequency"},
		{"unknown frequency", with(daily, func(s *backup.Schedule) { s.Frequency = backup.Yearly + 1 }), "Schedule.Frequency"},
		{"hour 24", with(daily, func(s *backup.Schedule) { s.Hour = 24 }), "Schedule.Hour"},
		{"hour -1", with(daily, func(s *backup.Schedule) { s.Hour = -1 }), "Schedule.Hour"},
		{"minute 60", with(daily, func(s *backup.Schedule) { s.Minute = 60 }), "Schedule.Minute"},
		{"minute -1", with(daily, func(s *backup.Schedule) { s.Minute = -1 }), "Schedule.Minute"},
		{"interval -1", with(daily, func(s *backup.Schedule) { s.Interval = -1 }), "Schedule.Interval"},
		{"interval too long", with(daily, func(s *backup.Schedule) { s.Interval = backup.MaxInterval + 1 }), "Schedule.Interval"},
		{"interval overflows", with(monthly, func(s *backup.Schedule) { s.Interval = math.MaxInt }), "Schedule.Interval"},
		{"once, every second", with(once, func(s *backup.Schedule) { s.Interval = 2 }), "Schedule.Interval"},
		{"weekly on no day", with(weekly, func(s *backup.Schedule) { s.Weekdays = nil }), "Schedule.Weekdays"},
		{"a day twice", with(weekly, func(s *backup.Schedule) { s.Weekdays = []time.Weekday{2, 3, 2} }), "Schedule.Weekdays"},
		{"weekday 7", with(weekly, func(s *backup.Schedule) { s.Weekdays = []time.Weekday{7} }), "Schedule.Weekdays"},
		{"weekday -1", with(weekly, func(s *backup.Schedule) { s.Weekdays = []time.Weekday{-1} }), "Schedule.Weekdays"},
		{"once with weekdays", with(once, func(s *backup.Schedule) { s.Weekdays = weekly.Weekdays }), "Schedule.Weekdays"},
		{"monthly with weekdays", with(monthly, func(s *backup.Schedule) { s.Weekdays = weekly.Weekdays }), "Schedule.Weekdays"},
		{"monthly on no day", with(monthly, func(s *backup.Schedule) { s.MonthDay = 0 }), "Schedule.MonthDay"},
		{"day 32", with(monthly, func(s *backup.Schedule) { s.MonthDay = 32 }), "Schedule.MonthDay"},
		{"day -2", with(monthly, func(s *backup.Schedule) { s.MonthDay = -2 }), "Schedule.MonthDay"},
		{"daily with a month's day", with(daily, func(s *backup.Schedule) { s.MonthDay = 1 }), "Schedule.MonthDay"},
		{"weekly with a month's day", with(weekly, func(s *backup.Schedule) { s.MonthDay = 1 }), "Schedule.MonthDay"},
		{"start before the calendar", with(daily, func(s *backup.Schedule) { s.Start = time.Time{}.Add(-1) }), "Schedule.Start"},
		{"start after the calendar", with(daily, func(s *backup.Schedule) { s.Start = start.AddDate(8000, 0, 0) }), "Schedule.Start"},
		{"until after the calendar", with(daily, func(s *backup.Schedule) { s.Until = start.AddDate(8000, 0, 0) }), "Schedule.Until"},
		{"until before start", with(daily, func(s *backup.Schedule) { s.Until = start.Add(-1) }), "Schedule.Until"},
		{"until and count", with(daily, func(s *backup.Schedule) { s.Until, s.Count = start, 1 }), "Schedule.Until"},
		{"once until", with(once, func(s *backup.Schedule) { s.Until = start }), "Schedule.Until"},
		{"count -1", with(daily, func(s *backup.Schedule) { s.Count = -1 }), "Schedule.Count"},
		{"count too high", with(daily, func(s *backup.Schedule) { s.Count = backup.MaxCount + 1 }), "Schedule.Count"},
		{"once, count", with(once, func(s *backup.Schedule) { s.Count = 1 }), "Schedule.Count"},
		{"unknown zone", with(daily, func(s *backup.Schedule) { s.Zone = "Mars/Olympus" }), "Schedule.Zone"},
		{"the machine's zone", with(daily, func(s *backup.Schedule) { s.Zone = "Local" }), "Schedule.Zone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.schedule.Validate()
			if tt.field == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, backup.ErrInvalid)
			var e *backup.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tt.field, e.Field)
			assert.Contains(t, err.Error(), "backup: "+tt.field+": ")
			_, ok := tt.schedule.Next(start)
			assert.False(t, ok, "an invalid schedule occurs")
			assert.Empty(t, tt.schedule.RRule())
			assert.Equal(t, "invalid schedule", tt.schedule.String())
		})
	}
}

func TestScheduleString(t *testing.T) {
	t.Parallel()
	tuesday := []time.Weekday{time.Tuesday}
	some := []time.Weekday{time.Sunday, time.Friday, time.Monday}
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		schedule backup.Schedule
		want     string
	}{
		{backup.Schedule{Frequency: backup.Once, Hour: 2, Minute: 30, Zone: "Europe/Berlin", Start: start}, "once on 24 November 2026 at 02:30, Europe/Berlin"},
		{backup.Schedule{Frequency: backup.Once}, "once at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Daily, Hour: 23, Minute: 5}, "every day at 23:05, UTC"},
		{backup.Schedule{Frequency: backup.Daily, Interval: 3, Count: 10}, "every third day at 00:00, UTC, 10 times"},
		{backup.Schedule{Frequency: backup.Daily, Interval: 12, Count: 1}, "every 12th day at 00:00, UTC, one time"},
		{backup.Schedule{Frequency: backup.Daily, Interval: 22}, "every 22nd day at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Daily, Interval: 111}, "every 111th day at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Weekly, Weekdays: tuesday}, "every Tuesday at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Weekly, Interval: 2, Weekdays: tuesday, Hour: 2, Minute: 30, Zone: "Europe/Berlin"}, "every second Tuesday at 02:30, Europe/Berlin"},
		{backup.Schedule{Frequency: backup.Weekly, Weekdays: some}, "every Monday, Friday and Sunday at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Weekly, Interval: 4, Weekdays: some[:2]}, "every fourth week on Friday and Sunday at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Monthly, MonthDay: 1}, "every month on the 1st at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Monthly, MonthDay: 23, Interval: 2}, "every second month on the 23rd at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Monthly, MonthDay: 31}, "every month on the 31st or the last day at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Monthly, MonthDay: -1, Interval: 6}, "every 6th month on the last day at 00:00, UTC"},
		{backup.Schedule{Frequency: backup.Daily, Zone: "Asia/Tokyo", Until: start}, "every day at 00:00, Asia/Tokyo, until 24 November 2026 at 21:00"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, tt.schedule.String())
	}
	assert.Equal(t, "monthly", backup.Monthly.String())
	assert.Equal(t, "no frequency", backup.Frequency(0).String())
}
