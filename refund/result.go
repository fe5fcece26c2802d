package refund

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// Line is the answer for one charge, rounded once. Amount has exactly Case.Places decimals and lies between 0 and what
// was paid less what was given back before.
//
// Unused and Total count the charge's period in the formula's unit, days or seconds; both are 0 where the formula did
// not look at them. Clamped says that the formula's own figure was out of bounds, or above a Cap, and was cut. Note says
// in English what is not plain from the figures: why nothing is given, why the figure was cut; "" is nothing.
type Line struct {
	Charge        Charge
	Unused, Total int64
	Amount        decimal.Decimal
	Clamped       bool
	Note          string
}

// Result is the answer to a Case: one line for each charge, in their order. Total has exactly Case.Places decimals and is
// the sum of the lines, to the last digit.
type Result struct {
	Total decimal.Decimal
	Lines []Line
}

// String writes the result for a person: a row for each line and one for the total.
func (r Result) String() string {
	var b strings.Builder
	for _, l := range r.Lines {
		b.WriteString(l.String() + "\n")
	}
	fmt.Fprintf(&b, "total: %s", fixed(r.Total))
	return b.String()
}

// String writes the line for a person: the label, the amount of what was paid, the units and the note.
func (l Line) String() string {
	s := fmt.Sprintf("%s: %s of %s", l.Charge.Label, fixed(l.Amount), fixed(l.Charge.Paid))
	if l.Total > 0 {
		s += fmt.Sprintf(", %d of %d unused", l.Unused, l.Total)
	}
	if l.Note != "" {
		s += " (" + l.Note + ")"
	}
	return s
}

// fixed writes d with all its decimals.
func fixed(d decimal.Decimal) string {
	if !bounded(d, mostWideBits) {
		return "a number that " + tooLong(mostWideBits)
	}
	return d.StringFixed(max(0, -d.Exponent()))
}

// The notes of this package's formulas.
const (
	noteSetup    = "set-up is not given back"
	noteUsage    = "usage is not given back"
	noteNone     = "nothing is given back"
	noteOver     = "the period is over"
	noteNotBegun = "the period has not begun"
	noteNoDay    = "no day begins in the period"
	noteNoSecond = "the period is shorter than a second"
	noteCeiling  = "cut to what is left of the payment"
	noteFloor    = "cut to 0: the formula gave less"
)

// figure is what a formula works out for one charge, exactly and without looking at bounds.
type figure struct {
	exact         number
	unused, total int64
	note          string
}

// answer asks for the figure of each Recurring and Flat charge of a valid case, rounds it and keeps it in bounds.
func (c *Case) answer(r Rounding, work func(charge *Charge, paid number) (figure, error)) (Result, error) {
	lines, total := make([]Line, len(c.Charges)), whole(0)
	for i := range c.Charges {
		charge := &c.Charges[i]
		paid, f := exactly(charge.Paid), figure{exact: whole(0)}
		switch charge.Kind {
		case Setup:
			f.note = noteSetup
		case Usage:
			f.note = noteUsage
		default:
			var err error
			if f, err = work(charge, paid); err != nil {
				return Result{}, blame(err, i, charge.Label)
			}
		}
		var units number
		lines[i], units = c.line(charge, paid, f, r)
		total = total.add(units)
	}
	if len(lines) == 1 {
		return Result{Total: lines[0].Amount, Lines: lines}, nil // decimals are immutable
	}
	return Result{Total: total.money(c.Places), Lines: lines}, nil
}

// blame names the charge that a formula failed for.
func blame(err error, charge int, label string) error {
	if _, ok := err.(*Error); ok {
		return err // it is about the case
	}
	return &Error{Charge: charge, Label: label, Err: err}
}

// line rounds the figure, and cuts it to the whole units between 0 and what is left of the payment.
func (c *Case) line(charge *Charge, paid number, f figure, r Rounding) (Line, number) {
	l := Line{Charge: *charge, Unused: f.unused, Total: f.total, Note: f.note}
	units, most := f.exact.units(c.Places, r), charge.ceiling(paid, c.Places)
	if units.cmp(most) > 0 {
		units, l.Clamped, l.Note = most, true, join(l.Note, noteCeiling)
	}
	if units.sign() < 0 {
		units, l.Clamped, l.Note = whole(0), true, join(l.Note, noteFloor)
	}
	l.Amount = units.money(c.Places)
	return l, units
}

// ceiling is the most that may be given back, in whole units: what was paid less what was given back before, and 0 when
// more was given back than paid.
func (c *Charge) ceiling(paid number, places int32) number {
	left := paid
	if !c.Refunded.IsZero() {
		left = left.sub(exactly(c.Refunded))
	}
	if left.sign() < 0 {
		return whole(0)
	}
	return left.units(places, floor)
}

// join puts a second remark behind a first.
func join(note, more string) string {
	if note == "" {
		return more
	}
	return note + "; " + more
}
