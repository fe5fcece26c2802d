package sqlstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// byHand accesses a database without the library, over one connection. The floors of the benchmarks use it.
type byHand struct {
	sqlite bool
	db     *sql.DB
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt // prepared statements, by text
	now    int64

	// atOnce sends a transaction in one round trip, on PostgreSQL only. It notices a wrong version only after the commit, so it is
	// faster than a correct program can be.
	atOnce bool
}

// command is a statement that must change a row.
type command struct {
	text string
	args []any
}

func openByHand(ctx context.Context, dsn string) (*byHand, error) {
	h := &byHand{sqlite: isSQLite(dsn), stmts: map[string]*sql.Stmt{}}
	driver, name := driverOf(dsn)
	if h.sqlite {
		name += "&_pragma=foreign_keys(1)"
	}
	var err error
	if h.db, err = sql.Open(driver, name); err != nil {
		return nil, err
	}
	h.conn, err = h.db.Conn(ctx)
	return h, err
}

func (h *byHand) close() error { return errors.Join(h.conn.Close(), h.db.Close()) }

// prepared returns a prepared statement.
func (h *byHand) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := h.stmts[text]; ok {
		return s, nil
	}
	own := text
	if h.sqlite {
		own = strings.ReplaceAll(text, "$", "?")
	}
	s, err := h.conn.PrepareContext(ctx, own)
	h.stmts[text] = s
	return s, err
}

// query returns the rows of a query.
func (h *byHand) query(ctx context.Context, text string, args ...any) (all [][]any, err error) {
	s, err := h.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// transact commits statements together.
func (h *byHand) transact(ctx context.Context, commands ...command) error {
	if h.atOnce {
		return h.send(ctx, commands)
	}
	begin := "BEGIN"
	if h.sqlite {
		begin = "BEGIN IMMEDIATE"
	}
	if _, err := h.conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	for _, c := range commands {
		s, err := h.prepared(ctx, c.text)
		if err != nil {
			return err
		}
		result, err := s.ExecContext(ctx, c.args...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, c.text)
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if rows == 0 {
			return reportUnchanged(c)
		}
	}
	_, err := h.conn.ExecContext(ctx, "COMMIT")
	return err
}

// reportUnchanged returns the error of a command that changed no row.
func reportUnchanged(c command) error { return errors.New("the statement changed no row: " + c.text) }

func (h *byHand) send(ctx context.Context, commands []command) error {
	var batch pgx.Batch
	batch.Queue("BEGIN")
	for _, c := range commands {
		batch.Queue(c.text, c.args...).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() == 0 {
				return reportUnchanged(c)
			}
			return nil
		})
	}
	batch.Queue("COMMIT")
	return h.conn.Raw(func(conn any) error { return conn.(*stdlib.Conn).Conn().SendBatch(ctx, &batch).Close() })
}

// list converts a list to one argument.
func (h *byHand) list(values []string) any {
	if !h.sqlite {
		return values
	}
	text, _ := json.Marshal(values) // cannot fail for texts
	return string(text)
}

// inList is the condition that a column is in a list, which is a parameter.
func (h *byHand) inList(column, parameter string) string {
	if h.sqlite {
		return column + " IN (SELECT value FROM json_each(" + parameter + "))"
	}
	return column + " = ANY(" + parameter + ")"
}

// zeroTime is the stored value of the zero time.
const zeroTime = "-62135596800000000"

// claim leases the next hundred due rows, and returns some of their columns.
func (h *byHand) claim(ctx context.Context, table, key, due, columns string, more ...any) ([][]any, error) {
	condition := fmt.Sprintf("SELECT %s FROM %s WHERE %s AND lease_until <= $1 AND due <= $1 ORDER BY due LIMIT 100", key, table, due)
	if h.sqlite {
		condition = key + " IN (" + condition + ")"
	} else {
		condition = key + " = ANY(ARRAY(" + condition + " FOR UPDATE SKIP LOCKED))"
	}
	text := fmt.Sprintf("UPDATE %s SET lease_until = $2, version = version + 1 WHERE %s RETURNING %s", table, condition, columns)
	return h.query(ctx, text, append([]any{h.now, h.later()}, more...)...)
}

// later is the end of leases, and the next time at which rows are due.
func (h *byHand) later() int64 { return h.now + 3_600_000_000 }

const addEvent = `INSERT INTO events (id, kind, at, reseller_id, client_id, server_id, subject_id, brought_by, data)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $1, $8)`

// fanOut adds the deliveries of events.
func (h *byHand) fanOut(events []string) command {
	return command{`INSERT INTO deliveries (event_id, subscriber, version, seq, at, reseller_id, subject_id, attempts, due, ready, lease_until,
			delivered, dead, last_error)
		SELECT e.id, s.subscriber, 1, e.seq, e.at, e.reseller_id, e.subject_id, 0, e.at, e.at, ` + zeroTime + `, FALSE, FALSE, ''
		FROM events e JOIN subscriptions s ON s.kind IN (e.kind, '') WHERE ` + h.inList("e.id", "$1"), []any{h.list(events)}}
}
