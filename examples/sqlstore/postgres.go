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

// postgresDialect is the dialect of PostgreSQL.
type postgresDialect struct{}

// openPostgres accepts a URL or keywords with values, as libpq does.
func openPostgres(dsn string) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	var options []stdlib.OptionOpenDB
	if config.RuntimeParams["jit"] == "" {
		// Just-in-time compilation takes a thousand times longer than our statements. The setting is not a parameter of the
		// connection, because PgBouncer refuses that.
		options = append(options, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "SET jit = off")
			return err
		}))
	}
	pool := stdlib.OpenDB(*config, options...)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	return &DB{dialect: postgresDialect{}, write: pool, pool: pool}, nil
}

func (postgresDialect) sql(statement string) string { return statement }

func (postgresDialect) list(values []string) any { return values }

func (postgresDialect) inList(column, parameter string) string {
	return column + " = ANY(" + parameter + ")"
}

func (postgresDialect) contains(column, parameter string) string {
	return "strpos(" + column + ", " + parameter + ") > 0"
}

func (postgresDialect) clock() string {
	return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
}

// inLocked makes an array of the selection. PostgreSQL might run a plain subquery more than once, and lock more rows.
func (postgresDialect) inLocked(column, selection string) string {
	return column + " = ANY(ARRAY(" + selection + " FOR UPDATE SKIP LOCKED))"
}

// prepare does nothing, because pgx prepares statements itself, for each connection.
func (postgresDialect) prepare(context.Context, *sql.DB, []statement) error { return nil }

// classify reads the SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html.
func (postgresDialect) classify(err error) failure {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "23505":
			return uniqueFailure
		case e.Code == "40001", e.Code == "40P01":
			return retryFailure
		case e.Code == "08P01": // a protocol violation, which a repetition does not cure
			return otherFailure
		case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57P"):
			return connectionLost
		}
		return otherFailure
	}
	var network net.Error
	for _, known := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return connectionLost
		}
	}
	if errors.As(err, &network) || pgconn.SafeToRetry(err) {
		return connectionLost
	}
	return otherFailure
}
