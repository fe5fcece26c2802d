package cancellation

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// The same four values in every package of the library.
var (
	// ErrNotFound: there is no such record, or none that the actor may know of.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: the record is not in a state that allows it, there is one already, or it changed meanwhile.
	ErrConflict = fault.ErrConflict
	// ErrForbidden: the actor may see the record but not do this with it, or a gate refused.
	ErrForbidden = fault.ErrForbidden
	// ErrInvalid: what was given is wrong, whatever is stored.
	ErrInvalid = fault.ErrInvalid
)

// Error is what this package's functions return, with what a frontend needs to explain it. errors.Is finds the sentinel,
// and the cause where a store, a hook, a biller or a formula gave one.
type Error struct {
	Op             string    // the method: "Schedule"
	CancellationID uuid.UUID // nil where none is concerned
	ServerID       uuid.UUID // nil where none is concerned
	Field          string    // the parameter or the setting that is the reason: "When.At", "Settings.NoticeDays"; or ""
	State          State     // the state that the cancellation is in, where that is the reason
	Want           []State   // the states that Op takes, with State
	Existing       Badge     // the active cancellation that is there already; zero: that is not the reason
	Earliest       time.Time // the earliest end of a billing period that the notice period leaves, where that is the reason
	PeriodEnd      time.Time // the end of the billing period, which is all that a client may choose, where that is the reason
	Provider       string    // whose machine it is, where that is the reason; "" for a client
	Reference      string    // how the provider calls it; "" for a client
	Msg            string    // what was wrong, and what would have been right
	Err            error     // a sentinel or the cause
}

// Error says what was wrong, and what would have been right.
func (e *Error) Error() string { return "cancellation: " + e.Msg }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Final says that trying again will not help: the error is a decision.
func (e *Error) Final() bool { return true }

func invalid(op, field, format string, args ...any) *Error {
	return &Error{Op: op, Field: field, Msg: field + ": " + fmt.Sprintf(format, args...), Err: ErrInvalid}
}

func notFound(op string, id uuid.UUID) *Error {
	return &Error{Op: op, CancellationID: id, Msg: fmt.Sprintf("cancellation %s not found", id), Err: ErrNotFound}
}

func noServer(op string, id uuid.UUID) *Error {
	return &Error{Op: op, ServerID: id, Msg: fmt.Sprintf("server %s not found", id), Err: ErrNotFound}
}

// about gives an error of a store, a hook or a check its place; an *Error stays as it is.
func (c Cancellation) about(op string, err error) error { return asError(op, c.ID, c.ServerID, err) }

func asError(op string, id, server uuid.UUID, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, CancellationID: id, ServerID: server, Msg: op + ": " + err.Error(), Err: err}
}
