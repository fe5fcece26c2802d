package notify

import (
	"context"
	"errors"
	"fmt"

	"github.com/metalkeep/metalkeep/internal/alive"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// The answers of this package, for errors.Is. They are the same values in every package of the library.
var (
	// ErrNotFound: there is no such subscriber, delivery, kind or text.
	ErrNotFound = fault.ErrNotFound
	// ErrConflict: the record changed after it was read, or its state does not allow the operation.
	ErrConflict = fault.ErrConflict
	// ErrInvalid: an argument is wrong. The error's text says which one, and what would have been right.
	ErrInvalid = fault.ErrInvalid
	// ErrHost: a part that the host supplies failed, panicked or answered nonsense: the Outbox, Texts, Directory, Copier,
	// Clock or Logger. The caller did nothing wrong.
	ErrHost = fault.ErrHost
)

// Permanent marks an error that must not be retried: the delivery becomes a dead letter at once. The result has the text of
// err and unwraps to it. It may be wrapped. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ error }

// Unwrap returns the marked error.
func (e *permanentError) Unwrap() error { return e.error }

func isPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// callHost calls a part that the host supplies. It returns the documented answers of the part unchanged. Any other error and
// a panic are ErrHost, or the error of ctx if ctx has ended.
func callHost(ctx context.Context, part string, call func() error, documented ...error) error {
	var answer error
	err := fault.Host(ctx, part, func() error {
		err := call()
		for _, d := range documented {
			if errors.Is(err, d) {
				answer = err
				return nil
			}
		}
		return err
	})
	alive.Sign(ctx)
	if answer != nil {
		return answer
	}
	return err
}

// writeHost is callHost for a call that writes. After a failure it is unknown whether the part has written.
func writeHost(ctx context.Context, part string, call func() error, documented ...error) error {
	err := callHost(ctx, part, call, documented...)
	var host *fault.HostError
	if !errors.As(err, &host) {
		return err
	}
	host.OutcomeUnknown = true
	return fmt.Errorf("%w; it is unknown whether the change was stored", err)
}
