package refundtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/refund"
)

// promises lists the promises that a formula must keep.
func promises(o Options) []promise {
	all := []promise{
		{"returns a result for every valid case", checkResult},
		{"does not change the case", checkCaseUnchanged},
		{"returns the same result again", checkRepeatable},
		{"returns one line for each charge, in the order of the charges", checkLines},
		{"rounds every amount to the decimals of the currency", checkScale},
		{"returns lines that add up to the total", checkSum},
		{"returns no negative amount", checkNotNegative},
		{"never refunds more than is left of a payment", checkNotAboveRemaining},
		{"never refunds more than is left of all payments less the credits", checkNotAboveAll},
		{"never refunds more for a later cancellation", checkNotRising},
	}
	if o.ZeroAtEnd {
		all = append(all, promise{"refunds nothing from the end of the last charge on", checkZeroAtEnd})
	}
	return all
}

// ask calls f with a copy of the charges. It returns a panic as an error.
func ask(f refund.Formula, c refund.Case) (r refund.Result, err error) {
	c.Charges = slices.Clone(c.Charges)
	err = fault.Guard("the formula", func() (err error) {
		r, err = f.Refund(c)
		return err
	})
	return r, err
}

func checkResult(f refund.Formula, t trial) string {
	if _, err := ask(f, t.Case); err != nil {
		return "it fails: " + err.Error()
	}
	return ""
}

func checkCaseUnchanged(f refund.Formula, t trial) string {
	c := t.Case
	c.Charges = slices.Clone(t.Charges)
	_ = fault.Guard("the formula", func() error {
		_, err := f.Refund(c)
		return err
	})
	for i, charge := range t.Charges {
		if charge != c.Charges[i] {
			return fmt.Sprintf("charge %d was changed", i)
		}
	}
	return ""
}

// equal compares two charges by value, because a formula may build the charge of a line anew.
func equal(a, b refund.Charge) bool {
	return a.Label == b.Label && a.Kind == b.Kind && withinBounds(b.Paid) && a.Paid.Equal(b.Paid) &&
		withinBounds(b.Refunded) && a.Refunded.Equal(b.Refunded) && a.Start.Equal(b.Start) && a.End.Equal(b.End)
}

// checkRepeatable calls the formula in several goroutines at once, so the race detector can find a formula that keeps state.
func checkRepeatable(f refund.Formula, t trial) string {
	results := make([]string, 3)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			r, err := ask(f, t.Case)
			results[i] = fmt.Sprint(describe(r), err)
		})
	}
	group.Wait()
	for _, r := range results[1:] {
		if r != results[0] {
			return fmt.Sprintf("it returns first\n%s\nand then\n%s", results[0], r)
		}
	}
	return ""
}

// describe writes a result without its charges.
func describe(r refund.Result) string {
	s := "total " + formatDecimal(r.Total)
	for _, l := range r.Lines {
		s += fmt.Sprintf("; line %s, %d of %d, clamped %t, %q", formatDecimal(l.Amount), l.Unused, l.Total, l.Clamped, l.Note)
	}
	return s
}

// withinBounds reports whether the package can calculate with d and write it out in a short time.
func withinBounds(d decimal.Decimal) bool {
	const maxExponent = 100
	return d.Exponent() >= -maxExponent && d.Exponent() <= maxExponent
}

// formatDecimal writes d with all its decimals.
func formatDecimal(d decimal.Decimal) string {
	if !withinBounds(d) {
		return fmt.Sprintf("a number with the exponent %d", d.Exponent())
	}
	return d.StringFixed(max(0, -d.Exponent()))
}

// checkValid calls check with the result of f. It skips errors and amounts out of bounds, because other promises cover those.
func checkValid(f refund.Formula, c refund.Case, check func(refund.Result) string) string {
	r, err := ask(f, c)
	if err != nil || !withinBounds(r.Total) {
		return ""
	}
	for _, l := range r.Lines {
		if !withinBounds(l.Amount) {
			return ""
		}
	}
	return check(r)
}

func checkLines(f refund.Formula, t trial) string {
	return checkValid(f, t.Case, func(r refund.Result) string {
		if len(r.Lines) != len(t.Charges) {
			return fmt.Sprintf("it returns %d lines for %d charges", len(r.Lines), len(t.Charges))
		}
		for i, l := range r.Lines {
			if !equal(t.Charges[i], l.Charge) {
				return fmt.Sprintf("line %d has the charge %q, not charge %d, %q", i, l.Charge.Label, i, t.Charges[i].Label)
			}
		}
		return ""
	})
}

func checkScale(f refund.Formula, t trial) string {
	r, err := ask(f, t.Case)
	if err != nil {
		return ""
	}
	for i, l := range r.Lines {
		if l.Amount.Exponent() != -t.Places {
			return fmt.Sprintf("line %d is %s", i, formatDecimal(l.Amount))
		}
	}
	if r.Total.Exponent() != -t.Places {
		return "the total is " + formatDecimal(r.Total)
	}
	return ""
}

func checkSum(f refund.Formula, t trial) string {
	return checkValid(f, t.Case, func(r refund.Result) string {
		sum := decimal.Zero
		for _, l := range r.Lines {
			sum = sum.Add(l.Amount)
		}
		if !sum.Equal(r.Total) {
			return fmt.Sprintf("the lines add up to %s, the total is %s", formatDecimal(sum), formatDecimal(r.Total))
		}
		return ""
	})
}

func checkNotNegative(f refund.Formula, t trial) string {
	return checkValid(f, t.Case, func(r refund.Result) string {
		for i, l := range r.Lines {
			if l.Amount.IsNegative() {
				return fmt.Sprintf("line %d is %s", i, formatDecimal(l.Amount))
			}
		}
		if r.Total.IsNegative() {
			return "the total is " + formatDecimal(r.Total)
		}
		return ""
	})
}

func checkNotAboveRemaining(f refund.Formula, t trial) string {
	return checkValid(f, t.Case, func(r refund.Result) string {
		for i, l := range r.Lines {
			if i == len(t.Charges) {
				break
			}
			left := decimal.Max(decimal.Zero, t.Charges[i].Paid.Sub(t.Charges[i].Refunded))
			if l.Amount.GreaterThan(left) {
				return fmt.Sprintf("line %d is %s, %s is left of the payment", i, formatDecimal(l.Amount), formatDecimal(left))
			}
		}
		return ""
	})
}

func checkNotAboveAll(f refund.Formula, t trial) string {
	return checkValid(f, t.Case, func(r refund.Result) string {
		left := decimal.Zero
		for _, charge := range t.Charges {
			left = left.Add(charge.Paid).Sub(charge.Refunded)
		}
		if left = decimal.Max(decimal.Zero, left); r.Total.GreaterThan(left) {
			return fmt.Sprintf("it refunds %s, %s is left of all payments", formatDecimal(r.Total), formatDecimal(left))
		}
		return ""
	})
}

func checkNotRising(f refund.Formula, t trial) string {
	return checkValid(f, t.Case, func(r refund.Result) string {
		c := t.Case
		c.At = t.later
		return checkValid(f, c, func(later refund.Result) string {
			if later.Total.GreaterThan(r.Total) {
				return fmt.Sprintf("it refunds %s at %s and %s at %s",
					formatDecimal(r.Total), formatTime(t.At), formatDecimal(later.Total), formatTime(t.later))
			}
			return ""
		})
	})
}

func checkZeroAtEnd(f refund.Formula, t trial) string {
	c := t.Case
	for _, charge := range t.Charges {
		if charge.End.After(c.At) {
			c.At = charge.End
		}
	}
	return checkValid(f, c, func(r refund.Result) string {
		if !r.Total.IsZero() {
			return fmt.Sprintf("it refunds %s at %s", formatDecimal(r.Total), formatTime(c.At))
		}
		return ""
	})
}
