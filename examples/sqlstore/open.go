package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
)

// DB is an open database. Its methods return the stores of the library. Many goroutines may use the DB and its stores at
// once, and many processes the database.
type DB struct {
	dialect dialect
	write   *sql.DB // one connection for SQLite
	pool    *sql.DB // for reads; for PostgreSQL the same as write
	options Options
	epoch   string // that the database held at Open
}

// Options are optional settings of a DB. The zero value is that of Open.
type Options struct {
	// Logger receives an error for each record that cannot be read, each time that a claim or a list meets it. nil: slog.Default().
	Logger *slog.Logger
	// MaxClockDifference makes each claim compare its time with the database's clock. If they differ by more, nothing is claimed, and the
	// error is a *ClockError, which the Runner reports. A program with real clocks should set it to a minute: a computer whose clock is
	// ahead then executes nothing before its time, and takes nothing from a process that works on it. 0: claims do not compare, as tests and simulations with a clock of their own
	// need it. SQLite has no clock of its own: it compares with that of the same computer.
	MaxClockDifference time.Duration
}

const maxConnections = 16

// Open opens a database, applies the migrations that it lacks, and reads the epoch. Several processes may do so at once. Open returns an error
// if the schema is newer than the program. dsn is one of
//
//	sqlite:panel.db                      a file; sqlite:/var/lib/panel.db?_pragma=synchronous(normal)
//	postgres://user:secret@host/panel    a URL as in libpq
//	postgres:host=/run/postgresql dbname=panel
//
// SQLite creates a missing file. The caller must Close the DB.
func Open(ctx context.Context, dsn string) (*DB, error) { return OpenWith(ctx, dsn, Options{}) }

// OpenWith is Open with options. A negative MaxClockDifference is ErrInvalid.
func OpenWith(ctx context.Context, dsn string, o Options) (*DB, error) {
	if o.MaxClockDifference < 0 {
		return nil, fmt.Errorf("sqlstore: %w: MaxClockDifference: %s is negative", dedicated.ErrInvalid, o.MaxClockDifference)
	}
	db, err := connect(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	db.options = o
	err = db.dialect.migrate(ctx, db.write)
	if err == nil {
		err = db.readEpoch(ctx)
	}
	if err != nil {
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

// Close closes all connections. Calls that are still running fail.
func (db *DB) Close() error {
	if db.pool == db.write {
		return db.pool.Close()
	}
	return errors.Join(db.pool.Close(), db.write.Close())
}
