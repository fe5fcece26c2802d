package refund

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// Fee deducts an amount once from the total of another formula. The reseller keeps that amount. A total below the fee becomes 0.
//
// The fee is allocated to the lines in proportion to their amounts, in whole units of the currency, by the largest remainder
// method. First each line's part is rounded down. Then each of the remaining units goes to one of the lines with the largest
// remainders; among equal remainders the earlier line comes first. Line.Note says how much was deducted from the line.
//
// The zero value is Prorated{} without a fee. It is safe for concurrent use.
type Fee struct {
	Amount decimal.Decimal // in the currency's main unit, 0 or more, with at most Case.Places decimals
	Of     Formula         // the formula whose total is reduced; nil means Prorated{}
}

// Refund returns the result of Of less the fee. It returns an *Error if the case, the amount or the result of Of is invalid. An
// error of Of is returned unchanged.
func (f Fee) Refund(c Case) (Result, error) { return c.calculate(f.refund) }

func (f Fee) refund(c Case) (Result, error) {
	l, err := askWithLimit("Fee.Amount", f.Amount, f.Of, c)
	if err != nil {
		return Result{}, err
	}
	deduction := l.limit
	if deduction.cmp(l.total) > 0 {
		deduction = l.total
	}
	return l.deduct(deduction, func(line *Line, deducted decimal.Decimal) {
		line.Note = addNote(line.Note, "less a fee of "+formatDecimal(deducted))
	}), nil
}

// Minimum refunds nothing if the total of another formula is below Amount, because such a total is not worth a transfer. A total
// equal to Amount is refunded.
//
// The zero value is Prorated{} without a minimum. It is safe for concurrent use.
type Minimum struct {
	Amount decimal.Decimal // in the currency's main unit, 0 or more, with at most Case.Places decimals
	Of     Formula         // the formula whose total is checked; nil means Prorated{}
}

// Refund returns the result of Of, with all amounts set to 0 if the total is below the minimum. It returns an *Error if the case,
// the amount or the result of Of is invalid. An error of Of is returned unchanged.
func (m Minimum) Refund(c Case) (Result, error) { return c.calculate(m.refund) }

func (m Minimum) refund(c Case) (Result, error) {
	l, err := askWithLimit("Minimum.Amount", m.Amount, m.Of, c)
	if err != nil || l.total.cmp(l.limit) >= 0 {
		return l.result, err
	}
	note := "the total is below the minimum of " + formatDecimal(l.limit.decimal(c.Places))
	return l.deduct(l.total, func(line *Line, _ decimal.Decimal) { line.Note = addNote(line.Note, note) }), nil
}

// Cap limits the total of another formula to Amount. The excess is deducted from the lines in the same way as a Fee. Line.Clamped
// is set in each line that it reduces.
//
// The zero value is Prorated{} without a limit. It is safe for concurrent use.
type Cap struct {
	Amount decimal.NullDecimal // in the currency's main unit, 0 or more, with at most Case.Places decimals; not Valid means no limit
	Of     Formula             // the formula whose total is limited; nil means Prorated{}
}

// Refund returns the result of Of. If its total is above Amount, the lines are reduced until the total is Amount. It returns an
// *Error if the case, the amount or the result of Of is invalid. An error of Of is returned unchanged.
func (k Cap) Refund(c Case) (Result, error) { return c.calculate(k.refund) }

func (k Cap) refund(c Case) (Result, error) {
	if !k.Amount.Valid {
		return askFormula(k.Of, Prorated{}, c)
	}
	l, err := askWithLimit("Cap.Amount", k.Amount.Decimal, k.Of, c)
	if err != nil || l.total.cmp(l.limit) <= 0 {
		return l.result, err
	}
	note := "the total is cut to " + formatDecimal(l.limit.decimal(c.Places))
	return l.deduct(l.total.sub(l.limit), func(line *Line, _ decimal.Decimal) {
		line.Clamped, line.Note = true, addNote(line.Note, note)
	}), nil
}

// ByKind uses one formula for each kind of charge. A formula gets all charges of its kind in one case, so a Fee is deducted once
// for all of them. A nil formula means Prorated{}, so the zero value is Prorated{}. It is safe for concurrent use.
type ByKind struct{ Recurring, Flat, Setup, Usage Formula }

// Refund returns the lines of all formulas, in the order of the charges. It returns an *Error if the case or a formula's result is
// invalid. If a formula returns an *Error about a charge, Refund returns a copy in which Charge is the index in the whole case. Any
// other error of a formula is returned unchanged.
func (b ByKind) Refund(c Case) (Result, error) {
	formulas := [...]Formula{Recurring: b.Recurring, Flat: b.Flat, Setup: b.Setup, Usage: b.Usage}
	return c.calculate(func(c Case) (Result, error) {
		return refundByGroup(c, func(charge Charge) (Kind, Formula) { return charge.Kind, formulas[charge.Kind] })
	})
}

// ByLabel uses one formula for each label in Formulas, and Else for the charges with other labels. Labels must match exactly. A
// formula gets all charges of its label in one case, and Else gets all other charges in one case. So a Fee is deducted once for
// all charges of a case.
//
// A nil formula means Prorated{}, so the zero value is Prorated{}. ByLabel is safe for concurrent use while no goroutine changes
// Formulas.
type ByLabel struct {
	Formulas map[string]Formula
	Else     Formula
}

// Refund returns the lines of all formulas, in the order of the charges. Its errors are those of ByKind.Refund.
func (b ByLabel) Refund(c Case) (Result, error) {
	type group struct {
		label  string
		listed bool
	}
	groupOf := func(charge Charge) (group, Formula) {
		if f, ok := b.Formulas[charge.Label]; ok {
			return group{charge.Label, true}, f
		}
		return group{}, b.Else
	}
	return c.calculate(func(c Case) (Result, error) { return refundByGroup(c, groupOf) })
}

// refundByGroup asks one formula for each group of charges. groupOf returns the group of a charge and its formula.
func refundByGroup[K comparable](c Case, groupOf func(Charge) (K, Formula)) (Result, error) {
	var groups []K
	members, formulas := map[K][]int{}, map[K]Formula{}
	for i, charge := range c.Charges {
		group, f := groupOf(charge)
		if _, exists := formulas[group]; !exists {
			groups, formulas[group] = append(groups, group), f
		}
		members[group] = append(members[group], i)
	}
	lines, total := make([]Line, len(c.Charges)), whole(0)
	for _, group := range groups {
		part := c
		part.Charges = make([]Charge, 0, len(members[group]))
		for _, i := range members[group] {
			part.Charges = append(part.Charges, c.Charges[i])
		}
		r, err := askFormula(formulas[group], Prorated{}, part)
		if err != nil {
			return Result{}, renumberCharge(err, members[group])
		}
		for n, i := range members[group] {
			lines[i] = r.Lines[n]
		}
		total = total.add(fromDecimal(r.Total).units(c.Places, floor))
	}
	return Result{Total: total.decimal(c.Places), Lines: lines}, nil
}

// renumberCharge replaces the index of a charge within its group by its index in the whole case.
func renumberCharge(err error, members []int) error {
	e, ok := err.(*Error)
	if !ok || e == nil || e.Charge < 0 || e.Charge >= len(members) {
		return err
	}
	moved := *e
	moved.Charge = members[e.Charge]
	return &moved
}

// askFormula calls f, or fallback if f is nil. It checks the result and gives every amount the scale of the currency. The lines
// that it returns are a copy.
func askFormula(f, fallback Formula, c Case) (Result, error) {
	if f == nil {
		f = fallback
	}
	r, err := f.Refund(c)
	if err != nil {
		return Result{}, err
	}
	if len(r.Lines) != len(c.Charges) {
		found := fmt.Sprintf("of %T has the length %d", f, len(r.Lines))
		return Result{}, settingError("Result.Lines", found, fmt.Sprintf("%d, one line for each charge", len(c.Charges)))
	}
	lines, sum := slices.Clone(r.Lines), whole(0)
	for i := range lines {
		units, problem := c.unitsOf(lines[i].Amount)
		if problem != "" {
			e := &Error{Charge: i, Label: c.Charges[i].Label, Field: "Line.Amount", Found: problem}
			e.Expected = fmt.Sprintf("0 or more with at most %d decimals from %T", c.Places, f)
			return Result{}, e
		}
		lines[i].Amount = units.decimal(c.Places)
		sum = sum.add(units)
	}
	total := sum.decimal(c.Places)
	if units, problem := c.unitsOf(r.Total); problem != "" || units.cmp(sum) != 0 {
		found := fmt.Sprintf("of %T is %s", f, formatDecimal(r.Total))
		return Result{}, settingError("Result.Total", found, "the sum of the lines, "+formatDecimal(total))
	}
	return Result{Total: total, Lines: lines}, nil
}

// unitsOf converts an amount to whole units of the currency, or describes its problem. It accepts the amounts that a formula
// calculates from the largest charges.
func (c *Case) unitsOf(d decimal.Decimal) (units number, problem string) {
	if problem := amountProblem(d, maxResultBits); problem != "" {
		return number{}, problem
	}
	exact := fromDecimal(d)
	units = exact.units(c.Places, floor)
	if units.cmp(exact.mul(whole(pow10[c.Places]))) != 0 {
		return number{}, "is " + d.String()
	}
	return units, ""
}
