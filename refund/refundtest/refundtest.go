// Package refundtest checks a refund.Formula with random cases. A host uses it for its own formulas, for the expressions of its
// resellers and for combinations of the library's formulas.
//
//	func TestOurRefunds(t *testing.T) {
//		refundtest.TestFormula(t, rules.Refunds)
//	}
//
// If a case violates a promise, the package searches for a simpler case that violates the same promise, and reports that one.
package refundtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/metalkeep/metalkeep/refund"
)

// Options select the random cases and one additional promise. The zero value suits every formula that works for all currencies.
type Options struct {
	// ZeroAtEnd adds a promise: the formula refunds nothing from the end of the last charge on. Prorated keeps it. MoneyBack and
	// expressions that ignore the period do not.
	ZeroAtEnd bool

	// ShortPeriods adds Recurring and Flat charges whose period starts and ends on the same date. A formula that divides by the
	// number of days fails for them unless it handles 0 days.
	ShortPeriods bool

	// Credits asks the formula itself for the cases with credits, charges with a negative payment. Every formula of package refund
	// spreads them by itself. Without it, a case with credits goes through refund.Calculate, as it does in the library, and the
	// formula sees no negative payment. A host sets it for a formula that it also asks in another way.
	Credits bool

	// Places lists the numbers of decimals of the currencies; empty means 0, 2 and 3. A formula with a Fee of 2.50 needs at least 2.
	Places []int32

	// Labels lists the labels of the charges; empty means "server", "licence" and "disk". A ByLabel needs its own labels.
	Labels []string

	// Cases is the number of random cases for each promise; 0 or less means 1,000.
	Cases int

	// Seed selects the random cases. Equal seeds and options give equal cases.
	Seed uint64

	zones []*time.Location // loaded once
}

// TestFormula checks f against each promise of a refund.Formula, in a sub-test with the name of the promise. It uses the first of
// the options and ignores any others. The random cases are the same in every run, so a failure can be repeated.
func TestFormula(t *testing.T, f refund.Formula, options ...Options) {
	t.Helper()
	o := withDefaults(options)
	for _, p := range promises(o) {
		t.Run(p.name, func(t *testing.T) {
			if v := p.check(o.asked(f), o); v != nil {
				t.Error(v)
			}
		})
	}
}

// Check does what TestFormula does, without a test, so a program can check a formula before it accepts it. It returns nil, or the
// first violation as a *Violation.
func Check(f refund.Formula, options ...Options) error {
	o := withDefaults(options)
	for _, p := range promises(o) {
		if v := p.check(o.asked(f), o); v != nil {
			return v
		}
	}
	return nil
}

// asked returns the formula as it is asked: with the credits of a case, or without them.
func (o Options) asked(f refund.Formula) refund.Formula {
	if o.Credits || f == nil {
		return f
	}
	return spreadFirst{f}
}

// spreadFirst is a formula that gets no credits.
type spreadFirst struct{ refund.Formula }

func (s spreadFirst) Refund(c refund.Case) (refund.Result, error) {
	return refund.Calculate(s.Formula, c)
}

func withDefaults(options []Options) Options {
	o := Options{}
	if len(options) > 0 {
		o = options[0]
	}
	if o.Cases <= 0 {
		o.Cases = 1000
	}
	if len(o.Places) == 0 {
		o.Places = []int32{0, 2, 3}
	}
	if len(o.Labels) == 0 {
		o.Labels = []string{"server", "licence", "disk"}
	}
	o.zones = zones()
	return o
}

// Violation reports a promise that a formula breaks, with the simplest case that was found.
type Violation struct {
	Promise string      // the name of the sub-test
	Found   string      // a description of what the formula did
	Case    refund.Case // a case for which it did so
	Later   time.Time   // the second instant; only a promise about two instants uses it
}

// Error returns a text of several lines for a person: the promise, what was found, and the case.
func (v *Violation) Error() string {
	var b strings.Builder
	c := v.Case
	zone := trial{Case: c}.zone()
	format := func(t time.Time) string { return formatTime(t.In(zone)) }
	fmt.Fprintf(&b, "broken promise: %s\n%s\nthe simplest case that was found:\n", v.Promise, v.Found)
	for _, charge := range c.Charges {
		fmt.Fprintf(&b, "  %s charge %q from %s to %s: paid %s, refunded before %s\n",
			charge.Kind, charge.Label, format(charge.Start), format(charge.End), charge.Paid, charge.Refunded)
	}
	fmt.Fprintf(&b, "  at %s, service since %s, days of %s, %d places", format(c.At), format(c.ServiceStart), zone, c.Places)
	if c.Location == nil {
		b.WriteString(", Location nil")
	}
	return b.String()
}

func formatTime(t time.Time) string { return t.Format(time.RFC3339Nano) }

// trial is a case and a second instant that is not before Case.At.
type trial struct {
	refund.Case
	later time.Time
}

// zone returns the Location of the case, or UTC if that is nil.
func (t trial) zone() *time.Location {
	if t.Location == nil {
		return time.UTC
	}
	return t.Location
}

// promise is one property of a formula. violation describes how the formula breaks the promise in a trial; "" means that it keeps
// the promise.
type promise struct {
	name      string
	violation func(f refund.Formula, t trial) string
}

// check tries random cases until the formula breaks the promise.
func (p promise) check(f refund.Formula, o Options) *Violation {
	for n := range o.Cases {
		t := randomTrial(rand.New(rand.NewPCG(o.Seed, uint64(n))), o)
		if p.violation(f, t) == "" {
			continue
		}
		t = simplify(t, o, func(t trial) bool { return p.violation(f, t) != "" })
		return &Violation{Promise: p.name, Found: p.violation(f, t), Case: t.Case, Later: t.later}
	}
	return nil
}
