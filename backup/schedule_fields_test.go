package backup_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

type (
	schedule = backup.Schedule
	nth      = backup.NthWeekday
)

func TestScheduleValidateRules(t *testing.T) {
	t.Parallel()
	monday := []time.Weekday{time.Monday}
	tests := []struct {
		name     string
		schedule schedule
		field    string
	}{
		{"working days", schedule{Frequency: backup.Daily, Weekdays: monday, MonthDays: []int{1, -31}, Months: []time.Month{1, 12}}, ""},
		{"weeks", schedule{Frequency: backup.Weekly, Weekdays: monday, Months: []time.Month{2}, SetPos: []int{-7, 7}, WeekStart: backup.FromSunday}, ""},
		{"places in the month", schedule{Frequency: backup.Monthly, NthWeekdays: []nth{{5, 0}, {-5, 0}}, SetPos: []int{31, -31}}, ""},
		{"places in the year", schedule{Frequency: backup.Yearly, NthWeekdays: []nth{{53, 0}, {-53, 6}, {53, 6}}, SetPos: []int{366}}, ""},
		{"days of the month", schedule{Frequency: backup.Monthly, MonthDays: []int{1, 31, -31, -1}, Weekdays: monday}, ""},
		{"day 31 in some months", schedule{Frequency: backup.Monthly, MonthDay: 31, Months: []time.Month{2, 4}}, ""},
		{"no date ever", schedule{Frequency: backup.Yearly, MonthDays: []int{30}, Months: []time.Month{2}}, ""},

		{"once in months", schedule{Frequency: backup.Once, Months: []time.Month{1}}, "Schedule.Months"},
		{"once by places", schedule{Frequency: backup.Once, NthWeekdays: []nth{{1, 1}}}, "Schedule.NthWeekdays"},
		{"once on days of the month", schedule{Frequency: backup.Once, MonthDays: []int{1}}, "Schedule.MonthDays"},
		{"once by position", schedule{Frequency: backup.Once, SetPos: []int{1}}, "Schedule.SetPos"},
		{"daily by places", schedule{Frequency: backup.Daily, NthWeekdays: []nth{{1, 1}}}, "Schedule.NthWeekdays"},
		{"daily by position", schedule{Frequency: backup.Daily, Weekdays: monday, SetPos: []int{1}}, "Schedule.SetPos"},
		{"daily from Sunday", schedule{Frequency: backup.Daily, WeekStart: backup.FromSunday}, "Schedule.WeekStart"},
		{"monthly from Sunday", schedule{Frequency: backup.Monthly, MonthDay: 1, WeekStart: backup.FromSunday}, "Schedule.WeekStart"},
		{"week start 7", schedule{Frequency: backup.Weekly, Weekdays: monday, WeekStart: backup.FromSunday + 1}, "Schedule.WeekStart"},
		{"weekly by places", schedule{Frequency: backup.Weekly, Weekdays: monday, NthWeekdays: []nth{{1, 1}}}, "Schedule.NthWeekdays"},
		{"weekly on days of the month", schedule{Frequency: backup.Weekly, Weekdays: monday, MonthDays: []int{1}}, "Schedule.MonthDays"},
		{"weekly, position 8", schedule{Frequency: backup.Weekly, Weekdays: monday, SetPos: []int{8}}, "Schedule.SetPos"},
		{"yearly on no day", schedule{Frequency: backup.Yearly, Months: []time.Month{1}}, "Schedule.MonthDays"},
		{"yearly without a gap", schedule{Frequency: backup.Yearly, MonthDay: 1}, "Schedule.MonthDay"},
		{"month 0", schedule{Frequency: backup.Daily, Months: []time.Month{0}}, "Schedule.Months"},
		{"month 13", schedule{Frequency: backup.Daily, Months: []time.Month{13}}, "Schedule.Months"},
		{"a month twice", schedule{Frequency: backup.Daily, Months: []time.Month{2, 2}}, "Schedule.Months"},
		{"day 0", schedule{Frequency: backup.Monthly, MonthDays: []int{0}}, "Schedule.MonthDays"},
		{"day 32", schedule{Frequency: backup.Monthly, MonthDays: []int{32}}, "Schedule.MonthDays"},
		{"day -32", schedule{Frequency: backup.Monthly, MonthDays: []int{-32}}, "Schedule.MonthDays"},
		{"a day twice", schedule{Frequency: backup.Monthly, MonthDays: []int{-1, -1}}, "Schedule.MonthDays"},
		{"place 0", schedule{Frequency: backup.Monthly, NthWeekdays: []nth{{0, 1}}}, "Schedule.NthWeekdays"},
		{"place 6 in the month", schedule{Frequency: backup.Monthly, NthWeekdays: []nth{{6, 1}}}, "Schedule.NthWeekdays"},
		{"place -6 in months", schedule{Frequency: backup.Yearly, Months: []time.Month{1}, NthWeekdays: []nth{{-6, 1}}}, "Schedule.NthWeekdays"},
		{"place 54 in the year", schedule{Frequency: backup.Yearly, NthWeekdays: []nth{{54, 1}}}, "Schedule.NthWeekdays"},
		{"weekday 7", schedule{Frequency: backup.Monthly, NthWeekdays: []nth{{1, 7}}}, "Schedule.NthWeekdays"},
		{"weekday -1", schedule{Frequency: backup.Monthly, NthWeekdays: []nth{{1, -1}}}, "Schedule.NthWeekdays"},
		{"a place twice", schedule{Frequency: backup.Monthly, NthWeekdays: []nth{{1, 1}, {-1, 1}, {1, 1}}}, "Schedule.NthWeekdays"},
		{"position 0", schedule{Frequency: backup.Monthly, Weekdays: monday, SetPos: []int{0}}, "Schedule.SetPos"},
		{"position 32", schedule{Frequency: backup.Monthly, Weekdays: monday, SetPos: []int{32}}, "Schedule.SetPos"},
		{"position -367", schedule{Frequency: backup.Yearly, Weekdays: monday, SetPos: []int{-367}}, "Schedule.SetPos"},
		{"a position twice", schedule{Frequency: backup.Yearly, Weekdays: monday, SetPos: []int{1, 1}}, "Schedule.SetPos"},
		{"two kinds of days", schedule{Frequency: backup.Monthly, MonthDay: 1, MonthDays: []int{2}}, "Schedule.MonthDays"},
		{"a day and places", schedule{Frequency: backup.Monthly, MonthDay: 1, NthWeekdays: []nth{{1, 1}}}, "Schedule.NthWeekdays"},
		{"a day and positions", schedule{Frequency: backup.Monthly, MonthDay: 1, SetPos: []int{1}}, "Schedule.SetPos"},
	}
	for _, tt := range tests {
		err := tt.schedule.Validate()
		if tt.field == "" {
			require.NoError(t, err, tt.name)
			continue
		}
		requireField(t, err, tt.field, tt.name)
		_, ok := tt.schedule.Next(time.Time{})
		assert.False(t, ok, "%s: an invalid schedule occurs", tt.name)
	}
}

func TestScheduleStringRules(t *testing.T) {
	t.Parallel()
	tests := []struct{ rule, want string }{
		{"FREQ=DAILY;BYMONTH=1", "every day in January"},
		{"FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "every Monday, Tuesday, Wednesday, Thursday and Friday"},
		{"FREQ=DAILY;BYDAY=FR;BYMONTH=3,1,2", "every Friday in January, February and March"},
		{"FREQ=DAILY;INTERVAL=2;BYDAY=MO,FR", "every second day, if it is a Monday or a Friday,"},
		{"FREQ=DAILY;BYMONTHDAY=1,16,-1;BYDAY=MO", "every day, if it is the 1st, the 16th or the last day and also a Monday,"},
		{"FREQ=WEEKLY;BYMONTH=7;BYDAY=SU,MO", "every Monday and Sunday in July"},
		{"FREQ=WEEKLY;INTERVAL=2;BYMONTH=7;BYDAY=SU,MO", "every second week on Monday and Sunday in July"},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=FR;WKST=SU", "every second Friday|, weeks begin on Sunday"},
		{"FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=-1;BYMONTH=2", "every week on the last of (Monday and Friday) in February"},
		{"FREQ=MONTHLY;BYMONTHDAY=31", "every month on the 31st if there is one"},
		{"FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "every month on the 31st or the last day"},
		{"FREQ=MONTHLY;BYMONTHDAY=1,16,-1,-2,-5", "every month on the 1st, the 16th, the 5th last day, the second last day and the last day"},
		{"FREQ=MONTHLY;BYMONTH=1,7;BYMONTHDAY=1", "every January and July on the 1st"},
		{"FREQ=MONTHLY;INTERVAL=2;BYMONTH=1,7;BYMONTHDAY=1", "every second month on the 1st in January and July"},
		{"FREQ=MONTHLY;BYDAY=1MO,-1SU,5FR", "every month on the first Monday, the 5th Friday if there is one and the last Sunday"},
		{"FREQ=MONTHLY;BYDAY=WE,-2MO", "every month on every Wednesday and the second last Monday"},
		{"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "every month on the 13th, if it is a Friday,"},
		{"FREQ=MONTHLY;BYMONTHDAY=31,-1;BYSETPOS=1", "every month on the first of (the 31st if there is one and the last day)"},
		{"FREQ=MONTHLY;BYDAY=TU,TH;BYSETPOS=1,-1", "every month on the first and the last of (every Tuesday and every Thursday)"},
		{"FREQ=YEARLY", "every year on the 1st in January"},
		{"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=1TU", "every fourth year on the first Tuesday in November"},
		{"FREQ=YEARLY;BYDAY=20MO,53SU", "every year on the 20th Monday and the 53rd Sunday if there is one"},
		{"FREQ=YEARLY;BYDAY=MO;BYSETPOS=-3", "every year on the third last of (every Monday)"},
	}
	for _, tt := range tests {
		s := parsed(t, tt.rule)
		dates, weeks := tt.want, ""
		for i, c := range tt.want {
			if c == '|' {
				dates, weeks = tt.want[:i], tt.want[i+1:]
			}
		}
		assert.Equal(t, dates+" at 02:30, Europe/Berlin"+weeks, s.String(), tt.rule)
	}
	assert.Equal(t, "yearly", backup.Yearly.String())
	assert.Equal(t, time.Sunday, backup.FromSunday.Weekday())
	assert.Equal(t, time.Monday, backup.FromMonday.Weekday())
}

// Each field is part of what a repeated Submit compares, and the stored request shares no slice with the form.
func TestSubmitKeepsEveryFieldOfASchedule(t *testing.T) {
	t.Parallel()
	f := setup(t)
	form := func() backup.Form {
		return backup.Form{ID: uuid.New(), ServerID: f.server.ID, Schedule: schedule{
			Frequency: backup.Yearly, Months: []time.Month{1, 2}, Weekdays: []time.Weekday{1, 2}, NthWeekdays: []nth{{1, 3}, {2, 4}},
			MonthDays: []int{1, 2, 3}, SetPos: []int{1, 2}, Hour: 2,
		}}
	}
	first := form()
	r, err := f.Submit(t.Context(), f.client, first)
	require.NoError(t, err)
	want := form().Schedule
	s := first.Schedule
	s.Months[0], s.Weekdays[0], s.NthWeekdays[0], s.MonthDays[0], s.SetPos[0] = 9, 6, nth{5, 5}, 9, 9
	stored, err := f.Request(t.Context(), f.client, r.ID)
	require.NoError(t, err)
	got := stored.Form.Schedule
	want.Start, got.Start = time.Time{}, time.Time{}
	assert.Equal(t, want, got, "the request has slices of its own")
	for name, change := range map[string]func(*schedule){
		"Months":      func(s *schedule) { s.Months = s.Months[:1] },
		"Weekdays":    func(s *schedule) { s.Weekdays = s.Weekdays[:1] },
		"NthWeekdays": func(s *schedule) { s.NthWeekdays[1].N = 3 },
		"MonthDays":   func(s *schedule) { s.MonthDays = s.MonthDays[1:] },
		"SetPos":      func(s *schedule) { s.SetPos = nil },
	} {
		again := form()
		again.ID = first.ID
		_, err := f.Submit(t.Context(), f.client, again)
		require.NoError(t, err)
		change(&again.Schedule)
		_, err = f.Submit(t.Context(), f.client, again)
		assert.ErrorIs(t, err, backup.ErrConflict, name)
	}
	weekly := backup.Form{ID: uuid.New(), ServerID: f.server.ID, Schedule: schedule{Frequency: backup.Weekly, Weekdays: []time.Weekday{1}}}
	_, err = f.Submit(t.Context(), f.client, weekly)
	require.NoError(t, err)
	weekly.Schedule.WeekStart = backup.FromSunday
	_, err = f.Submit(t.Context(), f.client, weekly)
	assert.ErrorIs(t, err, backup.ErrConflict)
}

// TestDowntimeOfRules is TestDowntime for schedules that arithmetic does not find.
func TestDowntimeOfRules(t *testing.T) {
	t.Parallel()
	working := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	tests := []struct {
		schedule    schedule
		years       int
		first, last string
		missed      int
		next        string
	}{
		{schedule{Frequency: backup.Daily, Weekdays: working}, 3, "2026-01-02", "2029-01-01", 781, "2029-01-02"},
		{schedule{Frequency: backup.Daily, Weekdays: working}, 2800, "2026-01-02", "4826-01-01", 7*104_355 - 1, "4826-01-02"},
		{schedule{Frequency: backup.Monthly, NthWeekdays: []nth{{1, time.Monday}}}, 3, "2026-01-05", "2029-01-01", 36, "2029-02-05"},
		{schedule{Frequency: backup.Monthly, MonthDays: []int{1, 16}}, 3, "2026-01-16", "2029-01-01", 71, "2029-01-16"},
		{schedule{Frequency: backup.Monthly, Weekdays: working, SetPos: []int{-1}}, 3, "2026-01-30", "2028-12-29", 35, "2029-01-31"},
		{schedule{Frequency: backup.Yearly, Months: []time.Month{2}, MonthDays: []int{29}}, 20, "2028-02-29", "2044-02-29", 4, "2048-02-29"},
		{schedule{Frequency: backup.Daily, Weekdays: working, Count: 100}, 3, "2026-01-02", "2026-05-21", 99, ""},
	}
	for _, tt := range tests {
		t.Run(tt.schedule.String(), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			tt.schedule.Hour = 2
			r := f.submit(t, tt.schedule)
			require.Equal(t, tt.first, f.planned(t, r).At.Format(time.DateOnly))
			coming, err := f.Upcoming(t.Context(), f.client, time.Time{}, time.Time{}, 3)
			require.NoError(t, err)
			require.Len(t, coming, 3)
			assert.Equal(t, texts(firstAfter(tt.schedule, start, 3)), texts([]time.Time{coming[0].At, coming[1].At, coming[2].At}))

			f.clock.Set(start.AddDate(tt.years, 0, 0))
			f.tick(t)
			tasks := f.list(t, backup.TaskQuery{})
			require.Len(t, tasks, 2)
			assert.Equal(t, tt.first, tasks[0].At.Format(time.DateOnly))
			assert.Equal(t, backup.Skipped, tasks[1].State)
			assert.Equal(t, tt.last, tasks[1].At.Format(time.DateOnly))
			assert.Equal(t, tt.missed, tasks[1].Missed)
			_, err = f.Complete(t.Context(), f.reseller, tasks[0].ID, backup.Result{})
			require.NoError(t, err)
			if tt.next != "" {
				assert.Equal(t, tt.next, f.planned(t, r).At.Format(time.DateOnly))
			} else {
				ended, err := f.Request(t.Context(), f.client, r.ID)
				require.NoError(t, err)
				assert.Equal(t, backup.Finished, ended.Ending)
			}
		})
	}
}

// firstAfter returns the first n occurrences after an instant, if the schedule began then.
func firstAfter(s schedule, after time.Time, n int) (times []time.Time) {
	s.Start = after
	for at, ok := s.Next(after); ok && len(times) < n; at, ok = s.Next(at) {
		times = append(times, at)
	}
	return times
}
