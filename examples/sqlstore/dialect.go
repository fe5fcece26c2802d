package sqlstore

import (
	"context"
	"database/sql"
)

// dialect is everything in which the databases differ.
type dialect interface {
	// sql makes of a statement with the parameters $1, $2 … one that the driver takes.
	sql(statement string) string
	// list is a list of texts or UUIDs as one argument; isIn is the condition that a column is in such a list.
	list(values []string) any
	isIn(column, parameter string) string
	// holds is the condition that a text column holds another text.
	holds(column, parameter string) string
	// picked is the condition that a column is among what a SELECT finds, which is locked; rows that are locked already
	// are passed over.
	picked(column, selection string) string
	// prepare makes statements ready that are about to be run, once for all times.
	prepare(ctx context.Context, write *sql.DB, statements []statement) error
	// begin begins a transaction on a connection that nobody else has.
	begin(ctx context.Context, conn *sql.Conn) (transaction, error)
	// judge says what kind of failure an error of the driver is.
	judge(err error) failure
	// migrate brings the schema up to date.
	migrate(ctx context.Context, db *sql.DB) error
}

// transaction is what has been begun, for one goroutine.
type transaction interface {
	queryer
	// run executes statements in their order, and says how many rows each touched. It may stop at the first that touched
	// none where one was required.
	run(ctx context.Context, statements []statement) ([]int64, error)
	Commit() error
	// Rollback also ends what a Commit that failed has left.
	Rollback() error
}

// statement is one that changes rows.
type statement struct {
	text string
	// calm is text for the case that no column changes that indexes hold, and touches no row in any other; "": there is
	// none. It may be tried before text.
	calm string
	args []any
	// missed is the error when it touches no row; nil: it may.
	missed error
}

// failure is a kind of error.
type failure int

const (
	other    failure = iota
	conflict         // something that must be unique is not
	again            // a deadlock or the like: the same transaction may succeed when it is run again
	lost             // the connection broke
)
