package refund_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// october returns a charge for 1 to 31 October 2026.
func october(paid string) refund.Charge {
	c := november(paid)
	c.Start, c.End = day(2026, time.October, 1), day(2026, time.November, 1)
	return c
}

func ofKind(k refund.Kind, c refund.Charge) refund.Charge {
	c.Kind = k
	return c
}

func refunded(before string, c refund.Charge) refund.Charge {
	c.Refunded = amount(before)
	return c
}

// A formula sees the payments without the credits. MoneyBack refunds what is left of them.
func TestCreditsAreSpread(t *testing.T) {
	t.Parallel()
	flat, setup, usage := refund.Flat, refund.Setup, refund.Usage
	tests := []struct {
		name     string
		charges  []refund.Charge
		seen     []string // the payments that a formula sees
		prorated []string // two thirds of November are unused
		back     []string // by MoneyBack
	}{
		{"one payment", []refund.Charge{november("149.00"), november("-13.54")},
			[]string{"135.46"}, []string{"90.31", "0.00"}, []string{"135.46", "0.00"}},
		{"the credit first", []refund.Charge{november("-13.54"), november("149.00")},
			[]string{"135.46"}, []string{"0.00", "90.31"}, []string{"0.00", "135.46"}},
		{"in proportion", []refund.Charge{november("100"), november("50"), november("-30")},
			[]string{"80", "40"}, []string{"53.33", "26.67", "0.00"}, []string{"80.00", "40.00", "0.00"}},
		{"the largest remainder gets the last cent", []refund.Charge{november("10"), november("20"), november("20"), november("-0.02")},
			[]string{"10", "19.99", "19.99"}, []string{"6.67", "13.33", "13.33", "0.00"}, []string{"10.00", "19.99", "19.99", "0.00"}},
		{"of equal remainders the first", []refund.Charge{november("10"), november("10"), november("-0.01")},
			[]string{"9.99", "10"}, []string{"6.66", "6.67", "0.00"}, []string{"9.99", "10.00", "0.00"}},
		{"two credits", []refund.Charge{november("100"), november("-10"), november("-5.50")},
			[]string{"84.5"}, []string{"56.33", "0.00", "0.00"}, []string{"84.50", "0.00", "0.00"}},
		{"each period by itself", []refund.Charge{october("100"), november("100"), october("-10")},
			[]string{"90", "100"}, []string{"0.00", "66.67", "0.00"}, []string{"90.00", "100.00", "0.00"}},
		{"what is left over lowers the kind", []refund.Charge{october("20"), november("100"), november("40"), october("-30")},
			[]string{"0", "92.86", "37.14"}, []string{"0.00", "61.91", "24.76", "0.00"}, []string{"0.00", "92.86", "37.14", "0.00"}},
		{"a period without a payment", []refund.Charge{november("100"), october("-30")},
			[]string{"70"}, []string{"46.67", "0.00"}, []string{"70.00", "0.00"}},
		{"each kind by itself", []refund.Charge{november("30"), ofKind(flat, november("8")), ofKind(flat, november("-3"))},
			[]string{"30", "5"}, []string{"20.00", "5.00", "0.00"}, []string{"30.00", "5.00", "0.00"}},
		{"a credit for usage, with usage enough", []refund.Charge{november("30"), ofKind(usage, november("8")), ofKind(usage, november("-3"))},
			[]string{"30", "5"}, []string{"20.00", "0.00", "0.00"}, []string{"30.00", "0.00", "0.00"}},
		{"more than its kind limits the total", []refund.Charge{november("30"), ofKind(setup, november("-3"))},
			[]string{"30"}, []string{"20.00", "0.00"}, []string{"27.00", "0.00"}},
		{"more than everything", []refund.Charge{november("30"), november("8"), november("-40")},
			[]string{"0", "0"}, []string{"0.00", "0.00", "0.00"}, []string{"0.00", "0.00", "0.00"}},
		{"exactly everything", []refund.Charge{november("30"), november("-30.00")},
			[]string{"0"}, []string{"0.00", "0.00"}, []string{"0.00", "0.00"}},
		{"credits alone", []refund.Charge{november("-30"), november("-8")}, nil, []string{"0.00", "0.00"}, []string{"0.00", "0.00"}},
		{"refunded in part before", []refund.Charge{refunded("100", november("149")), november("-13.54")},
			[]string{"135.46"}, []string{"35.46", "0.00"}, []string{"35.46", "0.00"}},
		{"one was refunded in full before", []refund.Charge{refunded("100", november("100")), november("100"), november("-50")},
			[]string{"75", "75"}, []string{"0.00", "50.00", "0.00"}, []string{"0.00", "50.00", "0.00"}},
		{"the credit was taken back in part before", []refund.Charge{refunded("74.50", november("149")), refunded("-6.77", november("-13.54"))},
			[]string{"135.46"}, []string{"67.73", "0.00"}, []string{"67.73", "0.00"}},
		{"the credit was paid out before", []refund.Charge{november("149"), refunded("13.54", november("-13.54"))},
			[]string{"135.46"}, []string{"90.31", "0.00"}, []string{"121.92", "0.00"}},
		{"a credit with more decimals than the currency", []refund.Charge{november("10"), november("20"), november("-0.005")},
			[]string{"9.998", "19.997"}, []string{"6.67", "13.33", "0.00"}, []string{"9.99", "19.99", "0.00"}},
		{"nothing was paid", []refund.Charge{november("0"), november("-1")}, []string{"0"}, []string{"0.00", "0.00"}, []string{"0.00", "0.00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := on10th(tt.charges...)
			var seen []string
			spy := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
				for _, charge := range c.Charges {
					seen = append(seen, charge.Paid.String())
				}
				return refund.None{}.Refund(c)
			})
			before := slices.Clone(c.Charges)
			_, err := refund.Calculate(spy, c)
			require.NoError(t, err)
			assert.Equal(t, tt.seen, seen)
			assert.Equal(t, before, c.Charges)
			checkTotalOfCredits(t, refund.Prorated{}, c, tt.prorated)
			checkTotalOfCredits(t, refund.ByKind{Recurring: parse(t, "paid * unused_days / period_days")}, c, tt.prorated)
			checkTotalOfCredits(t, refund.MoneyBack{Days: 30}, c, tt.back)
			checkTotalOfCredits(t, refund.ByLabel{Else: refund.MoneyBack{Days: 30}}, c, tt.back)
			checkTotalOfCredits(t, refund.ByKind{
				Recurring: refund.MoneyBack{Days: 30}, Flat: refund.MoneyBack{Days: 30}, Setup: refund.None{}, Usage: refund.None{},
			}, c, tt.back)
		})
	}
}

// checkTotalOfCredits checks the lines, the total and that the lines have the charges as they were.
func checkTotalOfCredits(t *testing.T, f refund.Formula, c refund.Case, lines []string) {
	t.Helper()
	total := decimal.New(0, -c.Places)
	for _, l := range lines {
		total = total.Add(amount(l))
	}
	r := checkRefund(t, f, c, withScale(total), lines...)
	for i, l := range r.Lines {
		assert.Equal(t, c.Charges[i], l.Charge)
	}
	calculated, err := refund.Calculate(f, c)
	require.NoError(t, err)
	assert.Equal(t, r, calculated)
}

func TestStatementWithACredit(t *testing.T) {
	t.Parallel()
	disk, credit := november("50.00"), november("-13.54")
	disk.Label, credit.Label = "disk", "outage of 2 November"
	r, err := refund.Prorated{}.Refund(on10th(november("100.00"), disk, ofKind(refund.Setup, november("20.00")), credit))
	require.NoError(t, err)
	assert.Equal(t, `server: 60.65 of 100.00, 20 of 30 unused (paid less credits: 90.97)
disk: 30.33 of 50.00, 20 of 30 unused (paid less credits: 45.49)
server: 0.00 of 20.00 (set-up is not given back)
outage of 2 November: 0.00 of -13.54 (a credit: it lowers the payments for other charges)
total: 90.98`, r.String())
	r, err = refund.MoneyBack{Days: 30}.Refund(on10th(november("30.00"), ofKind(refund.Setup, credit)))
	require.NoError(t, err)
	assert.Equal(t, `server: 16.46 of 30.00 (money back within 30 days; cut to what is left of all payments)
outage of 2 November: 0.00 of -13.54 (a credit: it lowers the payments for other charges)
total: 16.46`, r.String())
	assert.True(t, r.Lines[0].Clamped)
}

// More refunded than paid for one charge lowers the refund of the others, without any credit.
func TestTotalIsLimitedByAllPayments(t *testing.T) {
	t.Parallel()
	c := on10th(refunded("4", november("3.00")), november("3.00"))
	r := checkRefund(t, refund.MoneyBack{Days: 30}, c, "2.00", "0.00", "2.00")
	assert.True(t, r.Lines[1].Clamped)
	checkRefund(t, refund.Prorated{}, c, "2.00", "0.00", "2.00")
	c = on10th(refunded("9", november("3.00")), november("3.00"), november("6.00"))
	checkRefund(t, refund.ByLabel{Else: refund.MoneyBack{Days: 30}}, c, "3.00", "0.00", "1.00", "2.00")
	c = on10th(refunded("90", november("3.00")), november("3.00"))
	checkRefund(t, refund.MoneyBack{Days: 30}, c, "0.00", "0.00", "0.00")
}

func TestCombinationsWithCredits(t *testing.T) {
	t.Parallel()
	c := on10th(november("30.00"), november("-6.00"), november("60.00"))
	checkRefund(t, refund.Fee{Amount: amount("5")}, c, "51.00", "17.00", "0.00", "34.00")
	checkRefund(t, refund.Cap{Amount: percent("28")}, c, "28.00", "9.33", "0.00", "18.67")
	checkRefund(t, refund.Minimum{Amount: amount("56.01")}, c, "0.00", "0.00", "0.00", "0.00")
	checkRefund(t, parse(t, "paid - 1"), c, "82.00", "27.00", "0.00", "55.00")
	checkRefund(t, refund.Fee{}, on10th(november("-6.00")), "0.00", "0.00")
}

// An expression is not asked for a credit, so it may divide by the payment.
func TestExplanationsOfCredits(t *testing.T) {
	t.Parallel()
	e := parse(t, "paid * paid / paid")
	explanations, err := e.Explain(on10th(november("-6.00"), november("30.00"), ofKind(refund.Usage, november("-1"))))
	require.NoError(t, err)
	require.Len(t, explanations, 3)
	assert.Empty(t, explanations[0].Steps)
	assert.Empty(t, explanations[2].Steps)
	require.NotEmpty(t, explanations[1].Steps)
	assert.Equal(t, "23.00", withScale(explanations[1].Line.Amount), "1.00 of the credit for usage limits the total")
	assert.Equal(t, "24", explanations[1].Steps[0].Value)
}

func TestCalculateReturnsErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	_, err := refund.Calculate(refund.FormulaFunc(func(refund.Case) (refund.Result, error) { return refund.Result{}, cause }), on10th())
	require.ErrorIs(t, err, cause)
	// Charge is the index in the case with its credits.
	_, err = refund.Calculate(parse(t, "paid / (paid - 8)"), on10th(november("-1"), november("20"), october("8")))
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 2, e.Charge)
	_, err = refund.Calculate(nil, refund.Case{Places: 9})
	require.ErrorIs(t, err, refund.ErrInvalid)
	r, err := refund.Calculate(nil, on10th(november("3.00"), november("-3.00"), november("3.00")))
	require.NoError(t, err)
	assert.Equal(t, "2.00", withScale(r.Total), "a nil formula is Prorated{}")
	_, err = refund.Calculate(refund.FormulaFunc(nil), on10th())
	require.ErrorIs(t, err, refund.ErrInvalid)
}

// What a formula does wrong stays visible for those who check it.
func TestCalculateHidesNoMistake(t *testing.T) {
	t.Parallel()
	c := on10th(november("30.00"), november("-6.00"))
	for _, wrong := range []refund.Formula{fixed("24.01"), fixed("-1"), fixed("1.001"), fixed("1", "2", "3")} {
		want, err := wrong.Refund(c)
		require.NoError(t, err)
		got, err := refund.Calculate(wrong, c)
		require.NoError(t, err)
		assert.True(t, want.Total.Equal(got.Total), "%s became %s", want.Total, got.Total)
	}
}
