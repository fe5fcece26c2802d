package fault

import (
	"context"
	"errors"
)

// Attempts is how often Retry tries before it gives the conflict to its caller.
const Attempts = 5

// Retry calls decide until it returns anything but an ErrConflict of a Store's Commit.
func Retry(ctx context.Context, decide func() error) error {
	var err error
	for range Attempts {
		if err = ctx.Err(); err != nil {
			return err
		}
		if err = decide(); !errors.Is(err, ErrConflict) {
			return err
		}
		var final Final
		if errors.As(err, &final) && final.Final() {
			return err
		}
	}
	return err
}

// Final marks an error that is a decision, not an accident.
type Final interface{ Final() bool }

// Reason is what an actor may read of an error that a gate or other foreign code gave.
func Reason(err error) string {
	var p *PanicError
	if errors.As(err, &p) {
		return p.Part + " panicked"
	}
	return err.Error()
}
