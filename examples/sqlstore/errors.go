package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
)

// LostError says that the connection to the database was lost, and whether the call may have had an effect. Repeating the
// call is always safe. If a Commit was written after all, its repetition is ErrConflict. Claimed records become claimable again
// when their lease ends.
type LostError struct {
	Unknown bool  // the commit was running: either everything was written or nothing. If false, nothing was written
	Err     error // the error of the driver
}

// Error says whether something may have been written.
func (e *LostError) Error() string {
	if e.Unknown {
		return "the connection to the database was lost during a commit, which may have been written; read the record or repeat the call: " + e.Err.Error()
	}
	return "the connection to the database was lost, and nothing was written; repeat the call: " + e.Err.Error()
}

// Unwrap returns the driver's error.
func (e *LostError) Unwrap() error { return e.Err }

// explain converts an error of the driver to the error that the stores promise: the context's error if the context has ended,
// ErrConflict for a duplicate, a LostError for a broken connection.
func (db *DB) explain(ctx context.Context, err error, committing bool) error {
	ended := contextError(ctx)
	switch {
	case err == nil, errors.Is(err, ended): // the caller has given up, so do not suggest a repetition
		return err
	case ended != nil:
		return fmt.Errorf("%w: %w", ended, err)
	}
	switch db.dialect.classify(err) {
	case uniqueFailure:
		return fmt.Errorf("%w: %w", dedicated.ErrConflict, err)
	case connectionLost:
		return &LostError{Unknown: committing, Err: err}
	}
	return err
}

// contextError returns the error of a context that has ended. A connection knows the deadline too, and may fail shortly before
// the context ends.
func contextError(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) && ctx.Err() == nil {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
