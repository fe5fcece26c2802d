package sqlstore

import (
	"context"

	"github.com/metalkeep/metalkeep/notify"
)

// commit is what a call of a store's Commit writes, in one transaction: the records first, in their order, then the
// events. Whoever writes a record holds its row until the transaction ends, so a record's events are numbered in the order
// of its versions, though the numbers of other records' transactions may become visible in another order.
type commit struct {
	statements []statement
	events     []notify.Event
	err        error // the first record that cannot be stored
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
	statements := append(c.statements, db.announce(c.events)...)
	if len(statements) == 0 {
		return ctx.Err()
	}
	if err := db.prepare(ctx, statements...); err != nil {
		return err
	}
	return db.transact(ctx, func(t *tx) error { return t.write(ctx, statements) })
}
