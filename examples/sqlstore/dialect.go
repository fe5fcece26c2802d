package sqlstore

import (
	"context"
	"database/sql"
)

// dialect holds the differences between the databases.
type dialect interface {
	// sql converts a statement with the parameters $1, $2 … to the form that the driver accepts.
	sql(statement string) string
	// list converts a list of texts or UUIDs to one argument.
	list(values []string) any
	// inList is the condition that a column is in a list, which is a parameter.
	inList(column, parameter string) string
	// contains is the condition that a text column contains another text.
	contains(column, parameter string) string
	// inLocked is the condition that a column is in the result of a SELECT. It locks the selected rows, and skips rows that
	// are locked already.
	inLocked(column, selection string) string
	// clock is the expression for the database's present time, in microseconds since 1970.
	clock() string
	// prepare prepares statements for all their later executions.
	prepare(ctx context.Context, write *sql.DB, statements []statement) error
	// begin begins a transaction on a connection that has no other user. If the database does not hold the epoch, the error is an
	// EpochError: that of begin, or that of the first statement.
	begin(ctx context.Context, conn *sql.Conn, epoch string) (transaction, error)
	// lockEpoch is the statement that waits for all transactions that have begun, and keeps others from beginning. "": none is needed.
	lockEpoch() string
	// classify returns the kind of an error of the driver.
	classify(err error) failure
	// migrate applies the migrations that the database lacks.
	migrate(ctx context.Context, db *sql.DB) error
}

// transaction is an open transaction. One goroutine uses it.
type transaction interface {
	queryer
	// run executes statements in order, and returns the number of rows that each changed. It may stop at the first
	// statement that changed no row although its noRow is set.
	run(ctx context.Context, statements []statement) ([]int64, error)
	// Commit commits the transaction.
	Commit() error
	// Rollback ends the transaction, also after a Commit that failed.
	Rollback() error
}

// statement changes rows.
type statement struct {
	text string
	// partial is a variant of text that leaves out columns with indexes, and changes no row if such a column would change. It
	// is "" if there is no such variant. A transaction may try it before text.
	partial string
	args    []any
	// noRow is the error if the statement changes no row. It is nil if that is no error.
	noRow error
}

// failure is a kind of error.
type failure int

const (
	otherFailure   failure = iota
	uniqueFailure          // a value that must be unique exists already
	retryFailure           // a deadlock or similar: the same transaction may succeed when it is repeated
	connectionLost         // the connection broke
)
