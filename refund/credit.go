package refund

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// maxCreditDecimals and maxCreditExponent bound the amounts of a case with a credit, so that the amounts without it fit into the
// bounds of a Case: together they are 76 digits.
const (
	maxCreditDecimals = 16
	maxCreditExponent = 60
)

// Calculate returns the refund by a formula for a case that may contain credits. A nil formula means Prorated{}.
//
// Before the formula is asked, the credits are taken off the other charges. A credit lowers the payments of its kind for its own
// period, in proportion to them. What is left of it lowers the other payments of its kind, also in proportion. The parts are whole
// units of the currency, by the largest remainder method, and add up to the credit; they have more decimals only if an amount of
// the case has. A negative Refunded of a credit lowers what was refunded for these charges, in the same way, as far as the credit
// lowers their payments. The formula gets the other charges only.
//
// The result has one line for each charge of the case, with the charge as it was. The line of a credit is 0, and its Note says
// that it lowers other charges. The Note of a line that a credit lowers says which payment counts. If the total is above what is
// left of all payments together, because of credits or because more was refunded than paid, the lines are reduced to that in
// proportion, and Clamped is set.
//
// The formulas of this package do this themselves. Calculate is for formulas of the host, which never see a negative payment. It
// returns an *Error if the case is invalid. An error of the formula is returned as it is, but an *Error about a charge has the
// index in the whole case. Calculate does not check the result of the formula. refundtest.TestFormula does.
func Calculate(f Formula, c Case) (Result, error) {
	if f == nil {
		f = Prorated{}
	}
	return c.calculate(f.Refund)
}

// calculate validates the case and asks f for the case without credits.
func (c Case) calculate(f func(Case) (Result, error)) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	if c.inner {
		return f(c)
	}
	if !c.hasCredits() {
		inner := c
		inner.inner = true
		r, err := f(inner)
		if err != nil {
			return Result{}, err
		}
		return c.limitTotal(r, c), nil
	}
	net, members := c.withoutCredits()
	net.inner = true
	r, err := f(net)
	if err != nil {
		return Result{}, renumberCharge(err, members)
	}
	if len(r.Lines) == len(members) {
		r.Lines = c.restoreLines(r.Lines, net, members)
	}
	return c.limitTotal(r, net), nil
}

// isCredit reports whether the charge is a credit on the bill.
func (c *Charge) isCredit() bool { return c.Paid.IsNegative() }

func (c *Case) hasCredits() bool {
	for i := range c.Charges {
		if c.Charges[i].isCredit() {
			return true
		}
	}
	return false
}

// validateCredits checks what a case with credits needs in addition.
func (c *Case) validateCredits() *Error {
	limit := decimal.New(1, maxCreditExponent)
	for i := range c.Charges {
		charge := &c.Charges[i]
		for _, a := range []struct {
			field  string
			amount decimal.Decimal
		}{{"Paid", charge.Paid}, {"Refunded", charge.Refunded}} {
			if a.amount.Abs().LessThan(limit) && a.amount.Equal(a.amount.Truncate(maxCreditDecimals)) {
				continue
			}
			return &Error{
				Charge: i, Label: charge.Label, Field: a.field, Found: "is too long for a case with a credit",
				Expected: fmt.Sprintf("at most %d decimals, and less than 1e%d", maxCreditDecimals, maxCreditExponent),
			}
		}
	}
	return nil
}

// withoutCredits returns the case with the credits taken off the other charges, and the index of each of these in c.
func (c *Case) withoutCredits() (net Case, members []int) {
	scale := c.scale()
	paid, refunded := make([]number, len(c.Charges)), make([]number, len(c.Charges))
	for i := range c.Charges {
		charge := &c.Charges[i]
		paid[i], refunded[i] = fromDecimal(charge.Paid).units(scale, floor), fromDecimal(charge.Refunded).units(scale, floor)
		if charge.isCredit() && refunded[i].sign() > 0 {
			refunded[i] = whole(0) // limitTotal takes it into account
		}
	}
	c.spread(paid)
	c.spread(refunded)
	net = *c
	net.Charges = nil
	for i := range c.Charges {
		if c.Charges[i].isCredit() {
			continue
		}
		charge := c.Charges[i]
		// No more is left of a payment than without credits.
		before := fromDecimal(charge.Refunded).sub(fromDecimal(charge.Paid)).units(scale, floor).add(paid[i])
		if refunded[i].cmp(before) < 0 {
			refunded[i] = before
		}
		charge.Paid, charge.Refunded = replaceAmount(charge.Paid, paid[i], scale), replaceAmount(charge.Refunded, refunded[i], scale)
		net.Charges, members = append(net.Charges, charge), append(members, i)
	}
	return net, members
}

// replaceAmount returns units of 10^-scale as a decimal. An equal amount is returned as it was.
func replaceAmount(was decimal.Decimal, units number, scale int32) decimal.Decimal {
	if now := units.decimal(scale); !now.Equal(was) {
		return now
	}
	return was
}

// scale returns the number of decimals in which credits are spread: those of the currency, or those of the longest amount.
func (c *Case) scale() int32 {
	scale := c.Places
	for i := range c.Charges {
		for _, d := range [...]decimal.Decimal{c.Charges[i].Paid, c.Charges[i].Refunded} {
			for scale < maxCreditDecimals && !d.Equal(d.Truncate(scale)) {
				scale++
			}
		}
	}
	return scale
}

// creditGroup is a kind of charge, or a kind in one period. Instants are comparable only in this form.
type creditGroup struct {
	kind                             Kind
	start, startNanos, end, endNanos int64
}

func kindOf(c *Charge) creditGroup { return creditGroup{kind: c.Kind} }

func kindAndPeriodOf(c *Charge) creditGroup {
	nanos := func(t time.Time) int64 { return int64(t.Nanosecond()) }
	return creditGroup{c.Kind, c.Start.Unix(), nanos(c.Start), c.End.Unix(), nanos(c.End)}
}

// spread takes the negative amounts off the others: first off those of the same kind and period, then off those of the same kind.
// What is too much stays negative.
func (c *Case) spread(amounts []number) {
	for _, groupOf := range []func(*Charge) creditGroup{kindAndPeriodOf, kindOf} {
		members := map[creditGroup][]int{}
		for i := range c.Charges {
			group := groupOf(&c.Charges[i])
			members[group] = append(members[group], i)
		}
		for _, group := range members { // groups do not overlap, so their order does not matter
			spreadInGroup(amounts, group)
		}
	}
}

// spreadInGroup takes the negative amounts of a group off its other amounts, in proportion to them.
func spreadInGroup(amounts []number, group []int) {
	credit, sum := whole(0), whole(0)
	var shares []number
	var payments []int
	for _, i := range group {
		if amounts[i].sign() < 0 {
			credit = credit.sub(amounts[i])
		} else {
			sum, shares, payments = sum.add(amounts[i]), append(shares, amounts[i]), append(payments, i)
		}
	}
	if credit.cmp(sum) > 0 {
		credit = sum
	}
	if credit.sign() == 0 {
		return
	}
	for n, part := range allocate(credit, shares, sum) {
		amounts[payments[n]] = shares[n].sub(part)
	}
	for _, i := range group {
		if amounts[i].sign() < 0 {
			used := amounts[i].neg()
			if used.cmp(credit) > 0 {
				used = credit
			}
			amounts[i], credit = amounts[i].add(used), credit.sub(used)
		}
	}
}

// restoreLines returns a line for each charge of c, from the lines of the case without credits.
func (c *Case) restoreLines(lines []Line, net Case, members []int) []Line {
	all := make([]Line, len(c.Charges))
	for i := range c.Charges {
		all[i] = Line{Charge: c.Charges[i], Amount: decimal.New(0, -c.Places), Note: noteCredit}
	}
	for n, i := range members {
		all[i] = lines[n]
		all[i].Charge = c.Charges[i]
		if counted := net.Charges[n].Paid; !counted.Equal(c.Charges[i].Paid) {
			all[i].Note = addNote("paid less credits: "+formatDecimal(counted), lines[n].Note)
		}
	}
	return all
}

// limitTotal reduces a total that is above what is left of all payments together, as Calculate documents. net is the case without
// credits, which the formula got.
func (c *Case) limitTotal(r Result, net Case) Result {
	if len(r.Lines) != len(c.Charges) || !c.overRefunded() {
		return r // the line of each charge is within its own limit
	}
	left, lines := whole(0), whole(0) // of all payments together, and of each by itself
	for i := range c.Charges {
		left = left.add(fromDecimal(c.Charges[i].Paid)).sub(fromDecimal(c.Charges[i].Refunded))
	}
	for i := range net.Charges {
		lines = lines.add(net.Charges[i].remaining(fromDecimal(net.Charges[i].Paid), c.Places))
	}
	l := limitedResult{places: c.Places, result: r, limit: whole(0)}
	if left.sign() > 0 {
		l.limit = left.units(c.Places, floor)
	}
	total, problem := c.unitsOf(r.Total)
	if !l.setAmounts(c) || problem != "" || total.cmp(l.total) != 0 || l.total.cmp(lines) > 0 || l.total.cmp(l.limit) <= 0 {
		return r // not by this package: checks of the result find what is wrong
	}
	return l.deduct(l.total.sub(l.limit), func(line *Line, _ decimal.Decimal) {
		line.Clamped, line.Note = true, addNote(line.Note, noteCutToAllPayments)
	})
}

// overRefunded reports whether more was refunded than paid for a charge, which is so for every credit that was not refunded.
func (c *Case) overRefunded() bool {
	for i := range c.Charges {
		if c.Charges[i].Paid.LessThan(c.Charges[i].Refunded) {
			return true
		}
	}
	return false
}
