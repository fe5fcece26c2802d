package refund

import (
	"fmt"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// ErrInvalid is the only sentinel that this package returns, always wrapped in an *Error or an *ExpressionError. It is the same
// value in every package of the library.
var ErrInvalid = fault.ErrInvalid

// Error reports an invalid case, an invalid setting of a formula, or a charge for which an expression has no value.
// errors.Is(err, ErrInvalid) is true.
type Error struct {
	Charge   int    // the index in Case.Charges; -1 if the error is not about one charge
	Label    string // the label of that charge
	Field    string // the invalid field, such as "Places", "Paid" or "Prorated.Percent"
	Found    string // the problem, as the end of a sentence that begins with Field: "is -3.00"
	Expected string // a description of valid values: "0 or more"
	Err      error  // the cause, such as an *ExpressionError; if it is set, Field, Found and Expected are ""
}

// Error returns a text that names the charge, the field, its problem and the valid values, or the charge and the cause.
func (e *Error) Error() string {
	s := "refund: "
	if e.Charge >= 0 {
		s += fmt.Sprintf("charge %d (%.64q): ", e.Charge, e.Label)
	}
	if e.Err != nil {
		return s + e.Err.Error()
	}
	return s + fmt.Sprintf("%s %s, expected %s", e.Field, e.Found, e.Expected)
}

// Unwrap returns Err, or ErrInvalid if Err is nil.
func (e *Error) Unwrap() error {
	if e.Err == nil {
		return ErrInvalid
	}
	return e.Err
}

// ExpressionError reports a position in the source of an expression. Either the source is invalid there, or the part that begins
// there has no value for a case, for example because of a division by zero. errors.Is(err, ErrInvalid) is true.
type ExpressionError struct {
	Line, Column int    // both from 1; the column counts characters
	Found        string // the source at that position, quoted, or a description of it
	Expected     string // a description of what is valid there
	Nearest      string // the name or sign that the author probably meant; "" if no valid one is similar
}

// Error returns a text with the position, what was found, what is valid there, and the suggestion if there is one.
func (e *ExpressionError) Error() string {
	s := fmt.Sprintf("line %d, column %d: found %s, expected %s", e.Line, e.Column, e.Found, e.Expected)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return s
}

// Unwrap returns ErrInvalid.
func (e *ExpressionError) Unwrap() error { return ErrInvalid }

// settingError returns an *Error about a setting of a formula or about the whole case.
func settingError(field, found, expected string) error {
	return &Error{Charge: -1, Field: field, Found: found, Expected: expected}
}
