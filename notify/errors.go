package notify

import (
	"errors"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// The four answers of every package of the library, the same values everywhere: ask with errors.Is.
var (
	// ErrNotFound: there is no such subscriber, delivery, kind or text.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: what is stored has changed since it was read, or is not in the state that the operation needs.
	ErrConflict = fault.ErrConflict
	// ErrForbidden is not returned by this package, which knows no actor.
	ErrForbidden = fault.ErrForbidden
	// ErrInvalid: an argument makes no sense; the text says which, and what would have been right.
	ErrInvalid = fault.ErrInvalid
)

// Permanent marks an error that must not be retried: the delivery becomes a dead letter at once. It reads and unwraps as
// err, may itself be wrapped, and Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

func isPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}
