package fault

import (
	"context"
	"errors"
)

// HostError says that a part that the host supplies failed, panicked or answered nonsense. It is ErrHost and none of the
// other sentinels, whatever the part returned. errors.Is and errors.As find everything else in Cause.
//
// If the caller's context has ended, the error is that of the context instead, and not ErrHost. If the part gave one of the answers
// of its contract, the error is that Answer, and no other sentinel and not the error of a context.
type HostError struct {
	Part           string // "store", "gate 2", "Biller.Paid"
	Cause          error  // what the part returned, or a *PanicError
	OutcomeUnknown bool   // the part was asked to write: it may have done so
	Ended          error  // the error of the caller's context; nil: it has not ended
	Answer         error  // the sentinel that the part may answer with, such as a Store's ErrConflict; nil: it is ErrHost
}

// Error returns the part and what it said. It is for the log, not for an actor. If the part is a Manager of the library, whose
// errors do not repeat what its own parts said, it returns that as well.
func (e *HostError) Error() string {
	said := "its error panicked"
	_ = Guard(e.Part, func() error {
		text := e.Cause.Error()
		var inner *HostError
		if errors.As(e.Cause, &inner) {
			text += ": " + inner.Error()
		}
		said = text
		return nil
	})
	return e.Part + " failed: " + said
}

// Is implements the rules in the comment of HostError.
func (e *HostError) Is(target error) bool {
	switch target {
	case ErrHost:
		return e.Ended == nil && e.Answer == nil
	case ErrNotFound, ErrConflict, ErrForbidden, ErrInvalid:
		return e.Ended == nil && target == e.Answer
	case context.Canceled, context.DeadlineExceeded:
		if e.Answer != nil {
			return false // the part answered, and no context of the caller has ended
		}
	}
	return e.Ended != nil && errors.Is(e.Ended, target) || e.Caused(target)
}

// Caused reports whether Cause is the target. An error of a host's part whose methods panic is no target.
func (e *HostError) Caused(target error) (found bool) {
	_ = Guard(e.Part, func() error {
		found = errors.Is(e.Cause, target)
		return nil
	})
	return found
}

// As finds the target in Cause.
func (e *HostError) As(target any) (found bool) {
	_ = Guard(e.Part, func() error {
		found = errors.As(e.Cause, target)
		return nil
	})
	return found
}

// Host calls a part that the host supplies. It returns an error or a panic of it as a *HostError.
func Host(ctx context.Context, part string, call func() error) error {
	err := Guard(part, call)
	if err == nil {
		return nil
	}
	return &HostError{Part: part, Cause: err, Ended: ctx.Err()}
}

// Nonsense is the *HostError for a part whose answer makes no sense.
func Nonsense(part string, answer error) error { return &HostError{Part: part, Cause: answer} }

// Refusal is the error by which a gate refuses. It is ErrForbidden.
type Refusal struct{ Message string }

// Error returns the message, which is for the actor.
func (r *Refusal) Error() string { return r.Message }

// Is reports whether the target is ErrForbidden.
func (r *Refusal) Is(target error) bool { return target == ErrForbidden }
