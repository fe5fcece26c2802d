package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is PostgreSQL's dialect.
type postgres struct{}

// openPostgres takes a URL or keywords and values, as libpq does.
func openPostgres(dsn string) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	var options []stdlib.OptionOpenDB
	if config.RuntimeParams["jit"] == "" {
		// Compiling a statement takes a thousand times what ours take. Said later: PgBouncer refuses it at the start.
		options = append(options, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "SET jit = off")
			return err
		}))
	}
	pool := stdlib.OpenDB(*config, options...)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	return &DB{dialect: postgres{}, write: pool, pool: pool}, nil
}

func (postgres) sql(statement string) string { return statement }

func (postgres) list(values []string) any { return values }

func (postgres) isIn(column, parameter string) string { return column + " = ANY(" + parameter + ")" }

func (postgres) holds(column, parameter string) string {
	return "strpos(" + column + ", " + parameter + ") > 0"
}

// picked finds the rows before it locks any more: as a plain subquery the selection might run more than once.
func (postgres) picked(column, selection string) string {
	return column + " = ANY(ARRAY(" + selection + " FOR UPDATE SKIP LOCKED))"
}

// prepare does nothing: pgx prepares what it meets, and keeps it by connection.
func (postgres) prepare(context.Context, *sql.DB, []statement) error { return nil }

// judge reads SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html.
func (postgres) judge(err error) failure {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "23505":
			return conflict
		case e.Code == "40001", e.Code == "40P01":
			return again
		case e.Code == "08P01": // the two don't understand each other, nor will they the next time
			return other
		case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57P"):
			return lost
		}
		return other
	}
	var network net.Error
	for _, broken := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, broken) {
			return lost
		}
	}
	if errors.As(err, &network) || pgconn.SafeToRetry(err) {
		return lost
	}
	return other
}
