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

// byHand works on a database without the library, over one connection, as a loop written by hand would: the floors.
type byHand struct {
	sqlite bool
	db     *sql.DB
	conn   *sql.Conn
	ready  map[string]*sql.Stmt // by their texts
	now    int64

	// atOnce sends a transaction in one go, which only PostgreSQL can. It sees too late that a record had another version,
	// when all is committed: so it is faster than what is right.
	atOnce bool
}

// line is a statement that must change something.
type line struct {
	text string
	args []any
}

func openByHand(ctx context.Context, dsn string) (*byHand, error) {
	h := &byHand{sqlite: isSQLite(dsn), ready: map[string]*sql.Stmt{}}
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

// prepared prepares a statement once.
func (h *byHand) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := h.ready[text]; ok {
		return s, nil
	}
	own := text
	if h.sqlite {
		own = strings.ReplaceAll(text, "$", "?")
	}
	s, err := h.conn.PrepareContext(ctx, own)
	h.ready[text] = s
	return s, err
}

// ask returns the rows of a query.
func (h *byHand) ask(ctx context.Context, text string, args ...any) (all [][]any, err error) {
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
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// transact commits statements together.
func (h *byHand) transact(ctx context.Context, lines ...line) error {
	if h.atOnce {
		return h.send(ctx, lines)
	}
	begin := "BEGIN"
	if h.sqlite {
		begin = "BEGIN IMMEDIATE"
	}
	if _, err := h.conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	for _, l := range lines {
		s, err := h.prepared(ctx, l.text)
		if err != nil {
			return err
		}
		result, err := s.ExecContext(ctx, l.args...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, l.text)
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if rows == 0 {
			return unchanged(l)
		}
	}
	_, err := h.conn.ExecContext(ctx, "COMMIT")
	return err
}

func unchanged(l line) error { return errors.New("it changes nothing: " + l.text) }

func (h *byHand) send(ctx context.Context, lines []line) error {
	var batch pgx.Batch
	batch.Queue("BEGIN")
	for _, l := range lines {
		batch.Queue(l.text, l.args...).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() == 0 {
				return unchanged(l)
			}
			return nil
		})
	}
	batch.Queue("COMMIT")
	return h.conn.Raw(func(conn any) error { return conn.(*stdlib.Conn).Conn().SendBatch(ctx, &batch).Close() })
}

// list is a list as one argument, isIn the condition that a column is in it.
func (h *byHand) list(values []string) any {
	if !h.sqlite {
		return values
	}
	text, _ := json.Marshal(values) // cannot fail: it is text
	return string(text)
}

func (h *byHand) isIn(column, parameter string) string {
	if h.sqlite {
		return column + " IN (SELECT value FROM json_each(" + parameter + "))"
	}
	return column + " = ANY(" + parameter + ")"
}

// forEver is how the tables write the zero time.
const forEver = "-62135596800000000"

// claim leases the next hundred that are due, and returns columns of them.
func (h *byHand) claim(ctx context.Context, table, key, due, columns string, more ...any) ([][]any, error) {
	which := fmt.Sprintf("SELECT %s FROM %s WHERE %s AND lease_until <= $1 AND due <= $1 ORDER BY due LIMIT 100", key, table, due)
	if h.sqlite {
		which = key + " IN (" + which + ")"
	} else {
		which = key + " = ANY(ARRAY(" + which + " FOR UPDATE SKIP LOCKED))"
	}
	text := fmt.Sprintf("UPDATE %s SET lease_until = $2, version = version + 1 WHERE %s RETURNING %s", table, which, columns)
	return h.ask(ctx, text, append([]any{h.now, h.later()}, more...)...)
}

// later is when leases end, and when things are due again.
func (h *byHand) later() int64 { return h.now + 3_600_000_000 }

const addEvent = `INSERT INTO events (id, kind, at, reseller_id, client_id, server_id, subject_id, brought_by, data)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $1, $8)`

// fanOut makes deliveries of events for those who want them.
func (h *byHand) fanOut(events []string) line {
	return line{`INSERT INTO deliveries (event_id, subscriber, version, seq, at, reseller_id, subject_id, attempts, due, ready, lease_until,
			delivered, dead, last_error)
		SELECT e.id, s.subscriber, 1, e.seq, e.at, e.reseller_id, e.subject_id, 0, e.at, e.at, ` + forEver + `, FALSE, FALSE, ''
		FROM events e JOIN subscriptions s ON s.kind IN (e.kind, '') WHERE ` + h.isIn("e.id", "$1"), []any{h.list(events)}}
}
