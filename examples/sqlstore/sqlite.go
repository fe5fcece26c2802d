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
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, fmt.Errorf("sqlite:%s: the name of a file is wanted", dsn)
	}
	options, err := url.ParseQuery(given)
	if err != nil {
		return nil, fmt.Errorf("sqlite:%s: %w", dsn, err)
	}
	pragmas := []string{"busy_timeout(10000)", "journal_mode(wal)", "foreign_keys(1)", "synchronous(full)"}
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

func (d liteSQL) prepare(ctx context.Context, write *sql.DB, texts []string) error {
	for _, text := range texts {
		if _, ready := d.prepared.Load(text); ready {
			continue
		}
		s, err := write.PrepareContext(ctx, d.sql(text))
		if err != nil {
			return err
		}
		if _, ready := d.prepared.LoadOrStore(text, s); ready {
			if err := s.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d liteSQL) run(ctx context.Context, t *tx, statements []statement) ([]int64, error) {
	var touched []int64
	for _, s := range statements {
		result, err := d.execute(ctx, t, s)
		if err != nil {
			return nil, err
		}
		rows, err := result.RowsAffected()
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

func (d liteSQL) execute(ctx context.Context, t *tx, s statement) (sql.Result, error) {
	if ready, ok := d.prepared.Load(s.text); ok {
		return t.StmtContext(ctx, ready.(*sql.Stmt)).ExecContext(ctx, s.args...)
	}
	return t.ExecContext(ctx, d.sql(s.text), s.args...)
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
