package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// lazyTx is a transaction of PostgreSQL that begins with its first statement. A Commit of any number of records takes two round
// trips: one for BEGIN and all statements, one for COMMIT. A transaction of database/sql would take three.
type lazyTx struct {
	ctx   context.Context // for the whole transaction, as in sql.Tx
	conn  *sql.Conn
	epoch string
	begun bool
}

func (postgresDialect) begin(ctx context.Context, conn *sql.Conn, epoch string) (transaction, error) {
	return &lazyTx{ctx: ctx, conn: conn, epoch: epoch}, nil
}

// lockEpoch waits for the transactions that have read the epoch.
func (postgresDialect) lockEpoch() string {
	return "LOCK TABLE metalkeep_epoch IN ACCESS EXCLUSIVE MODE"
}

// QueryContext implements queryer.
func (t *lazyTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if !t.begun {
		if _, err := t.run(ctx, nil); err != nil {
			return nil, err
		}
	}
	return t.conn.QueryContext(ctx, query, args...)
}

// run sends all statements in one round trip. The first of a transaction are BEGIN and the question for the epoch. If the answer is no,
// the transaction must be rolled back.
func (t *lazyTx) run(ctx context.Context, statements []statement) (changed []int64, err error) {
	var batch pgx.Batch
	first := !t.begun
	if first {
		batch.Queue("begin isolation level read committed") // the epoch is read after every wait for a lock
		batch.Queue(inEpoch, t.epoch)
		t.begun = true
	}
	before := batch.Len()
	for _, s := range statements {
		batch.Queue(s.text, s.args...)
	}
	err = t.conn.Raw(func(conn any) (err error) {
		results := conn.(*stdlib.Conn).Conn().SendBatch(ctx, &batch)
		defer func() {
			if closing := results.Close(); err == nil { // otherwise it is the same error
				err = closing
			}
		}()
		for range batch.Len() {
			tag, err := results.Exec()
			if err != nil {
				return err
			}
			changed = append(changed, tag.RowsAffected())
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case first && changed[1] == 0:
		return nil, &EpochError{Opened: t.epoch}
	}
	return changed[before:], nil
}

// Commit implements transaction.
func (t *lazyTx) Commit() error {
	if !t.begun {
		return nil
	}
	if _, err := t.conn.ExecContext(t.ctx, "commit"); err != nil {
		return err
	}
	t.begun = false
	return nil
}

// Rollback implements transaction. If the rollback fails or takes too long, it closes the connection, and PostgreSQL then ends
// the transaction.
func (t *lazyTx) Rollback() error {
	if !t.begun {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 5*time.Second)
	defer cancel()
	_, err := t.conn.ExecContext(ctx, "rollback")
	if err == nil {
		return nil
	}
	drop := t.conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(drop, driver.ErrBadConn) || errors.Is(drop, sql.ErrConnDone) {
		return nil
	}
	return errors.Join(err, drop)
}
