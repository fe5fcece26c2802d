package refund_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// The examples come from the manual of the original system and from other billing systems.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	flat := november("8.00")
	flat.Label, flat.Kind = "licence", refund.Flat
	may := refund.Charge{Label: "server", Paid: amount("66.65"), Start: day(2012, time.May, 1), End: day(2012, time.May, 9)}
	february := refund.Charge{Label: "server", Paid: amount("100.00"), Start: day(2028, time.February, 1), End: day(2028, time.March, 1)}
	tests := []struct {
		name    string
		formula refund.Formula
		at      time.Time
		charge  refund.Charge
		want    string
	}{
		{"3.00 at 10 percent on 10 November", refund.Prorated{Percent: percent("10")}, day(2026, time.November, 10), november("3.00"), "0.20"},
		{"3.00 in full on 10 November", refund.Prorated{}, day(2026, time.November, 10), november("3.00"), "2.00"},
		{"a monthly flat charge at 25 percent", refund.Prorated{Percent: percent("25")}, day(2026, time.November, 10), flat, "2.00"},
		{"money back inside 30 days", refund.MoneyBack{Days: 30}, day(2026, time.November, 30), november("3.00"), "3.00"},
		{"no money back on day 31", refund.MoneyBack{Days: 30}, day(2026, time.December, 1), november("3.00"), "0.00"},
		{"19 of 29 days", refund.Prorated{}, day(2028, time.February, 10), february, "65.52"},
		{"19 of 29 days at 80 percent, rounded once", refund.Prorated{Percent: percent("80")}, day(2028, time.February, 10), february, "52.41"},
		{"the cancellation day unused, half up", refund.Prorated{CancelDayUnused: true, Rounding: refund.HalfUp}, day(2012, time.May, 3), may,
			"49.99"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := refund.Case{Charges: []refund.Charge{tt.charge}, At: tt.at, ServiceStart: tt.charge.Start, Places: 2}
			checkRefund(t, tt.formula, c, tt.want, tt.want)
		})
	}
}

// The scale of an amount does not change the result.
func TestScalesOfAnAmount(t *testing.T) {
	t.Parallel()
	forms := map[string]decimal.Decimal{
		"100": decimal.New(100, 0), "1e2": decimal.New(1, 2), "100.00": decimal.New(100_00, -2),
		"20 decimals": amount("100.00000000000000000000"),
	}
	for name, paid := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := on10th(november("0"))
			c.Charges[0].Paid = paid
			f := refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(8, 1))}
			checkRefund(t, refund.Fee{Amount: decimal.New(1, 1), Of: f}, c, "43.33", "43.33")
			checkRefund(t, parse(t, "paid * unused_days / period_days * 0.8 - 10"), c, "43.33")
		})
	}
	c := on10th(november("0"))
	c.Charges[0].Paid = decimal.New(12_345, 15) // its coefficient fits into 64 bits, its value does not
	checkRefund(t, refund.Prorated{}, c, "8230000000000000000.00")
	c.Charges[0].Paid = decimal.New(12_345, 18)
	checkRefund(t, refund.Prorated{}, c, "8230000000000000000000.00")
}

func TestPercentIsExact(t *testing.T) {
	t.Parallel()
	c := on10th(november("1000000000.00"))
	c.At = c.Charges[0].Start
	checkRefund(t, refund.Prorated{Percent: percent("33.333333333333333333")}, c, "333333333.33")
}

func TestProratedDuringAPeriod(t *testing.T) {
	t.Parallel()
	const instant = time.Nanosecond
	start, end := day(2026, time.November, 1).Add(10*time.Hour), day(2026, time.December, 1).Add(10*time.Hour)
	tests := []struct {
		name                string
		at                  time.Time
		days, open, seconds int64 // unused: by days, by days with CancelDayUnused, by seconds
		paid                string
	}{
		{"long before", start.AddDate(-1, 0, 0), 30, 30, 30 * 86400, "30.00"},
		{"at the start", start, 30, 30, 30 * 86400, "30.00"},
		{"just after the start", start.Add(instant), 29, 30, 30*86400 - 1, "29.00"},
		{"the end of the first day", day(2026, time.November, 2).Add(-instant), 29, 30, 30*86400 - 14*3600, "29.00"},
		{"the second day", day(2026, time.November, 2), 28, 29, 30*86400 - 14*3600, "28.00"},
		{"the last whole day", day(2026, time.November, 30), 0, 1, 34 * 3600, "0.00"},
		{"the day of the end", day(2026, time.December, 1), 0, 0, 10 * 3600, "0.00"},
		{"just before the end", end.Add(-instant), 0, 0, 0, "0.00"},
		{"at the end", end, 0, 0, 0, "0.00"},
		{"long after", end.AddDate(1, 0, 0), 0, 0, 0, "0.00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := refund.Case{Charges: []refund.Charge{{Paid: amount("30"), Start: start, End: end}}, At: tt.at, Places: 2}
			r := checkRefund(t, refund.Prorated{}, c, tt.paid)
			assert.Equal(t, []int64{tt.days, 30}, []int64{r.Lines[0].Unused, r.Lines[0].Total})
			for unused, formula := range map[int64]refund.Prorated{tt.open: {CancelDayUnused: true}, tt.seconds: {By: refund.Seconds}} {
				r, err := formula.Refund(c)
				require.NoError(t, err)
				assert.Equal(t, unused, r.Lines[0].Unused, formula)
			}
		})
	}
}

func TestProratedCountsLocalDates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		zone          string
		start, end    string
		at            string
		unused, total int64
	}{
		{"a later date in the east", "Asia/Tokyo", "2026-11-01T00:00:00+09:00", "2026-12-01T00:00:00+09:00", "2026-11-10T16:00:00Z", 20 - 1, 30},
		{"an earlier date in the west", "America/Los_Angeles", "2026-11-01T00:00:00-07:00", "2026-12-01T00:00:00-08:00", "2026-11-10T04:00:00Z",
			20 + 1, 30},
		{"a day of 23 hours is a day", "Europe/Berlin", "2026-03-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00", "2026-03-29T23:59:00+02:00", 1,
			3},
		{"a day of 25 hours is a day", "Europe/Berlin", "2026-10-24T00:00:00+02:00", "2026-10-27T00:00:00+01:00", "2026-10-25T00:30:00+02:00", 1,
			3},
		{"a day without midnight is a day", "America/Santiago", "2025-09-06T00:00:00-04:00", "2025-09-09T00:00:00-03:00",
			"2025-09-07T01:00:00-03:00", 1, 3},
		{"a date that the zone skips is a day", "Pacific/Apia", "2011-12-29T00:00:00-10:00", "2012-01-01T00:00:00+14:00",
			"2011-12-29T12:00:00-10:00", 2, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := refund.Case{
				Charges:  []refund.Charge{{Paid: amount("30"), Start: instant(t, tt.start), End: instant(t, tt.end)}},
				At:       instant(t, tt.at),
				Location: loadZone(t, tt.zone), Places: 2,
			}
			r, err := refund.Prorated{}.Refund(c)
			require.NoError(t, err)
			assert.Equal(t, []int64{tt.unused, tt.total}, []int64{r.Lines[0].Unused, r.Lines[0].Total})
		})
	}
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at
}
