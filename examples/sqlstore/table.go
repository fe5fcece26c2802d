package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// table reads and writes the records of one kind. It is made once and then never changed.
type table[E any] struct {
	name   string // in the database
	record string // of one record, in errors
	keys   int    // how many of the fields, at the beginning, are the key
	fields func(*E) fields
	// due points at what a claim asks and sets; nil: records are never claimed.
	due func(*E) (id uuid.UUID, due time.Time)
	// steady are columns that indexes hold and that most updates leave as they are.
	steady []string

	columns        string // that are read
	insert, update string
	calm           string // update where the steady columns stay as they are
}

const raise = "version = version + 1"

// prepared returns the table with its statements.
func (t table[E]) prepared() *table[E] {
	var none E
	var read, all, values, set, where, calm, still []string
	for i, f := range t.fields(&none) {
		p := "$" + strconv.Itoa(i+1)
		all, values = append(all, f.column), append(values, p)
		if f.target() != nil {
			read = append(read, f.column)
		}
		switch {
		case i < t.keys:
			where = append(where, f.column+" = "+p)
		case i == t.keys:
			where = append(where, "version = "+p)
			set, calm = append(set, raise), append(calm, raise)
			values[i] = p + " + 1"
		default:
			set = append(set, f.column+" = "+p)
			if slices.Contains(t.steady, f.column) {
				still = append(still, f.column+" IS "+p)
			} else {
				calm = append(calm, f.column+" = "+p)
			}
		}
	}
	t.columns = strings.Join(read, ", ")
	t.insert = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", t.name, strings.Join(all, ", "), strings.Join(values, ", "))
	update := func(set, where []string) string {
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.name, strings.Join(set, ", "), strings.Join(where, " AND "))
	}
	t.update = update(set, where)
	if len(still) > 0 {
		t.calm = update(calm, slices.Concat(where, still))
	}
	return &t
}

// scan reads one row.
func (t *table[E]) scan(rows *sql.Rows) (E, error) {
	var e E
	var targets []any
	for _, f := range t.fields(&e) {
		if target := f.target(); target != nil {
			targets = append(targets, target)
		}
	}
	return e, rows.Scan(targets...)
}

// all returns what a query finds.
func (t *table[E]) all(ctx context.Context, db *DB, on queryer, query string, args []any) ([]E, error) {
	var found []E
	err := db.each(ctx, on, query, args, func(rows *sql.Rows) error {
		e, err := t.scan(rows)
		found = append(found, e)
		return err
	})
	return found, err
}

// get returns the record with a key, or ErrNotFound.
func (t *table[E]) get(ctx context.Context, db *DB, key ...any) (E, error) {
	var none E
	q := query{dialect: db.dialect}
	for i, f := range t.fields(&none)[:t.keys] {
		q.where(f.column+" = %s", key[i])
	}
	found, err := t.all(ctx, db, db.pool, fmt.Sprintf("SELECT %s FROM %s WHERE %s", t.columns, t.name, &q), q.args)
	switch {
	case err != nil:
		return none, db.explain(ctx, err, false)
	case len(found) == 0:
		return none, fmt.Errorf("%s %v: %w", t.record, key[0], dedicated.ErrNotFound)
	}
	return found[0], nil
}

// several returns, in no order, the records that a condition over lists of IDs finds.
func (t *table[E]) several(ctx context.Context, db *DB, condition string, lists ...[]uuid.UUID) ([]E, error) {
	args := make([]any, len(lists))
	for i, list := range lists {
		args[i] = db.dialect.list(ids(list))
	}
	found, err := t.all(ctx, db, db.pool, fmt.Sprintf("SELECT %s FROM %s WHERE %s", t.columns, t.name, condition), args)
	return found, db.explain(ctx, err, false)
}

// put is the statement that stores a record: a new one where its version is 0, else what is stored at that version.
func (t *table[E]) put(e E) (statement, error) {
	all := t.fields(&e)
	s := statement{text: t.update, calm: t.calm, args: make([]any, len(all))}
	for i, f := range all {
		var err error
		if s.args[i], err = f.value(); err != nil {
			return s, fmt.Errorf("%s %v: %w", t.record, s.args[0], err)
		}
	}
	if s.args[t.keys] == int64(0) {
		s.text, s.calm = t.insert, ""
	}
	s.missed = fmt.Errorf("%s %v is not stored at version %d: %w", t.record, s.args[0], s.args[t.keys], dedicated.ErrConflict)
	return s, nil
}

// order is one in which a table is listed: by a column, ties by the key.
type order[E any] struct {
	list   string // its name in cursors
	column string
	at     func(*E) (sort any, id uuid.UUID) // sort is a string or a time.Time
}

// list returns a page of what the query finds.
func (t *table[E]) list(ctx context.Context, db *DB, q query, by order[E], limit int, after string) ([]E, string, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		sort, id, err := by.place(after)
		if err != nil {
			return nil, "", err
		}
		q.where("("+by.column+", id) > (%s, %s)", sort, id)
	}
	text := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s, id LIMIT %s", t.columns, t.name, &q, by.column, q.parameter(limit+1))
	items, err := t.all(ctx, db, db.pool, text, q.args)
	if err != nil {
		return nil, "", db.explain(ctx, err, false)
	}
	if len(items) <= limit {
		return items, "", nil
	}
	return items[:limit], by.cursor(&items[limit-1]), nil
}

// cursor is the place of a record in the order.
func (o order[E]) cursor(e *E) string {
	sort, id := o.at(e)
	key := place{id: id}
	switch sort := sort.(type) {
	case string:
		key.sort = sort
	case time.Time:
		key.sort = strconv.FormatInt(sort.UnixMicro(), 10)
	}
	return key.cursor(o.list)
}

// place reads a cursor.
func (o order[E]) place(cursor string) (sort any, id uuid.UUID, err error) {
	key, err := parsePlace(o.list, cursor)
	if err != nil {
		return nil, uuid.Nil, err
	}
	var none E
	if sort, _ = o.at(&none); sort == any("") {
		return key.sort, key.id, nil
	}
	micros, err := strconv.ParseInt(key.sort, 10, 64)
	if err != nil {
		return nil, uuid.Nil, notOurs()
	}
	return micros, key.id, nil
}

// count counts what the query finds by the values of a column.
func count[S ~string](ctx context.Context, db *DB, name, column string, q query) (map[S]int, error) {
	counts := map[S]int{}
	text := fmt.Sprintf("SELECT %s, count(*) FROM %s WHERE %s GROUP BY %s", column, name, &q, column)
	err := db.read(ctx, text, q.args, func(rows *sql.Rows) error {
		var value S
		var n int
		err := rows.Scan(&value, &n)
		counts[value] = n
		return err
	})
	return counts, err
}

// claim leases what is due in one statement, and says when the next is due that nobody has.
func (t *table[E]) claim(ctx context.Context, tx *tx, now, until time.Time, limit int) (items []E, next time.Time, err error) {
	free := fmt.Sprintf("due > %d AND lease_until <= $1", never)
	due := fmt.Sprintf("SELECT id FROM %s WHERE %s AND due <= $1 ORDER BY due, id LIMIT $3", t.name, free)
	items, err = t.all(ctx, tx.db, tx, fmt.Sprintf("UPDATE %s SET lease_until = $2, version = version + 1 WHERE %s RETURNING %s",
		t.name, tx.db.dialect.picked("id", due), t.columns), []any{now.UnixMicro(), until.UnixMicro(), limit})
	if err != nil {
		return nil, next, err
	}
	slices.SortFunc(items, func(a, b E) int {
		aID, aDue := t.due(&a)
		bID, bDue := t.due(&b)
		return cmp.Or(aDue.Compare(bDue), bytes.Compare(aID[:], bID[:]))
	})
	err = tx.db.each(ctx, tx, fmt.Sprintf("SELECT due FROM %s WHERE %s ORDER BY due LIMIT 1", t.name, free), []any{now.UnixMicro()},
		func(rows *sql.Rows) error { return rows.Scan(instant{&next}) })
	return items, next, err
}

// checkClaim refuses a claim of nothing.
func checkClaim(limit int) error {
	if limit < 1 {
		return fmt.Errorf("%w: a claim of %d: 1 or more are wanted", dedicated.ErrInvalid, limit)
	}
	return nil
}
