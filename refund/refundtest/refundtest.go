// Package refundtest checks a refund formula against random cases: the ones a host wrote itself, an expression that a
// reseller typed, or a combination of this library's own.
//
//	func TestOurRefunds(t *testing.T) {
//		refundtest.TestFormula(t, rules.Refunds)
//	}
//
// A case that breaks a promise is made smaller as long as it still does, and printed so that a person can read it.
package refundtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/metalkeep/metalkeep/refund"
)

// Options say what more is expected of a formula, and which cases it has to answer. The zero value is fine for every
// formula that answers in all currencies.
type Options struct {
	// ZeroAtEnd expects nothing from the end of the last charge on. It holds for Prorated, not for MoneyBack or for an
	// expression that leaves the periods out.
	ZeroAtEnd bool

	// ShortPeriods asks for Recurring and Flat charges by the hour too, whose periods may have no date of their own. A
	// formula that divides by days has to expect that, and fails where it does not.
	ShortPeriods bool

	// Places are the currencies' decimals to ask for; none is 0, 2 and 3. A Fee of 2.50 needs 2.
	Places []int32

	// Labels are what charges are called; none is "server", "licence" and "disk". A ByLabel needs its own.
	Labels []string

	// Cases is how many are drawn for each promise; 0 or less is 1,000. The same Seed draws the same cases.
	Cases int
	Seed  uint64

	zones []*time.Location // loaded once
}

// TestFormula holds f to the promises of a refund.Formula, each in a sub-test named after it. At most one Options is looked
// at. The case that it prints is drawn anew in every run alike, so a failure stays until it is mended.
func TestFormula(t *testing.T, f refund.Formula, options ...Options) {
	t.Helper()
	o := first(options)
	for _, p := range promises(o) {
		t.Run(p.name, func(t *testing.T) {
			if v := p.check(f, o); v != nil {
				t.Error(v)
			}
		})
	}
}

// Check is TestFormula without a test, for a program that wants to know before it accepts a formula. It returns the first
// broken promise as a *Violation, or nil.
func Check(f refund.Formula, options ...Options) error {
	o := first(options)
	for _, p := range promises(o) {
		if v := p.check(f, o); v != nil {
			return v
		}
	}
	return nil
}

func first(options []Options) Options {
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

// Violation is a promise that a formula breaks, with the smallest case found that shows it.
type Violation struct {
	Promise string // the name of the sub-test
	Found   string // what the formula did
	Case    refund.Case
	Later   time.Time // the second instant, where the promise is about two
}

// Error writes the violation and the case for a person.
func (v *Violation) Error() string {
	var b strings.Builder
	c := v.Case
	zone := trial{Case: c}.zone()
	written := func(t time.Time) string { return written(t.In(zone)) }
	fmt.Fprintf(&b, "broken promise: %s\n%s\nthe case, as small as it still shows this:\n", v.Promise, v.Found)
	for _, charge := range c.Charges {
		fmt.Fprintf(&b, "  %s charge %q from %s to %s: paid %s, given back before %s\n",
			charge.Kind, charge.Label, written(charge.Start), written(charge.End), charge.Paid, charge.Refunded)
	}
	fmt.Fprintf(&b, "  at %s, service since %s, days of %s, %d places", written(c.At), written(c.ServiceStart), zone, c.Places)
	if c.Location == nil {
		b.WriteString(", Location nil")
	}
	return b.String()
}

func written(t time.Time) string { return t.Format(time.RFC3339Nano) }

// trial is a case and a second instant, not before the first.
type trial struct {
	refund.Case
	later time.Time
}

// zone is the case's Location, whose nil is UTC.
func (t trial) zone() *time.Location {
	if t.Location == nil {
		return time.UTC
	}
	return t.Location
}

// promise is one property. broken says what the formula did wrong; "" is nothing.
type promise struct {
	name   string
	broken func(f refund.Formula, t trial) string
}

// check draws trials until one breaks the promise.
func (p promise) check(f refund.Formula, o Options) *Violation {
	for n := range o.Cases {
		t := draw(rand.New(rand.NewPCG(o.Seed, uint64(n))), o)
		if p.broken(f, t) == "" {
			continue
		}
		t = shrink(t, o, func(t trial) bool { return p.broken(f, t) != "" })
		return &Violation{Promise: p.name, Found: p.broken(f, t), Case: t.Case, Later: t.later}
	}
	return nil
}
