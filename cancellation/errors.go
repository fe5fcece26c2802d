package cancellation

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// The five sentinel errors of the library. They are the same values in every package.
var (
	// ErrNotFound: there is no such record, or the actor may not know of it.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: the state of the record does not allow the operation, there is one already, or the record changed meanwhile.
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
// Every actor may read its text. What a part of the host said is not in it: Err has that, for the log. The errors of Tick,
// of Ends, of ShouldRenew and of the Subscriber are for the log themselves, and their texts have it, too.
type Error struct {
	Op             Op            // the method: "Schedule"
	CancellationID uuid.UUID     // nil if the error is not about one cancellation
	ServerID       uuid.UUID     // nil if the error is not about one server
	Field          string        // the parameter or the setting that is the reason: "When.At", "Settings.NoticeDays"; "" if none is
	State          State         // the state of the cancellation, if that is the reason
	Want           []State       // with State: the states that Op takes
	Existing       *Cancellation // the stored record that prevents the operation, as the actor may see it; nil if none does
	At             time.Time     // the date that the order means, if it is not the one of Order.Expect
	// Earliest is what would have been right, if a date is too early: for a client what When.FirstAllowed would order, or with
	// ClientMayChooseDate the earliest date; for a reseller how far Order.Backdated goes. Zero if that is not the reason.
	Earliest       time.Time
	PeriodEnd      time.Time // the end of the billing period, if that is all that a client may choose
	Provider       string    // the owner of the machine, if that is the reason; "" for a client
	Reference      string    // the provider's name for the server; "" for a client
	OutcomeUnknown bool      // with ErrHost or an ended context: the change may have been stored, read the record before you repeat
	Msg            string    // what was wrong, and what would have been right
	Err            error     // a sentinel; of a gate its refusal; with ErrHost also the error of the host's part, for the log
}

// Error says what was wrong, and what would have been right.
func (e *Error) Error() string { return "cancellation: " + e.Msg }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func invalid(op Op, field, format string, args ...any) *Error {
	return &Error{Op: op, Field: field, Msg: field + ": " + fmt.Sprintf(format, args...), Err: ErrInvalid}
}

func notFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, CancellationID: id, Msg: fmt.Sprintf("cancellation %s not found", id), Err: ErrNotFound}
}

func serverNotFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, ServerID: id, Msg: fmt.Sprintf("server %s not found", id), Err: ErrNotFound}
}

// waitsError refuses a client to change what waits for the reseller.
func waitsError(op Op, c Cancellation) error {
	return &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, Err: ErrConflict,
		Msg: fmt.Sprintf("the cancellation of server %s (%s) waits for the reseller: ask the reseller", c.ServerName, c.ServerID)}
}

// actorError refuses an actor who may not run an operation on any record.
func actorError(op Op, a dedicated.Actor) error {
	if a.IsClient(a.ResellerID, a.ID) {
		return &Error{Op: op, Err: ErrForbidden, Msg: fmt.Sprintf("%s is for the reseller, not for a client", op)}
	}
	return &Error{Op: op, Err: ErrNotFound, Msg: fmt.Sprintf("%s: the Actor needs a Role and a ResellerID", op)}
}

// explain makes an *Error of any error of an operation, in words for its actor. An *Error stays as it is.
func explain(op Op, id, server uuid.UUID, err error) error {
	return wrapped(op, id, server, err, manage.Explain)
}

// report is explain with the words of the host's parts: for the log.
func report(op Op, id, server uuid.UUID, err error) error {
	return wrapped(op, id, server, err, manage.Report)
}

func wrapped(op Op, id, server uuid.UUID, err error, failure func(string, error) manage.Failure) error {
	if err == nil || manage.Explained[*Error](err) {
		return err
	}
	f := failure(string(op), err)
	return &Error{
		Op: op, CancellationID: id, ServerID: server, Field: f.Field, OutcomeUnknown: f.OutcomeUnknown, Msg: f.Msg, Err: err,
	}
}
