package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// DB is an open database with everything the library keeps. Its methods return the stores; they and the DB may be used by
// many goroutines, and the database by many processes.
type DB struct {
	dialect dialect
	write   *sql.DB // of SQLite one connection
	pool    *sql.DB // for reading; of PostgreSQL the same
}

const maxConnections = 16

// Open opens a database and brings its schema up to date, making it where there is none. Several processes may do so at
// once; a schema that is newer than the program is refused. dsn is one of
//
//	sqlite:panel.db                      a file; sqlite:/var/lib/panel.db?_pragma=synchronous(normal)
//	postgres://user:secret@host/panel    a URL as libpq takes it
//	postgres:host=/run/postgresql dbname=panel
//
// Close the DB when it is no longer needed.
func Open(ctx context.Context, dsn string) (*DB, error) {
	db, err := connect(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	if err := db.dialect.migrate(ctx, db.write); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlstore: %w", db.explain(ctx, err, false)), db.Close())
	}
	return db, nil
}

func connect(dsn string) (*DB, error) {
	kind, rest, _ := strings.Cut(dsn, ":")
	switch {
	case kind == "sqlite":
		return openSQLite(rest)
	case kind == "postgres" && !strings.HasPrefix(rest, "//"):
		return openPostgres(rest)
	case kind == "postgres", kind == "postgresql":
		return openPostgres(dsn)
	}
	return nil, errors.New(`the database's name begins with neither "sqlite:" nor "postgres:"`)
}

// Close closes all connections.
func (db *DB) Close() error {
	if db.pool == db.write {
		return db.pool.Close()
	}
	return errors.Join(db.pool.Close(), db.write.Close())
}
