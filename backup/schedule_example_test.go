package backup_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/backup"
)

// A backup at 02:30 is made in the night that has no 02:30, and once in the night that has two.
func ExampleSchedule_Next() {
	s := backup.Schedule{
		Frequency: backup.Daily,
		Hour:      2, Minute: 30,
		Zone:  "Europe/Berlin",
		Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, after := range []time.Time{
		time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC),
	} {
		first, _ := s.Next(after)
		second, _ := s.Next(first)
		fmt.Println(first)
		fmt.Println(second)
	}
	// Output:
	// 2026-03-29 03:30:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
	// 2026-10-25 02:30:00 +0200 CEST
	// 2026-10-26 02:30:00 +0100 CET
}

// Day 31 is the last day of shorter months. Next returns false after the end.
func ExampleSchedule_Next_monthly() {
	s := backup.Schedule{
		Frequency: backup.Monthly,
		MonthDay:  31,
		Start:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Count:     3,
	}
	for at, ok := s.Next(s.Start); ok; at, ok = s.Next(at) {
		fmt.Println(at.Format(time.DateOnly))
	}
	// Output:
	// 2026-01-31
	// 2026-02-28
	// 2026-03-31
}

func ExampleSchedule_Validate() {
	s := backup.Schedule{Frequency: backup.Daily, Hour: 25}
	err := s.Validate()
	var e *backup.Error
	if errors.As(err, &e) {
		fmt.Println(e.Field)
	}
	fmt.Println(err)
	fmt.Println(errors.Is(err, backup.ErrInvalid))
	// Output:
	// Schedule.Hour
	// backup: Schedule.Hour: 25 is not from 0 to 23
	// true
}

func ExampleSchedule_String() {
	s := backup.Schedule{
		Frequency: backup.Weekly,
		Interval:  2,
		Weekdays:  []time.Weekday{time.Tuesday},
		Hour:      2, Minute: 30,
		Zone: "Europe/Berlin",
	}
	fmt.Println(s)
	// Output: every second Tuesday at 02:30, Europe/Berlin
}

// An event in a calendar has its first occurrence as DTSTART; Once has no rule.
func ExampleSchedule_RRule() {
	s := backup.Schedule{
		Frequency: backup.Monthly,
		MonthDay:  31,
		Hour:      2, Minute: 30,
		Zone:  "Europe/Berlin",
		Start: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}
	fmt.Println(s.RRule())
	s.Start, _ = s.Next(s.Start.Add(-1))
	fmt.Println(s.Start.Format(time.DateTime), s.RRule())
	// Output:
	// FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;BYHOUR=2;BYMINUTE=30;BYSECOND=0
	// 2026-11-30 02:30:00 FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1
}

func ExampleParseRRule() {
	start := time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC)
	s, err := backup.ParseRRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", start, "Europe/Berlin")
	fmt.Println(s, err)
	s, err = backup.ParseRRule("FREQ=MONTHLY;BYDAY=-1FR", start, "Europe/Berlin")
	fmt.Println(s, err)
	_, err = backup.ParseRRule("FREQ=YEARLY;BYWEEKNO=20", start, "Europe/Berlin")
	fmt.Println(err)
	// Output:
	// every second Tuesday at 02:30, Europe/Berlin <nil>
	// every month on the last Friday at 02:30, Europe/Berlin <nil>
	// backup: BYWEEKNO: a backup schedule supports only FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS, BYHOUR, BYMINUTE, BYSECOND, WKST
}

// The first Monday of each month.
func ExampleSchedule_firstMonday() {
	s := backup.Schedule{
		Frequency:   backup.Monthly,
		NthWeekdays: []backup.NthWeekday{{N: 1, Weekday: time.Monday}},
		Hour:        2,
	}
	show(s, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), 3)
	// Output:
	// every month on the first Monday at 02:00, UTC
	// FREQ=MONTHLY;BYDAY=1MO;BYHOUR=2;BYMINUTE=0;BYSECOND=0
	// Mon 2026-12-07 02:00
	// Mon 2027-01-04 02:00
	// Mon 2027-02-01 02:00
}

// The last working day of each month: the last of its days from Monday to Friday.
func ExampleSchedule_lastWorkingDay() {
	s := backup.Schedule{
		Frequency: backup.Monthly,
		Weekdays:  []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
		SetPos:    []int{-1},
		Hour:      2,
	}
	show(s, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), 3)
	// Output:
	// every month on the last of (every Monday, every Tuesday, every Wednesday, every Thursday and every Friday) at 02:00, UTC
	// FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=2;BYMINUTE=0;BYSECOND=0
	// Fri 2027-01-29 02:00
	// Fri 2027-02-26 02:00
	// Wed 2027-03-31 02:00
}

// The 1st and the 16th of each month.
func ExampleSchedule_twiceAMonth() {
	s := backup.Schedule{Frequency: backup.Monthly, MonthDays: []int{1, 16}, Hour: 2}
	show(s, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), 3)
	// Output:
	// every month on the 1st and the 16th at 02:00, UTC
	// FREQ=MONTHLY;BYMONTHDAY=1,16;BYHOUR=2;BYMINUTE=0;BYSECOND=0
	// Tue 2026-12-01 02:00
	// Wed 2026-12-16 02:00
	// Fri 2027-01-01 02:00
}

// show prints a schedule, its rule, and its first occurrences after an instant.
func show(s backup.Schedule, at time.Time, n int) {
	fmt.Println(s)
	fmt.Println(s.RRule())
	for range n {
		at, _ = s.Next(at)
		fmt.Println(at.Format("Mon 2006-01-02 15:04"))
	}
}

// CountBetween tells how many backups a year has.
func ExampleSchedule_CountBetween() {
	s := backup.Schedule{Frequency: backup.Daily, Weekdays: []time.Weekday{time.Monday, time.Thursday}, Hour: 2}
	n, last := s.CountBetween(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC))
	fmt.Println(n, last.Format(time.DateOnly))
	// Output: 104 2027-12-30
}
