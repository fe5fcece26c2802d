package refund

import "slices"

const (
	mostSource = 4096 // bytes
	mostDepth  = 64
	mostNodes  = 1000
)

// Expression is a reseller's own formula, made by Parse. It is immutable and safe for concurrent use. Its zero value
// holds no formula: Refund and Explain answer with an error, String and MarshalText with nothing.
type Expression struct{ program *program }

// program is what Parse makes. It is never changed.
type program struct {
	source    string
	root      *node
	variables []string
}

// Parse compiles a reseller's formula, such as
//
//	paid * unused_days / period_days - 5
//	when(service_days < 30, paid, paid * unused_days / period_days * 0.8)
//
// It is worked out for each Recurring and each Flat charge by itself, for past periods too; Setup and Usage give nothing.
// The value is rounded once, at the very end, half to even to the currency's places, and cut to what is left of the
// payment and to 0. Everything before is exact: a division only lengthens the fraction.
//
// Variables, per charge:
//
//	paid            what was paid
//	unused_days     dates of the period after the day of cancellation; all of them up to Start, 0 from End on
//	used_days       period_days - unused_days
//	period_days     dates of the period, in the case's Location
//	unused_seconds  elapsed seconds from the cancellation to the end of the period, 0 to period_seconds
//	period_seconds  elapsed seconds of the period
//	service_days    dates from Case.ServiceStart to the cancellation, 0 on the first: MoneyBack{30} is service_days < 30
//	places          the currency's decimals
//
// Numbers are digits with at most one point, such as 12 or 0.05. Operators, from the loosest: || && then == != < <= > >=
// then + - then * / then - and ! in front. Functions: min(a, b, ...), max(a, b, ...), when(condition, a, b), which works
// out only the one it returns, and round(a), floor(a), ceil(a), each with the number of decimals as a second value if
// wanted, -8 to 8; round goes half to even. A condition is no number and a number is no condition. Spaces and line ends
// mean nothing. There are no comments.
//
// A source has at most 4,096 bytes, 1,000 numbers, names, operators and opening parentheses, and is nested 64 deep at most
// (a chain of equal operators is not nested); a number has at most 77 digits, and a value 308 above or below its fraction
// line. So no source and no case is slow. A division by zero and a value that grows too long are errors of Refund, with
// their place.
//
// Errors are *ExpressionError with line, column, what was found and what was expected.
func Parse(source string) (*Expression, error) {
	if err := scan(source); err != nil {
		return nil, err
	}
	root, variables, err := compile(source)
	if err != nil {
		return nil, err
	}
	return &Expression{&program{source: source, root: root, variables: variables}}, nil
}

// Refund works the expression out for every Recurring and Flat charge of the case. Unused and Total of a line are in days.
func (e *Expression) Refund(c Case) (Result, error) {
	if err := e.ready(c); err != nil {
		return Result{}, err
	}
	run := evaluation{program: e.program}
	run.begin(&c)
	return c.answer(HalfEven, func(charge *Charge, paid number) (figure, error) { return run.figure(charge, paid) })
}

// ready checks the receiver and the case.
func (e *Expression) ready(c Case) error {
	if e == nil || e.program == nil {
		return setting("Expression", "is empty", "one made by Parse")
	}
	return c.Validate()
}

// Variables lists the variables that the expression uses, in alphabetical order.
func (e *Expression) Variables() []string {
	if e == nil || e.program == nil {
		return nil
	}
	return slices.Clone(e.program.variables)
}

// String returns the source as it was given to Parse; "" for the zero value.
func (e Expression) String() string {
	if e.program == nil {
		return ""
	}
	return e.program.source
}

// MarshalText returns the source, and so does JSON as a string.
func (e Expression) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText parses a source. An empty one gives the zero value, as MarshalText writes it. After an error the
// expression is what it was before.
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
