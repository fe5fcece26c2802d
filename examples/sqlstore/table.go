package sqlstore

import (
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

// table reads and writes the records of one type. It never changes after prepared.
type table[E any] struct {
	name   string // of the table
	record string // the name of one record, for errors
	keys   int    // the number of fields that form the key; they are the first ones
	fields func(*E) fields
	// due returns the fields by which claimed records are sorted. It is nil if the records are never claimed.
	due func(*E) (id uuid.UUID, due time.Time)
	// rarelyChanged lists columns that have indexes and that most updates do not change.
	rarelyChanged []string

	columns        string // the columns that are read
	insert, update string
	partialUpdate  string // see statement.partial
}

const nextVersion = "version = version + 1"

// prepared returns the table with its statements.
func (t table[E]) prepared() *table[E] {
	var zero E
	var read, all, values, set, where, partial, unchanged []string
	for i, f := range t.fields(&zero) {
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
			set, partial = append(set, nextVersion), append(partial, nextVersion)
			values[i] = p + " + 1"
		default:
			set = append(set, f.column+" = "+p)
			if slices.Contains(t.rarelyChanged, f.column) {
				unchanged = append(unchanged, f.column+" IS "+p)
			} else {
				partial = append(partial, f.column+" = "+p)
			}
		}
	}
	if t.due != nil { // it was read, so nothing is wrong with it
		set, partial = append(set, notAside), append(partial, notAside)
	}
	t.columns = strings.Join(read, ", ")
	t.insert = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", t.name, strings.Join(all, ", "), strings.Join(values, ", "))
	update := func(set, where []string) string {
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.name, strings.Join(set, ", "), strings.Join(where, " AND "))
	}
	t.update = update(set, where)
	if len(unchanged) > 0 {
		t.partialUpdate = update(partial, slices.Concat(where, unchanged))
	}
	return &t
}

// scan reads one row. others are the targets of the columns that follow those of the table.
func (t *table[E]) scan(rows *sql.Rows, others ...any) (E, error) {
	var e E
	var targets []any
	for _, f := range t.fields(&e) {
		if target := f.target(); target != nil {
			targets = append(targets, target)
		}
	}
	return e, rows.Scan(append(targets, others...)...)
}

// all returns the records that a query finds. One that cannot be read is an error.
func (t *table[E]) all(ctx context.Context, db *DB, on queryer, query string, args []any) ([]E, error) {
	var found []E
	err := db.each(ctx, on, query, args, func(rows *sql.Rows) error {
		e, err := t.scan(rows)
		found = append(found, e)
		return err
	})
	return found, err
}

// rows returns the rows that a query finds, readable or not.
func (t *table[E]) rows(ctx context.Context, db *DB, on queryer, query string, args []any, others ...any) ([]row[E], error) {
	return readRows(ctx, db, on, query, args, func(rows *sql.Rows) (E, error) { return t.scan(rows, others...) })
}

// get returns the record with a key, or ErrNotFound.
func (t *table[E]) get(ctx context.Context, db *DB, key ...any) (E, error) {
	var zero E
	q := query{dialect: db.dialect}
	for i, f := range t.fields(&zero)[:t.keys] {
		q.where(f.column+" = %s", key[i])
	}
	found, err := t.all(ctx, db, db.pool, fmt.Sprintf("SELECT %s FROM %s WHERE %s", t.columns, t.name, &q), q.args)
	switch {
	case err != nil:
		return zero, db.explain(ctx, err, false)
	case len(found) == 0:
		return zero, fmt.Errorf("%s %v: %w", t.record, key[0], dedicated.ErrNotFound)
	}
	return found[0], nil
}

// readByIDs returns the records that a condition on lists of IDs finds, in any order.
func (t *table[E]) readByIDs(ctx context.Context, db *DB, condition string, lists ...[]uuid.UUID) ([]E, []*failedRow, error) {
	args := make([]any, len(lists))
	for i, list := range lists {
		args[i] = db.dialect.list(ids(list))
	}
	rows, err := t.rows(ctx, db, db.pool, fmt.Sprintf("SELECT %s FROM %s WHERE %s", t.columns, t.name, condition), args)
	if err != nil {
		return nil, nil, db.explain(ctx, err, false)
	}
	found, failed := separate(rows)
	return found, failed, nil
}

// byIDs is readByIDs without what cannot be read.
func (t *table[E]) byIDs(ctx context.Context, db *DB, condition string, lists ...[]uuid.UUID) ([]E, error) {
	found, failed, err := t.readByIDs(ctx, db, condition, lists...)
	db.logUnreadable(ctx, t.unreadable(failed))
	return found, err
}

// readableByIDs is readByIDs with an error if something cannot be read.
func (t *table[E]) readableByIDs(ctx context.Context, db *DB, condition string, lists ...[]uuid.UUID) ([]E, error) {
	found, failed, err := t.readByIDs(ctx, db, condition, lists...)
	if err == nil && len(failed) > 0 {
		return nil, t.failure(failed)
	}
	return found, err
}

// put returns the statement that stores a record. Version 0 inserts it, any other version updates it.
func (t *table[E]) put(e E) (statement, error) {
	all := t.fields(&e)
	s := statement{text: t.update, partial: t.partialUpdate, args: make([]any, len(all))}
	for i, f := range all {
		var err error
		if s.args[i], err = f.value(); err != nil {
			return s, fmt.Errorf("%s %v: %w", t.record, s.args[0], err)
		}
	}
	if s.args[t.keys] == int64(0) {
		s.text, s.partial = t.insert, ""
	}
	s.noRow = fmt.Errorf("%s %v is not stored at version %d: %w", t.record, s.args[0], s.args[t.keys], dedicated.ErrConflict)
	return s, nil
}

// order is an order of a list: by a column, ties by ID.
type order[E any] struct {
	list   string // the name in cursors
	column string
	at     func(*E) (sort any, id uuid.UUID) // sort is a string or a time.Time
}

// list is readList without what cannot be read.
func (t *table[E]) list(ctx context.Context, db *DB, q query, by order[E], limit int, after string) ([]E, string, error) {
	items, next, failed, err := t.readList(ctx, db, q, by, limit, after)
	db.logUnreadable(ctx, t.unreadable(failed))
	return items, next, err
}

// readableList is readList with an error if something cannot be read.
func (t *table[E]) readableList(ctx context.Context, db *DB, q query, by order[E], limit int, after string) ([]E, string, error) {
	items, next, failed, err := t.readList(ctx, db, q, by, limit, after)
	if err == nil && len(failed) > 0 {
		return nil, "", t.failure(failed)
	}
	return items, next, err
}

// readList returns a page of the records that the query finds.
func (t *table[E]) readList(
	ctx context.Context, db *DB, q query, by order[E], limit int, after string,
) (items []E, next string, failed []*failedRow, err error) {
	limit = pageSize(limit)
	if after != "" {
		sort, id, err := by.position(after)
		if err != nil {
			return nil, "", nil, err
		}
		q.where("("+by.column+", id) > (%s, %s)", sort, id)
	}
	conditions := q.String()
	text := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s, id LIMIT %s",
		t.columns, t.name, conditions, by.column, q.parameter(nil))
	items, next, failed, err = cutPage(limit, by.cursor, func(rows int) ([]row[E], error) {
		q.args[len(q.args)-1] = rows
		return t.rows(ctx, db, db.pool, text, q.args)
	})
	return items, next, failed, db.explain(ctx, err, false)
}

// cursor returns the cursor of a row. ok is false if the row's position cannot be read.
func (o order[E]) cursor(r *row[E]) (cursor string, ok bool) {
	var key position
	if r.failed != nil {
		key, ok = position{r.failed.text(o.column), r.failed.id("id")}, r.failed.id("id") != uuid.Nil
		return key.cursor(o.list), ok
	}
	sort, id := o.at(&r.record)
	key.id = id
	switch sort := sort.(type) {
	case string:
		key.sort = sort
	case time.Time:
		key.sort = strconv.FormatInt(sort.UnixMicro(), 10)
	}
	return key.cursor(o.list), true
}

// position decodes a cursor.
func (o order[E]) position(cursor string) (sort any, id uuid.UUID, err error) {
	key, err := parsePosition(o.list, cursor)
	if err != nil {
		return nil, uuid.Nil, err
	}
	var zero E
	if sort, _ = o.at(&zero); sort == any("") {
		return key.sort, key.id, nil
	}
	micros, err := strconv.ParseInt(key.sort, 10, 64)
	if err != nil {
		return nil, uuid.Nil, invalidCursor()
	}
	return micros, key.id, nil
}

// count counts the records that the query finds, by the value of a column.
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
