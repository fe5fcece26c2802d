package ticket

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// The five sentinel errors of the library. They are the same values in every package.
var (
	// ErrNotFound: there is no such record, or the actor may not know of it.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: the status of the ticket does not allow the operation, there is one already, or it changed meanwhile.
	ErrConflict = fault.ErrConflict
	// ErrForbidden: the actor may see the record but not do this with it, or a gate refused.
	ErrForbidden = fault.ErrForbidden
	// ErrInvalid: a parameter is wrong, whatever is stored.
	ErrInvalid = fault.ErrInvalid
	// ErrHost: a part that the host supplies failed, panicked or answered nonsense. The caller did nothing wrong.
	ErrHost = fault.ErrHost
)

// Error is the error that this package's functions return, with the data that a frontend needs to explain it. errors.Is finds
// exactly one of the five sentinels in it, or the error of the caller's context.
//
// Every actor may read the text of an operation's error. It tells a client nothing that its View does not show. What a part of the
// host said is not in it: Err has that, for the log. The errors of Tick and CloseServer are for the log themselves, and their
// texts repeat what the host's parts said.
type Error struct {
	Op             Op           // the method, or the type that was checked: "Open", "KindSpec"
	TicketID       uuid.UUID    // nil if the error is not about one ticket
	ServerID       uuid.UUID    // nil if the error is not about one server
	Field          string       // the parameter that is wrong, the first of Wrong: "Fields.count"; "" if none is
	Wrong          []FieldError // everything that is wrong with a form, a note, a spec or a query
	Status         Status       // the status of the ticket as the actor sees it, if that is the reason
	Want           []Status     // with Status: the statuses that Op takes, as the actor sees them
	Existing       *View        // the stored ticket that prevents the operation, if the actor may see it; nil if none does
	Note           Note         // the note that was refused, as it was given, so that no draft is lost
	Form           Form         // the form that was refused, as it was given, so that no draft is lost
	OutcomeUnknown bool         // with ErrHost or an ended context: the change may have been stored, read the record before you repeat
	Msg            string       // what was wrong, and what would have been right
	Err            error        // a sentinel; of a gate its refusal; with ErrHost also the error of the host's part, for the log
}

// FieldError says what is wrong with one field of a form, a note, a spec or a query.
type FieldError struct {
	Field string `json:"field"` // "Subject", "Fields.count"
	Msg   string `json:"msg"`
}

// Error says what was wrong, and what would have been right.
func (e *Error) Error() string { return "ticket: " + e.Msg }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func invalid(op Op, field, format string, args ...any) *Error {
	return invalidFields(op, []FieldError{{field, fmt.Sprintf(format, args...)}})
}

// invalidFields returns an error that names every wrong field, or nil if there is none.
func invalidFields(op Op, fields []FieldError) *Error {
	if len(fields) == 0 {
		return nil
	}
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Field + ": " + f.Msg
	}
	return &Error{Op: op, Field: fields[0].Field, Wrong: fields, Msg: strings.Join(parts, "; "), Err: ErrInvalid}
}

func notFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, TicketID: id, Msg: fmt.Sprintf("ticket %s not found", id), Err: ErrNotFound}
}

func serverNotFound(op Op, id uuid.UUID) *Error {
	return &Error{Op: op, ServerID: id, Msg: fmt.Sprintf("server %s not found", id), Err: ErrNotFound}
}

// actorError refuses an actor who may not run an operation on any ticket.
func actorError(op Op, a dedicated.Actor) *Error {
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
		Op: op, TicketID: id, ServerID: server, Field: f.Field, OutcomeUnknown: f.OutcomeUnknown, Msg: f.Msg, Err: err,
	}
}

// withNote puts the note that was refused into an explained error.
func withNote(err error, draft Note) error {
	return edited(err, func(e *Error) { e.Note = draft.clone() })
}

// withForm puts the form that was refused into an explained error.
func withForm(err error, draft Form) error {
	return edited(err, func(e *Error) { e.Form = draft.clone() })
}

func edited(err error, edit func(*Error)) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	changed := *e
	edit(&changed)
	return &changed
}
