package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// spoilable is a table whose records are claimed.
type spoilable struct {
	table string
	// put stores a record that is due.
	put func(ctx context.Context, db *sqlstore.DB, id, reseller uuid.UUID, due time.Time) error
	// claim returns the IDs of the claimed records.
	claim func(ctx context.Context, db *sqlstore.DB, now, until time.Time) ([]uuid.UUID, []notify.Unreadable, time.Time, error)
	read  func(ctx context.Context, db *sqlstore.DB, id uuid.UUID) error
	// list returns the IDs of a page of one record. nil: there is no list.
	list func(ctx context.Context, db *sqlstore.DB, reseller uuid.UUID, after string) ([]uuid.UUID, string, error)
}

func requests() spoilable {
	ids := func(records []backup.Request) (all []uuid.UUID) {
		for _, r := range records {
			all = append(all, r.ID)
		}
		return all
	}
	return spoilable{
		table: "backup_requests",
		put: func(ctx context.Context, db *sqlstore.DB, id, reseller uuid.UUID, due time.Time) error {
			return db.Backups().Commit(ctx, backup.Change{Requests: []backup.Request{{ID: id, ResellerID: reseller, ServerName: "web", Due: due}}})
		},
		claim: func(ctx context.Context, db *sqlstore.DB, now, until time.Time) ([]uuid.UUID, []notify.Unreadable, time.Time, error) {
			due, err := db.Backups().ClaimDue(ctx, now, until, 10)
			return ids(due.Requests), due.Unreadable, due.Next, err
		},
		read: func(ctx context.Context, db *sqlstore.DB, id uuid.UUID) error {
			return second(db.Backups().Request(ctx, id))
		},
		list: func(ctx context.Context, db *sqlstore.DB, reseller uuid.UUID, after string) ([]uuid.UUID, string, error) {
			items, next, err := db.Backups().Requests(ctx, reseller, backup.RequestQuery{Limit: 1, After: after})
			return ids(items), next, err
		},
	}
}

func ticketRecords() spoilable {
	ids := func(records []ticket.Ticket) (all []uuid.UUID) {
		for _, r := range records {
			all = append(all, r.ID)
		}
		return all
	}
	return spoilable{
		table: "tickets",
		put: func(ctx context.Context, db *sqlstore.DB, id, reseller uuid.UUID, due time.Time) error {
			return db.Tickets().Commit(ctx, ticket.Change{Tickets: []ticket.Ticket{{ID: id, ResellerID: reseller, UrgentAt: due, Due: due}}})
		},
		claim: func(ctx context.Context, db *sqlstore.DB, now, until time.Time) ([]uuid.UUID, []notify.Unreadable, time.Time, error) {
			due, err := db.Tickets().ClaimDue(ctx, now, until, 10)
			return ids(due.Tickets), due.Unreadable, due.Next, err
		},
		read: func(ctx context.Context, db *sqlstore.DB, id uuid.UUID) error {
			return second(db.Tickets().Ticket(ctx, id))
		},
		list: func(ctx context.Context, db *sqlstore.DB, reseller uuid.UUID, after string) ([]uuid.UUID, string, error) {
			items, next, err := db.Tickets().Tickets(ctx, reseller, ticket.Query{Limit: 1, After: after})
			return ids(items), next, err
		},
	}
}

func cancellationRecords() spoilable {
	ids := func(records []cancellation.Cancellation) (all []uuid.UUID) {
		for _, r := range records {
			all = append(all, r.ID)
		}
		return all
	}
	return spoilable{
		table: "cancellations",
		put: func(ctx context.Context, db *sqlstore.DB, id, reseller uuid.UUID, due time.Time) error {
			return db.Cancellations().Commit(ctx, cancellation.Change{Cancellations: []cancellation.Cancellation{{
				ID: id, ResellerID: reseller, ServerID: id, Assignment: uuid.New(), State: cancellation.Scheduled, At: due, Due: due,
			}}})
		},
		claim: func(ctx context.Context, db *sqlstore.DB, now, until time.Time) ([]uuid.UUID, []notify.Unreadable, time.Time, error) {
			due, err := db.Cancellations().ClaimDue(ctx, now, until, 10)
			return ids(due.Cancellations), due.Unreadable, due.Next, err
		},
		read: func(ctx context.Context, db *sqlstore.DB, id uuid.UUID) error {
			return second(db.Cancellations().Cancellation(ctx, id))
		},
		list: func(ctx context.Context, db *sqlstore.DB, reseller uuid.UUID, after string) ([]uuid.UUID, string, error) {
			items, next, err := db.Cancellations().Cancellations(ctx, reseller, cancellation.Query{Limit: 1, After: after})
			return ids(items), next, err
		},
	}
}

// settingsRecords: the ID of settings is that of their reseller.
func settingsRecords() spoilable {
	return spoilable{
		table: "cancellation_settings",
		put: func(ctx context.Context, db *sqlstore.DB, id, _ uuid.UUID, due time.Time) error {
			return db.Cancellations().Commit(ctx, cancellation.Change{Settings: []cancellation.Settings{{ResellerID: id, Due: due}}})
		},
		claim: func(ctx context.Context, db *sqlstore.DB, now, until time.Time) (all []uuid.UUID, _ []notify.Unreadable, _ time.Time, _ error) {
			due, err := db.Cancellations().ClaimDue(ctx, now, until, 10)
			for _, s := range due.Settings {
				all = append(all, s.ResellerID)
			}
			return all, due.Unreadable, due.Next, err
		},
		read: func(ctx context.Context, db *sqlstore.DB, id uuid.UUID) error {
			return second(db.Cancellations().Settings(ctx, id))
		},
	}
}

// TestUnreadableRecords spoils the second of three due records in every way that a value can be wrong in its column.
func TestUnreadableRecords(t *testing.T) {
	t.Parallel()
	const invalid = "'{'"           // no JSON; only SQLite stores it
	const shape = `'{"a":{"b":1}}'` // JSON for no list
	cases := []struct {
		of               spoilable
		column           string
		sqlite, postgres string // the value; "": the database refuses every wrong one
	}{
		{requests(), "form", invalid, `'[]'`},
		{requests(), "form", `'{"Schedule":{"Hour":"three"}}'`, `'{"Schedule":{"Hour":"three"}}'`},
		{requests(), "form", `'{"Schedule":{"Start":"tomorrow"}}'`, `'{"Schedule":{"Start":"tomorrow"}}'`},
		{requests(), "client_id", "'nobody'", ""},
		{requests(), "reseller_id", "'nobody'", ""},
		{requests(), "id", "'none'", ""},
		{requests(), "at_provider", "7", ""},
		{ticketRecords(), "fields", invalid, `'[1]'`},
		{ticketRecords(), "thread", invalid, shape},
		{ticketRecords(), "upstream", invalid, `'[1]'`},
		{ticketRecords(), "assignee", "'nobody'", ""},
		{ticketRecords(), "id", "'none'", ""},
		{cancellationRecords(), "steps", invalid, shape},
		{cancellationRecords(), "refund", invalid, `'{"Total":"12,50"}'`},
		{cancellationRecords(), "refund", `'{"Total":"12e"}'`, `'{"Total":"12.5 EUR"}'`},
		{cancellationRecords(), "refund", `'{"Lines":[{"Amount":"x"}]}'`, `'{"Lines":[{"Amount":"x"}]}'`},
		{cancellationRecords(), "warned", invalid, shape},
		{cancellationRecords(), "history", invalid, `'[{"At":"yesterday"}]'`},
		{cancellationRecords(), "by_role", "300", "300"},
		{cancellationRecords(), "by_role", "-1", "-1"},
		{cancellationRecords(), "cycle_unit", "300", "300"},
		{cancellationRecords(), "assignment", "'none'", ""},
		{cancellationRecords(), "when_now", "7", ""},
		{cancellationRecords(), "id", "'none'", ""},
		{settingsRecords(), "days_ahead", invalid, shape},
		{settingsRecords(), "warn", "7", ""},
		{settingsRecords(), "id", "'none'", ""},
	}
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := ""
		next := reused(func(t *testing.T) string {
			dsn = fresh(t)
			return dsn
		})
		for _, c := range cases {
			db := next(t)
			value := c.postgres
			if isSQLite(dsn) {
				value = c.sqlite
			}
			if value == "" {
				continue
			}
			t.Run(c.of.table+" "+c.column+" "+value, func(t *testing.T) {
				testUnreadable(t, db, raw(t, dsn), c.of, c.column, value)
			})
		}
	})
}

func testUnreadable(t *testing.T, db *sqlstore.DB, to *sql.DB, of spoilable, column, value string) {
	ctx, reseller := t.Context(), uuid.New()
	first, spoilt, last := uuid.New(), uuid.New(), uuid.New()
	for i, id := range []uuid.UUID{first, spoilt, last} {
		require.NoError(t, of.put(ctx, db, id, reseller, day(1+i)))
	}
	keep := fmt.Sprintf("CREATE TABLE kept AS SELECT %s AS value FROM %s WHERE id = '%s'", column, of.table, spoilt)
	executeAll(t, to, "DROP TABLE IF EXISTS kept", keep, fmt.Sprintf("UPDATE %s SET %s = %s WHERE id = '%s'", of.table, column, value, spoilt))

	now := day(10)
	claim := func(wait time.Duration) (claimed []uuid.UUID, named []notify.Unreadable) {
		t.Helper()
		now = now.Add(wait)
		claimed, named, next, err := of.claim(ctx, db, now, now.Add(time.Minute))
		require.NoError(t, err)
		require.Zero(t, next, "what is put aside does not count for Next")
		return claimed, named
	}
	claimed, named := claim(0)
	require.Equal(t, []uuid.UUID{first, last}, claimed, "it holds up no other record")
	require.Len(t, named, 1)
	if column != "id" {
		assert.Equal(t, spoilt, named[0].ID)
	} else {
		assert.Zero(t, named[0].ID)
		assert.Contains(t, named[0].Reason, `"none"`)
	}
	switch {
	case of.list == nil:
		assert.Equal(t, named[0].ID, named[0].ResellerID)
	case column == "reseller_id":
		assert.Zero(t, named[0].ResellerID)
	default:
		assert.Equal(t, reseller, named[0].ResellerID)
	}
	assert.Contains(t, named[0].Reason, column)

	if column != "id" {
		err := of.read(ctx, db, spoilt)
		require.Error(t, err)
		for _, answer := range []error{dedicated.ErrNotFound, dedicated.ErrConflict, dedicated.ErrInvalid, dedicated.ErrForbidden} {
			require.NotErrorIs(t, err, answer)
		}
	}
	if of.list != nil {
		var listed []uuid.UUID
		after := ""
		for range 4 {
			page, next, err := of.list(ctx, db, reseller, after)
			require.NoError(t, err)
			listed = append(listed, page...)
			if after = next; after == "" {
				break
			}
		}
		assert.Empty(t, after, "the list ends")
		assert.ElementsMatch(t, []uuid.UUID{first, last}, listed, "a list leaves it out, and goes past it")
	}

	aside := time.Minute
	for range 13 {
		claimed, named = claim(aside - time.Microsecond)
		require.NotContains(t, claimed, spoilt)
		require.Empty(t, named, "it is put aside for %s", aside)
		_, named = claim(time.Microsecond)
		require.Len(t, named, 1, "it is tried again after %s", aside)
		aside = min(2*aside, 24*time.Hour)
	}
	id := spoilt.String()
	if column == "id" {
		id = "none"
	}
	executeAll(t, to, fmt.Sprintf("UPDATE %s SET %s = (SELECT value FROM kept) WHERE id = '%s'", of.table, column, id))
	claimed, _ = claim(aside)
	assert.Equal(t, []uuid.UUID{first, spoilt, last}, claimed, "once it is repaired, it goes on; its Due has not changed")
	require.NoError(t, of.read(ctx, db, spoilt))
}

func executeAll(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// TestRepairedRecordIsDueAtOnce: a write of a repaired record ends that it is put aside.
func TestRepairedRecordIsDueAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		db, ctx, id := open(t, dsn), t.Context(), uuid.New()
		require.NoError(t, cancellationRecords().put(ctx, db, id, uuid.New(), day(1)))
		executeAll(t, raw(t, dsn), `UPDATE cancellations SET steps = '7'`)
		due, err := db.Cancellations().ClaimDue(ctx, day(2), day(2).Add(time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, due.Unreadable, 1)
		executeAll(t, raw(t, dsn), `UPDATE cancellations SET steps = '[]'`)
		c, err := db.Cancellations().Cancellation(ctx, id)
		require.NoError(t, err)
		c.LeaseUntil = time.Time{}
		require.NoError(t, db.Cancellations().Commit(ctx, cancellation.Change{Cancellations: []cancellation.Cancellation{c}}))
		due, err = db.Cancellations().ClaimDue(ctx, day(2), day(2).Add(time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, due.Cancellations, 1)
		var failures int
		require.NoError(t, raw(t, dsn).QueryRow("SELECT unreadable FROM cancellations").Scan(&failures))
		assert.Zero(t, failures)
	})
}

// TestAsideOfAWrongClock: a process whose clock is nine years ahead cannot read a record. The others try it again.
func TestAsideOfAWrongClock(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		db, ctx, id := open(t, dsn), t.Context(), uuid.New()
		require.NoError(t, requests().put(ctx, db, id, uuid.New(), day(1)))
		executeAll(t, raw(t, dsn), `UPDATE backup_requests SET form = '7'`)
		wrong := day(9 * 365)
		due, err := db.Backups().ClaimDue(ctx, wrong, wrong.Add(time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, due.Unreadable, 1)
		executeAll(t, raw(t, dsn), `UPDATE backup_requests SET form = '{}'`)
		due, err = db.Backups().ClaimDue(ctx, day(2), day(2).Add(time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, due.Requests, 1)
	})
}

// TestActiveCancellationThatCannotBeRead: for one server it is an error, so that nobody pays for the server again. For several servers the
// others are returned. It still counts for uniqueness.
func TestActiveCancellationThatCannotBeRead(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx := fresh(t), t.Context()
		var logged bytes.Buffer
		db, err := sqlstore.OpenWith(ctx, dsn, sqlstore.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		good, spoilt, reseller := uuid.New(), uuid.New(), uuid.New()
		for _, id := range []uuid.UUID{good, spoilt} {
			require.NoError(t, cancellationRecords().put(ctx, db, id, reseller, day(1)))
		}
		second, err := db.Cancellations().Cancellation(ctx, spoilt)
		require.NoError(t, err)
		executeAll(t, raw(t, dsn), fmt.Sprintf(`UPDATE cancellations SET history = '7' WHERE id = '%s'`, spoilt))

		active, err := db.Cancellations().Active(ctx, []uuid.UUID{good, spoilt})
		require.NoError(t, err)
		require.Len(t, active, 1)
		assert.Equal(t, good, active[0].ID)
		assert.Contains(t, logged.String(), spoilt.String(), "the host is told")
		_, err = db.Cancellations().Active(ctx, []uuid.UUID{spoilt})
		require.ErrorContains(t, err, "history")

		m, err := cancellation.New(cancellation.Config{Store: db.Cancellations(), Servers: noServers{}})
		require.NoError(t, err)
		_, err = m.ShouldRenew(ctx, spoilt, day(400))
		require.ErrorIs(t, err, cancellation.ErrHost)

		second.ID, second.Version = uuid.New(), 0
		err = db.Cancellations().Commit(ctx, cancellation.Change{Cancellations: []cancellation.Cancellation{second}})
		require.ErrorIs(t, err, dedicated.ErrConflict)
	})
}

// noServers has no server.
type noServers struct{ cancellation.Servers }

// TestPagesOfUnreadableRecords lists 30 records, of which only the last one can be read, in pages of one.
func TestPagesOfUnreadableRecords(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx, reseller := fresh(t), t.Context(), uuid.New()
		db := open(t, dsn)
		last := uuid.New()
		for n := range 29 {
			require.NoError(t, ticketRecords().put(ctx, db, uuid.New(), reseller, day(n)))
		}
		require.NoError(t, ticketRecords().put(ctx, db, last, reseller, day(29)))
		spoil := fmt.Sprintf(`UPDATE tickets SET thread = '7' WHERE id <> '%s'`, last)
		if isSQLite(dsn) { // then a cursor cannot name any of them
			spoil = fmt.Sprintf(`UPDATE tickets SET id = 'none ' || due WHERE id <> '%s'`, last)
		}
		executeAll(t, raw(t, dsn), spoil)
		var listed []uuid.UUID
		pages := 0
		for after, more := "", true; more; pages++ {
			require.Less(t, pages, 31)
			page, next, err := ticketRecords().list(ctx, db, reseller, after)
			require.NoError(t, err)
			listed, after, more = append(listed, page...), next, next != ""
		}
		assert.Equal(t, []uuid.UUID{last}, listed)
	})
}
