package dedicated

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// The five sentinel errors of the library. They are the same values in every package.
var (
	// ErrNotFound: there is no such record, or the actor may not know of it.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: the state of the record does not allow the operation, or the record changed meanwhile.
	ErrConflict = fault.ErrConflict
	// ErrForbidden: the actor may see the record but not do this with it, or a gate refused.
	ErrForbidden = fault.ErrForbidden
	// ErrInvalid: a parameter is wrong, whatever is stored.
	ErrInvalid = fault.ErrInvalid
	// ErrHost: a part that the host supplies failed, panicked or answered nonsense. The caller did nothing wrong.
	ErrHost = fault.ErrHost
)

// Error is the error that this package's functions return, with the data that a frontend needs to explain it. errors.Is
// finds exactly one of the five sentinels in it, or the error of the caller's context.
//
// Every actor may read its text. What a part of the host said is not in it: Err has that, for the log.
type Error struct {
	Op             Op        // the method, or the type that was checked: "Assign", "Billing"
	ServerID       uuid.UUID // nil if the error is not about one server
	Field          string    // the parameter that is wrong: "Billing.Zone"; "" if none is
	State          State     // the state of the server, if that is the reason
	Want           []State   // with State: the states that Op takes
	Existing       *Server   // the stored record that prevents the operation, as the actor may see it; nil if none does
	OutcomeUnknown bool      // with ErrHost or an ended context: the change may have been stored, read the record before you repeat
	Msg            string    // what was wrong, and what would have been right
	Err            error     // a sentinel; of a gate its refusal; with ErrHost also the error of the host's part, for the log
}

// Error says what was wrong, and what would have been right.
func (e *Error) Error() string { return "dedicated: " + e.Msg }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Refuse returns the error by which a gate refuses: ErrForbidden, with a message that the actor reads. Gates of all packages
// use it. Any other error of a gate is ErrHost.
func Refuse(message string) error { return &fault.Refusal{Message: message} }

func invalid(op Op, field string, format string, args ...any) *Error {
	return &Error{Op: op, Field: field, Msg: field + ": " + fmt.Sprintf(format, args...), Err: ErrInvalid}
}

func notFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, ServerID: id, Msg: fmt.Sprintf("server %s not found", id), Err: ErrNotFound}
}

// explain makes an *Error of any error of an operation. An *Error stays as it is.
func explain(op Op, id uuid.UUID, err error) error {
	if err == nil || manage.Explained[*Error](err) {
		return err
	}
	f := manage.Explain(string(op), err)
	return &Error{Op: op, ServerID: id, Field: f.Field, OutcomeUnknown: f.OutcomeUnknown, Msg: f.Msg, Err: err}
}
