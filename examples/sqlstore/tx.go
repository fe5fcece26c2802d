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

// attempts is how often a transaction is run that the database gives up for another's sake.
const attempts = 10

// transact runs work in a transaction: all of it is stored or nothing. Where the database ends it because of a deadlock or
// for want of a serial order, it is run again, so work must begin anew each time.
func (db *DB) transact(ctx context.Context, work func(*tx) error) error {
	var err error
	for n := range attempts {
		if err := pause(ctx, n); err != nil {
			return err
		}
		var committing bool
		committing, err = db.attempt(ctx, work)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || db.dialect.judge(err) != again {
			return db.explain(ctx, err, committing)
		}
	}
	return fmt.Errorf("given up %d times for the sake of others, nothing was written: repeat: %w", attempts, err)
}

// pause waits before all attempts but the first, the longer the more there were, and each for another time: whoever met at
// the first is not to meet again.
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

// attempt runs work once. committing: the error is that of the commit.
func (db *DB) attempt(ctx context.Context, work func(*tx) error) (committing bool, err error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if closing := conn.Close(); !errors.Is(closing, sql.ErrConnDone) {
			err = errors.Join(err, closing)
		}
	}()
	t, err := db.dialect.begin(ctx, conn)
	if err != nil {
		return false, err
	}
	if err = work(&tx{t, db}); err == nil {
		committing, err = true, t.Commit()
	}
	if err != nil {
		err = errors.Join(err, t.Rollback())
	}
	return committing, err
}

// prepare comes before the transaction: what it prepares outlives that.
func (db *DB) prepare(ctx context.Context, statements ...statement) error {
	return db.explain(ctx, db.dialect.prepare(ctx, db.write, statements), false)
}

// write executes statements in order. The first that touches no row though it must is the error.
func (t *tx) write(ctx context.Context, statements []statement) error {
	touched, err := t.run(ctx, statements)
	if err != nil {
		return err
	}
	for i, rows := range touched {
		if rows == 0 && statements[i].missed != nil {
			return statements[i].missed
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

// read is each outside a transaction, with its errors explained.
func (db *DB) read(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	return db.explain(ctx, db.each(ctx, db.pool, query, args, scan), false)
}
