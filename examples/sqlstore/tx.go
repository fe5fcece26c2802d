package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// tx is a transaction that writes.
type tx struct {
	transaction
	db *DB
}

// maxAttempts is how often a transaction is tried that the database aborts because of others.
const maxAttempts = 10

// transact calls change in a transaction, and commits it if change returns nil. After a deadlock or a serialization failure it
// repeats both, so change must start afresh each time.
func (db *DB) transact(ctx context.Context, change func(*tx) error) error {
	var err error
	for n := range maxAttempts {
		if err := pause(ctx, n); err != nil {
			return err
		}
		var committing bool
		committing, err = db.attempt(ctx, change)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || db.dialect.classify(err) != retryFailure {
			return db.explain(ctx, err, committing)
		}
	}
	return fmt.Errorf("the database aborted the transaction %d times because of others; nothing was written, the call can be repeated: %w",
		maxAttempts, err)
}

// pause waits before every attempt but the first. The maximum doubles with each attempt, and the time is random, so that
// transactions that met once do not meet again.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	timer := time.NewTimer(rand.N(time.Millisecond << attempt))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// attempt runs one transaction. committing reports whether the error is that of the commit.
func (db *DB) attempt(ctx context.Context, change func(*tx) error) (committing bool, err error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if closing := conn.Close(); !errors.Is(closing, sql.ErrConnDone) {
			err = errors.Join(err, closing)
		}
	}()
	t, err := db.dialect.begin(ctx, conn, db.epoch)
	if err != nil {
		return false, err
	}
	ended := false
	defer func() { // after an error, and also after a panic or a Goexit in change: else the connection never comes back
		if !ended {
			err = errors.Join(err, t.Rollback())
		}
	}()
	if err = change(&tx{t, db}); err == nil {
		committing, err = true, t.Commit()
		ended = err == nil
	}
	return committing, err
}

// prepare prepares statements outside the transaction, so that they stay prepared after it.
func (db *DB) prepare(ctx context.Context, statements ...statement) error {
	return db.explain(ctx, db.dialect.prepare(ctx, db.write, statements), false)
}

// write executes statements in order. It returns the noRow of the first one that changes no row and has one.
func (t *tx) write(ctx context.Context, statements []statement) error {
	changed, err := t.run(ctx, statements)
	if err != nil {
		return err
	}
	for i, rows := range changed {
		if rows == 0 && statements[i].noRow != nil {
			return statements[i].noRow
		}
	}
	return nil
}

// queryer is a pool or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each runs a query and calls scan for every row of its result.
func (db *DB) each(ctx context.Context, on queryer, query string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := on.QueryContext(ctx, db.dialect.sql(query), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// read is each outside of transactions. It explains errors.
func (db *DB) read(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	return db.explain(ctx, db.each(ctx, db.pool, query, args, scan), false)
}
