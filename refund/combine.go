package refund

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// Fee deducts an amount once from the total of another formula: what the reseller keeps for its work. A total below it
// becomes 0, never negative. The deduction is spread over the lines in proportion to their amounts, whole units at a time,
// by the largest remainder; of equal remainders the earlier line's comes first.
//
// Amount is in the currency's main unit, must not be negative nor have more decimals than the currency. Of nil is
// Prorated{}. The zero value is Prorated{} without a fee.
type Fee struct {
	Amount decimal.Decimal
	Of     Formula
}

// Refund asks Of and deducts the fee.
func (f Fee) Refund(c Case) (Result, error) {
	l, err := limited("Fee.Amount", f.Amount, f.Of, c)
	if err != nil {
		return Result{}, err
	}
	deduction := l.amount
	if deduction.cmp(l.total) > 0 {
		deduction = l.total
	}
	return l.deduct(deduction, func(line *Line, taken decimal.Decimal) {
		line.Note = join(line.Note, "less a fee of "+fixed(taken))
	}), nil
}

// Minimum pays nothing where the total of another formula is below Amount: what is not worth a transfer. A total equal to
// Amount is paid.
//
// Amount is in the currency's main unit, must not be negative nor have more decimals than the currency. Of nil is
// Prorated{}. The zero value is Prorated{} without a minimum.
type Minimum struct {
	Amount decimal.Decimal
	Of     Formula
}

// Refund asks Of and pays all of it or nothing.
func (m Minimum) Refund(c Case) (Result, error) {
	l, err := limited("Minimum.Amount", m.Amount, m.Of, c)
	if err != nil || l.total.cmp(l.amount) >= 0 {
		return l.result, err
	}
	note := "the total is below the minimum of " + fixed(l.amount.money(c.Places))
	return l.deduct(l.total, func(line *Line, _ decimal.Decimal) { line.Note = join(line.Note, note) }), nil
}

// Cap pays Amount at most. What is above is taken off the lines as a Fee is; such lines are Clamped.
//
// Amount is in the currency's main unit, must not be negative nor have more decimals than the currency. A cap of 0 pays
// nothing; not Valid is no cap. Of nil is Prorated{}. The zero value is Prorated{} without a cap.
type Cap struct {
	Amount decimal.NullDecimal
	Of     Formula
}

// Refund asks Of and pays Amount at most.
func (k Cap) Refund(c Case) (Result, error) {
	if !k.Amount.Valid {
		if err := c.Validate(); err != nil {
			return Result{}, err
		}
		return ask(k.Of, Prorated{}, c)
	}
	l, err := limited("Cap.Amount", k.Amount.Decimal, k.Of, c)
	if err != nil || l.total.cmp(l.amount) <= 0 {
		return l.result, err
	}
	note := "the total is cut to " + fixed(l.amount.money(c.Places))
	return l.deduct(l.total.sub(l.amount), func(line *Line, _ decimal.Decimal) {
		line.Clamped, line.Note = true, join(line.Note, note)
	}), nil
}

// ByKind asks a formula of its own for each kind of charge. A formula sees all charges of its kind in one case, so that a
// Fee in it is deducted once. nil is Prorated{}, and so is the zero value.
type ByKind struct{ Recurring, Flat, Setup, Usage Formula }

// Refund asks the formulas and puts their lines into the order of the charges.
func (b ByKind) Refund(c Case) (Result, error) {
	formulas := [...]Formula{Recurring: b.Recurring, Flat: b.Flat, Setup: b.Setup, Usage: b.Usage}
	return divided(c, func(charge Charge) (Kind, Formula) { return charge.Kind, formulas[charge.Kind] })
}

// ByLabel asks the formula that Formulas holds for a charge's label, to the letter, and Else for all other charges. The
// charges of one label are one case, and those of Else are one case, so that a Fee is deducted once from each. nil is
// Prorated{}, and so is the zero value. Formulas must not be changed while the ByLabel is in use.
type ByLabel struct {
	Formulas map[string]Formula
	Else     Formula
}

// Refund asks the formulas and puts their lines into the order of the charges.
func (b ByLabel) Refund(c Case) (Result, error) {
	type group struct {
		label string
		known bool
	}
	return divided(c, func(charge Charge) (group, Formula) {
		if f, known := b.Formulas[charge.Label]; known {
			return group{charge.Label, true}, f
		}
		return group{}, b.Else
	})
}

// divided asks a formula for each group of charges.
func divided[K comparable](c Case, group func(Charge) (K, Formula)) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	var order []K
	members, formulas := map[K][]int{}, map[K]Formula{}
	for i, charge := range c.Charges {
		key, f := group(charge)
		if _, seen := formulas[key]; !seen {
			order, formulas[key] = append(order, key), f
		}
		members[key] = append(members[key], i)
	}
	lines, total := make([]Line, len(c.Charges)), whole(0)
	for _, key := range order {
		part := c
		part.Charges = make([]Charge, 0, len(members[key]))
		for _, i := range members[key] {
			part.Charges = append(part.Charges, c.Charges[i])
		}
		r, err := ask(formulas[key], Prorated{}, part)
		if err != nil {
			return Result{}, renumber(err, members[key])
		}
		for n, i := range members[key] {
			lines[i] = r.Lines[n]
		}
		total = total.add(exactly(r.Total).units(c.Places, floor))
	}
	return Result{Total: total.money(c.Places), Lines: lines}, nil
}

// renumber makes an error about a charge of a part one about the same charge of the whole.
func renumber(err error, members []int) error {
	e, ok := err.(*Error)
	if !ok || e.Charge < 0 || e.Charge >= len(members) {
		return err
	}
	moved := *e
	moved.Charge = members[e.Charge]
	return &moved
}

// ask asks f, or instead where f is nil. It trusts no answer that a combination could not be worked out from, and gives
// every amount the scale of the currency.
func ask(f, instead Formula, c Case) (Result, error) {
	if f == nil {
		f = instead
	}
	r, err := f.Refund(c)
	if err != nil {
		return Result{}, err
	}
	if len(r.Lines) != len(c.Charges) {
		found := fmt.Sprintf("of %T has %d lines", f, len(r.Lines))
		return Result{}, setting("Result.Lines", found, fmt.Sprintf("one for each of %d charges", len(c.Charges)))
	}
	lines, sum := slices.Clone(r.Lines), whole(0)
	for i := range lines {
		units, found := c.units(lines[i].Amount)
		if found != "" {
			e := &Error{Charge: i, Label: c.Charges[i].Label, Field: "Line.Amount", Found: found}
			e.Expected = fmt.Sprintf("0 or more with at most %d decimals from %T", c.Places, f)
			return Result{}, e
		}
		lines[i].Amount = units.money(c.Places)
		sum = sum.add(units)
	}
	total := sum.money(c.Places)
	if units, found := c.units(r.Total); found != "" || units.cmp(sum) != 0 {
		return Result{}, setting("Result.Total", fmt.Sprintf("of %T is %s", f, fixed(r.Total)), "the sum of the lines, "+fixed(total))
	}
	return Result{Total: total, Lines: lines}, nil
}

// units returns an amount in the currency's smallest unit, or what is wrong with it. It has room for what a formula works out
// from the largest charges.
func (c *Case) units(d decimal.Decimal) (units number, found string) {
	if found := wrongMoney(d, mostWideBits); found != "" {
		return number{}, found
	}
	exact := exactly(d)
	units = exact.units(c.Places, floor)
	if units.cmp(exact.mul(whole(pow10[c.Places]))) != 0 {
		return number{}, "is " + d.String()
	}
	return units, ""
}
