package refund

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Formula calculates a refund. refundtest.TestFormula checks an implementation.
type Formula interface {
	// Refund returns the refund for a case, with one line for each charge, in the order of the charges.
	//
	// An implementation must be a pure function of the case: it uses no clock and no I/O, keeps nothing between calls, does
	// not change the charges, and is safe for concurrent use. The result must satisfy what Line and Result document. An
	// implementation should return a result, not an error, for every case without credits that Validate accepts. It sees no
	// credits where it is asked by Calculate, by package cancellation or by another formula of this package.
	Refund(Case) (Result, error)
}

// FormulaFunc turns a function into a Formula. Refund of a nil FormulaFunc, its zero value, returns an *Error.
type FormulaFunc func(Case) (Result, error)

// Refund calls f and returns its result unchanged.
func (f FormulaFunc) Refund(c Case) (Result, error) {
	if f == nil {
		return Result{}, settingError("FormulaFunc", "is nil", "a function")
	}
	return f(c)
}

// Unit is the unit in which Prorated measures a period.
type Unit uint8

// The units.
const (
	Days    Unit = iota // local dates in Case.Location; a date of 23 or 25 hours is one day
	Seconds             // elapsed seconds, not affected by changes of the clock
)

// String returns the unit's name in lower case.
func (u Unit) String() string {
	switch u {
	case Days:
		return "days"
	case Seconds:
		return "seconds"
	}
	return fmt.Sprintf("Unit(%d)", uint8(u))
}

// None refunds nothing. It is safe for concurrent use.
type None struct{}

// Refund returns a line of 0 for each charge. Like every other formula it returns an *Error if the case is invalid, so a host
// notices an invalid bill early.
func (None) Refund(c Case) (Result, error) { return c.calculate(refundNothing) }

func refundNothing(c Case) (Result, error) {
	return c.buildResult(HalfEven, func(*Charge, number) (rawLine, error) {
		return rawLine{exact: whole(0), note: noteNone}, nil
	})
}

// Prorated refunds the unused part of each payment, or a percentage of that part:
//
//	paid × unused × percent ÷ (total × 100)
//
// total is the length of the charge's period, and unused is the part of it after the cancellation. Both are in the unit By. The
// value is exact until it is rounded once, at the end.
//
//   - A cancellation at or before Start leaves the whole period unused. A cancellation at or after End leaves nothing unused.
//   - The refund of a Flat charge is paid × percent ÷ 100 before its End, and 0 from End on.
//   - A period can have a total of 0, for example by days if it starts and ends on the same date. Its refund after Start is 0.
//
// The zero value refunds 100 percent, by days, with the day of cancellation used, rounded half to even. It is safe for
// concurrent use.
type Prorated struct {
	Percent         decimal.NullDecimal // 0 to 100; not Valid means 100
	By              Unit                // the unit of unused and total
	CancelDayUnused bool                // counts the day of cancellation as unused; has no effect by seconds
	Rounding        Rounding            // of each line, to Case.Places decimals
}

// Refund applies the formula to every Recurring and Flat charge; the line of any other charge is 0. It returns an *Error if
// the case or a setting is invalid.
func (p Prorated) Refund(c Case) (Result, error) { return c.calculate(p.refund) }

func (p Prorated) refund(c Case) (Result, error) {
	if err := p.validate(); err != nil {
		return Result{}, err
	}
	fraction := whole(1)
	if p.Percent.Valid {
		fraction = fromDecimal(p.Percent.Decimal).quo(whole(100))
	}
	ended := c.serviceEnd()
	return c.buildResult(p.Rounding, func(charge *Charge, paid number) (rawLine, error) {
		if charge.Kind == Flat {
			return flatLine(ended, charge, paid.mul(fraction)), nil
		}
		return p.recurringLine(ended, charge, paid.mul(fraction)), nil
	})
}

func (p Prorated) validate() error {
	if p.By > Seconds {
		return settingError("Prorated.By", fmt.Sprint("is ", uint8(p.By)), "Days or Seconds")
	}
	if p.Rounding > HalfDown {
		return settingError("Prorated.Rounding", fmt.Sprint("is ", uint8(p.Rounding)), "HalfEven, HalfUp or HalfDown")
	}
	if !p.Percent.Valid {
		return nil
	}
	const expected = "0 to 100"
	if problem := amountProblem(p.Percent.Decimal, maxBits); problem != "" {
		return settingError("Prorated.Percent", problem, expected)
	}
	if p.Percent.Decimal.GreaterThan(decimal.New(100, 0)) {
		return settingError("Prorated.Percent", "is "+p.Percent.Decimal.String(), expected)
	}
	return nil
}

// flatLine refunds the full amount before the end of the period.
func flatLine(ended serviceEnd, charge *Charge, full number) rawLine {
	if !ended.at.Before(charge.End) {
		return rawLine{exact: whole(0), note: noteOver}
	}
	return rawLine{exact: full}
}

// recurringLine refunds the unused part of the full amount.
func (p Prorated) recurringLine(ended serviceEnd, charge *Charge, full number) rawLine {
	l := p.measure(ended, charge)
	switch {
	case !ended.at.After(charge.Start):
		l.exact, l.note = full, noteNotBegun
	case !ended.at.Before(charge.End):
		l.exact, l.note = whole(0), noteOver
	case l.total == 0:
		l.exact, l.note = whole(0), noteNoDay
		if p.By == Seconds {
			l.note = noteNoSecond
		}
	default:
		l.exact = full.mul(whole(l.unused)).quo(whole(l.total))
	}
	return l
}

// measure counts the unused units and all units of the charge's period. It leaves the amount empty.
func (p Prorated) measure(ended serviceEnd, charge *Charge) rawLine {
	if p.By == Seconds {
		unused, total := ended.seconds(charge)
		return rawLine{unused: unused, total: total}
	}
	used := int64(1)
	if p.CancelDayUnused {
		used = 0
	}
	unused, total := ended.days(charge, used)
	return rawLine{unused: unused, total: total}
}

// MoneyBack refunds all Recurring and Flat charges in full if the service is cancelled within its first Days days. It refunds
// charges for past periods as well. For a later cancellation it uses the formula Else.
//
// The days are local dates in Case.Location. A cancellation is within them while date(At) < date(ServiceStart) + Days. The zero
// value always uses Else and needs no ServiceStart. It is safe for concurrent use.
type MoneyBack struct {
	Days int     // 0 or more
	Else Formula // nil means None
}

// Refund refunds every Recurring and Flat charge in full, or returns the result of Else. It returns an *Error if the case or the
// result of Else is invalid, if Days is negative, or if Days is above 0 and the case has no ServiceStart. An error of Else is
// returned unchanged.
func (m MoneyBack) Refund(c Case) (Result, error) { return c.calculate(m.refund) }

func (m MoneyBack) refund(c Case) (Result, error) {
	if m.Days < 0 {
		return Result{}, settingError("MoneyBack.Days", fmt.Sprint("is ", m.Days), "0 or more")
	}
	if m.Days > 0 && c.ServiceStart.IsZero() {
		return Result{}, settingError("ServiceStart", "is missing", "the start of the service, which MoneyBack needs")
	}
	ended := c.serviceEnd()
	if m.Days == 0 || ended.date-dateNumber(c.ServiceStart.In(ended.loc)) >= int64(m.Days) {
		return askFormula(m.Else, None{}, c)
	}
	note := fmt.Sprintf("money back within %d days", m.Days)
	return c.buildResult(HalfEven, func(_ *Charge, paid number) (rawLine, error) {
		return rawLine{exact: paid, note: note}, nil
	})
}
