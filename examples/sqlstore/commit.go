package sqlstore

import (
	"context"

	"github.com/metalkeep/metalkeep/notify"
)

// commit holds what one call of a store's Commit writes in one transaction: first the records, then the events. A transaction
// locks the rows of its records until it ends. So the events of one record are numbered in the order of its versions. Events
// of other records may become visible in another order than that of their numbers.
type commit struct {
	statements []statement
	events     []notify.Event
	err        error // the first error of put
}

// put adds records.
func put[E any](c *commit, t *table[E], records []E) {
	for _, e := range records {
		s, err := t.put(e)
		if err != nil && c.err == nil {
			c.err = err
		}
		c.statements = append(c.statements, s)
	}
}

// commit stores everything, or nothing.
func (db *DB) commit(ctx context.Context, c commit) error {
	if c.err != nil {
		return c.err
	}
	statements := append(c.statements, db.putEvents(c.events)...)
	if len(statements) == 0 {
		return ctx.Err()
	}
	if err := db.prepare(ctx, statements...); err != nil {
		return err
	}
	return db.transact(ctx, func(t *tx) error { return t.write(ctx, statements) })
}
