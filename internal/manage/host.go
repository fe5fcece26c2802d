package manage

import (
	"context"
	"errors"
	"fmt"

	"github.com/metalkeep/metalkeep/internal/alive"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// store is the name of a Store in errors.
const store = "store"

// Get reads one record from a Store. The Store's ErrNotFound and ErrConflict keep their meaning; everything else is a
// *fault.HostError that is ErrHost.
func Get[T any](ctx context.Context, read func() (T, error)) (T, error) {
	return ask(ctx, read, fault.ErrNotFound, fault.ErrConflict)
}

// GetMany reads from a Store what is never missing, such as a count or the records of some IDs. It differs from Get in that ErrNotFound
// makes no sense.
func GetMany[T any](ctx context.Context, read func() (T, error)) (T, error) {
	return ask(ctx, read, fault.ErrConflict)
}

func ask[T any](ctx context.Context, read func() (T, error), answers ...error) (T, error) {
	var value T
	err := fault.Host(ctx, store, func() (err error) {
		value, err = read()
		return err
	})
	alive.Sign(ctx)
	if err != nil {
		var none T
		return none, answered(err, answers...)
	}
	return value, nil
}

// List reads a page from a Store, as GetMany does. If the page after a cursor is asked for, its ErrInvalid keeps its meaning,
// too: it is a *CursorError.
func List[E any](ctx context.Context, after string, read func() ([]E, string, error)) (items []E, next string, err error) {
	err = fault.Host(ctx, store, func() (err error) {
		if err := ctx.Err(); err != nil {
			return err // a loop over pages ends with its context
		}
		items, next, err = read()
		return err
	})
	alive.Sign(ctx)
	if err == nil {
		return items, next, nil
	}
	answers := []error{fault.ErrConflict}
	if after != "" {
		answers = append(answers, fault.ErrInvalid)
	}
	if err = answered(err, answers...); errors.Is(err, fault.ErrInvalid) {
		err = &CursorError{Cause: err}
	}
	return nil, "", err
}

// Commit writes to a Store. Its ErrConflict keeps its meaning: nothing was written. Every other error says that the outcome is unknown.
func Commit(ctx context.Context, write func() error) error {
	err := fault.Host(ctx, store, write)
	alive.Sign(ctx)
	var host *fault.HostError
	if errors.As(err, &host) {
		host.OutcomeUnknown = true
		return answered(err, fault.ErrConflict)
	}
	return err
}

// answered gives an error of a Store its meaning back, if it is one of the answers that the Store may give.
func answered(err error, answers ...error) error {
	var host *fault.HostError
	if !errors.As(err, &host) || host.Ended != nil {
		return err
	}
	for _, answer := range answers {
		if host.Caused(answer) {
			host.Answer, host.OutcomeUnknown = answer, false
			break
		}
	}
	return err
}

// CursorError says that a cursor is not one of its list. Cause is a *fault.HostError with the answer ErrInvalid.
type CursorError struct{ Cause error }

// Error says what was wrong.
func (e *CursorError) Error() string { return "After: this is not a cursor of this list" }

// Unwrap returns the Store's answer.
func (e *CursorError) Unwrap() error { return e.Cause }

// OwnCursor is for a list that was read with a cursor of the Store itself: that the Store refuses it is ErrHost, and not the fault of
// a caller. refused reports whether it did.
func OwnCursor(err error) (_ error, refused bool) {
	var cursor *CursorError
	if !errors.As(err, &cursor) {
		return err, false
	}
	return fault.Nonsense(store, fmt.Errorf("it refused its own cursor: %w", cursor.Cause)), true
}

// Ask calls gates in order, each with a deadline; the first that refuses wins. Its error is a *fault.HostError, which has the
// answer ErrForbidden if the gate refused.
func Ask[G any](ctx context.Context, calls *fault.Calls, gates []G, call func(context.Context, G) error) error {
	for i, gate := range gates {
		part := fmt.Sprintf("gate %d", i+1)
		err := fault.Run(ctx, calls, part, func(ctx context.Context) error { return call(ctx, gate) })
		var host *fault.HostError
		var refusal *fault.Refusal
		if errors.As(err, &host) && host.Ended == nil && host.As(&refusal) {
			host.Answer = fault.ErrForbidden
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Refusal returns the refusal of a gate in an error of Ask; nil: the gates failed.
func Refusal(err error) *fault.Refusal {
	var host *fault.HostError
	var refusal *fault.Refusal
	if !errors.As(err, &host) || host.Answer != fault.ErrForbidden || !host.As(&refusal) {
		return nil
	}
	return refusal
}
