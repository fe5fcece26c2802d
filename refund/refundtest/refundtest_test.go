package refundtest_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/refund/refundtest"
)

func amount(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func share(s string) decimal.NullDecimal { return decimal.NewNullDecimal(amount(s)) }

func parse(t *testing.T, source string) refund.Formula {
	t.Helper()
	e, err := refund.Parse(source)
	require.NoError(t, err)
	return e
}

// The formulas of package refund keep every promise.
func TestFormulasOfTheLibrary(t *testing.T) {
	t.Parallel()
	cents, atEnd := refundtest.Options{Places: []int32{2, 3}}, refundtest.Options{ZeroAtEnd: true, ShortPeriods: true}
	fee := refund.Fee{Amount: amount("1"), Of: refund.MoneyBack{Days: 7, Else: refund.Prorated{}}}
	tests := []struct {
		name    string
		formula refund.Formula
		options refundtest.Options
	}{
		{"None", refund.None{}, atEnd},
		{"Prorated", refund.Prorated{}, atEnd},
		{"Prorated with all settings", refund.Prorated{Percent: share("33.3"), By: refund.Seconds, Rounding: refund.HalfUp}, atEnd},
		{"Prorated with the cancellation day unused", refund.Prorated{CancelDayUnused: true, Rounding: refund.HalfDown}, atEnd},
		{"MoneyBack", refund.MoneyBack{Days: 30}, refundtest.Options{}},
		{"MoneyBack or Prorated", refund.MoneyBack{Days: 14, Else: refund.Prorated{}}, refundtest.Options{}},
		{"Fee", refund.Fee{Amount: amount("2.50")}, cents},
		{"Fee of nothing", refund.Fee{}, atEnd},
		{"Minimum", refund.Minimum{Amount: amount("5")}, atEnd},
		{"Cap", refund.Cap{Amount: share("20")}, atEnd},
		{"ByKind", refund.ByKind{Recurring: refund.Fee{Amount: amount("1")}, Flat: refund.Prorated{Percent: share("25")}}, atEnd},
		{"ByLabel", refund.ByLabel{Formulas: map[string]refund.Formula{"disk": refund.None{}, "server": refund.Fee{Amount: amount("3")}}}, atEnd},
		{"nested", refund.Minimum{Amount: amount("1"), Of: refund.Cap{Amount: share("50"), Of: fee}}, refundtest.Options{}},
		{"Expression", parse(t, "when(period_days == 0, 0, paid * unused_days / max(1, period_days)) - 5"), atEnd},
		{"the documented expression", parse(t, "paid * unused_days / period_days - 5"), refundtest.Options{ZeroAtEnd: true}},
		{"Expression of steps", parse(t, "when(service_days < 30, paid, when(unused_seconds > 0, paid * 0.5, 0))"), refundtest.Options{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refundtest.TestFormula(t, tt.formula, tt.options)
		})
		t.Run(tt.name+", which spreads credits", func(t *testing.T) {
			t.Parallel()
			tt.options.Credits, tt.options.Seed, tt.options.Cases = true, 1, 300
			refundtest.TestFormula(t, tt.formula, tt.options)
		})
	}
}

// corrupted returns Prorated{} with a change to its result.
func corrupted(change func(refund.Case, *refund.Result)) refund.Formula {
	return refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		r, err := refund.Prorated{}.Refund(c)
		if err == nil {
			change(c, &r)
		}
		return r, err
	})
}

// setTotal sets the total to the sum of the lines, so a corrupted formula breaks one promise only.
func setTotal(c refund.Case, r *refund.Result) {
	r.Total = decimal.New(0, -c.Places)
	for _, l := range r.Lines {
		r.Total = r.Total.Add(l.Amount)
	}
}

func incorrectFormulas() map[string]map[string]refund.Formula {
	var calls atomic.Int64
	return map[string]map[string]refund.Formula{
		"returns a result for every valid case": {
			"expects at least one charge": corrupted(func(c refund.Case, r *refund.Result) { r.Total = r.Lines[0].Amount; setTotal(c, r) }),
			"divides by zero": corrupted(func(c refund.Case, _ *refund.Result) {
				for _, charge := range c.Charges {
					_ = 1 / int(charge.End.Sub(charge.Start)/(24*time.Hour))
				}
			}),
			"expects a Location": corrupted(func(c refund.Case, r *refund.Result) {
				if _, offset := c.At.In(c.Location).Zone(); offset > 24*60*60 {
					r.Lines = nil // no zone is that far from UTC
				}
			}),
			"rejects charges of 0": refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
				for _, charge := range c.Charges {
					if charge.Paid.IsZero() {
						return refund.Result{}, refund.ErrInvalid
					}
				}
				return refund.Prorated{}.Refund(c)
			}),
		},
		"does not change the case": {
			"sorts the charges": corrupted(func(c refund.Case, _ *refund.Result) {
				if len(c.Charges) > 1 && c.Charges[0].Paid.GreaterThan(c.Charges[1].Paid) {
					c.Charges[0], c.Charges[1] = c.Charges[1], c.Charges[0]
				}
			}),
			"subtracts Refunded from Paid": corrupted(func(c refund.Case, _ *refund.Result) {
				for i := range c.Charges {
					c.Charges[i].Paid = c.Charges[i].Paid.Sub(c.Charges[i].Refunded)
				}
			}),
		},
		"returns the same result again": {
			"counts its calls": corrupted(func(_ refund.Case, r *refund.Result) {
				if len(r.Lines) > 0 && calls.Add(1)%2 == 0 {
					r.Lines[0].Note = "even"
				}
			}),
		},
		"returns one line for each charge, in the order of the charges": {
			"leaves out lines of 0": corrupted(func(_ refund.Case, r *refund.Result) {
				nonZero := r.Lines[:0]
				for _, l := range r.Lines {
					if !l.Amount.IsZero() {
						nonZero = append(nonZero, l)
					}
				}
				r.Lines = nonZero
			}),
			"reverses the lines": corrupted(func(_ refund.Case, r *refund.Result) {
				for i, j := 0, len(r.Lines)-1; i < j; i, j = i+1, j-1 {
					r.Lines[i], r.Lines[j] = r.Lines[j], r.Lines[i]
				}
			}),
			"loses the charge": corrupted(func(_ refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Charge.Label = ""
				}
			}),
		},
		"rounds every amount to the decimals of the currency": {
			"always rounds to cents": corrupted(func(_ refund.Case, r *refund.Result) { r.Total = r.Total.Round(2) }),
			"does not round": corrupted(func(c refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Amount = r.Lines[i].Amount.Mul(amount("0.9"))
				}
				setTotal(c, r)
			}),
			"returns an enormous total": corrupted(func(_ refund.Case, r *refund.Result) { r.Total = decimal.New(1, 1_000_000_000) }),
		},
		"returns lines that add up to the total": {
			"calculates the total separately": corrupted(func(c refund.Case, r *refund.Result) {
				if len(r.Lines) > 1 {
					r.Total = r.Total.Add(decimal.New(1, -c.Places))
				}
			}),
		},
		"returns no negative amount": {
			"deducts a fee from every line": corrupted(func(c refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Amount = r.Lines[i].Amount.Sub(decimal.New(5, 0))
				}
				setTotal(c, r)
			}),
		},
		"never refunds more than is left of a payment": {
			"ignores Refunded": corrupted(func(c refund.Case, r *refund.Result) {
				c.Charges = slices.Clone(c.Charges)
				for i := range c.Charges {
					c.Charges[i].Refunded = decimal.Zero
				}
				ignored, _ := refund.Prorated{}.Refund(c)
				for i := range r.Lines {
					r.Lines[i].Amount = ignored.Lines[i].Amount
				}
				setTotal(c, r)
			}),
			"rounds up": corrupted(func(c refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Amount = c.Charges[i].Paid.RoundUp(c.Places)
				}
				setTotal(c, r)
			}),
		},
		"never refunds more for a later cancellation": {
			"refunds more in the second half": refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
				for _, charge := range c.Charges {
					if charge.Kind == refund.Recurring && c.At.After(charge.Start.Add(charge.End.Sub(charge.Start)/2)) {
						return refund.MoneyBack{Days: 10_000}.Refund(c)
					}
				}
				return refund.Prorated{}.Refund(c)
			}),
			"refunds by the local hour": corrupted(func(c refund.Case, r *refund.Result) {
				if c.Location == nil {
					c.Location = time.UTC
				}
				zero, hour := decimal.New(0, -c.Places), decimal.New(int64(c.At.In(c.Location).Hour()), 0)
				for i, l := range r.Lines {
					if r.Lines[i].Amount = zero; l.Charge.Paid.Sub(l.Charge.Refunded).GreaterThan(hour) {
						r.Lines[i].Amount = zero.Add(hour)
					}
				}
				setTotal(c, r)
			}),
		},
		"refunds nothing from the end of the last charge on": {
			"MoneyBack": refund.MoneyBack{Days: 30},
		},
	}
}

func TestIncorrectFormulas(t *testing.T) {
	t.Parallel()
	for promise, formulas := range incorrectFormulas() {
		for name, f := range formulas {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				err := refundtest.Check(f, refundtest.Options{
					ZeroAtEnd: promise == "refunds nothing from the end of the last charge on", ShortPeriods: true,
				})
				var v *refundtest.Violation
				require.ErrorAs(t, err, &v)
				assert.Equal(t, promise, v.Promise, v)
				assert.NotEmpty(t, v.Found)
				assert.LessOrEqual(t, len(v.Case.Charges), 2, v)
			})
		}
	}
}

// The reported case is simple enough for a person.
func TestReportedCaseIsSimple(t *testing.T) {
	t.Parallel()
	err := refundtest.Check(incorrectFormulas()["never refunds more than is left of a payment"]["ignores Refunded"])
	assert.EqualError(t, err, strings.TrimSpace(`
broken promise: never refunds more than is left of a payment
line 0 is 1.00, 0 is left of the payment
the simplest case that was found:
  recurring charge "server" from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z: paid 1, refunded before 1
  at 2026-01-01T00:00:00Z, service since 2026-01-01T00:00:00Z, days of UTC, 2 places`))
	var v *refundtest.Violation
	require.ErrorAs(t, err, &v)
	assert.NoError(t, v.Case.Validate())
}

// The report says that Location is nil, because a formula may fail for that reason.
func TestReportedCaseWithoutLocation(t *testing.T) {
	t.Parallel()
	err := refundtest.Check(incorrectFormulas()["returns a result for every valid case"]["expects a Location"])
	require.ErrorContains(t, err, "time: missing Location in call to Time.In")
	require.ErrorContains(t, err, "days of UTC, 2 places, Location nil")
}

// Empty options mean the defaults, so no formula passes without cases.
func TestEmptyOptions(t *testing.T) {
	t.Parallel()
	empty := refundtest.Options{Places: []int32{}, Labels: []string{}, Cases: -1}
	require.NoError(t, refundtest.Check(refund.Prorated{}, empty))
	require.Error(t, refundtest.Check(refund.FormulaFunc(nil), empty))
}

func TestEqualSeedsFindEqualCases(t *testing.T) {
	t.Parallel()
	f := incorrectFormulas()["never refunds more for a later cancellation"]["refunds more in the second half"]
	for seed := range uint64(3) {
		want := refundtest.Check(f, refundtest.Options{Seed: seed})
		require.Error(t, want)
		assert.EqualError(t, refundtest.Check(f, refundtest.Options{Seed: seed}), want.Error())
	}
}

// runIncorrect is an environment variable. With it, TestFormulaFails runs the suite with an incorrect formula, which must fail.
const runIncorrect = "METALKEEP_INCORRECT"

func TestFormulaFails(t *testing.T) {
	if os.Getenv(runIncorrect) != "" {
		refundtest.TestFormula(t, refund.MoneyBack{Days: 30}, refundtest.Options{ZeroAtEnd: true})
		return
	}
	t.Parallel()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFormulaFails$", "-test.v")
	again.Env = append(os.Environ(), runIncorrect+"=1")
	output, err := again.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "--- FAIL: TestFormulaFails/refunds_nothing_from_the_end_of_the_last_charge_on")
	assert.Contains(t, string(output), "--- PASS: TestFormulaFails/returns_lines_that_add_up_to_the_total")
	assert.Contains(t, string(output), "the simplest case that was found")
}
