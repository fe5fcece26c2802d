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

// liteSQL is SQLite's dialect. It keeps the statements of the one connection that writes: preparing one takes longer than
// running it.
type liteSQL struct{ prepared *sync.Map } // from the statement's text to *sql.Stmt

// openSQLite opens a file twice: for one writer at a time, whose transactions lock the file as they begin, so that none
// has to be given up half-way; and for any number of readers, which never wait for it (WAL). Writers of other processes
// are waited for. A commit is on the disk when it returns (synchronous=full); name?_pragma=synchronous(normal) may lose
// the last commits when the power fails, and is faster.
func openSQLite(dsn string) (*DB, error) {
	path, given, _ := strings.Cut(dsn, "?")
	options, err := url.ParseQuery(given)
	if err != nil {
		return nil, fmt.Errorf("sqlite:%s: %w", dsn, err)
	}
	if path == "" || strings.Contains(path, ":memory:") || options.Get("mode") == "memory" {
		return nil, fmt.Errorf("sqlite:%s: the name of a file is wanted", dsn)
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
	return &DB{dialect: liteSQL{&sync.Map{}}, write: write, pool: read}, nil
}

func (liteSQL) sql(statement string) string { return strings.ReplaceAll(statement, "$", "?") }

func (liteSQL) list(values []string) any {
	text, _ := json.Marshal(values) // cannot fail: it is text
	return string(text)
}

func (liteSQL) isIn(column, parameter string) string {
	return column + " IN (SELECT value FROM json_each(" + parameter + "))"
}

func (liteSQL) holds(column, parameter string) string {
	return "instr(" + column + ", " + parameter + ") > 0"
}

// picked locks nothing: the file has one writer.
func (liteSQL) picked(column, selection string) string { return column + " IN (" + selection + ")" }

func (d liteSQL) prepare(ctx context.Context, write *sql.DB, statements []statement) error {
	for _, s := range statements {
		for _, text := range []string{s.text, s.calm} {
			if err := d.ready(ctx, write, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready prepares a statement that is not prepared yet.
func (d liteSQL) ready(ctx context.Context, write *sql.DB, text string) error {
	if _, ready := d.prepared.Load(text); ready || text == "" {
		return nil
	}
	s, err := write.PrepareContext(ctx, d.sql(text))
	if err != nil {
		return err
	}
	if _, ready := d.prepared.LoadOrStore(text, s); ready {
		return s.Close()
	}
	return nil
}

// liteTx is a transaction of SQLite.
type liteTx struct {
	*sql.Tx
	dialect liteSQL
}

func (d liteSQL) begin(ctx context.Context, conn *sql.Conn) (transaction, error) {
	t, err := conn.BeginTx(ctx, nil)
	return liteTx{t, d}, err
}

// Rollback implements transaction.
func (t liteTx) Rollback() error {
	if err := t.Tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// run tries the calm statement first: SQLite writes every index anew that holds a column which an UPDATE names, whether its
// value changes or not, and that takes longer than all the rest.
func (t liteTx) run(ctx context.Context, statements []statement) ([]int64, error) {
	var touched []int64
	for _, s := range statements {
		var rows int64
		var err error
		if s.calm != "" {
			rows, err = t.execute(ctx, s.calm, s.args)
		}
		if err == nil && rows == 0 {
			rows, err = t.execute(ctx, s.text, s.args)
		}
		if err != nil {
			return nil, err
		}
		touched = append(touched, rows)
		if rows == 0 && s.missed != nil {
			break
		}
	}
	return touched, nil
}

// execute says how many rows a statement touched.
func (t liteTx) execute(ctx context.Context, text string, args []any) (int64, error) {
	var result sql.Result
	var err error
	if ready, ok := t.dialect.prepared.Load(text); ok {
		result, err = t.StmtContext(ctx, ready.(*sql.Stmt)).ExecContext(ctx, args...)
	} else {
		result, err = t.ExecContext(ctx, t.dialect.sql(text), args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (liteSQL) judge(err error) failure {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return other
	}
	switch {
	case e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE, e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return conflict
	case e.Code()&0xff == sqlite3.SQLITE_BUSY, e.Code()&0xff == sqlite3.SQLITE_LOCKED:
		return again
	}
	return other
}
