package refundtest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/refund/refundtest"
)

// chargeByCharge is a formula of a host that knows nothing of credits. It is correct where refund.Calculate spreads them.
func chargeByCharge() refund.Formula {
	return refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		r := refund.Result{Total: decimal.New(0, -c.Places)}
		for _, charge := range c.Charges {
			part := c
			part.Charges = []refund.Charge{charge}
			one, err := refund.Prorated{}.Refund(part)
			if err != nil {
				return refund.Result{}, err
			}
			r.Lines, r.Total = append(r.Lines, one.Lines[0]), r.Total.Add(one.Total)
		}
		return r, nil
	})
}

// withoutCharges returns the result of Prorated{} without the charges that drop names, and lines of 0 for these.
func withoutCharges(drop func(refund.Charge) bool) refund.Formula {
	return refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		part := c
		part.Charges = slices.DeleteFunc(slices.Clone(c.Charges), drop)
		r, err := refund.Prorated{}.Refund(part)
		if err != nil {
			return refund.Result{}, err
		}
		for i, charge := range c.Charges {
			if drop(charge) {
				r.Lines = slices.Insert(r.Lines, i, refund.Line{Charge: charge, Amount: decimal.New(0, -c.Places)})
			}
		}
		return r, nil
	})
}

func TestFormulasThatMishandleCredits(t *testing.T) {
	t.Parallel()
	isCredit := func(c refund.Charge) bool { return c.Paid.IsNegative() }
	tests := []struct {
		name, promise string
		formula       refund.Formula
	}{
		{"ignores credits", "never refunds more than is left of all payments less the credits", withoutCharges(isCredit)},
		{"asks for one charge after the other", "never refunds more than is left of all payments less the credits", chargeByCharge()},
		{"rejects credits", "returns a result for every valid case", corrupted(func(c refund.Case, _ *refund.Result) {
			if slices.ContainsFunc(c.Charges, isCredit) {
				panic("a negative payment")
			}
		})},
		{"leaves out the lines of credits", "returns one line for each charge, in the order of the charges", corrupted(func(_ refund.Case, r *refund.Result) {
			r.Lines = slices.DeleteFunc(r.Lines, func(l refund.Line) bool { return isCredit(l.Charge) })
		})},
		{"shows the spread payments", "returns one line for each charge, in the order of the charges", corrupted(func(_ refund.Case, r *refund.Result) {
			for i := range r.Lines {
				r.Lines[i].Charge.Paid = decimal.Max(decimal.Zero, r.Lines[i].Charge.Paid)
			}
		})},
		{"returns credits as negative lines", "returns no negative amount", corrupted(func(c refund.Case, r *refund.Result) {
			for i, charge := range c.Charges {
				if isCredit(charge) {
					r.Lines[i].Amount = charge.Paid.Truncate(c.Places).Add(decimal.New(0, -c.Places))
				}
			}
			setTotal(c, r)
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := refundtest.Check(tt.formula, refundtest.Options{Credits: true})
			var v *refundtest.Violation
			require.ErrorAs(t, err, &v)
			assert.Equal(t, tt.promise, v.Promise, v)
			assert.True(t, slices.ContainsFunc(v.Case.Charges, isCredit), v)
			assert.LessOrEqual(t, len(v.Case.Charges), 2, v)
			require.NoError(t, v.Case.Validate())
			require.NoError(t, refundtest.Check(tt.formula), "a formula that gets no credits")
		})
	}
}

// Credits can leave nothing of a payment. These formulas fail then, although they never see a credit.
func TestFormulasThatFailBesideCredits(t *testing.T) {
	t.Parallel()
	wasPaid := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		r, err := chargeByCharge().Refund(c)
		for i, charge := range c.Charges {
			if charge.Paid.IsNegative() {
				panic("a negative payment")
			}
			if err == nil && charge.Paid.IsZero() && !charge.Refunded.IsZero() {
				r.Lines[i].Amount = decimal.New(1, -c.Places)
				setTotal(c, &r)
			}
		}
		return r, err
	})
	var v *refundtest.Violation
	require.ErrorAs(t, refundtest.Check(wasPaid), &v)
	assert.Equal(t, "never refunds more than is left of a payment", v.Promise, v)
	require.NoError(t, refundtest.Check(chargeByCharge()))
}

// The reported case shows the credit.
func TestReportedCaseWithACredit(t *testing.T) {
	t.Parallel()
	err := refundtest.Check(withoutCharges(func(c refund.Charge) bool { return c.Paid.IsNegative() }), refundtest.Options{Credits: true})
	assert.EqualError(t, err, strings.TrimSpace(`
broken promise: never refunds more than is left of all payments less the credits
it refunds 1.00, 0 is left of all payments
the simplest case that was found:
  recurring charge "licence" from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z: paid 1, refunded before 0
  recurring charge "licence" from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z: paid -1, refunded before 0
  at 2026-01-01T00:00:00Z, service since 2026-01-01T00:00:00Z, days of UTC, 2 places`))
}
