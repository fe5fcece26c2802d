package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDialect is the dialect of SQLite. It keeps prepared statements for the one connection that writes, because preparing a
// statement takes longer than executing it.
type sqliteDialect struct{ prepared *sync.Map } // from the text of the statement to *sql.Stmt

// openSQLite opens a file twice: with one connection for writes, and with several for reads. A write transaction locks the
// file when it begins, so it never fails half-way because of another writer. Reads never wait for writes (WAL). Writers of
// other processes wait for each other. With synchronous=full, a commit is on the disk when it returns. With
// name?_pragma=synchronous(normal) commits are faster, and a power failure may lose the last ones.
func openSQLite(dsn string) (*DB, error) {
	path, given, _ := strings.Cut(dsn, "?")
	options, err := url.ParseQuery(given)
	if err != nil {
		return nil, fmt.Errorf("sqlite:%s: %w", dsn, err)
	}
	if path == "" || strings.Contains(path, ":memory:") || options.Get("mode") == "memory" {
		return nil, fmt.Errorf("sqlite:%s: expected the name of a file", dsn)
	}
	pragmas := []string{
		"busy_timeout(10000)", "journal_mode(wal)", "foreign_keys(1)", "synchronous(full)", "journal_size_limit(67108864)",
	}
	options["_pragma"] = append(pragmas, options["_pragma"]...)
	open := func(extra url.Values) (*sql.DB, error) {
		for name, values := range options {
			extra[name] = append(extra[name], values...)
		}
		return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+extra.Encode())
	}
	write, err := open(url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := open(url.Values{})
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxIdleConns(maxConnections)
	read.SetMaxOpenConns(maxConnections)
	return &DB{dialect: sqliteDialect{&sync.Map{}}, write: write, pool: read}, nil
}

func (sqliteDialect) sql(statement string) string { return strings.ReplaceAll(statement, "$", "?") }

func (sqliteDialect) list(values []string) any {
	text, _ := json.Marshal(values) // cannot fail for texts
	return string(text)
}

func (sqliteDialect) inList(column, parameter string) string {
	return column + " IN (SELECT value FROM json_each(" + parameter + "))"
}

func (sqliteDialect) contains(column, parameter string) string {
	return "instr(" + column + ", " + parameter + ") > 0"
}

// clock is exact to the second.
func (sqliteDialect) clock() string { return "unixepoch('now') * 1000000" }

// inLocked locks nothing, because the file has only one writer.
func (sqliteDialect) inLocked(column, selection string) string {
	return column + " IN (" + selection + ")"
}

func (d sqliteDialect) prepare(ctx context.Context, write *sql.DB, statements []statement) error {
	for _, s := range statements {
		for _, text := range []string{s.text, s.partial} {
			if err := d.prepareOnce(ctx, write, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepareOnce prepares a statement unless it is prepared already.
func (d sqliteDialect) prepareOnce(ctx context.Context, write *sql.DB, text string) error {
	if _, exists := d.prepared.Load(text); exists || text == "" {
		return nil
	}
	s, err := write.PrepareContext(ctx, d.sql(text))
	if err != nil {
		return err
	}
	if _, exists := d.prepared.LoadOrStore(text, s); exists {
		return s.Close()
	}
	return nil
}

// sqliteTx is a transaction of SQLite.
type sqliteTx struct {
	*sql.Tx
	dialect sqliteDialect
}

func (d sqliteDialect) begin(ctx context.Context, conn *sql.Conn, epoch string) (transaction, error) {
	t, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	begun := sqliteTx{t, d}
	if err := begun.checkEpoch(ctx, epoch); err != nil {
		return nil, errors.Join(err, begun.Rollback())
	}
	return begun, nil
}

// checkEpoch returns an EpochError if the database does not hold the epoch.
func (t sqliteTx) checkEpoch(ctx context.Context, epoch string) error {
	var row *sql.Row
	if prepared, ok := t.dialect.prepared.Load(inEpoch); ok {
		row = t.StmtContext(ctx, prepared.(*sql.Stmt)).QueryRowContext(ctx, epoch)
	} else {
		row = t.QueryRowContext(ctx, t.dialect.sql(inEpoch), epoch)
	}
	var id int
	err := row.Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return &EpochError{Opened: epoch}
	}
	return err
}

// lockEpoch needs no statement, because the file has only one writer.
func (sqliteDialect) lockEpoch() string { return "" }

// Rollback implements transaction.
func (t sqliteTx) Rollback() error {
	if err := t.Tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// run tries the partial statement first. SQLite rewrites the entry of every index that has a column which the UPDATE names,
// even if the value stays the same. That takes longer than the rest of the UPDATE.
func (t sqliteTx) run(ctx context.Context, statements []statement) ([]int64, error) {
	var changed []int64
	for _, s := range statements {
		var rows int64
		var err error
		if s.partial != "" {
			rows, err = t.execute(ctx, s.partial, s.args)
		}
		if err == nil && rows == 0 {
			rows, err = t.execute(ctx, s.text, s.args)
		}
		if err != nil {
			return nil, err
		}
		changed = append(changed, rows)
		if rows == 0 && s.noRow != nil {
			break
		}
	}
	return changed, nil
}

// execute returns the number of rows that a statement changed.
func (t sqliteTx) execute(ctx context.Context, text string, args []any) (int64, error) {
	var result sql.Result
	var err error
	if prepared, ok := t.dialect.prepared.Load(text); ok {
		result, err = t.StmtContext(ctx, prepared.(*sql.Stmt)).ExecContext(ctx, args...)
	} else {
		result, err = t.ExecContext(ctx, t.dialect.sql(text), args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (sqliteDialect) classify(err error) failure {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return otherFailure
	}
	switch {
	case e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE, e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return uniqueFailure
	case e.Code()&0xff == sqlite3.SQLITE_BUSY, e.Code()&0xff == sqlite3.SQLITE_LOCKED:
		return retryFailure
	}
	return otherFailure
}
