package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// unclaimed is the condition that a record is under no lease at $1, and not put aside. A lease that ends after $2 counts as ended, and so
// does putting aside until after $3: see limits. The due indexes find the records; these columns are in none.
const unclaimed = "(lease_until <= $1 OR lease_until > $2) AND (aside_until <= $1 OR aside_until > $3)"

// limits returns the arguments of unclaimed. Nothing can honestly lie further ahead of now than an hour plus twice its length: a clock was
// wrong when it was stored.
func limits(now, until time.Time) []any {
	farthest := func(length time.Duration) int64 {
		const century = 100 * 365 * 24 * time.Hour // a time.Duration does not hold three of them
		return now.Add(time.Hour).Add(2 * min(max(length, 0), century)).UnixMicro()
	}
	return []any{now.UnixMicro(), farthest(until.Sub(now)), farthest(maxAside)}
}

// claimed is the result of a claim.
type claimed[E any] struct {
	records    []E
	unreadable []notify.Unreadable
	next       time.Time // when the next record is due that is neither claimed nor put aside
}

// claim leases the due records in one statement, and puts aside those of them that cannot be read.
func (t *table[E]) claim(ctx context.Context, tx *tx, now, until time.Time, limit int) (c claimed[E], err error) {
	if err := tx.checkClock(ctx, now); err != nil {
		return c, err
	}
	free := fmt.Sprintf("due > %d AND %s", zeroTime, unclaimed)
	due := fmt.Sprintf("SELECT id FROM %s WHERE %s AND due <= $1 ORDER BY due, id LIMIT $5", t.name, free)
	var count int64
	rows, err := t.rows(ctx, tx.db, tx, fmt.Sprintf(
		"UPDATE %s SET lease_until = $4, version = version + 1 WHERE %s RETURNING %s, unreadable",
		t.name, tx.db.dialect.inLocked("id", due), t.columns), append(limits(now, until), until.UnixMicro(), limit), &count)
	if err != nil {
		return c, err
	}
	records, failed := separate(rows)
	slices.SortFunc(records, func(a, b E) int {
		aID, aDue := t.due(&a)
		bID, bDue := t.due(&b)
		return cmp.Or(aDue.Compare(bDue), bytes.Compare(aID[:], bID[:]))
	})
	c.records, c.unreadable = records, t.unreadable(failed)
	if err := tx.write(ctx, t.putAside(failed, now)); err != nil {
		return c, err
	}
	err = tx.db.each(ctx, tx, fmt.Sprintf("SELECT due FROM %s WHERE %s ORDER BY due LIMIT 1", t.name, free), limits(now, until),
		func(rows *sql.Rows) error { return rows.Scan(instant{&c.next}) })
	return c, err
}

// putAside returns the statements that put rows aside. They keep when their records are due.
func (t *table[E]) putAside(failed []*failedRow, now time.Time) []statement {
	var statements []statement
	for _, f := range failed {
		before, _ := f.columns["unreadable"].(int64)
		statements = append(statements, statement{
			text: fmt.Sprintf("UPDATE %s SET unreadable = $3, aside_until = $2 WHERE id = $1", t.name),
			args: []any{f.text("id"), asideUntil(now, before).UnixMicro(), readable(before) + 1},
		})
	}
	return statements
}

// checkClaim returns ErrInvalid for a limit below 1.
func checkClaim(limit int) error {
	if limit < 1 {
		return fmt.Errorf("%w: the limit of the claim is %d, expected at least 1", dedicated.ErrInvalid, limit)
	}
	return nil
}

// ClockError says that the clock of this program and that of the database differ by more than Options.MaxClockDifference. Nothing was
// claimed.
type ClockError struct {
	Program, Database time.Time // in UTC
	Max               time.Duration
}

// Error names both times.
func (e *ClockError) Error() string {
	return fmt.Sprintf("this program's clock shows %s and the database's %s: they may differ by %s; nothing was claimed: set the wrong clock",
		e.Program.Format(time.RFC3339), e.Database.Format(time.RFC3339), e.Max)
}

// checkClock compares the time of a claim with the database's clock.
func (t *tx) checkClock(ctx context.Context, now time.Time) error {
	most := t.db.options.MaxClockDifference
	if most <= 0 {
		return nil
	}
	var database time.Time
	err := t.db.each(ctx, t, "SELECT "+t.db.dialect.clock(), nil, func(rows *sql.Rows) error { return rows.Scan(instant{&database}) })
	if err == nil && now.Sub(database).Abs() > most {
		err = &ClockError{Program: now.UTC(), Database: database, Max: most}
	}
	return err
}
