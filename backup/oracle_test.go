package backup_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// oracleZones have had whole minutes as offsets since 1975. Together they have every kind of change: no daylight saving, or half
// an hour, one hour or two hours of it, gaps at midnight, four changes a year, a negative summer time, and missing dates.
func oracleZones() []string {
	return []string{
		"", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia",
		"Africa/Casablanca", "Asia/Kathmandu", "Antarctica/Troll", "Asia/Gaza", "Africa/Cairo", "Asia/Tehran",
		"Europe/Dublin", "Pacific/Kiritimati", "Pacific/Kwajalein", "America/Havana", "Asia/Beirut", "America/St_Johns",
		"Atlantic/Azores", "America/Asuncion", "Asia/Pyongyang", "America/Caracas",
	}
}

// walk finds a schedule's occurrences before an end in the simplest way: it reads the local clock minute by minute. It asks the
// schedule about each minute that the clock shows for the first time, and about each minute that the clock skips. A skipped
// minute occurs as long after the gap as it is after the last minute before the gap.
func walk(t *testing.T, s backup.Schedule, end time.Time) []time.Time {
	t.Helper()
	loc, err := time.LoadLocation(s.Zone)
	require.NoError(t, err)
	from := s.Start.Add(-72 * time.Hour).Truncate(time.Minute)
	shownBefore := onWall(from, loc)
	highest := shownBefore
	var found []time.Time
	for at := from.Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
		shown := onWall(at, loc)
		for w := highest.Add(time.Minute); !w.After(shown); w = w.Add(time.Minute) {
			if w.Hour() == s.Hour && w.Minute() == s.Minute && means(s, w, onWall(s.Start, loc)) {
				moved := at
				if w.Before(shown) {
					moved = at.Add(w.Sub(shownBefore) - time.Minute)
				}
				found = append(found, moved)
			}
			highest = w
		}
		shownBefore = shown
	}
	slices.SortFunc(found, time.Time.Compare)
	return ended(s, found)
}

// onWall returns the local time as if it were in UTC.
func onWall(t time.Time, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// means reports whether w is on a date of the schedule. It ignores Start's time of day, Until and Count.
func means(s backup.Schedule, w, start time.Time) bool {
	if s.Frequency == backup.Yearly || len(s.Months)+len(s.NthWeekdays)+len(s.MonthDays)+len(s.SetPos) > 0 ||
		s.Frequency != backup.Weekly && len(s.Weekdays) > 0 || s.WeekStart != backup.FromMonday {
		return onRule(s, w, start)
	}
	monday := func(t time.Time) time.Time { return date(t).AddDate(0, 0, -(int(t.Weekday())+6)%7) }
	whole := func(n int) bool { return n%max(s.Interval, 1) == 0 }
	switch s.Frequency {
	case backup.Once:
		return date(w).Equal(date(start))
	case backup.Daily:
		return whole(int(date(w).Sub(date(start)).Hours()) / 24)
	case backup.Weekly:
		return slices.Contains(s.Weekdays, w.Weekday()) && whole(int(monday(w).Sub(monday(start)).Hours())/24/7)
	default:
		lastOfMonth := w.AddDate(0, 0, 1).Day() == 1
		fits := w.Day() == s.MonthDay || lastOfMonth && (s.MonthDay == -1 || s.MonthDay > w.Day())
		return fits && whole((w.Year()-start.Year())*12+int(w.Month())-int(start.Month()))
	}
}

// ended applies Start, Count and Until, and merges two occurrences at the same instant.
func ended(s backup.Schedule, found []time.Time) []time.Time {
	var out []time.Time
	for _, at := range found {
		if s.Frequency != backup.Once && at.Before(s.Start) || !s.Until.IsZero() && at.After(s.Until) {
			continue
		}
		out = append(out, at)
	}
	if s.Count > 0 && len(out) > s.Count {
		out = out[:s.Count]
	}
	return slices.CompactFunc(out, time.Time.Equal)
}

// following collects the results of Next before an end.
func following(s backup.Schedule, after, end time.Time) []time.Time {
	var out []time.Time
	for at, ok := s.Next(after); ok && at.Before(end); at, ok = s.Next(at) {
		out = append(out, at)
	}
	return out
}

// sample turns numbers into a valid schedule, and a length of walk that contains some occurrences.
func sample(zone, frequency, interval, days, hour, minute, end uint8, start int64) (s backup.Schedule, length time.Duration) {
	const from, to = 157_766_400, 2_840_140_800 // the years 1975 to 2059
	s = backup.Schedule{
		Frequency: backup.Once + backup.Frequency(frequency%4),
		Hour:      int(hour % 24), Minute: int(minute % 60),
		Zone:  oracleZones()[int(zone)%len(oracleZones())],
		Start: time.Unix(from+((start%(to-from))+(to-from))%(to-from), 0).UTC(),
	}
	length = 30 * 24 * time.Hour
	switch s.Frequency {
	case backup.Daily:
		s.Interval = int(interval % 9)
	case backup.Weekly:
		s.Interval = int(interval % 4)
		for day := time.Sunday; day <= time.Saturday; day++ {
			if days&(1<<day) != 0 || days&127 == 0 && day == time.Friday {
				s.Weekdays = append(s.Weekdays, day)
			}
		}
	case backup.Monthly:
		s.Interval = int(interval % 4)
		if s.MonthDay = int(days % 32); s.MonthDay == 0 {
			s.MonthDay = -1
		}
		length *= 4
	}
	if s.Frequency != backup.Once {
		switch end % 4 {
		case 1:
			s.Count = 1 + int(end/4)
		case 2:
			s.Until = s.Start.Add(time.Duration(end/4) * 13 * time.Hour)
		}
	}
	return s, length
}

// sameAsWalk compares Next with the walk, from each occurrence to the next and from an instant in the middle.
func sameAsWalk(t *testing.T, s backup.Schedule, length, middle time.Duration) {
	t.Helper()
	require.NoError(t, s.Validate())
	end := s.Start.Add(length)
	want := walk(t, s, end)
	got := following(s, s.Start.Add(-48*time.Hour), end)
	require.Equal(t, texts(want), texts(got), "%s from %s: %+v", s, s.Start, s)

	after := s.Start.Add(middle % length)
	at, ok := s.Next(after)
	i := slices.IndexFunc(want, func(w time.Time) bool { return w.After(after) })
	if i >= 0 {
		require.True(t, ok && at.Equal(want[i]), "%s after %s: %s, want %s", s, after, at, want[i])
	} else {
		require.False(t, ok && at.Before(end), "%s after %s: %s, want none", s, after, at)
	}
}

func texts(times []time.Time) []string {
	out := make([]string, len(times))
	for i, at := range times {
		out[i] = at.UTC().Format(time.RFC3339)
	}
	return out
}

func TestNextAgainstWalk(t *testing.T) {
	t.Parallel()
	for zone := range oracleZones() {
		t.Run(oracleZones()[zone], func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(zone), 5545))
			num := func() uint8 { return uint8(r.Uint32()) }
			for range 5 {
				s, length := sample(uint8(zone), num(), num(), num(), num(), num(), num(), r.Int64())
				sameAsWalk(t, s, length, time.Duration(r.Int64N(int64(length))))
			}
		})
	}
}

// Schedules are most likely to be wrong around changes of offset. Each change is tested at the hours near it.
func TestNextAgainstWalkAroundChanges(t *testing.T) {
	t.Parallel()
	for zone, name := range oracleZones() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc, err := time.LoadLocation(name)
			require.NoError(t, err)
			r := rand.New(rand.NewPCG(uint64(zone), 3))
			at := time.Date(1975, 1, 1, 0, 0, 0, 0, loc)
			for range 24 {
				_, change := at.ZoneBounds()
				if change.IsZero() || change.Year() > 2060 {
					return
				}
				at = change
				wall := change.Add(-time.Second).In(loc)
				s := backup.Schedule{Frequency: backup.Daily, Zone: name, Minute: 30 * r.IntN(2)}
				s.Hour = (wall.Hour() + r.IntN(4) + 23) % 24
				s.Start = change.Add(-time.Duration(r.IntN(3 * int(24*time.Hour)))).Truncate(time.Minute)
				if r.IntN(3) == 0 {
					s.Interval, s.Count = 1+r.IntN(2), 1+r.IntN(4)
				}
				sameAsWalk(t, s, 6*24*time.Hour, change.Sub(s.Start)+time.Duration(r.IntN(120)-60)*time.Minute)
			}
		})
	}
}

func FuzzNextAgainstWalk(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(1), uint8(0), uint8(2), uint8(30), uint8(0), int64(1_616_716_800), int64(time.Hour))
	f.Add(uint8(5), uint8(1), uint8(1), uint8(0), uint8(12), uint8(0), uint8(13), int64(1_325_030_400-157_766_400), int64(time.Hour))
	f.Add(uint8(3), uint8(2), uint8(2), uint8(65), uint8(0), uint8(0), uint8(2), int64(1_600_000_000), int64(0))
	f.Add(uint8(6), uint8(3), uint8(3), uint8(31), uint8(2), uint8(59), uint8(5), int64(1_700_000_000), int64(9e15))
	f.Fuzz(func(t *testing.T, zone, frequency, interval, days, hour, minute, end uint8, start, middle int64) {
		s, length := sample(zone, frequency, interval, days, hour, minute, end, start)
		sameAsWalk(t, s, length, time.Duration(max(middle, -middle, 0)))
	})
}
