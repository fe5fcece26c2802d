package refund_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// fixed returns a formula whose lines have these amounts, whatever the charges are.
func fixed(amounts ...string) refund.Formula {
	return refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		r := refund.Result{Total: decimal.New(0, -c.Places)}
		for i, s := range amounts {
			l := refund.Line{Amount: amount(s)}
			if i < len(c.Charges) {
				l.Charge = c.Charges[i]
			}
			r.Lines = append(r.Lines, l)
			r.Total = r.Total.Add(l.Amount)
		}
		return r, nil
	})
}

func charges(n int) []refund.Charge {
	all := make([]refund.Charge, n)
	for i := range all {
		all[i] = november("100.00")
	}
	return all
}

func TestFee(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fee   string
		of    []string
		total string
		lines []string
	}{
		{"in proportion", "3.00", []string{"10.00", "20.00"}, "27.00", []string{"9.00", "18.00"}},
		{"the largest remainder pays the last cent", "1.00", []string{"10.00", "10.01"}, "19.01", []string{"9.50", "9.51"}},
		{"the earlier of equal remainders pays the last cent", "1.00", []string{"10.00", "10.00", "10.00"}, "29.00",
			[]string{"9.66", "9.67", "9.67"}},
		{"two cents for three lines", "0.02", []string{"10.00", "10.00", "10.00"}, "29.98", []string{"9.99", "9.99", "10.00"}},
		{"the whole total", "30.00", []string{"10.00", "20.00"}, "0.00", []string{"0.00", "0.00"}},
		{"more than the total", "31.00", []string{"10.00", "20.00"}, "0.00", []string{"0.00", "0.00"}},
		{"a total of 0", "5.00", []string{"0.00", "0.00"}, "0.00", []string{"0.00", "0.00"}},
		{"no fee", "0", []string{"10.00", "20.00"}, "30.00", []string{"10.00", "20.00"}},
		{"a line of 0 pays nothing", "0.01", []string{"0.00", "0.01", "0.01"}, "0.01", []string{"0.00", "0.00", "0.01"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := refund.Fee{Amount: amount(tt.fee), Of: fixed(tt.of...)}
			checkRefund(t, f, on10th(charges(len(tt.of))...), tt.total, tt.lines...)
		})
	}
}

// In a long bill, too, the earlier of equal remainders pay. Here the lines of 10.01 have the largest remainders.
func TestFeeOfManyLines(t *testing.T) {
	t.Parallel()
	const pairs, odd = 20, 7
	want := append(slices.Repeat([]string{"10.00", "10.00"}, odd), slices.Repeat([]string{"10.00", "10.01"}, pairs-odd)...)
	of := fixed(slices.Repeat([]string{"10.00", "10.01"}, pairs)...)
	checkRefund(t, refund.Fee{Amount: amount("0.07"), Of: of}, on10th(charges(2*pairs)...), "400.13", want...)
}

// A combination does not change the lines that a formula returned, because the formula may return them again.
func TestCombinationsDoNotChangeLines(t *testing.T) {
	t.Parallel()
	c := on10th(charges(2)...)
	stored, err := fixed("10.00", "20.00").Refund(c)
	require.NoError(t, err)
	of := refund.FormulaFunc(func(refund.Case) (refund.Result, error) { return stored, nil })
	for range 2 {
		checkRefund(t, refund.Fee{Amount: amount("3.00"), Of: of}, c, "27.00", "9.00", "18.00")
	}
	assert.Equal(t, []string{"10.00", "20.00"}, lineAmounts(stored))
}

func TestMinimum(t *testing.T) {
	t.Parallel()
	c := on10th(charges(2)...)
	r := checkRefund(t, refund.Minimum{Amount: amount("30.00"), Of: fixed("10.00", "19.99")}, c, "0.00", "0.00", "0.00")
	assert.Equal(t, "the total is below the minimum of 30.00", r.Lines[1].Note)
	assert.False(t, r.Lines[1].Clamped)
	checkRefund(t, refund.Minimum{Amount: amount("30.00"), Of: fixed("10.00", "20.00")}, c, "30.00", "10.00", "20.00")
	checkRefund(t, refund.Minimum{Of: fixed("10.00", "20.00")}, c, "30.00", "10.00", "20.00")
	checkRefund(t, refund.Minimum{Amount: amount("30.00"), Of: fixed("0", "0")}, c, "0.00", "0.00", "0.00")
}

func TestCap(t *testing.T) {
	t.Parallel()
	c := on10th(charges(2)...)
	r := checkRefund(t, refund.Cap{Amount: percent("20.00"), Of: fixed("10.00", "20.00")}, c, "20.00", "6.67", "13.33")
	assert.Equal(t, "the total is cut to 20.00", r.Lines[0].Note)
	assert.True(t, r.Lines[0].Clamped)
	checkRefund(t, refund.Cap{Amount: percent("0"), Of: fixed("10.00", "20.00")}, c, "0.00", "0.00", "0.00")
	checkRefund(t, refund.Cap{Amount: percent("30"), Of: fixed("10.00", "20.00")}, c, "30.00", "10.00", "20.00")
	checkRefund(t, refund.Cap{Of: fixed("10.00", "20.00")}, c, "30.00", "10.00", "20.00")
	checkRefund(t, refund.Cap{Amount: percent("5"), Of: fixed("0", "0")}, c, "0.00", "0.00", "0.00")
}

// The parts of a fee add up to the fee. No part exceeds its line, and none differs from the exact part by more than one unit.
func TestFeesAddUp(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for range 5_000 {
		c := on10th(charges(1 + r.IntN(6))...)
		for i := range c.Charges {
			c.Charges[i].Paid = decimal.New(r.Int64N(1000), -2)
		}
		fee := decimal.New(r.Int64N(2000), -2)
		before, err := refund.Prorated{}.Refund(c)
		require.NoError(t, err)
		after, err := refund.Fee{Amount: fee}.Refund(c)
		require.NoError(t, err)
		sum := decimal.Zero
		for i, l := range after.Lines {
			sum = sum.Add(l.Amount)
			taken := before.Lines[i].Amount.Sub(l.Amount)
			require.False(t, l.Amount.IsNegative() || taken.IsNegative(), "line %d of %s", i, after)
			if before.Total.GreaterThan(fee) {
				exact := fee.Mul(before.Lines[i].Amount).DivRound(before.Total, 6)
				require.True(t, taken.Sub(exact).Abs().LessThanOrEqual(amount("0.01")), "line %d of %s", i, after)
			}
		}
		require.True(t, sum.Equal(after.Total), after)
		require.True(t, after.Total.Equal(decimal.Max(decimal.Zero, before.Total.Sub(fee))), after)
	}
}

func TestByKindAndByLabel(t *testing.T) {
	t.Parallel()
	flat, disk := november("8.00"), november("3.00")
	flat.Kind, flat.Label = refund.Flat, "licence"
	disk.Label = "disk"
	c := on10th(november("30.00"), flat, disk, november("60.00"))
	half := refund.Prorated{Percent: percent("50")}
	tests := []struct {
		name    string
		formula refund.Formula
		total   string
		lines   []string
	}{
		{"a formula for each kind", refund.ByKind{Recurring: refund.Prorated{Percent: percent("10")}, Flat: refund.None{}}, "6.20",
			[]string{"2.00", "0.00", "0.20", "4.00"}},
		{"nil is Prorated", refund.ByKind{Flat: refund.None{}}, "62.00", []string{"20.00", "0.00", "2.00", "40.00"}},
		{"a fee once for each kind", refund.ByKind{Recurring: refund.Fee{Amount: amount("3.10")}, Flat: refund.Fee{Amount: amount("1")}},
			"65.90", []string{"19.00", "7.00", "1.90", "38.00"}},
		{"a formula for a label",
			refund.ByLabel{Formulas: map[string]refund.Formula{"disk": refund.None{}, "licence": nil}, Else: half},
			"38.00", []string{"10.00", "8.00", "0.00", "20.00"}},
		{"a fee once for all of a label",
			refund.ByLabel{Formulas: map[string]refund.Formula{"server": refund.Fee{Amount: amount("3")}}, Else: refund.None{}},
			"57.00", []string{"19.00", "0.00", "0.00", "38.00"}},
		{"labels must match exactly", refund.ByLabel{Formulas: map[string]refund.Formula{"Disk": refund.None{}}}, "70.00",
			[]string{"20.00", "8.00", "2.00", "40.00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := checkRefund(t, tt.formula, c, tt.total, tt.lines...)
			for i, l := range r.Lines {
				assert.Equal(t, c.Charges[i], l.Charge)
			}
		})
	}
}

func TestZeroValuesAreProrated(t *testing.T) {
	t.Parallel()
	c := on10th(november("30.00"), november("60.00"))
	for name, f := range map[string]refund.Formula{
		"Prorated": refund.Prorated{}, "Fee": refund.Fee{}, "Minimum": refund.Minimum{}, "Cap": refund.Cap{},
		"ByKind": refund.ByKind{}, "ByLabel": refund.ByLabel{},
	} {
		t.Run(name, func(t *testing.T) { checkRefund(t, f, c, "60.00", "20.00", "40.00") })
	}
	checkRefund(t, refund.None{}, c, "0.00")
	checkRefund(t, refund.MoneyBack{}, c, "0.00")
}

// A complete policy: money back for 14 days, then 80 percent of the unused part less 5.00, and nothing below 1.00.
func TestNesting(t *testing.T) {
	t.Parallel()
	fee := refund.Fee{Amount: amount("5"), Of: refund.Prorated{Percent: percent("80")}}
	policy := refund.MoneyBack{Days: 14, Else: refund.Minimum{Amount: amount("1"), Of: fee}}
	c := on10th(november("10.00"), november("20.00"))
	checkRefund(t, policy, c, "30.00", "10.00", "20.00")
	c.At = day(2026, time.November, 15)
	checkRefund(t, policy, c, "7.00", "2.33", "4.67")
	c.At = day(2026, time.November, 22)
	checkRefund(t, policy, c, "1.40")
	c.At = day(2026, time.November, 23)
	checkRefund(t, policy, c, "0.00")
}

func TestCombinationsCheckResults(t *testing.T) {
	t.Parallel()
	const expected = ", expected 0 or more with at most 2 decimals from refund.FormulaFunc"
	c := on10th(november("30.00"), november("60.00"))
	wrongTotal := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		r, err := refund.Prorated{}.Refund(c)
		r.Total = r.Total.Add(amount("0.01"))
		return r, err
	})
	tests := []struct {
		name string
		of   refund.Formula
		want string
	}{
		{"too few lines", fixed("1.00"), "refund: Result.Lines of refund.FormulaFunc has the length 1, expected 2, one line for each charge"},
		{"a negative line", fixed("1.00", "-1.00"), `refund: charge 1 ("server"): Line.Amount is -1` + expected},
		{"a line with more decimals than the currency", fixed("1.001", "0"), `refund: charge 0 ("server"): Line.Amount is 1.001` + expected},
		{"a total that is not the sum", wrongTotal, "refund: Result.Total of refund.FormulaFunc is 60.01, expected the sum of the lines, 60.00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range []refund.Formula{
				refund.Fee{Of: tt.of}, refund.Minimum{Of: tt.of}, refund.Cap{Of: tt.of},
				refund.ByKind{Recurring: tt.of}, refund.ByLabel{Else: tt.of}, refund.MoneyBack{Else: tt.of},
			} {
				checkInvalid(t, f, c, tt.want)
			}
		})
	}
	enormous := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		return refund.Result{Lines: make([]refund.Line, len(c.Charges)), Total: decimal.New(1, 1_000_000_000)}, nil
	})
	checkInvalid(t, refund.Fee{Of: enormous}, c,
		"refund: Result.Total of refund.FormulaFunc is a number that has more than 308 digits or an exponent outside -64 to 64, "+
			"expected the sum of the lines, 0.00")
}

func TestCombinationsReturnErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	failing := refund.FormulaFunc(func(refund.Case) (refund.Result, error) { return refund.Result{}, cause })
	flat := november("8.00")
	flat.Kind = refund.Flat
	c := on10th(november("30.00"), flat)
	for _, f := range []refund.Formula{
		refund.Fee{Of: failing}, refund.Minimum{Of: failing}, refund.Cap{Of: failing},
		refund.ByKind{Flat: failing}, refund.ByLabel{Else: failing},
	} {
		_, err := f.Refund(c)
		require.ErrorIs(t, err, cause)
	}
	// Charge is the index in the whole case, not in the part that the formula of a kind gets.
	_, err := refund.ByKind{Flat: parse(t, "paid / (paid - 8)")}.Refund(c)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 1, e.Charge)
}

// A host's formula may return amounts with fewer decimals. A combination sets the scale.
func TestCombinationsSetTheScale(t *testing.T) {
	t.Parallel()
	c, of := on10th(charges(2)...), fixed("1", "2.5")
	for _, f := range []refund.Formula{
		refund.Fee{Of: of}, refund.Minimum{Of: of}, refund.Cap{Of: of}, refund.ByLabel{Else: of}, refund.MoneyBack{Else: of},
	} {
		checkRefund(t, f, c, "3.50", "1.00", "2.50")
	}
}
