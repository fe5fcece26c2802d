package backup

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
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
// Every actor may read the text of an operation's error. What a part of the host said is not in it: Err has that, for the
// log. The errors of Tick and CloseServer take no actor: their text is for the log, and repeats what the host's parts said.
type Error struct {
	Op             Op        // the method, or the type that was checked: "Submit", "Schedule"
	RequestID      uuid.UUID // nil if the error is not about one request
	TaskID         uuid.UUID // nil if the error is not about one task
	ServerID       uuid.UUID // nil if the error is not about one server
	Field          string    // the parameter that is wrong: "Schedule.Hour"; "" if none is
	State          State     // the state of the task, if that is the reason
	Want           []State   // with State: the states that Op takes
	Existing       *Request  // the stored record that prevents the operation, as the actor may see it; nil if none does
	OutcomeUnknown bool      // with ErrHost or an ended context: the change may have been stored, read the record before you repeat
	Msg            string    // what was wrong, and what would have been right
	Err            error     // a sentinel; of a gate its refusal; with ErrHost also the error of the host's part, for the log
}

// Error says what was wrong, and what would have been right.
func (e *Error) Error() string { return "backup: " + e.Msg }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func invalid(op Op, field, format string, args ...any) *Error {
	return &Error{Op: op, Field: field, Msg: field + ": " + fmt.Sprintf(format, args...), Err: ErrInvalid}
}

func requestNotFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, RequestID: id, Msg: fmt.Sprintf("backup request %s not found", id), Err: ErrNotFound}
}

func taskNotFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, TaskID: id, Msg: fmt.Sprintf("backup task %s not found", id), Err: ErrNotFound}
}

func serverNotFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, ServerID: id, Msg: fmt.Sprintf("server %s not found", id), Err: ErrNotFound}
}

// checkActor refuses an actor that sees no record of any reseller or client.
func checkActor(op Op, a dedicated.Actor) error {
	if a.Manages(a.ResellerID) || a.IsClient(a.ResellerID, a.ID) {
		return nil
	}
	return &Error{Op: op, Err: ErrNotFound, Msg: fmt.Sprintf("%s: the Actor needs a Role, a ResellerID and, for a client, an ID", op)}
}

// ids are the records that an error is about.
type ids struct{ request, task, server uuid.UUID }

// explain makes an *Error of any error of an operation, in words for its actor. An *Error stays as it is.
func explain(op Op, about ids, err error) error { return wrapped(op, about, err, manage.Explain) }

// report is explain with the words of the host's parts: for the log.
func report(op Op, about ids, err error) error { return wrapped(op, about, err, manage.Report) }

func wrapped(op Op, about ids, err error, failure func(string, error) manage.Failure) error {
	if err == nil || manage.Explained[*Error](err) {
		return err
	}
	f := failure(string(op), err)
	return &Error{
		Op: op, RequestID: about.request, TaskID: about.task, ServerID: about.server, Field: f.Field,
		OutcomeUnknown: f.OutcomeUnknown, Msg: f.Msg, Err: err,
	}
}

// withOp sets the operation of an *Error that a check of a parameter returned.
func withOp(op Op, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Op = op
	}
	return err
}
