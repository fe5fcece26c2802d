package dedicated_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

func billing(t *testing.T, anchor, zone string, unit dedicated.Unit, count int) dedicated.Billing {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	at, err := time.ParseInLocation("2006-01-02 15:04", anchor, loc)
	require.NoError(t, err)
	return dedicated.Billing{Anchor: at, Cycle: dedicated.Cycle{Unit: unit, Count: count}, Zone: zone, Currency: "EUR", Places: 2}
}

func TestPeriodStarts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		billing dedicated.Billing
		first   int // the index of starts[0]
		starts  []string
	}{
		{
			"monthly from 31 January, common year", billing(t, "2026-01-31 00:00", "Europe/Berlin", dedicated.Month, 1), 0,
			[]string{"2026-01-31T00:00:00+01:00", "2026-02-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00", "2026-04-30T00:00:00+02:00", "2026-05-31T00:00:00+02:00"},
		}, {
			"monthly from 31 January, leap year", billing(t, "2028-01-31 00:00", "UTC", dedicated.Month, 1), 0,
			[]string{"2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"},
		}, {
			"monthly from 30 January", billing(t, "2026-01-30 12:00", "UTC", dedicated.Month, 1), 0,
			[]string{"2026-01-30T12:00:00Z", "2026-02-28T12:00:00Z", "2026-03-30T12:00:00Z"},
		}, {
			"monthly from 29 January, common year", billing(t, "2026-01-29 12:00", "UTC", dedicated.Month, 1), 0,
			[]string{"2026-01-29T12:00:00Z", "2026-02-28T12:00:00Z", "2026-03-29T12:00:00Z"},
		}, {
			"monthly from 29 January, leap year", billing(t, "2028-01-29 12:00", "UTC", dedicated.Month, 1), 0,
			[]string{"2028-01-29T12:00:00Z", "2028-02-29T12:00:00Z", "2028-03-29T12:00:00Z"},
		}, {
			"yearly from 29 February", billing(t, "2024-02-29 00:00", "UTC", dedicated.Year, 1), 0,
			[]string{"2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
		}, {
			"no leap year in 2100", billing(t, "2096-02-29 00:00", "UTC", dedicated.Year, 4), 0,
			[]string{"2096-02-29T00:00:00Z", "2100-02-28T00:00:00Z", "2104-02-29T00:00:00Z"},
		}, {
			"quarterly from 30 November", billing(t, "2026-11-30 08:00", "America/New_York", dedicated.Month, 3), 0,
			[]string{"2026-11-30T08:00:00-05:00", "2027-02-28T08:00:00-05:00", "2027-05-30T08:00:00-04:00", "2027-08-30T08:00:00-04:00"},
		}, {
			"thirty days", billing(t, "2026-03-01 02:30", "Europe/Berlin", dedicated.Day, 30), 0,
			[]string{"2026-03-01T02:30:00+01:00", "2026-03-31T02:30:00+02:00", "2026-04-30T02:30:00+02:00"},
		}, {
			"weekly over the start of summer time", billing(t, "2026-03-22 02:30", "Europe/Berlin", dedicated.Week, 1), 0,
			[]string{"2026-03-22T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-04-05T02:30:00+02:00"},
		}, {
			"weekly over the end of summer time, at a repeated time", billing(t, "2026-10-18 02:30", "Europe/Berlin", dedicated.Week, 1), 0,
			[]string{"2026-10-18T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-11-01T02:30:00+01:00"},
		}, {
			"daily over a missing midnight", billing(t, "2025-09-06 00:00", "America/Santiago", dedicated.Day, 1), 0,
			[]string{"2025-09-06T00:00:00-04:00", "2025-09-07T01:00:00-03:00", "2025-09-08T00:00:00-03:00"},
		}, {
			"daily over a gap of half an hour", billing(t, "2026-10-03 02:15", "Australia/Lord_Howe", dedicated.Day, 1), 0,
			[]string{"2026-10-03T02:15:00+10:30", "2026-10-04T02:45:00+11:00", "2026-10-05T02:15:00+11:00"},
		}, {
			"a thousand years later", billing(t, "2026-01-31 00:00", "Europe/Berlin", dedicated.Month, 1), 12*1000 + 1,
			[]string{"3026-02-28T00:00:00+01:00", "3026-03-31T00:00:00+02:00"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for i, want := range tt.starts {
				p, err := tt.billing.Period(tt.first + i)
				require.NoError(t, err)
				assert.Equal(t, want, p.Start.Format(time.RFC3339))
				if i > 0 {
					before, err := tt.billing.PeriodAt(p.Start.Add(-time.Nanosecond))
					require.NoError(t, err)
					assert.Equal(t, p.Index-1, before.Index)
					assert.True(t, before.End.Equal(p.Start))
				}
				at, err := tt.billing.PeriodAt(p.Start)
				require.NoError(t, err)
				assert.Equal(t, p, at)
			}
		})
	}
}

func TestPeriodAtAnchorAtARepeatedTime(t *testing.T) {
	t.Parallel()
	b := billing(t, "2026-10-01 00:00", "Europe/Berlin", dedicated.Day, 1)
	b.Anchor = time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC) // 02:30 for the second time
	p, err := b.PeriodAt(b.Anchor)
	require.NoError(t, err)
	assert.True(t, p.Start.Equal(b.Anchor))
	assert.Equal(t, "2026-10-26T02:30:00+01:00", p.End.Format(time.RFC3339))
}

func TestPeriodAtRefuses(t *testing.T) {
	t.Parallel()
	good := billing(t, "2026-01-31 00:00", "Europe/Berlin", dedicated.Month, 1)
	with := func(change func(*dedicated.Billing)) dedicated.Billing {
		b := good
		change(&b)
		return b
	}
	tests := []struct {
		name    string
		billing dedicated.Billing
		t       time.Time
		field   string
	}{
		{"before the anchor", good, good.Anchor.Add(-time.Nanosecond), "t"},
		{"the zero time", good, time.Time{}, "t"},
		{"after year 9999", good, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "t"},
		{"no end in year 9999", good, time.Date(9999, 12, 31, 20, 0, 0, 0, time.UTC), "index"},
		{"no anchor", with(func(b *dedicated.Billing) { b.Anchor = time.Time{} }), good.Anchor, "Anchor"},
		{"no unit", with(func(b *dedicated.Billing) { b.Cycle.Unit = 0 }), good.Anchor, "Cycle.Unit"},
		{"no such unit", with(func(b *dedicated.Billing) { b.Cycle.Unit = 5 }), good.Anchor, "Cycle.Unit"},
		{"no count", with(func(b *dedicated.Billing) { b.Cycle.Count = 0 }), good.Anchor, "Cycle.Count"},
		{"a huge count", with(func(b *dedicated.Billing) { b.Cycle.Count = math.MaxInt }), good.Anchor, "Cycle.Count"},
		{"no such zone", with(func(b *dedicated.Billing) { b.Zone = "Mars/Base" }), good.Anchor, "Zone"},
		{"the machine's zone", with(func(b *dedicated.Billing) { b.Zone = "Local" }), good.Anchor, "Zone"},
		{"an anchor out of range", with(func(b *dedicated.Billing) { b.Anchor = time.Date(10000, 2, 1, 0, 0, 0, 0, time.UTC) }), good.Anchor, "Anchor"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.billing.PeriodAt(tt.t)
			require.ErrorIs(t, err, dedicated.ErrInvalid)
			var e *dedicated.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tt.field, e.Field)
		})
	}
	_, err := good.PeriodAt(time.Date(2026, 1, 30, 12, 0, 0, 0, time.UTC))
	assert.EqualError(t, err, "dedicated: 2026-01-30T13:00:00+01:00 is before the first billing period, which begins at 2026-01-31T00:00:00+01:00")
}

// TestPeriodAtDoesNotAllocate is not parallel, because allocations of other tests would count.
func TestPeriodAtDoesNotAllocate(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe"} {
		b := billing(t, "2024-01-31 00:00", zone, dedicated.Month, 1)
		for _, at := range []time.Time{b.Anchor, b.Anchor.AddDate(3, 0, 0), b.Anchor.AddDate(1000, 0, 0)} {
			assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = b.PeriodAt(at) }), "%s at %s", zone, at)
		}
	}
}

func TestPeriodRefuses(t *testing.T) {
	t.Parallel()
	b := billing(t, "2026-01-31 00:00", "Europe/Berlin", dedicated.Month, 1)
	for _, index := range []int{-1, 12 * 8000, math.MaxInt, math.MinInt} {
		_, err := b.Period(index)
		require.ErrorIs(t, err, dedicated.ErrInvalid, index)
	}
	for _, unit := range []dedicated.Unit{dedicated.Day, dedicated.Week, dedicated.Month, dedicated.Year} {
		b.Cycle = dedicated.Cycle{Unit: unit, Count: dedicated.MaxCount}
		for _, index := range []int{3660, 2147484, 3000000} { // also where an int has 32 bits
			_, err := b.Period(index)
			require.ErrorIs(t, err, dedicated.ErrInvalid, "%d times %v", index, b.Cycle)
		}
	}
	_, err := dedicated.Billing{}.Period(0)
	require.ErrorIs(t, err, dedicated.ErrInvalid)
}

func TestPeriodContains(t *testing.T) {
	t.Parallel()
	p, err := billing(t, "2026-11-01 00:00", "Europe/Berlin", dedicated.Month, 1).Period(0)
	require.NoError(t, err)
	assert.True(t, p.Contains(p.Start))
	assert.True(t, p.Contains(p.End.Add(-1)))
	assert.False(t, p.Contains(p.End))
	assert.False(t, p.Contains(p.Start.Add(-1)))
}

func TestBillingValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, currency string
		places         int32
		field          string // "": valid
	}{
		{"euros", "EUR", 2, ""},
		{"dinars", "KWD", 3, ""},
		{"yen have no decimals", "JPY", 0, ""},
		{"the decimals of the standard", "EUR", 0, ""},
		{"whole forints", "HUF", -1, ""},
		{"fewer than the standard's", "KWD", 2, ""},
		{"yen, none at all", "JPY", -1, ""},
		{"unidades de fomento", "CLF", 4, ""},
		{"a currency of the host's own", "XXX", 8, ""},
		{"a currency of the host's own, none at all", "PTS", -1, ""},
		{"yen with sen", "JPY", 2, "Places"},
		{"euros with mills", "EUR", 3, "Places"},
		{"more than there are", "KWD", 4, "Places"},
		{"a currency of the host's own that does not say", "PTS", 0, "Places"},
		{"gold has no minor unit", "XAU", 0, "Places"},
		{"below none", "EUR", -2, "Places"},
		{"too many places", "EUR", 9, "Places"},
		{"too many places of a currency of the host's own", "PTS", 9, "Places"},
		{"below none of a currency of the host's own", "PTS", -2, "Places"},
		{"no currency", "", 2, "Currency"},
		{"small letters", "eur", 2, "Currency"},
		{"a currency sign", "€", 2, "Currency"},
		{"four letters", "EURO", 2, "Currency"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := billing(t, "2026-01-31 00:00", "UTC", dedicated.Month, 1)
			b.Currency, b.Places = tt.currency, tt.places
			err := b.Validate()
			if tt.field == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, dedicated.ErrInvalid)
			var e *dedicated.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tt.field, e.Field)
		})
	}
	require.ErrorIs(t, dedicated.Billing{Currency: "EUR", Places: 2}.Validate(), dedicated.ErrInvalid)
}

// FuzzPeriods: periods follow each other without gap or overlap, and PeriodAt(p.Start) is p.
func FuzzPeriods(f *testing.F) {
	zones := []string{
		"", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu",
		"Africa/Casablanca", "Pacific/Kiritimati", "Europe/Dublin", "America/St_Johns",
	}
	f.Add(int64(1_769_814_000), uint32(86_400*45), uint8(1), uint8(3), uint16(1))
	f.Add(int64(1_709_164_800), uint32(math.MaxUint32), uint8(0), uint8(4), uint16(1))
	f.Add(int64(1_757_131_200), uint32(86_400), uint8(3), uint8(1), uint16(1))
	f.Fuzz(func(t *testing.T, anchor int64, later uint32, zone, unit uint8, count uint16) {
		b := dedicated.Billing{
			Anchor: time.Unix(anchor%100_000_000_000, 0).UTC(),
			Cycle:  dedicated.Cycle{Unit: dedicated.Unit(unit%4 + 1), Count: int(count)%dedicated.MaxCount + 1},
			Zone:   zones[int(zone)%len(zones)],
		}
		at := b.Anchor.Add(time.Duration(later) * 7 * time.Second)
		p, err := b.PeriodAt(at)
		if err != nil {
			require.ErrorIs(t, err, dedicated.ErrInvalid)
			return
		}
		require.True(t, p.Contains(at), "%v is not in %v", at, p)
		again, err := b.PeriodAt(p.Start)
		require.NoError(t, err)
		require.Equal(t, p, again)
		byIndex, err := b.Period(p.Index)
		require.NoError(t, err)
		require.Equal(t, p, byIndex)
		if next, err := b.Period(p.Index + 1); err == nil {
			require.True(t, next.Start.Equal(p.End) && next.End.After(next.Start), "%v then %v", p, next)
		}
		if p.Index > 0 {
			before, err := b.PeriodAt(p.Start.Add(-1))
			require.NoError(t, err)
			require.True(t, before.End.Equal(p.Start) && before.Index == p.Index-1, "%v before %v", before, p)
		}
	})
}

func BenchmarkPeriodAt(b *testing.B) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Santiago"} {
		billing := dedicated.Billing{
			Anchor: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Zone: zone,
		}
		for name, at := range map[string]time.Time{
			"now":      time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
			"year3000": time.Date(3000, 11, 24, 12, 0, 0, 0, time.UTC),
		} {
			b.Run(zone+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := billing.PeriodAt(at); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
