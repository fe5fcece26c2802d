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

// Everything that the package offers keeps every promise.
func TestTheLibrarysFormulas(t *testing.T) {
	t.Parallel()
	cents, atEnd := refundtest.Options{Places: []int32{2, 3}}, refundtest.Options{ZeroAtEnd: true, ShortPeriods: true}
	tests := []struct {
		name    string
		formula refund.Formula
		options refundtest.Options
	}{
		{"None", refund.None{}, atEnd},
		{"Prorated", refund.Prorated{}, atEnd},
		{"Prorated with everything", refund.Prorated{Percent: share("33.3"), By: refund.Seconds, Rounding: refund.HalfUp}, atEnd},
		{"Prorated with the day unused", refund.Prorated{CancelDayUnused: true, Rounding: refund.HalfDown}, atEnd},
		{"MoneyBack", refund.MoneyBack{Days: 30}, refundtest.Options{}},
		{"MoneyBack or Prorated", refund.MoneyBack{Days: 14, Else: refund.Prorated{}}, refundtest.Options{}},
		{"Fee", refund.Fee{Amount: amount("2.50")}, cents},
		{"Fee of nothing", refund.Fee{}, atEnd},
		{"Minimum", refund.Minimum{Amount: amount("5")}, atEnd},
		{"Cap", refund.Cap{Amount: share("20")}, atEnd},
		{"ByKind", refund.ByKind{Recurring: refund.Fee{Amount: amount("1")}, Flat: refund.Prorated{Percent: share("25")}}, atEnd},
		{"ByLabel", refund.ByLabel{Formulas: map[string]refund.Formula{"disk": refund.None{}, "server": refund.Fee{Amount: amount("3")}}}, atEnd},
		{"nested", refund.Minimum{Amount: amount("1"), Of: refund.Cap{Amount: share("50"), Of: refund.Fee{Amount: amount("1"), Of: refund.MoneyBack{Days: 7, Else: refund.Prorated{}}}}}, refundtest.Options{}},
		{"Expression", parse(t, "when(period_days == 0, 0, paid * unused_days / max(1, period_days)) - 5"), atEnd},
		{"the documented expression", parse(t, "paid * unused_days / period_days - 5"), refundtest.Options{ZeroAtEnd: true}},
		{"Expression of steps", parse(t, "when(service_days < 30, paid, when(unused_seconds > 0, paid * 0.5, 0))"), refundtest.Options{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refundtest.TestFormula(t, tt.formula, tt.options)
		})
	}
}

// edited is Prorated with its answer spoiled.
func edited(spoil func(refund.Case, *refund.Result)) refund.Formula {
	return refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		r, err := refund.Prorated{}.Refund(c)
		if err == nil {
			spoil(c, &r)
		}
		return r, err
	})
}

// total puts a line right and the total with it, so that only the promise in question is broken.
func total(c refund.Case, r *refund.Result) {
	r.Total = decimal.New(0, -c.Places)
	for _, l := range r.Lines {
		r.Total = r.Total.Add(l.Amount)
	}
}

func brokenFormulas() map[string]map[string]refund.Formula {
	var calls atomic.Int64
	return map[string]map[string]refund.Formula{
		"answers every valid case": {
			"takes the first charge for granted": edited(func(c refund.Case, r *refund.Result) { r.Total = r.Lines[0].Amount; total(c, r) }),
			"divides by zero": edited(func(c refund.Case, _ *refund.Result) {
				for _, charge := range c.Charges {
					_ = 1 / int(charge.End.Sub(charge.Start)/(24*time.Hour))
				}
			}),
			"takes the zone for granted": edited(func(c refund.Case, r *refund.Result) {
				if _, offset := c.At.In(c.Location).Zone(); offset > 24*60*60 {
					r.Lines = nil // no zone is that far from UTC
				}
			}),
			"refuses what is free": refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
				for _, charge := range c.Charges {
					if charge.Paid.IsZero() {
						return refund.Result{}, refund.ErrInvalid
					}
				}
				return refund.Prorated{}.Refund(c)
			}),
		},
		"leaves the case as it was": {
			"sorts the charges": edited(func(c refund.Case, _ *refund.Result) {
				if len(c.Charges) > 1 && c.Charges[0].Paid.GreaterThan(c.Charges[1].Paid) {
					c.Charges[0], c.Charges[1] = c.Charges[1], c.Charges[0]
				}
			}),
			"takes what was refunded off the payment": edited(func(c refund.Case, _ *refund.Result) {
				for i := range c.Charges {
					c.Charges[i].Paid = c.Charges[i].Paid.Sub(c.Charges[i].Refunded)
				}
			}),
		},
		"gives the same answer again": {
			"keeps a count": edited(func(_ refund.Case, r *refund.Result) {
				if len(r.Lines) > 0 && calls.Add(1)%2 == 0 {
					r.Lines[0].Note = "even"
				}
			}),
		},
		"has one line for each charge, in their order": {
			"leaves out what is zero": edited(func(_ refund.Case, r *refund.Result) {
				kept := r.Lines[:0]
				for _, l := range r.Lines {
					if !l.Amount.IsZero() {
						kept = append(kept, l)
					}
				}
				r.Lines = kept
			}),
			"turns the order round": edited(func(_ refund.Case, r *refund.Result) {
				for i, j := 0, len(r.Lines)-1; i < j; i, j = i+1, j-1 {
					r.Lines[i], r.Lines[j] = r.Lines[j], r.Lines[i]
				}
			}),
			"forgets the charge": edited(func(_ refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Charge.Label = ""
				}
			}),
		},
		"has exactly the decimals of the currency": {
			"knows cents alone": edited(func(_ refund.Case, r *refund.Result) { r.Total = r.Total.Round(2) }),
			"does not round": edited(func(c refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Amount = r.Lines[i].Amount.Mul(amount("0.9"))
				}
				total(c, r)
			}),
			"goes wild": edited(func(_ refund.Case, r *refund.Result) { r.Total = decimal.New(1, 1_000_000_000) }),
		},
		"adds up": {
			"rounds the total by itself": edited(func(c refund.Case, r *refund.Result) {
				if len(r.Lines) > 1 {
					r.Total = r.Total.Add(decimal.New(1, -c.Places))
				}
			}),
		},
		"never gives less than nothing": {
			"takes a fee from every line": edited(func(c refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Amount = r.Lines[i].Amount.Sub(decimal.New(5, 0))
				}
				total(c, r)
			}),
		},
		"never gives more than is left of a payment": {
			"forgets what was refunded": edited(func(c refund.Case, r *refund.Result) {
				c.Charges = slices.Clone(c.Charges)
				for i := range c.Charges {
					c.Charges[i].Refunded = decimal.Zero
				}
				spoiled, _ := refund.Prorated{}.Refund(c)
				for i := range r.Lines {
					r.Lines[i].Amount = spoiled.Lines[i].Amount
				}
				total(c, r)
			}),
			"rounds up": edited(func(c refund.Case, r *refund.Result) {
				for i := range r.Lines {
					r.Lines[i].Amount = c.Charges[i].Paid.RoundUp(c.Places)
				}
				total(c, r)
			}),
		},
		"never rises with time": {
			"gives more in the second half": refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
				for _, charge := range c.Charges {
					if charge.Kind == refund.Recurring && c.At.After(charge.Start.Add(charge.End.Sub(charge.Start)/2)) {
						return refund.MoneyBack{Days: 10_000}.Refund(c)
					}
				}
				return refund.Prorated{}.Refund(c)
			}),
			"counts the hours of the clock on the wall": edited(func(c refund.Case, r *refund.Result) {
				if c.Location == nil {
					c.Location = time.UTC
				}
				zero, hour := decimal.New(0, -c.Places), decimal.New(int64(c.At.In(c.Location).Hour()), 0)
				for i, l := range r.Lines {
					if r.Lines[i].Amount = zero; l.Charge.Paid.Sub(l.Charge.Refunded).GreaterThan(hour) {
						r.Lines[i].Amount = zero.Add(hour)
					}
				}
				total(c, r)
			}),
		},
		"gives nothing from the end on": {
			"MoneyBack": refund.MoneyBack{Days: 30},
		},
	}
}

func TestBrokenFormulas(t *testing.T) {
	t.Parallel()
	for promise, formulas := range brokenFormulas() {
		for name, f := range formulas {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				err := refundtest.Check(f, refundtest.Options{
					ZeroAtEnd: promise == "gives nothing from the end on", ShortPeriods: true,
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

// The counterexample is one that a person reads at a glance.
func TestCounterexamplesAreSmall(t *testing.T) {
	t.Parallel()
	err := refundtest.Check(brokenFormulas()["never gives more than is left of a payment"]["forgets what was refunded"])
	assert.EqualError(t, err, strings.TrimSpace(`
broken promise: never gives more than is left of a payment
line 0 is 1.00, 0 is left of the payment
the case, as small as it still shows this:
  recurring charge "server" from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z: paid 1, given back before 1
  at 2026-01-01T00:00:00Z, service since 2026-01-01T00:00:00Z, days of UTC, 2 places`))
	var v *refundtest.Violation
	require.ErrorAs(t, err, &v)
	assert.NoError(t, v.Case.Validate())
}

// A Location that is nil is said, in the counterexample of a formula that cannot do without.
func TestCounterexampleWithoutAZone(t *testing.T) {
	t.Parallel()
	err := refundtest.Check(brokenFormulas()["answers every valid case"]["takes the zone for granted"])
	require.ErrorContains(t, err, "time: missing Location in call to Time.In")
	require.ErrorContains(t, err, "days of UTC, 2 places, Location nil")
}

// Options that leave nothing to ask for are the defaults: no formula passes unasked.
func TestEmptyOptions(t *testing.T) {
	t.Parallel()
	empty := refundtest.Options{Places: []int32{}, Labels: []string{}, Cases: -1}
	require.NoError(t, refundtest.Check(refund.Prorated{}, empty))
	require.Error(t, refundtest.Check(refund.FormulaFunc(nil), empty))
}

func TestTheSameSeedFindsTheSame(t *testing.T) {
	t.Parallel()
	f := brokenFormulas()["never rises with time"]["gives more in the second half"]
	for seed := range uint64(3) {
		want := refundtest.Check(f, refundtest.Options{Seed: seed})
		require.Error(t, want)
		assert.EqualError(t, refundtest.Check(f, refundtest.Options{Seed: seed}), want.Error())
	}
}

// breakIt has the program run TestFormulaFails with a broken formula, which must fail.
const breakIt = "METALKEEP_BREAK"

func TestFormulaFails(t *testing.T) {
	if os.Getenv(breakIt) != "" {
		refundtest.TestFormula(t, refund.MoneyBack{Days: 30}, refundtest.Options{ZeroAtEnd: true})
		return
	}
	t.Parallel()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFormulaFails$", "-test.v")
	again.Env = append(os.Environ(), breakIt+"=1")
	output, err := again.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "--- FAIL: TestFormulaFails/gives_nothing_from_the_end_on")
	assert.Contains(t, string(output), "--- PASS: TestFormulaFails/adds_up")
	assert.Contains(t, string(output), "the case, as small as it still shows this")
}
