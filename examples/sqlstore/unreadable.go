package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// row is a row that a query has found. failed is nil if its record could be read.
type row[E any] struct {
	record E
	failed *failedRow
}

// failedRow is a row whose record cannot be read: its columns as the driver returned them, and why.
type failedRow struct {
	columns map[string]any
	err     error
}

// readRows returns all rows that a query finds, also those that scan cannot read.
func readRows[E any](
	ctx context.Context, db *DB, on queryer, query string, args []any, scan func(*sql.Rows) (E, error),
) (found []row[E], err error) {
	err = db.each(ctx, on, query, args, func(rows *sql.Rows) error {
		record, err := scan(rows)
		if err == nil {
			found = append(found, row[E]{record: record})
			return nil
		}
		columns, failed := rawColumns(rows)
		if failed != nil { // not the value is wrong: the query has ended
			return errors.Join(err, failed)
		}
		found = append(found, row[E]{failed: &failedRow{columns, err}})
		return nil
	})
	return found, err
}

// rawColumns reads a row without converting its values.
func rawColumns(rows *sql.Rows) (map[string]any, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, targets := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	columns := map[string]any{}
	for i, name := range names {
		columns[name] = values[i]
	}
	return columns, nil
}

// text returns a column as the text by which a statement finds the row again.
func (f *failedRow) text(column string) string {
	switch v := f.columns[column].(type) {
	case nil:
		return ""
	case int64:
		return strconv.FormatInt(v, 10)
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

// id returns a column as an ID, the nil ID if it holds something else.
func (f *failedRow) id(column string) uuid.UUID {
	id, err := uuid.Parse(f.text(column))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// maxReason is the length of Unreadable.Reason in bytes.
const maxReason = 500

// unreadable describes the row of a record, which noun names, to the Manager and to the log.
func (f *failedRow) unreadable(noun, key string) notify.Unreadable {
	u := notify.Unreadable{ID: f.id(key), ResellerID: f.id("reseller_id")}
	if _, exists := f.columns["reseller_id"]; !exists { // settings
		u.ResellerID = u.ID
	}
	reason := validText(fmt.Sprintf("%s %q: %v", noun, f.text(key), f.err))
	u.Reason = validText(reason[:min(len(reason), maxReason)])
	return u
}

// separate returns the records of the readable rows, and the others.
func separate[E any](rows []row[E]) (records []E, failed []*failedRow) {
	for _, r := range rows {
		if r.failed != nil {
			failed = append(failed, r.failed)
		} else {
			records = append(records, r.record)
		}
	}
	return records, failed
}

// unreadable describes rows of the table.
func (t *table[E]) unreadable(failed []*failedRow) []notify.Unreadable {
	var all []notify.Unreadable
	var zero E
	for _, f := range failed {
		all = append(all, f.unreadable(t.record, t.fields(&zero)[0].column))
	}
	return all
}

// failure is the error for rows that cannot be read.
func (t *table[E]) failure(failed []*failedRow) error {
	var all []error
	for _, u := range t.unreadable(failed) {
		all = append(all, fmt.Errorf("a record cannot be read: repair it in the database: %s", u.Reason))
	}
	return errors.Join(all...)
}

// logUnreadable logs records that cannot be read.
func (db *DB) logUnreadable(ctx context.Context, records []notify.Unreadable) {
	log := db.options.Logger
	if log == nil {
		log = slog.Default()
	}
	for _, u := range records {
		log.ErrorContext(ctx, "a record cannot be read: repair it in the database", "id", u.ID, "reseller", u.ResellerID, "reason", u.Reason)
	}
}

// cutPage returns a page of at most limit records, and the cursor of the next one. read returns the first rows after the page before, at
// most so many. The page ends after a row whose position can be read. If no row has one, cutPage reads more.
func cutPage[E any](
	limit int, cursor func(*row[E]) (string, bool), read func(rows int) ([]row[E], error),
) (records []E, next string, failed []*failedRow, err error) {
	for most := limit + 1; ; most *= 2 {
		next = ""
		rows, err := read(most)
		if err != nil {
			return nil, "", nil, err
		}
		end, last, missing := len(rows), len(rows) < most, limit
		if !last {
			end-- // only tells that there are more
		}
		for i := range end {
			if rows[i].failed == nil {
				missing--
			}
			if missing == 0 {
				last, end = last && i+1 == end, i+1
				break
			}
		}
		ok := last
		for i := end - 1; i >= 0 && !ok; i-- {
			next, ok = cursor(&rows[i])
		}
		if ok {
			records, failed = separate(rows[:end])
			return records, next, failed, nil
		}
	}
}

const (
	firstAside = time.Minute // how long a record is put aside that could not be read for the first time
	maxAside   = 24 * time.Hour
	notAside   = "unreadable = 0, aside_until = -62135596800000000"
)

// readable returns a stored count of claims within its bounds: somebody may have edited it.
func readable(count int64) int64 { return min(max(count, 0), 1000) }

// asideUntil returns until when a record is put aside that could not be read before so many times.
func asideUntil(now time.Time, before int64) time.Time {
	return now.Add(min(firstAside<<min(readable(before), 20), maxAside))
}
