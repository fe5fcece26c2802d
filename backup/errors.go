package backup

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// The same four values in every package of the library.
var (
	// ErrNotFound: there is no such record, or none that the actor may know of.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: the record is not in a state that allows it, or changed meanwhile.
	ErrConflict = fault.ErrConflict
	// ErrForbidden: the actor may see the record but not do this with it, or a gate refused.
	ErrForbidden = fault.ErrForbidden
	// ErrInvalid: what was given is wrong, whatever is stored.
	ErrInvalid = fault.ErrInvalid
)

// Error is what this package's functions return, with what a frontend needs to explain it. errors.Is finds the sentinel,
// and the cause where a store or a hook gave one.
type Error struct {
	Op        string    // the method, or the type that was checked: "Submit", "Schedule"
	RequestID uuid.UUID // nil where no request is concerned
	TaskID    uuid.UUID // nil where no task is concerned
	ServerID  uuid.UUID // nil where no server is concerned
	Field     string    // the parameter that is wrong: "Schedule.Hour"; "" where none is
	State     State     // the state that the task is in, where that is the reason
	Want      []State   // the states that Op takes, with State
	Existing  *Request  // the record that is in the way, where there is one
	Msg       string    // what was wrong, and what would have been right
	Err       error     // a sentinel or the cause
}

// Error says what was wrong, and what would have been right.
func (e *Error) Error() string { return "backup: " + e.Msg }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Final tells the library's own loops not to try again at once: this package has done that, where it could help.
func (e *Error) Final() bool { return true }

func invalid(op, field, format string, args ...any) *Error {
	return &Error{Op: op, Field: field, Msg: field + ": " + fmt.Sprintf(format, args...), Err: ErrInvalid}
}

func noRequest(op string, id uuid.UUID) *Error {
	return &Error{Op: op, RequestID: id, Msg: fmt.Sprintf("backup request %s not found", id), Err: ErrNotFound}
}

func noTask(op string, id uuid.UUID) *Error {
	return &Error{Op: op, TaskID: id, Msg: fmt.Sprintf("backup task %s not found", id), Err: ErrNotFound}
}

func noServer(op string, id uuid.UUID) *Error {
	return &Error{Op: op, ServerID: id, Msg: fmt.Sprintf("server %s not found", id), Err: ErrNotFound}
}

// nobody refuses an actor that acts for no reseller, or is no client.
func nobody(op string) *Error {
	return &Error{Op: op, Err: ErrNotFound, Msg: op + ": nobody to act for: Actor needs a Role, a ResellerID and, for a client, an ID"}
}

// asError gives an error of a store, a hook or a check its place; an *Error stays as it is. A client may read it: of a
// panic it has only who panicked, and errors.As finds the rest.
func asError(op string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, Msg: op + ": " + fault.Reason(err), Err: err}
}

// renamed is an *Error of a part, given the method that it was found in.
func renamed(op string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Op = op
	}
	return err
}
