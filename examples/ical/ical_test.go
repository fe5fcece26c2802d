package ical_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/examples/ical"
)

func id(n int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-%012d", n)) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// request returns a live request whose next occurrence has a task already.
func request(n int, s backup.Schedule) backup.Request {
	at, _ := s.Next(now)
	return backup.Request{
		ID: id(n), ServerID: id(100 + n), ServerName: "web-07", Form: backup.Form{What: "the database; all of it", Schedule: s},
		Planned: at.UTC(), Recorded: at.UTC(),
	}
}

// writeAndParse writes a calendar and parses it.
func writeAndParse(t *testing.T, c ical.Calendar) *ics.Calendar {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, ical.Write(&b, c, now))
	for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\r\n"), "\r\n") {
		assert.LessOrEqual(t, len(line), 75, "RFC 5545, section 3.1")
		assert.NotContains(t, line, "\n")
		assert.NotEmpty(t, line)
	}
	cal, err := ics.ParseCalendar(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	return cal
}

func event(t *testing.T, cal *ics.Calendar, id uuid.UUID) *ics.VEvent {
	t.Helper()
	for _, e := range cal.Events() {
		if e.Id() == id.String() {
			return e
		}
	}
	t.Fatalf("no event %s", id)
	return nil
}

func value(e *ics.VEvent, p ics.ComponentProperty) string {
	if found := e.GetProperty(p); found != nil {
		return found.Value
	}
	return ""
}

// occurrences returns the first occurrences of an event, by another library.
func occurrences(t *testing.T, e *ics.VEvent, limit int) []time.Time {
	t.Helper()
	start, err := e.GetStartAt()
	require.NoError(t, err)
	rule := value(e, ics.ComponentPropertyRrule)
	if rule == "" {
		return []time.Time{start}
	}
	option, err := rrule.StrToROptionInLocation(rule, start.Location())
	require.NoError(t, err)
	option.Dtstart = start
	r, err := rrule.NewRRule(*option)
	require.NoError(t, err)
	var all []time.Time
	next := r.Iterator()
	for at, ok := next(); ok && len(all) < limit; at, ok = next() {
		all = append(all, at)
	}
	return all
}

// TestRules compares the occurrences of the calendar with those of the schedule.
func TestRules(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]backup.Schedule{
		"daily":            {Frequency: backup.Daily, Hour: 3, Minute: 15, Zone: "Europe/Berlin"},
		"every third day":  {Frequency: backup.Daily, Interval: 3, Hour: 23, Zone: "America/Santiago"},
		"weekly":           {Frequency: backup.Weekly, Interval: 2, Weekdays: []time.Weekday{time.Monday, time.Sunday}, Hour: 4},
		"monthly":          {Frequency: backup.Monthly, MonthDay: 15, Hour: 1, Zone: "Asia/Kathmandu"},
		"the 31st":         {Frequency: backup.Monthly, MonthDay: 31, Hour: 4, Zone: "Europe/Berlin"},
		"the 30th":         {Frequency: backup.Monthly, MonthDay: 30, Hour: 4, Zone: "Europe/Berlin"},
		"the last day":     {Frequency: backup.Monthly, MonthDay: -1, Interval: 2, Hour: 4, Zone: "Europe/Berlin"},
		"two days":         {Frequency: backup.Monthly, MonthDays: []int{1, 16}, Hour: 4, Zone: "Europe/Berlin"},
		"only the 31st":    {Frequency: backup.Monthly, MonthDays: []int{31}, Hour: 4, Count: 20},
		"the first Monday": {Frequency: backup.Monthly, NthWeekdays: []backup.NthWeekday{{N: 1, Weekday: time.Monday}}, Hour: 4, Zone: "America/Santiago"},
		"the last working day": {
			Frequency: backup.Monthly, Weekdays: []time.Weekday{1, 2, 3, 4, 5}, SetPos: []int{-1}, Hour: 4, Count: 30,
		},
		"working days":      {Frequency: backup.Daily, Weekdays: []time.Weekday{1, 2, 3, 4, 5}, Hour: 4, Count: 1000},
		"weeks from Sunday": {Frequency: backup.Weekly, Interval: 2, WeekStart: backup.FromSunday, Weekdays: []time.Weekday{0, 2}, Hour: 4, Count: 19},
		"every year":        {Frequency: backup.Yearly, Months: []time.Month{2}, MonthDays: []int{29}, Hour: 4, Zone: "Europe/Berlin"},
		"a week of the year": {
			Frequency: backup.Yearly, NthWeekdays: []backup.NthWeekday{{N: 20, Weekday: time.Monday}}, Interval: 3, Hour: 4, Until: now.AddDate(20, 0, 0),
		},
		"a count":             {Frequency: backup.Daily, Hour: 4, Count: 80},
		"until":               {Frequency: backup.Daily, Hour: 4, Until: now.AddDate(0, 0, 9)},
		"the last of a count": {Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Friday}, Hour: 4, Count: 11},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			r := request(1, s)
			cal := writeAndParse(t, ical.Calendar{Requests: []backup.Request{r}})
			var want []time.Time
			for at, ok := s.Next(r.Recorded); ok && len(want) < 40; at, ok = s.Next(at) {
				want = append(want, at)
			}
			got := occurrences(t, event(t, cal, r.ID), 40)
			require.Len(t, got, len(want))
			for i := range want {
				require.True(t, want[i].Equal(got[i]), "%v, want %v", got[i], want[i])
			}
		})
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	end := now.AddDate(0, 0, 5)
	for name, s := range map[string]backup.Schedule{
		"without an end":            {Frequency: backup.Daily, Hour: 2},
		"with a count":              {Frequency: backup.Daily, Hour: 2, Count: 100},
		"with a count that is done": {Frequency: backup.Daily, Hour: 2, Count: 62},
		"with a late end":           {Frequency: backup.Daily, Hour: 2, Until: now.AddDate(1, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			r := request(1, s)
			cal := writeAndParse(t, ical.Calendar{Requests: []backup.Request{r}, Ends: map[uuid.UUID]time.Time{r.ServerID: end}})
			var want []time.Time
			for at, ok := s.Next(r.Recorded); ok && at.Before(end); at, ok = s.Next(at) {
				want = append(want, at)
			}
			assert.Equal(t, len(want), len(occurrences(t, event(t, cal, r.ID), 100)))
		})
	}
	r := request(1, backup.Schedule{Frequency: backup.Daily, Hour: 2, Start: now})
	cal := writeAndParse(t, ical.Calendar{Requests: []backup.Request{r}, Ends: map[uuid.UUID]time.Time{r.ServerID: r.Planned}})
	assert.Empty(t, cal.Events())
}

func TestTasks(t *testing.T) {
	t.Parallel()
	r := request(1, backup.Schedule{Frequency: backup.Daily, Hour: 2, Minute: 30, Zone: "Europe/Berlin", Start: now})
	at := time.Date(2026, 3, 28, 1, 30, 0, 0, time.UTC)
	task := backup.Task{ServerName: "web-07", RequestID: r.ID, At: at}
	tests := []struct {
		change  func(*backup.Task)
		summary string
		status  ics.ObjectStatus
	}{
		{func(t *backup.Task) { t.State = backup.Pending }, "Backup of web-07: pending", ics.ObjectStatusTentative},
		{func(t *backup.Task) { t.State, t.Overdue = backup.Pending, true }, "Backup of web-07: overdue", ics.ObjectStatusTentative},
		{func(t *backup.Task) { t.State, t.WillNotRun = backup.Pending, true }, "Backup of web-07: will not run", ics.ObjectStatusCancelled},
		{func(t *backup.Task) { t.State = backup.Completed }, "Backup of web-07: completed", ics.ObjectStatusConfirmed},
		{func(t *backup.Task) { t.State = backup.Failed }, "Backup of web-07: failed", ics.ObjectStatusCancelled},
		{func(t *backup.Task) { t.State, t.Missed = backup.Skipped, 7 }, "Backup of web-07: skipped, the last of 7", ics.ObjectStatusCancelled},
	}
	c := ical.Calendar{Requests: []backup.Request{r}}
	for n, tt := range tests {
		one := task
		one.ID = id(10 + n)
		tt.change(&one)
		c.Tasks = append(c.Tasks, one)
	}
	cal := writeAndParse(t, c)
	for n, tt := range tests {
		e := event(t, cal, id(10+n))
		assert.Equal(t, tt.summary, value(e, ics.ComponentPropertySummary))
		assert.Equal(t, string(tt.status), value(e, ics.ComponentPropertyStatus))
		assert.Equal(t, "20260328T023000", value(e, ics.ComponentPropertyDtStart), "in the zone of its request")
		got, err := e.GetStartAt()
		require.NoError(t, err)
		assert.True(t, at.Equal(got))
	}
}

// TestHostileText shows that a text with line breaks cannot start a new line of the calendar.
func TestHostileText(t *testing.T) {
	t.Parallel()
	r := request(1, backup.Schedule{Frequency: backup.Daily, Hour: 2, Start: now})
	r.ServerName = "web-07\r\nDTSTART:20300101T000000Z\r\nX:\\n;, " + strings.Repeat("ö", 100)
	r.Form.Note = "BEGIN:VALARM\nEND:VEVENT"
	cal := writeAndParse(t, ical.Calendar{Name: "a\nb", Requests: []backup.Request{r}})
	require.Len(t, cal.Events(), 1)
	e := event(t, cal, r.ID)
	assert.Len(t, e.GetProperties(ics.ComponentPropertyDtStart), 1)
	assert.Contains(t, value(e, ics.ComponentPropertyDescription), "BEGIN:VALARM\nEND:VEVENT")
	assert.Empty(t, e.Components)
}

// TestZones compares the definition of a zone with the zone, hour by hour.
func TestZones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "America/Santiago", "Europe/Dublin", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		r := request(1, backup.Schedule{Frequency: backup.Daily, Hour: 2, Zone: name, Start: now})
		cal := writeAndParse(t, ical.Calendar{Requests: []backup.Request{r}})
		require.Len(t, cal.Timezones(), 1)
		observances := observancesOf(t, cal.Timezones()[0])
		for hour := range 5 * 365 * 24 {
			at := r.Planned.Add(time.Duration(hour) * time.Hour)
			_, want := at.In(loc).Zone()
			require.Equal(t, want, offsetAt(observances, at), "%s at %v", name, at)
		}
	}
}

// observance is a period in which a zone has one offset.
type observance struct {
	onset  time.Time
	offset int
}

func observancesOf(t *testing.T, z *ics.VTimezone) []observance {
	t.Helper()
	var all []observance
	for _, c := range z.Components {
		fields := map[string]string{}
		for _, p := range c.UnknownPropertiesIANAProperties() {
			fields[p.IANAToken] = p.Value
		}
		onset, err := time.Parse("20060102T150405", fields["DTSTART"])
		require.NoError(t, err)
		from := time.Duration(seconds(t, fields["TZOFFSETFROM"])) * time.Second
		all = append(all, observance{onset.Add(-from), seconds(t, fields["TZOFFSETTO"])})
	}
	return all
}

// offsetAt returns the offset at an instant: that of the observance with the latest onset that is not after it (RFC 5545, section
// 3.6.5).
func offsetAt(observances []observance, at time.Time) int {
	var latest observance
	for _, o := range observances {
		if !o.onset.After(at) && o.onset.After(latest.onset) {
			latest = o
		}
	}
	return latest.offset
}

func seconds(t *testing.T, offset string) int {
	t.Helper()
	d, err := time.Parse("-0700", offset)
	require.NoError(t, err)
	_, s := d.Zone()
	return s
}

func Example() {
	r := request(1, backup.Schedule{Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Sunday}, Hour: 4, Start: now})
	var b strings.Builder
	err := ical.Write(&b, ical.Calendar{Name: "Backups", Requests: []backup.Request{r}}, now)
	fmt.Print(strings.ReplaceAll(b.String(), "\r\n", "\n"))
	fmt.Println(err)
	// Output:
	// BEGIN:VCALENDAR
	// VERSION:2.0
	// PRODID:-//metalkeep//backups//EN
	// METHOD:PUBLISH
	// NAME:Backups
	// X-WR-CALNAME:Backups
	// BEGIN:VEVENT
	// UID:00000000-0000-4000-8000-000000000001
	// DTSTAMP:20260301T120000Z
	// TRANSP:TRANSPARENT
	// DTSTART:20260315T040000Z
	// RRULE:FREQ=WEEKLY;BYDAY=SU
	// SUMMARY:Backup of web-07
	// DESCRIPTION:the database\; all of it\nevery Sunday at 04:00\, UTC
	// STATUS:CONFIRMED
	// END:VEVENT
	// END:VCALENDAR
	// <nil>
}
