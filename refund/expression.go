package refund

import "slices"

const (
	maxSourceBytes = 4096
	maxDepth       = 64
	maxNodes       = 1000
)

// Expression is a formula that a reseller wrote. Parse creates it. It is safe for concurrent use while no goroutine calls
// UnmarshalText. Its zero value holds no formula: Refund and Explain return an *Error, and String and MarshalText return an empty
// text.
type Expression struct{ program *program }

// program is the compiled form of a source. It is immutable.
type program struct {
	source    string
	root      *node
	variables []string
}

// Parse compiles a formula, such as
//
//	paid * unused_days / period_days - 5
//	when(service_days < 30, paid, paid * unused_days / period_days * 0.8)
//
// Refund calculates it separately for each Recurring and each Flat charge, also for charges whose period is over. Setup and Usage
// charges are not refunded. Credits are taken off the payments before that, as Calculate does it. The calculation is exact. At its
// end the value is rounded once, half to even, to Case.Places decimals. Then it is clamped to the range from 0 to Paid less Refunded.
//
// The variables are, for each charge:
//
//	paid            the amount paid, less its part of the credits
//	period_days     the number of local dates in the period
//	unused_days     the number of those dates after the date of cancellation
//	used_days       period_days - unused_days
//	period_seconds  the elapsed seconds of the period
//	unused_seconds  the elapsed seconds from the cancellation to End
//	service_days    the days from the date of Case.ServiceStart to the date of cancellation; at least 0
//	places          the number of the currency's decimals
//
// If the cancellation is at or before Start, all days and seconds are unused. If it is at or after End, none are. A Flat charge
// without a Start has 0 days and 0 seconds.
//
// A number consists of digits and at most one decimal point, such as 12 or 0.05. Spaces and line breaks have no meaning. There are
// no comments. A condition is not a number, and a number is not a condition.
//
// The operators are, from the lowest precedence to the highest:
//
//	||               true if at least one of two conditions is true
//	&&               true if both conditions are true
//	== != < <= > >=  comparisons of two numbers
//	+ -              addition, subtraction
//	* /              multiplication, division
//	- !              in front: the negative of a number, the opposite of a condition
//
// The functions are:
//
//	min(a, b, ...)         the smallest value
//	max(a, b, ...)         the largest value
//	when(condition, a, b)  a if the condition is true, otherwise b; the other value is not calculated
//	round(a, n)            a rounded to n decimals, half to even
//	floor(a, n)            a rounded down to n decimals
//	ceil(a, n)             a rounded up to n decimals
//
// n is a whole number from -8 to 8. With -2, for example, the value is rounded to hundreds. Without n the value is rounded to a
// whole number.
//
// A source has at most 4,096 bytes. It has at most 1,000 numbers, names, operators and opening parentheses, and at most 64 levels of
// nesting; a chain such as 1 + 2 + 3 is one level. A number has at most 77 digits. Every value during the calculation is a fraction
// whose numerator and denominator have at most 308 digits each. With these bounds every source and every case is fast.
//
// Parse returns an *ExpressionError for an invalid source. A division by zero and a value that exceeds its bound are errors of
// Refund.
func Parse(source string) (*Expression, error) {
	if err := checkSource(source); err != nil {
		return nil, err
	}
	root, variables, err := compile(source)
	if err != nil {
		return nil, err
	}
	return &Expression{&program{source: source, root: root, variables: variables}}, nil
}

// Refund calculates the expression for every Recurring and Flat charge of the case. Line.Unused and Line.Total count days.
//
// It returns an *Error if the case is invalid, if the expression is empty, if service_days is used and the case has no
// ServiceStart, or if the expression has no value for a charge, for example because of a division by zero. That last *Error names
// the charge and wraps an *ExpressionError.
func (e *Expression) Refund(c Case) (Result, error) {
	if err := e.validate(); err != nil {
		return Result{}, err
	}
	return c.calculate(func(c Case) (Result, error) {
		ev := evaluation{program: e.program}
		ev.setCase(&c)
		return c.buildResult(HalfEven, func(charge *Charge, paid number) (rawLine, error) { return ev.evaluateCharge(charge, paid) })
	})
}

// validate checks the receiver.
func (e *Expression) validate() error {
	if e == nil || e.program == nil {
		return settingError("Expression", "is empty", "an expression that Parse returned")
	}
	return nil
}

// Variables returns the names of the variables that the expression uses, in alphabetical order. The caller owns the slice.
func (e *Expression) Variables() []string {
	if e == nil || e.program == nil {
		return nil
	}
	return slices.Clone(e.program.variables)
}

// String returns the source as Parse got it, or "" for the zero value.
func (e Expression) String() string {
	if e.program == nil {
		return ""
	}
	return e.program.source
}

// MarshalText returns the source, or an empty text for the zero value. In JSON an Expression is a string. The error is always nil.
func (e Expression) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText replaces e by the parsed text. An empty text sets e to the zero value. Its errors are those of Parse; after an
// error e is unchanged.
func (e *Expression) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*e = Expression{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*e = *parsed
	return nil
}
