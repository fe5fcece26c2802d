package refund_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// Each kind of charge for November is cancelled on 10 November.
func TestKinds(t *testing.T) {
	t.Parallel()
	charge := func(k refund.Kind) refund.Charge {
		c := november("9.00")
		c.Kind = k
		return c
	}
	c := on10th(charge(refund.Recurring), charge(refund.Flat), charge(refund.Setup), charge(refund.Usage))
	tests := []struct {
		name    string
		formula refund.Formula
		total   string
		lines   []string
	}{
		{"None", refund.None{}, "0.00", []string{"0.00", "0.00", "0.00", "0.00"}},
		{"Prorated", refund.Prorated{Percent: percent("50")}, "7.50", []string{"3.00", "4.50", "0.00", "0.00"}},
		{"Prorated at 0 percent", refund.Prorated{Percent: percent("0")}, "0.00", []string{"0.00", "0.00", "0.00", "0.00"}},
		{"MoneyBack", refund.MoneyBack{Days: 30}, "18.00", []string{"9.00", "9.00", "0.00", "0.00"}},
		{"Expression", parse(t, "paid / 3"), "6.00", []string{"3.00", "3.00", "0.00", "0.00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := checkRefund(t, tt.formula, c, tt.total, tt.lines...)
			assert.Equal(t, "set-up is not given back", r.Lines[2].Note)
			assert.Equal(t, "usage is not given back", r.Lines[3].Note)
		})
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	today := day(2026, time.November, 10)
	sixHours := refund.Charge{Paid: amount("1.00"), Start: today.Add(9 * time.Hour), End: today.Add(15 * time.Hour)}
	halfSecond := sixHours
	halfSecond.Start = today.Add(12*time.Hour - 1)
	halfSecond.End = halfSecond.Start.Add(500 * time.Millisecond)
	flat := november("1.00")
	flat.Kind, flat.End = refund.Flat, today
	over, future := flat, november("1.00")
	over.Kind = refund.Recurring
	future.Start = day(2026, time.November, 20)
	overpaid := november("1.00")
	overpaid.Refunded = amount("4")
	tests := []struct {
		name    string
		formula refund.Formula
		charge  refund.Charge
		want    string
	}{
		{"no date in the period", refund.Prorated{}, sixHours, ": 0.00 of 1.00 (the period is shorter than a day)"},
		{"no second in the period", refund.Prorated{By: refund.Seconds}, halfSecond, ": 0.00 of 1.00 (the period is shorter than a second)"},
		{"over", refund.Prorated{}, over, "server: 0.00 of 1.00, 0 of 9 unused (the period is over)"},
		{"a flat charge, over", refund.Prorated{}, flat, "server: 0.00 of 1.00 (the period is over)"},
		{"not begun", refund.Prorated{}, future, "server: 1.00 of 1.00, 11 of 11 unused (the period has not begun)"},
		{"no note", refund.Prorated{}, november("1.00"), "server: 0.67 of 1.00, 20 of 30 unused"},
		{"money back", refund.MoneyBack{Days: 14}, november("1.00"), "server: 1.00 of 1.00 (money back within 14 days)"},
		{"none", refund.None{}, november("1.00"), "server: 0.00 of 1.00 (nothing is given back)"},
		{"below zero", parse(t, "paid - 2"), november("1.00"),
			"server: 0.00 of 1.00, 20 of 30 unused (cut to 0: the formula's value is negative)"},
		{"refunded more than paid", refund.Prorated{}, overpaid,
			"server: 0.00 of 1.00, 20 of 30 unused (cut to what is left of the payment)"},
		{"above the payment", parse(t, "paid + 2"), november("1.00"),
			"server: 1.00 of 1.00, 20 of 30 unused (cut to what is left of the payment)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := tt.formula.Refund(on10th(tt.charge))
			require.NoError(t, err)
			assert.Equal(t, tt.want, r.Lines[0].String())
			assert.Equal(t, tt.want+"\ntotal: "+withScale(r.Total), r.String())
		})
	}
}

// Refunded lowers the largest permitted refund. It does not change the value of the formula.
func TestRefundedBefore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		paid, refunded string
		formula        refund.Formula
		want           string
		clamped        bool
	}{
		{"nothing refunded before", "3.00", "0", refund.Prorated{}, "2.00", false},
		{"enough left", "3.00", "1.00", refund.Prorated{}, "2.00", false},
		{"too little left", "3.00", "1.01", refund.Prorated{}, "1.99", true},
		{"nothing left", "3.00", "3.00", refund.Prorated{}, "0.00", true},
		{"refunded more than paid", "3.00", "4.00", refund.Prorated{}, "0.00", true},
		{"money back", "3.00", "1.00", refund.MoneyBack{Days: 30}, "2.00", true},
		{"an expression", "3.00", "2.50", parse(t, "paid"), "0.50", true},
		{"a payment with more decimals than the currency is not rounded up", "3.006", "0", refund.MoneyBack{Days: 30}, "3.00", true},
		{"the rest of a payment is not rounded up", "3.00", "1.009", refund.Prorated{}, "1.99", true},
		{"free of charge", "0", "0", refund.MoneyBack{Days: 30}, "0.00", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			charge := november(tt.paid)
			charge.Refunded = amount(tt.refunded)
			r := checkRefund(t, tt.formula, on10th(charge), tt.want, tt.want)
			assert.Equal(t, tt.clamped, r.Lines[0].Clamped)
		})
	}
}

func TestRoundingOfTies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		paid           string // two thirds of the period are unused
		even, up, down string
	}{
		{"0.0150", "0.01", "0.01", "0.01"},
		{"0.0225", "0.02", "0.02", "0.01"},
		{"0.0375", "0.02", "0.03", "0.02"},
		{"0.037501", "0.03", "0.03", "0.03"},
		{"0.037499", "0.02", "0.02", "0.02"},
	}
	for _, tt := range tests {
		t.Run(tt.paid, func(t *testing.T) {
			t.Parallel()
			c := on10th(november(tt.paid))
			checkRefund(t, refund.Prorated{}, c, tt.even)
			checkRefund(t, refund.Prorated{Rounding: refund.HalfUp}, c, tt.up)
			checkRefund(t, refund.Prorated{Rounding: refund.HalfDown}, c, tt.down)
		})
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for places, want := range []string{"67", "66.7", "66.67", "66.667", "66.6667", "66.66667", "66.666667", "66.6666667", "66.66666667"} {
		c := on10th(november("100"), november("0"))
		c.Places = int32(places)
		r := checkRefund(t, refund.Prorated{}, c, want)
		for _, d := range []decimal.Decimal{r.Total, r.Lines[0].Amount, r.Lines[1].Amount} {
			assert.Equal(t, -c.Places, d.Exponent())
		}
	}
	c := on10th()
	r := checkRefund(t, refund.Prorated{}, c, "0.00")
	assert.Empty(t, r.Lines)
}

// A clock that is set back over midnight shows the date of the day before again. The refund must not rise then.
func TestNoRiseWhenADateRepeats(t *testing.T) {
	t.Parallel()
	loc := loadZone(t, "America/St_Johns") // set back by an hour at 00:01 on Sunday 1 November 2009
	before := time.Date(2009, time.October, 31, 23, 59, 0, 0, loc)
	start, end := time.Date(2009, time.October, 15, 0, 0, 0, 0, loc), time.Date(2009, time.November, 14, 0, 0, 0, 0, loc)
	charge := refund.Charge{Paid: amount("30"), Start: start, End: end}
	c := refund.Case{Charges: []refund.Charge{charge}, ServiceStart: start, Location: loc, Places: 2}
	for name, f := range map[string]refund.Formula{
		"Prorated": refund.Prorated{}, "MoneyBack": refund.MoneyBack{Days: 17},
		"Expression": parse(t, "paid * unused_days / period_days - service_days"),
	} {
		c.At = before
		last, err := f.Refund(c)
		require.NoError(t, err)
		for minute := range 180 {
			c.At = before.Add(time.Duration(minute) * time.Minute)
			r, err := f.Refund(c)
			require.NoError(t, err)
			require.False(t, r.Total.GreaterThan(last.Total), "%s rises from %s to %s at %s", name, last.Total, r.Total, c.At)
			last = r
		}
	}
}

// Where a clock is set back over midnight, a short period can end on an earlier date than it starts.
func TestPeriodThatEndsOnAnEarlierDate(t *testing.T) {
	t.Parallel()
	loc := loadZone(t, "America/St_Johns")
	start := time.Date(2009, time.October, 31, 23, 59, 0, 0, loc).Add(90 * time.Second) // 1 November, 00:00:30
	charge := refund.Charge{Paid: amount("30"), Start: start, End: start.Add(30 * time.Minute)}
	c := refund.Case{Charges: []refund.Charge{charge}, At: start, ServiceStart: start.Add(48 * time.Hour), Location: loc, Places: 2}
	require.Equal(t, 1, start.In(loc).Day())
	require.Equal(t, 31, charge.End.In(loc).Day())
	e := parse(t, "paid + period_days + unused_days + used_days + service_days - 10")
	for at, want := range map[time.Duration]string{0: "30.00", time.Minute: "0.00"} {
		c.At = start.Add(at)
		r := checkRefund(t, refund.Prorated{}, c, want)
		assert.Equal(t, []int64{0, 0}, []int64{r.Lines[0].Unused, r.Lines[0].Total})
		checkRefund(t, e, c, "20.00")
	}
}

// The zones of the instants have no effect. Only Case.Location has.
func TestLocationDecides(t *testing.T) {
	t.Parallel()
	c := on10th(november("30"))
	want := checkRefund(t, refund.Prorated{}, c, "20.00")
	tokyo := loadZone(t, "Asia/Tokyo")
	c.At, c.ServiceStart = c.At.In(tokyo), c.ServiceStart.In(tokyo)
	c.Charges[0].Start, c.Charges[0].End = c.Charges[0].Start.In(tokyo), c.Charges[0].End.In(tokyo)
	assert.Equal(t, lineAmounts(want), lineAmounts(checkRefund(t, refund.Prorated{}, c, "20.00")))
}

func TestFlatChargeWithoutStart(t *testing.T) {
	t.Parallel()
	charge := november("8.00")
	charge.Kind, charge.Start = refund.Flat, time.Time{}
	checkRefund(t, refund.Prorated{Percent: percent("25")}, on10th(charge), "2.00")
	checkRefund(t, parse(t, "paid * 0.25 + period_days + period_seconds"), on10th(charge), "2.00")
}

func TestMoneyBackBeforeServiceStart(t *testing.T) {
	t.Parallel()
	c := on10th(november("3.00"))
	c.ServiceStart = c.At.AddDate(0, 0, 2)
	checkRefund(t, refund.MoneyBack{}, c, "0.00")
	checkRefund(t, refund.MoneyBack{Days: 1}, c, "3.00")
}

func TestMoneyBackCoversPastPeriods(t *testing.T) {
	t.Parallel()
	past := november("3.00")
	past.Start, past.End = day(2026, time.October, 1), day(2026, time.November, 1)
	c := on10th(past, november("3.00"))
	c.ServiceStart = past.Start
	checkRefund(t, refund.MoneyBack{Days: 60}, c, "6.00", "3.00", "3.00")
	checkRefund(t, refund.MoneyBack{Days: 40, Else: refund.Prorated{}}, c, "2.00", "0.00", "2.00")
	checkRefund(t, refund.MoneyBack{Days: 41, Else: refund.Prorated{}}, c, "6.00")
}

func TestNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "recurring flat setup usage Kind(4)", join(refund.Recurring, refund.Flat, refund.Setup, refund.Usage, refund.Kind(4)))
	assert.Equal(t, "days seconds Unit(2)", join(refund.Days, refund.Seconds, refund.Unit(2)))
	assert.Equal(t, "half even half up half down Rounding(3)", join(refund.HalfEven, refund.HalfUp, refund.HalfDown, refund.Rounding(3)))
}

func join[T interface{ String() string }](values ...T) string {
	s := ""
	for i, v := range values {
		if i > 0 {
			s += " "
		}
		s += v.String()
	}
	return s
}

// Stores may save results as JSON.
func TestResultAsJSON(t *testing.T) {
	t.Parallel()
	want, err := refund.Prorated{}.Refund(on10th(november("3.00")))
	require.NoError(t, err)
	text, err := json.Marshal(want)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"Total":"2.00"`)
	var got refund.Result
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, want.String(), got.String())
	assert.Equal(t, want.Lines[0].Charge.Start, got.Lines[0].Charge.Start)
	for _, d := range []decimal.Decimal{got.Total, got.Lines[0].Amount, got.Lines[0].Charge.Paid} {
		assert.Equal(t, int32(-2), d.Exponent())
	}
}
