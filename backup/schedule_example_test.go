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
	_, err = backup.ParseRRule("FREQ=MONTHLY;BYDAY=-1FR", start, "Europe/Berlin")
	fmt.Println(err)
	// Output:
	// every second Tuesday at 02:30, Europe/Berlin <nil>
	// backup: BYDAY: only a weekly rule may have it, this one is monthly
}
