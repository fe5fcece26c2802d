package manage

import (
	"context"
	"errors"
	"fmt"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// store is the name of a Store in errors.
const store = "store"

// Get reads from a Store. Its ErrNotFound and ErrConflict keep their meaning; everything else is a *fault.HostError.
func Get[T any](ctx context.Context, read func() (T, error)) (T, error) {
	var value T
	err := fault.Host(ctx, store, func() (err error) {
		value, err = read()
		return err
	})
	if err != nil {
		var none T
		return none, stored(ctx, err)
	}
	return value, nil
}

// List reads a page from a Store, as Get does. If the page after a cursor is asked for, its ErrInvalid keeps its meaning,
// too: it is a *CursorError.
func List[E any](ctx context.Context, after string, read func() ([]E, string, error)) (items []E, next string, err error) {
	err = fault.Host(ctx, store, func() (err error) {
		if err := ctx.Err(); err != nil {
			return err // a loop over pages ends with its context
		}
		items, next, err = read()
		return err
	})
	var host *fault.HostError
	switch {
	case err == nil:
		return items, next, nil
	case errors.As(err, &host) && host.Ended == nil && after != "" && host.Caused(fault.ErrInvalid):
		host.Answer = fault.ErrInvalid
		return nil, "", &CursorError{Cause: host}
	}
	return nil, "", stored(ctx, err)
}

// Commit writes to a Store, as Get reads. An error other than ErrConflict says that the outcome is unknown.
func Commit(ctx context.Context, write func() error) error {
	err := fault.Host(ctx, store, write)
	var host *fault.HostError
	if errors.As(err, &host) {
		host.OutcomeUnknown = true
		return stored(ctx, err)
	}
	return err
}

// stored gives a Store's answers their meaning back.
func stored(ctx context.Context, err error) error {
	var host *fault.HostError
	if ctx.Err() != nil || !errors.As(err, &host) {
		return err
	}
	for _, answer := range []error{fault.ErrNotFound, fault.ErrConflict} {
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

// Ask calls gates in order; the first that refuses wins. Its error is a *fault.HostError, which has the answer ErrForbidden if the
// gate refused.
func Ask[G any](ctx context.Context, gates []G, call func(G) error) error {
	for i, gate := range gates {
		err := fault.Host(ctx, fmt.Sprintf("gate %d", i+1), func() error { return call(gate) })
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
