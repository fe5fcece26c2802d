package refund

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// Line is the refund of one charge. Its Amount is 0 or more, and 0 for a credit. It is not above Paid less Refunded, or it is 0 if
// that is negative.
type Line struct {
	Charge  Charge
	Unused  int64           // unused units of the period, days or seconds; 0 if the formula does not measure the period
	Total   int64           // all units of the period; 0 if the formula does not measure it
	Amount  decimal.Decimal // in the currency's main unit, rounded once, with exactly Case.Places decimals
	Clamped bool            // the formula's value was below 0, above Paid less Refunded, or reduced by a Cap
	Note    string          // an English explanation of the amount, such as "the period is over"; may be ""
}

// Result is the refund for a case.
type Result struct {
	Total decimal.Decimal // the exact sum of the lines, with exactly Case.Places decimals
	Lines []Line          // one for each charge, in the order of the charges
}

// String returns a text of several lines for a person: one for each Line, and one for the total.
func (r Result) String() string {
	var b strings.Builder
	for _, l := range r.Lines {
		b.WriteString(l.String() + "\n")
	}
	fmt.Fprintf(&b, "total: %s", formatDecimal(r.Total))
	return b.String()
}

// String returns a text for a person, such as "disk: 6.67 of 10.00, 20 of 30 unused (note)". It leaves out the units if the
// formula did not measure the period, and an empty note.
func (l Line) String() string {
	s := fmt.Sprintf("%s: %s of %s", l.Charge.Label, formatDecimal(l.Amount), formatDecimal(l.Charge.Paid))
	if l.Total > 0 {
		s += fmt.Sprintf(", %d of %d unused", l.Unused, l.Total)
	}
	if l.Note != "" {
		s += " (" + l.Note + ")"
	}
	return s
}

// formatDecimal writes d with all its decimals, trailing zeros included.
func formatDecimal(d decimal.Decimal) string {
	if !withinBounds(d, maxResultBits) {
		return "a number that " + boundsProblem(maxResultBits)
	}
	return d.StringFixed(max(0, -d.Exponent()))
}

// The notes of this package's formulas.
const (
	noteSetup            = "set-up is not given back"
	noteUsage            = "usage is not given back"
	noteNone             = "nothing is given back"
	noteOver             = "the period is over"
	noteNotBegun         = "the period has not begun"
	noteNoDay            = "the period is shorter than a day"
	noteNoSecond         = "the period is shorter than a second"
	noteCredit           = "a credit: it lowers the payments for other charges"
	noteCutToRemaining   = "cut to what is left of the payment"
	noteCutToAllPayments = "cut to what is left of all payments"
	noteCutToZero        = "cut to 0: the formula's value is negative"
)

// rawLine is the value of a formula for one charge, before it is rounded and clamped.
type rawLine struct {
	exact         number
	unused, total int64
	note          string
}

// buildResult calls compute for each Recurring and Flat charge of a valid case, then rounds and clamps its values.
func (c *Case) buildResult(r Rounding, compute func(charge *Charge, paid number) (rawLine, error)) (Result, error) {
	lines, total := make([]Line, len(c.Charges)), whole(0)
	for i := range c.Charges {
		charge := &c.Charges[i]
		paid, raw := fromDecimal(charge.Paid), rawLine{exact: whole(0)}
		switch charge.Kind {
		case Setup:
			raw.note = noteSetup
		case Usage:
			raw.note = noteUsage
		default:
			var err error
			if raw, err = compute(charge, paid); err != nil {
				return Result{}, wrapChargeError(err, i, charge.Label)
			}
		}
		var units number
		lines[i], units = c.buildLine(charge, paid, raw, r)
		total = total.add(units)
	}
	if len(lines) == 1 {
		return Result{Total: lines[0].Amount, Lines: lines}, nil // decimals are immutable
	}
	return Result{Total: total.decimal(c.Places), Lines: lines}, nil
}

// wrapChargeError adds the charge to an error, unless it is an *Error about the whole case.
func wrapChargeError(err error, charge int, label string) error {
	if _, ok := err.(*Error); ok {
		return err
	}
	return &Error{Charge: charge, Label: label, Err: err}
}

// buildLine rounds the raw amount to whole units and clamps it to the bounds 0 and remaining. It returns the units as well.
func (c *Case) buildLine(charge *Charge, paid number, raw rawLine, r Rounding) (Line, number) {
	l := Line{Charge: *charge, Unused: raw.unused, Total: raw.total, Note: raw.note}
	units, upper := raw.exact.units(c.Places, r), charge.remaining(paid, c.Places)
	if units.cmp(upper) > 0 {
		units, l.Clamped, l.Note = upper, true, addNote(l.Note, noteCutToRemaining)
	}
	if units.sign() < 0 {
		units, l.Clamped, l.Note = whole(0), true, addNote(l.Note, noteCutToZero)
	}
	l.Amount = units.decimal(c.Places)
	return l, units
}

// remaining returns the largest permitted refund in whole units: paid less Refunded, rounded down, and at least 0.
func (c *Charge) remaining(paid number, places int32) number {
	left := paid
	if !c.Refunded.IsZero() {
		left = left.sub(fromDecimal(c.Refunded))
	}
	if left.sign() < 0 {
		return whole(0)
	}
	return left.units(places, floor)
}

// addNote returns both notes, separated by a semicolon.
func addNote(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "; " + second
}
