// Package refund calculates the refund for a service that a client cancels before its paid period ends. Amounts are exact to
// the currency's smallest unit. Each charge has its own line in the result. The reseller chooses a formula or writes one.
//
// # The problem
//
// A refund looks like one multiplication and one division, but billing systems lose money on it. Some round the price of a
// day before they multiply it. Some divide hours by 24, though a day can have 23 hours. Some round before they apply the
// percentage. In some, the lines do not add up to the total, or a refund exceeds the payment.
//
// All formulas here follow the same rules. A host can test its own formulas against them with refundtest.TestFormula.
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
// A Case is the input: the charges that the client paid, the instant of cancellation, the time zone and the number of the
// currency's decimals. A Formula turns it into a Result: one Line for each charge, and the total.
//
//   - Prorated is the default formula: paid × unused days × percent ÷ (days of the period × 100).
//   - MoneyBack refunds everything in the first days of a service. None refunds nothing.
//   - Fee, Minimum and Cap adjust the total of another formula. ByKind and ByLabel use different formulas for different
//     charges. All of them can be nested.
//   - Parse compiles a formula that a reseller typed, such as "paid * unused_days / period_days - 5", into an Expression.
//   - FormulaFunc turns a function of the host into a Formula.
//   - Calculate asks a formula of the host, and spreads credits for it.
//
// # Credits
//
// A charge with a negative payment is a credit on the bill. Before a formula is asked, credits are taken off the payments of their
// kind and period, then off the other payments of their kind, as Calculate describes. So a server for 149.00 with a credit of 13.54
// counts as paid with 135.46, and a formula never sees a negative payment. The result still has a line for each charge of the bill.
// The total is never above what was paid for all charges together, less the credits and what was refunded before.
//
// # Exactness
//
// A formula calculates with exact fractions and rounds each line once, at its end. It rounds half to even unless its settings
// say otherwise. It uses neither floating point nor the global precision of the decimal package.
//
// The amount of a line is never below 0, and never above Paid less Refunded. A formula's value outside of these bounds is
// clamped, and Line.Clamped is set. Every amount has exactly Case.Places decimals, and the lines add up to the total.
//
// The days of a period are local dates in Case.Location. The first is the date of Start, and the last is the date before the
// date of End. The date of cancellation counts as used. A cancellation at or before Start leaves the whole period unused. A
// later cancellation never gives a higher refund by Prorated or MoneyBack, even where clocks are set back over midnight.
//
// # Bounds
//
// A host may pass on cases and expressions from strangers: none of them is slow, needs much memory or causes a panic. An amount
// in a Case has at most 77 digits, an amount in a Result at most 308 digits. The exponent of a decimal lies between -64 and 64.
// An instant lies in the years 1 to 9999. Parse lists the bounds of expressions. Every formula checks the bounds of the case
// before it calculates.
//
// # Errors
//
// errors.Is(err, ErrInvalid) is true for every error of this package. errors.As finds an *Error, which names the charge and the
// field, or an *ExpressionError, which names the line and the column in the source of an expression. An error of the host's own
// formula is returned unchanged.
//
// # Concurrency
//
// Every function and method here depends on its arguments only. It uses no clock, no I/O and no global state. All types are
// safe for concurrent use while no goroutine changes their fields.
package refund
