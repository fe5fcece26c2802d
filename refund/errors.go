package refund

import (
	"fmt"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// The sentinels of the library, the same values in every package. This package returns ErrInvalid alone, always inside
// an *Error or an *ExpressionError: money in, money out, nothing to look up and nothing to race for.
var (
	ErrNotFound  = fault.ErrNotFound
	ErrConflict  = fault.ErrConflict
	ErrForbidden = fault.ErrForbidden
	ErrInvalid   = fault.ErrInvalid
)

// Error says which part of a case or of a formula's settings is wrong. errors.Is(err, ErrInvalid) holds.
type Error struct {
	Charge   int    // index in Case.Charges; -1 when no single charge is to blame
	Label    string // of that charge
	Field    string // "Places", "Paid", "Prorated.Percent"
	Found    string // what was wrong, as a predicate: "is -3.00"
	Expected string // what would have been right: "0 or more"
	Err      error  // such as an *ExpressionError, in place of Field, Found and Expected; nil: ErrInvalid
}

// Error names the charge, the field, what was found and what was expected.
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

// Unwrap returns Err, or ErrInvalid where that is nil.
func (e *Error) Unwrap() error {
	if e.Err == nil {
		return ErrInvalid
	}
	return e.Err
}

// ExpressionError points at the place in an expression's source that is wrong, or that could not be worked out for a
// case, such as a division by zero. errors.Is(err, ErrInvalid) holds.
type ExpressionError struct {
	Line, Column int    // from 1; columns count characters
	Found        string // a piece of the source, or what is there instead
	Expected     string // what would have been right
	Nearest      string // the known name or sign that was probably meant; "" if none is near
}

// Error names line, column, what was found, what was expected and what was probably meant.
func (e *ExpressionError) Error() string {
	s := fmt.Sprintf("line %d, column %d: found %s, expected %s", e.Line, e.Column, e.Found, e.Expected)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return s
}

// Unwrap returns ErrInvalid.
func (e *ExpressionError) Unwrap() error { return ErrInvalid }

// setting is an Error about a formula's own settings.
func setting(field, found, expected string) error {
	return &Error{Charge: -1, Field: field, Found: found, Expected: expected}
}
