package zone_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"} {
		loc, err := zone.Load(name)
		require.NoError(t, err, name)
		again, err := zone.Load(name)
		require.NoError(t, err, name)
		assert.Same(t, loc, again, name)
	}
	for _, name := range []string{
		"Local", "localtime", "/etc/localtime", "../zoneinfo/Europe/Berlin", "Europe//Berlin", "Europe/", "/Europe",
		"Mars/Olympus", "Europe/Berlin\x00", "Europe\\Berlin", "Zürich", " Europe/Berlin",
		"posix/Europe/Berlin", "right/Europe/Berlin", "posixrules",
	} {
		_, err := zone.Load(name)
		require.ErrorIs(t, err, fault.ErrInvalid, name)
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	assert.True(t, zone.Instant(time.Time{}).IsZero())
	at := time.Date(2026, 7, 1, 12, 0, 0, 123456789, time.FixedZone("", 7200))
	assert.Equal(t, time.Date(2026, 7, 1, 10, 0, 0, 123456000, time.UTC), zone.Instant(at))
}

func TestWallIn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, zone, wall, want string
	}{
		{"no change of the offset", "Europe/Berlin", "2026-11-24 12:00", "2026-11-24T12:00:00+01:00"},
		{"before the gap", "Europe/Berlin", "2026-03-29 01:59", "2026-03-29T01:59:00+01:00"},
		{"in the gap", "Europe/Berlin", "2026-03-29 02:30", "2026-03-29T03:30:00+02:00"},
		{"after the gap", "Europe/Berlin", "2026-03-29 03:00", "2026-03-29T03:00:00+02:00"},
		{"in the fold", "Europe/Berlin", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00"},
		{"after the fold", "Europe/Berlin", "2026-10-25 03:00", "2026-10-25T03:00:00+01:00"},
		{"missing midnight", "America/Santiago", "2025-09-07 00:00", "2025-09-07T01:00:00-03:00"},
		{"half an hour, gap", "Australia/Lord_Howe", "2026-10-04 02:10", "2026-10-04T02:40:00+11:00"},
		{"half an hour, fold", "Australia/Lord_Howe", "2026-04-05 01:40", "2026-04-05T01:40:00+11:00"},
		{"a skipped date", "Pacific/Apia", "2011-12-30 12:00", "2011-12-31T12:00:00+14:00"},
		{"in a thousand years", "America/New_York", "3026-03-12 02:30", "3026-03-12T03:30:00-04:00"},
		{"the last day of a leap year", "Europe/Berlin", "2040-12-31 12:00", "2040-12-31T12:00:00+01:00"},
		{"the last day of a leap year, south", "America/Santiago", "2044-12-31 23:30", "2044-12-31T23:30:00-03:00"},
		{"local mean time", "Europe/Berlin", "1700-01-01 00:00", "1700-01-01T00:00:00+00:53"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			loc, err := zone.Load(tt.zone)
			require.NoError(t, err)
			got := wall(t, tt.wall).In(loc)
			want, err := time.Parse(time.RFC3339, tt.want)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got.Format(time.RFC3339))
			assert.WithinDuration(t, want, got, time.Minute) // local mean time has seconds, which RFC 3339 drops
		})
	}
}

func wall(t *testing.T, s string) zone.Wall {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", s)
	require.NoError(t, err)
	return zone.WallOf(at, time.UTC)
}

func TestAddMonths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from string
		n    int
		want string
	}{
		{"2026-01-31 08:00", 1, "2026-02-28 08:00"},
		{"2024-01-31 08:00", 1, "2024-02-29 08:00"},
		{"2026-01-31 08:00", 2, "2026-03-31 08:00"},
		{"2026-11-30 08:00", 3, "2027-02-28 08:00"},
		{"2026-03-31 08:00", -1, "2026-02-28 08:00"},
		{"2026-01-15 08:00", -13, "2024-12-15 08:00"},
	}
	for _, tt := range tests {
		assert.Equal(t, wall(t, tt.want), wall(t, tt.from).AddMonths(tt.n), "%s %+d", tt.from, tt.n)
	}
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	for day := zone.Days(1500, 1, 1); day < zone.Days(3100, 1, 1); day++ {
		want := time.Unix(day*86400, 0).UTC()
		y, m, d := zone.Civil(day)
		wy, wm, wd := want.Date()
		if y != wy || m != wm || d != wd || zone.Days(y, m, d) != day {
			t.Fatalf("day %d: %d-%d-%d, want %v", day, y, m, d, want)
		}
		if d == 1 && zone.DaysIn(y, m) != want.AddDate(0, 1, -1).Day() {
			t.Fatalf("%d-%d has %d days", y, m, zone.DaysIn(y, m))
		}
	}
	assert.Equal(t, zone.Days(2027, 1, 1), zone.Days(2026, 13, 1))
	assert.Equal(t, zone.Days(2026, 2, 1), zone.Days(2026, 1, 32))
}

// FuzzWallIn compares InSpan with a search that uses no spans. The result must be the first instant with that local time. For a
// skipped local time the result must have a later local time.
func FuzzWallIn(f *testing.F) {
	zones := []string{
		"Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "America/New_York",
	}
	f.Add(int64(1_774_751_400), uint8(0))
	f.Add(int64(1_757_203_200), uint8(1))
	f.Add(int64(32_503_680_000), uint8(6))
	f.Add(int64(2_240_524_800), uint8(0))
	f.Fuzz(func(t *testing.T, local int64, n uint8) {
		local = local % 100_000_000_000 / 60 * 60
		loc, err := zone.Load(zones[int(n)%len(zones)])
		require.NoError(t, err)
		w := zone.WallOf(time.Unix(local, 0), time.UTC)
		got, span := w.InSpan(loc, zone.Span{})
		withHint, _ := w.InSpan(loc, span)
		require.True(t, got.Equal(withHint), "the hint changes %v to %v", got, withHint)

		offsets := map[int]bool{}
		for h := -27; h <= 27; h++ {
			_, off := time.Unix(local+int64(h)*3600, 0).In(loc).Zone()
			offsets[off] = true
		}
		var want time.Time
		for off := range offsets {
			at := time.Unix(local-int64(off), 0).In(loc)
			if zone.WallOf(at, loc) == w && (want.IsZero() || at.Before(want)) {
				want = at
			}
		}
		if !want.IsZero() {
			require.True(t, want.Equal(got), "%v: got %v, want %v", w, got, want)
			return
		}
		shown := zone.WallOf(got, loc)
		require.True(t, shown.In(time.UTC).After(w.In(time.UTC)), "%v was skipped, %v is not later", w, shown)
	})
}

func BenchmarkWallIn(b *testing.B) {
	loc, err := zone.Load("Europe/Berlin")
	require.NoError(b, err)
	w := zone.Wall{Year: 2026, Month: 11, Day: 24, OfDay: 12 * time.Hour}
	b.ReportAllocs()
	for b.Loop() {
		w.In(loc)
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	name := string([]byte("Europe/Berlin"))
	for b.Loop() {
		if _, err := zone.Load(name); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEarlier(t *testing.T) {
	t.Parallel()
	never, first, second := time.Time{}, time.Unix(1, 0), time.Unix(2, 0)
	assert.Equal(t, first, zone.Earlier(first, second))
	assert.Equal(t, first, zone.Earlier(second, first))
	assert.Equal(t, first, zone.Earlier(never, first))
	assert.Equal(t, first, zone.Earlier(first, never))
	assert.Zero(t, zone.Earlier(never, never))
}
