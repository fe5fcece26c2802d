package refundtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/refund"
)

// promises lists what is expected of a formula.
func promises(o Options) []promise {
	all := []promise{
		{"answers every valid case", answers},
		{"leaves the case as it was", untouched},
		{"gives the same answer again", same},
		{"has one line for each charge, in their order", inOrder},
		{"has exactly the decimals of the currency", scaled},
		{"adds up", addsUp},
		{"never gives less than nothing", notBelow},
		{"never gives more than is left of a payment", notAbove},
		{"never rises with time", notRising},
	}
	if o.ZeroAtEnd {
		all = append(all, promise{"gives nothing from the end on", zeroAtEnd})
	}
	return all
}

// ask asks f, with a copy of the charges, and makes an error of a panic.
func ask(f refund.Formula, c refund.Case) (r refund.Result, err error) {
	c.Charges = slices.Clone(c.Charges)
	err = fault.Guard("the formula", func() (err error) {
		r, err = f.Refund(c)
		return err
	})
	return r, err
}

func answers(f refund.Formula, t trial) string {
	if _, err := ask(f, t.Case); err != nil {
		return "it fails: " + err.Error()
	}
	return ""
}

func untouched(f refund.Formula, t trial) string {
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

// equal compares by value: a formula may have made the charge of its line anew.
func equal(a, b refund.Charge) bool {
	return a.Label == b.Label && a.Kind == b.Kind && sane(b.Paid) && a.Paid.Equal(b.Paid) &&
		sane(b.Refunded) && a.Refunded.Equal(b.Refunded) && a.Start.Equal(b.Start) && a.End.Equal(b.End)
}

// same asks several times at once, so that the race detector sees a formula that keeps something.
func same(f refund.Formula, t trial) string {
	answers := make([]string, 3)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			r, err := ask(f, t.Case)
			answers[i] = fmt.Sprint(describe(r), err)
		})
	}
	group.Wait()
	for _, a := range answers[1:] {
		if a != answers[0] {
			return fmt.Sprintf("it answers once\n%s\nand then\n%s", answers[0], a)
		}
	}
	return ""
}

// describe writes a result without its charges.
func describe(r refund.Result) string {
	s := "total " + plain(r.Total)
	for _, l := range r.Lines {
		s += fmt.Sprintf("; line %s, %d of %d, clamped %t, %q", plain(l.Amount), l.Unused, l.Total, l.Clamped, l.Note)
	}
	return s
}

// sane tells whether a number can be calculated with, or written out, in reasonable time.
func sane(d decimal.Decimal) bool {
	const most = 100
	return d.Exponent() >= -most && d.Exponent() <= most
}

func plain(d decimal.Decimal) string {
	if !sane(d) {
		return fmt.Sprintf("a number with the exponent %d", d.Exponent())
	}
	return d.StringFixed(max(0, -d.Exponent()))
}

// look asks f and leaves what fails, or has numbers that are none, to the promises about that.
func look(f refund.Formula, c refund.Case, judge func(refund.Result) string) string {
	r, err := ask(f, c)
	if err != nil || !sane(r.Total) {
		return ""
	}
	for _, l := range r.Lines {
		if !sane(l.Amount) {
			return ""
		}
	}
	return judge(r)
}

func inOrder(f refund.Formula, t trial) string {
	return look(f, t.Case, func(r refund.Result) string {
		if len(r.Lines) != len(t.Charges) {
			return fmt.Sprintf("it gives %d lines for %d charges", len(r.Lines), len(t.Charges))
		}
		for i, l := range r.Lines {
			if !equal(t.Charges[i], l.Charge) {
				return fmt.Sprintf("line %d is about %q instead of charge %d, %q", i, l.Charge.Label, i, t.Charges[i].Label)
			}
		}
		return ""
	})
}

func scaled(f refund.Formula, t trial) string {
	r, err := ask(f, t.Case)
	if err != nil {
		return ""
	}
	for i, l := range r.Lines {
		if l.Amount.Exponent() != -t.Places {
			return fmt.Sprintf("line %d is %s", i, plain(l.Amount))
		}
	}
	if r.Total.Exponent() != -t.Places {
		return "the total is " + plain(r.Total)
	}
	return ""
}

func addsUp(f refund.Formula, t trial) string {
	return look(f, t.Case, func(r refund.Result) string {
		sum := decimal.Zero
		for _, l := range r.Lines {
			sum = sum.Add(l.Amount)
		}
		if !sum.Equal(r.Total) {
			return fmt.Sprintf("the lines add up to %s, the total is %s", plain(sum), plain(r.Total))
		}
		return ""
	})
}

func notBelow(f refund.Formula, t trial) string {
	return look(f, t.Case, func(r refund.Result) string {
		for i, l := range r.Lines {
			if l.Amount.IsNegative() {
				return fmt.Sprintf("line %d is %s", i, plain(l.Amount))
			}
		}
		if r.Total.IsNegative() {
			return "the total is " + plain(r.Total)
		}
		return ""
	})
}

func notAbove(f refund.Formula, t trial) string {
	return look(f, t.Case, func(r refund.Result) string {
		for i, l := range r.Lines {
			if i == len(t.Charges) {
				break
			}
			left := decimal.Max(decimal.Zero, t.Charges[i].Paid.Sub(t.Charges[i].Refunded))
			if l.Amount.GreaterThan(left) {
				return fmt.Sprintf("line %d is %s, %s is left of the payment", i, plain(l.Amount), plain(left))
			}
		}
		return ""
	})
}

func notRising(f refund.Formula, t trial) string {
	return look(f, t.Case, func(r refund.Result) string {
		c := t.Case
		c.At = t.later
		return look(f, c, func(later refund.Result) string {
			if later.Total.GreaterThan(r.Total) {
				return fmt.Sprintf("it gives %s at %s and %s at %s", plain(r.Total), written(t.At), plain(later.Total), written(t.later))
			}
			return ""
		})
	})
}

func zeroAtEnd(f refund.Formula, t trial) string {
	c := t.Case
	for _, charge := range t.Charges {
		if charge.End.After(c.At) {
			c.At = charge.End
		}
	}
	return look(f, c, func(r refund.Result) string {
		if !r.Total.IsZero() {
			return fmt.Sprintf("it gives %s at %s", plain(r.Total), written(c.At))
		}
		return ""
	})
}
