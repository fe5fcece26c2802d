package refund

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Formula works out what is owed back. It must be a pure function of the case: no clock, no I/O, nothing kept, the case's
// charges left as they are, safe for concurrent use. It answers with one line for each charge, in their order.
// refundtest.TestFormula checks an implementation.
type Formula interface{ Refund(Case) (Result, error) }

// FormulaFunc makes a function a Formula. nil, its zero value, answers with an error.
type FormulaFunc func(Case) (Result, error)

// Refund calls f.
func (f FormulaFunc) Refund(c Case) (Result, error) {
	if f == nil {
		return Result{}, setting("FormulaFunc", "is nil", "a function")
	}
	return f(c)
}

// Unit is what a period is counted in.
type Unit uint8

// The units.
const (
	Days    Unit = iota // local dates of Case.Location; one of 23 or 25 hours counts as one
	Seconds             // elapsed seconds, whatever the clocks on the walls did
)

// String returns the unit's name.
func (u Unit) String() string {
	switch u {
	case Days:
		return "days"
	case Seconds:
		return "seconds"
	}
	return fmt.Sprintf("Unit(%d)", uint8(u))
}

// None gives nothing back: every line is 0. A case that is not valid is an error all the same, so that a broken bill shows
// before the day it matters.
type None struct{}

// Refund answers with zeros.
func (None) Refund(c Case) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	return c.answer(HalfEven, func(*Charge, number) (figure, error) {
		return figure{exact: whole(0), note: noteNone}, nil
	})
}

// Prorated gives back the unused part of what was paid, or a percentage of that: the original manual's formula,
//
//	paid × unused × percent ÷ (total × 100)
//
// multiplied first, divided once, rounded once. Up to a charge's Start everything is unused; at and after End nothing is.
// A Flat charge gives paid × percent ÷ 100 before its End and nothing from then on. A period without a unit in it (one
// that begins and ends on the same date, counted by days) gives nothing once it has begun.
//
// The zero value gives 100 percent, by days, the day of cancellation used, rounded half to even. Percent not Valid is 100;
// a valid one is 0 to 100, and 0 gives nothing. CancelDayUnused counts the day of cancellation among the unused; by
// seconds it means nothing. It is safe for concurrent use. Errors are *Error.
type Prorated struct {
	Percent         decimal.NullDecimal
	By              Unit
	CancelDayUnused bool
	Rounding        Rounding
}

// Refund applies the formula to every charge of the case.
func (p Prorated) Refund(c Case) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	if err := p.check(); err != nil {
		return Result{}, err
	}
	share := whole(1)
	if p.Percent.Valid {
		share = exactly(p.Percent.Decimal).quo(whole(100))
	}
	now := c.moment()
	return c.answer(p.Rounding, func(charge *Charge, paid number) (figure, error) {
		if charge.Kind == Flat {
			return flat(now, charge, paid.mul(share)), nil
		}
		return p.recurring(now, charge, paid.mul(share)), nil
	})
}

func (p Prorated) check() error {
	if p.By > Seconds {
		return setting("Prorated.By", fmt.Sprint("is ", uint8(p.By)), "Days or Seconds")
	}
	if p.Rounding > HalfDown {
		return setting("Prorated.Rounding", fmt.Sprint("is ", uint8(p.Rounding)), "HalfEven, HalfUp or HalfDown")
	}
	if !p.Percent.Valid {
		return nil
	}
	const expected = "0 to 100"
	if found := wrongMoney(p.Percent.Decimal, mostBits); found != "" {
		return setting("Prorated.Percent", found, expected)
	}
	if p.Percent.Decimal.GreaterThan(decimal.New(100, 0)) {
		return setting("Prorated.Percent", "is "+p.Percent.Decimal.String(), expected)
	}
	return nil
}

// flat gives all of what is at stake before the end.
func flat(now moment, charge *Charge, stake number) figure {
	if !now.at.Before(charge.End) {
		return figure{exact: whole(0), note: noteOver}
	}
	return figure{exact: stake}
}

// recurring gives the unused part of what is at stake.
func (p Prorated) recurring(now moment, charge *Charge, stake number) figure {
	f := p.count(now, charge)
	switch {
	case !now.at.After(charge.Start):
		f.exact, f.note = stake, noteNotBegun
	case !now.at.Before(charge.End):
		f.exact, f.note = whole(0), noteOver
	case f.total == 0:
		f.exact, f.note = whole(0), noteNoDay
		if p.By == Seconds {
			f.note = noteNoSecond
		}
	default:
		f.exact = stake.mul(whole(f.unused)).quo(whole(f.total))
	}
	return f
}

// count measures the period in the formula's unit.
func (p Prorated) count(now moment, charge *Charge) figure {
	if p.By == Seconds {
		unused, total := now.seconds(charge)
		return figure{unused: unused, total: total}
	}
	today := int64(1)
	if p.CancelDayUnused {
		today = 0
	}
	unused, total := now.days(charge, today)
	return figure{unused: unused, total: total}
}

// MoneyBack gives all Recurring and Flat charges back, past periods too, while the service is younger than Days:
// date(At) < date(ServiceStart) + Days in the case's Location. Afterwards Else decides; nil is None.
//
// The zero value is Else from the first day, and does not need a ServiceStart. With Days above 0 a case without one is an
// error, as are Days below 0.
type MoneyBack struct {
	Days int
	Else Formula
}

// Refund gives everything back, or asks Else.
func (m MoneyBack) Refund(c Case) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	if m.Days < 0 {
		return Result{}, setting("MoneyBack.Days", fmt.Sprint("is ", m.Days), "0 or more")
	}
	if m.Days > 0 && c.ServiceStart.IsZero() {
		return Result{}, setting("ServiceStart", "is missing", "when the service began, for MoneyBack")
	}
	now := c.moment()
	if m.Days == 0 || now.day-dayOf(c.ServiceStart.In(now.loc)) >= int64(m.Days) {
		return ask(m.Else, None{}, c)
	}
	note := fmt.Sprintf("money back within %d days", m.Days)
	return c.answer(HalfEven, func(_ *Charge, paid number) (figure, error) {
		return figure{exact: paid, note: note}, nil
	})
}
