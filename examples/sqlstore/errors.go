package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
)

// LostError says that the connection to the database was lost, and whether the call may have had an effect. Repeating it
// is always safe: a Commit that was written after all answers a repetition with ErrConflict, and what was claimed comes
// back when its lease ends.
type LostError struct {
	Unknown bool  // the transaction was being committed: it was written as a whole or not at all, nobody knows. False: not at all
	Err     error // what the driver said
}

// Error says what is known.
func (e *LostError) Error() string {
	if e.Unknown {
		return "the connection to the database was lost during a commit, which may have been written: read again, or repeat: " + e.Err.Error()
	}
	return "the connection to the database was lost, nothing was written: repeat: " + e.Err.Error()
}

// Unwrap returns the driver's error.
func (e *LostError) Unwrap() error { return e.Err }

// explain makes of a driver's error what the stores promise: the context's error where that has ended, ErrConflict where
// something is not unique, a LostError where the connection broke.
func (db *DB) explain(ctx context.Context, err error, committing bool) error {
	ended := endOf(ctx)
	switch {
	case err == nil, errors.Is(err, ended): // whoever gave up must not be told to repeat
		return err
	case ended != nil:
		return fmt.Errorf("%w: %w", ended, err)
	}
	switch db.dialect.judge(err) {
	case conflict:
		return fmt.Errorf("%w: %w", dedicated.ErrConflict, err)
	case lost:
		return &LostError{Unknown: committing, Err: err}
	}
	return err
}

// endOf is why a context has ended, if it has. A connection knows the deadline, too, and may give up a moment before the
// context says so.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) && ctx.Err() == nil {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
