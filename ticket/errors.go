package ticket

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// The same four values in every package of the library.
var (
	// ErrNotFound: there is no such record, or none that the actor may know of.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: the record is not in a state that allows it, or changed meanwhile, or there is one already.
	ErrConflict = fault.ErrConflict
	// ErrForbidden: the actor may see the record but not do this with it, or a gate refused.
	ErrForbidden = fault.ErrForbidden
	// ErrInvalid: what was given is wrong, whatever is stored.
	ErrInvalid = fault.ErrInvalid
)

// Error is what this package's functions return, with what a frontend needs to explain it. errors.Is finds the sentinel,
// and the cause where a store or a hook gave one. It tells a client nothing that its View does not; what a cause tells, in
// the words of a store, of Servers or of a gate, is theirs.
type Error struct {
	Op       string       // the method, or the type that was checked: "Open", "KindSpec"
	TicketID uuid.UUID    // nil where no ticket is concerned
	ServerID uuid.UUID    // nil where no server is concerned
	Field    string       // the parameter that is wrong, the first of Wrong: "Fields.count"; "" where none is
	Wrong    []FieldError // everything that is wrong with a form, a note or a spec, at once
	Status   Status       // the status of the ticket as the actor sees it, where that is the reason
	Want     []Status     // the statuses that Op takes, with Status
	OpenID   uuid.UUID    // the open ticket that a second one of its kind would repeat
	OpenRef  string       // that ticket's reference
	Note     Note         // the note that was refused, as it was given: a draft to keep
	Form     Form         // the form that was refused, as it was given
	Msg      string       // what was wrong, and what would have been right
	Err      error        // a sentinel or the cause
}

// FieldError says what is wrong with one field of a form, a note or a spec.
type FieldError struct {
	Field string `json:"field"` // "Subject", "Fields.count"
	Msg   string `json:"msg"`
}

// Error says what was wrong, and what would have been right.
func (e *Error) Error() string { return "ticket: " + e.Msg }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Final says that trying again will not help: the error is a decision.
func (e *Error) Final() bool { return true }

func invalid(op, field, format string, args ...any) *Error {
	return wrong(op, []FieldError{{field, fmt.Sprintf(format, args...)}})
}

// wrong names every wrong field at once; nothing is wrong where there is none.
func wrong(op string, fields []FieldError) *Error {
	if len(fields) == 0 {
		return nil
	}
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Field + ": " + f.Msg
	}
	return &Error{Op: op, Field: fields[0].Field, Wrong: fields, Msg: strings.Join(parts, "; "), Err: ErrInvalid}
}

func notFound(op string, id uuid.UUID) *Error {
	return &Error{Op: op, TicketID: id, Msg: fmt.Sprintf("ticket %s not found", id), Err: ErrNotFound}
}

func noServer(op string, id uuid.UUID) *Error {
	return &Error{Op: op, ServerID: id, Msg: fmt.Sprintf("server %s not found", id), Err: ErrNotFound}
}

// nobody refuses who may not do what concerns no single ticket, or one that must not be named.
func nobody(op string, a dedicated.Actor) *Error {
	if a.IsClient(a.ResellerID, a.ID) {
		return &Error{Op: op, Err: ErrForbidden, Msg: op + " is the reseller's, not a client's"}
	}
	return &Error{Op: op, Err: ErrNotFound, Msg: op + ": no reseller to act for: Actor needs a Role and a ResellerID"}
}

// asError gives an error of a store, a server list or a check its place; an *Error stays as it is.
func asError(op string, id uuid.UUID, err error) error {
	if err == nil {
		return nil
	}
	return known(op, id, err)
}

func known(op string, id uuid.UUID, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Op: op, TicketID: id, Msg: op + ": " + err.Error(), Err: err}
}

// withNote puts the draft that was refused into the error.
func withNote(op string, id uuid.UUID, err error, draft Note) error {
	if err == nil {
		return nil
	}
	e := *known(op, id, err)
	e.Note = draft.clone()
	return &e
}

// withForm puts the form that was refused into the error.
func withForm(op string, err error, draft Form) error {
	if err == nil {
		return nil
	}
	e := *known(op, uuid.Nil, err)
	e.Form = draft.clone()
	return &e
}
