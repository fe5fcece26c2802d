// Package refund works out what is owed back to a client whose service ends before it is used up: exact to the smallest
// unit of the currency, explained line by line, by a formula that the reseller chooses or writes.
//
// # The problem
//
// A refund looks like one multiplication and one division, and is where billing systems lose money: a day's price is
// rounded before it is multiplied, a 23-hour day is no day, a percentage is rounded after the proration was, lines do not
// add up to their total, a figure above what was paid is sent all the same. Here every formula obeys the same rules, and a
// host can check its own against them with refundtest.TestFormula.
//
// # The smallest program
//
//	result, err := refund.Prorated{}.Refund(refund.Case{
//		Charges: []refund.Charge{{Label: "server", Paid: decimal.RequireFromString("3.00"), Start: start, End: end}},
//		At:      now,
//		Places:  2,
//	})
//
// # Concepts
//
// A Case is the question: the charges that were paid, the instant at which the service ends, the zone that says what a
// day is, and the decimals of the currency. A Formula answers it with a Result: one Line for each charge, and their sum.
//
//   - Prorated is the original manual's formula: paid × unused days × percent ÷ (days of the period × 100).
//   - MoneyBack gives everything back within the first days, None gives nothing.
//   - Fee, Minimum and Cap hold another formula's total to an amount; ByKind and ByLabel ask a formula for each part of
//     the bill. They nest.
//   - Parse compiles an Expression such as "paid * unused_days / period_days - 5" that a reseller typed.
//   - FormulaFunc makes anything else a formula.
//
// # Exactness
//
// Amounts are fractions of whole numbers until the end of a line, where they are rounded once, half to even unless the
// formula says otherwise. What the binary floating point or the global precision of the decimal package would do plays
// no part: neither is used. The amount of a line lies between 0 and what was paid less what was given back before; a
// formula's figure outside of that is cut, and the line says so. A fee is spread over the lines by largest remainder, so
// that the lines always add up to the total. Every amount has exactly Case.Places decimals.
//
// Days are local dates of Case.Location, from that of Start up to but not including that of End; the date of cancellation
// counts as used. Up to Start all is unused. A refund by Prorated or MoneyBack never rises with time, not even where the
// clocks are set back over midnight.
//
// # Bounds
//
// A case may hold what strangers typed. Amounts have at most 77 digits and exponents from -64 to 64, those of answers at
// most 308 digits, checked before anything is calculated; instants lie in the years 1 to 9999, and expressions are bounded
// as Parse says: nothing is slow or large, and nothing panics.
//
// # Errors
//
// Every error of this package is ErrInvalid by errors.Is. By errors.As it is an *Error that names the charge and the field,
// or an *ExpressionError that names line and column, what was found and what was expected. What a host's own formula
// fails with is passed on as it is.
//
// # Concurrency
//
// Everything here is a pure function of its arguments: no clock, no I/O, no state. All types are safe for concurrent use
// as long as nobody changes their fields meanwhile.
package refund
