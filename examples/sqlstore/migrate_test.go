package sqlstore_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// migrateTo makes a database with the schema of an earlier version.
func migrateTo(t *testing.T, dsn string, version int64) {
	t.Helper()
	dialect, folder := goose.DialectPostgres, "postgres"
	if isSQLite(dsn) {
		dialect, folder = goose.DialectSQLite3, "sqlite"
	}
	provider, err := goose.NewProvider(dialect, raw(t, dsn), os.DirFS("migrations/"+folder),
		goose.WithTableName("metalkeep_migrations"), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), version)
	require.NoError(t, err)
}

// TestNamesOfTheFirstVersion opens a database with the schema of version 1. Every record exists, under the current names.
func TestNamesOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx := fresh(t), t.Context()
		migrateTo(t, dsn, 1)
		reseller, server, lock, task := uuid.New(), uuid.New(), uuid.New(), uuid.New()
		old := map[string]string{
			"dedicated.held": "dedicated.suspended", "dedicated.rebilled": "dedicated.billing_changed",
			"cancellation.ordered":   "cancellation.scheduled_by_client",
			"cancellation.reordered": "cancellation.rescheduled_by_client",
			"cancellation.withdrawn": "cancellation.discarded_by_client",
			"cancellation.left":      "cancellation.server_left",
			"ticket.opened":          "ticket.opened",
		}
		db := raw(t, dsn)
		exec := func(text string, args ...any) {
			t.Helper()
			_, err := db.ExecContext(ctx, fmt.Sprintf(text, args...))
			require.NoError(t, err)
		}
		const never = int64(-62135596800000000)
		exec(`INSERT INTO servers VALUES ('%s', 3, '%s', NULL, 'web-07', '', '', FALSE, 'on_hold', %d, 3, 1, '', 'EUR', 2, %d, NULL, %d,
			'%s', 'web-07')`, server, reseller, never, never, never, lock)
		exec(`INSERT INTO backup_tasks VALUES ('%s', 1, '%s', '%s', NULL, NULL, NULL, 'web-07', '', 0, 'failed', 0, 0, FALSE, '{}',
			'dsn=secret', %d, 5, %d, 'web-07')`, task, uuid.New(), reseller, never, never)
		exec(`INSERT INTO cancellation_settings VALUES ('%s', 1, TRUE, '[7]', TRUE, 0, 0, 5, '', 1, '', %d, %d)`, reseller, never, never)
		exec(`INSERT INTO subscribers VALUES ('mail')`)
		for was := range old {
			id := uuid.New()
			exec(`INSERT INTO events (id, kind, at, brought_by, data) VALUES ('%s', '%s', 0, '%s', '{}')`, id, was, uuid.New())
			exec(`INSERT INTO deliveries SELECT id, 'mail', 1, seq, 0, NULL, NULL, 0, 0, 0, %d, FALSE, FALSE, '' FROM events WHERE id = '%s'`,
				never, id)
			exec(`INSERT INTO subscriptions VALUES ('%s', 'mail')`, was)
			exec(`INSERT INTO texts VALUES ('%s', '%s', 'en', 1, 's', 't', '')`, reseller, was)
		}

		stores := open(t, dsn)
		s, err := stores.Servers().Server(ctx, server)
		require.NoError(t, err)
		assert.Equal(t, dedicated.Suspended, s.State)
		assert.Equal(t, lock, s.LockedBy)
		settings, err := stores.Cancellations().Settings(ctx, reseller)
		require.NoError(t, err)
		assert.True(t, settings.ClientMayDiscard)
		assert.Equal(t, 5, settings.MinWarningDays)
		failed, err := stores.Backups().Task(ctx, task)
		require.NoError(t, err)
		assert.Equal(t, backup.Failed, failed.State)
		assert.True(t, failed.PerformerFailed, "its reason may be a Performer's")

		var want, kinds, edited []notify.Kind
		for _, is := range old {
			want = append(want, notify.Kind(is))
		}
		waiting, _, err := stores.Outbox().Deliveries(ctx, notify.DeliveryQuery{})
		require.NoError(t, err)
		for _, d := range waiting {
			kinds = append(kinds, d.Event.Kind)
		}
		assert.ElementsMatch(t, want, kinds)
		texts, err := stores.Texts().Texts(ctx, reseller)
		require.NoError(t, err)
		for _, text := range texts {
			edited = append(edited, text.Kind)
		}
		assert.ElementsMatch(t, []notify.Kind{
			"dedicated.suspended", "dedicated.rebilled", "cancellation.scheduled_by_client", "cancellation.rescheduled_by_client",
			"cancellation.discarded_by_client", "cancellation.server_left", "ticket.opened",
		}, edited, "a kind without mail has no text, so the migration does not rename it")
		for was, is := range old {
			var n int
			require.NoError(t, db.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM subscriptions WHERE kind = '%s'`, is)).Scan(&n))
			assert.Equal(t, 1, n, was)
		}
	})
}

// TestOlderCancellations opens a database with cancellations of version 2. Who has moved each of them, and the days in which its client
// may change nothing, are known afterwards.
func TestOlderCancellations(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx := fresh(t), t.Context()
		migrateTo(t, dsn, 2)
		db, reseller := raw(t, dsn), uuid.New()
		exec := func(text string, args ...any) {
			t.Helper()
			_, err := db.ExecContext(ctx, fmt.Sprintf(text, args...))
			require.NoError(t, err)
		}
		const never = int64(-62135596800000000)
		exec(`INSERT INTO cancellation_settings VALUES ('%s', 1, TRUE, '[7]', TRUE, 0, 3, 5, '', 1, '', %d, %d, FALSE)`, reseller, never, never)
		entry := func(role dedicated.Role, what string) string {
			by := dedicated.Actor{Role: role, ID: uuid.New(), ResellerID: reseller}
			text, err := json.Marshal(cancellation.Entry{At: day(1), By: by, What: what})
			require.NoError(t, err)
			return string(text)
		}
		order := entry(dedicated.Client, "scheduled")
		tests := []struct {
			by      dedicated.Role
			history string
			movedBy dedicated.Role
			lock    int
		}{
			{dedicated.Client, "[" + order + "]", 0, 3},
			{dedicated.Client, "[" + order + "," + entry(dedicated.System, "moved") + "]", 0, 3},
			{dedicated.Client, "[" + order + "," + entry(dedicated.Client, "rescheduled") + "]", dedicated.Client, 3},
			{dedicated.Client, "[" + order + "," + entry(dedicated.Reseller, "rescheduled") + "," +
				entry(dedicated.Client, "rescheduled") + "]", dedicated.Reseller, 3},
			{dedicated.Reseller, "[" + entry(dedicated.Reseller, "scheduled") + "]", 0, 0},
			{dedicated.Reseller, "null", 0, 0},
		}
		for _, spoilt := range []string{`["rescheduled"]`, `[{"What":"rescheduled","By":{"role":"reseller"}}]`} { // no program can read them
			exec(`INSERT INTO cancellations VALUES ('%s', 1, '%s', NULL, NULL, NULL, 'web-07', 'discarded', %d, TRUE, 0, 0, '', 1, NULL, NULL,
				'', '[]', 0, '', %d, %d, FALSE, '{}', '', 0, '[]', '%s', 1, %d, %d)`, uuid.New(), uuid.New(), never, never, never, spoilt, never, never)
		}
		ids := make([]uuid.UUID, len(tests))
		for i, tt := range tests {
			ids[i] = uuid.New()
			exec(`INSERT INTO cancellations VALUES ('%s', 1, '%s', NULL, NULL, NULL, 'web-07', 'discarded', %d, TRUE, 0, 0, '', %d, NULL, NULL,
				'', '[]', 0, '', %d, %d, FALSE, '{}', '', 0, '[]', '%s', 1, %d, %d)`,
				ids[i], reseller, never, tt.by, never, never, tt.history, never, never)
		}
		stores := open(t, dsn).Cancellations()
		for i, tt := range tests {
			c, err := stores.Cancellation(ctx, ids[i])
			require.NoError(t, err)
			assert.Equal(t, tt.movedBy, c.MovedBy, tt.history)
			assert.Equal(t, tt.lock, c.LockDays, tt.history)
			assert.Zero(t, c.Ordered)
		}
	})
}

// TestOlderTickets opens a database with tickets of version 2. Each of them goes on by the present rules.
func TestOlderTickets(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, ctx := fresh(t), t.Context()
		migrateTo(t, dsn, 2)
		const never = int64(-62135596800000000)
		db, reseller, server, assignment := raw(t, dsn), uuid.New(), uuid.New(), uuid.New()
		opened, answered := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 3, 2, 9, 0, 0, 5000, time.UTC)
		urgent := time.Date(2026, 3, 11, 9, 0, 0, 7000, time.UTC)
		put := func(status ticket.Status, waitingOn dedicated.Role, closes int64, key string) uuid.UUID {
			t.Helper()
			id := uuid.New()
			_, err := db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO tickets VALUES ('%s', 1, '%s', NULL, '%s', '%s', 'T-1', 'web-07', 'reboot',
				'{}', 's', '%s', '', %d, %d, 'null', 'null', NULL, 50, %d, '%s', %d, %d, %d, %d, %d, %d, '', '')`, id, reseller, server, assignment,
				status, never, answered.UnixMicro(), urgent.UnixMicro(), key, opened.UnixMicro(), closes, never, never, never, waitingOn))
			require.NoError(t, err)
			return id
		}
		open1 := put(ticket.Open, dedicated.Reseller, never, assignment.String()+"/reboot")
		asked := put(ticket.NeedsDetails, dedicated.Client, never, "")
		done := put(ticket.Done, 0, urgent.UnixMicro(), "")
		thanked := put(ticket.Done, dedicated.Reseller, never, "")
		finished := put(ticket.Rejected, dedicated.Reseller, urgent.UnixMicro(), "") // the reseller decided after the client's last comment

		before := time.Now().Add(-time.Minute)
		stores := open(t, dsn).Tickets()
		get := func(id uuid.UUID) ticket.Ticket {
			got, err := stores.Ticket(ctx, id)
			require.NoError(t, err)
			assert.Equal(t, answered, got.LastAt)
			assert.Empty(t, got.Former)
			return got
		}
		got := get(open1)
		assert.Equal(t, server.String()+"/"+assignment.String()+"/reboot", got.UniqueKey)
		assert.Equal(t, urgent, got.UrgentAt)
		assert.Zero(t, got.PausedAt)
		for _, id := range []uuid.UUID{asked, done, finished} {
			got = get(id)
			assert.Empty(t, got.UniqueKey)
			assert.Equal(t, urgent.AddDate(2000, 0, 0), got.UrgentAt)
			assert.True(t, got.PausedAt.After(before), got.PausedAt)
			assert.Zero(t, got.UnansweredSince)
		}
		got = get(thanked)
		assert.True(t, got.UnansweredSince.After(before), got.UnansweredSince)
		assert.Equal(t, got.UnansweredSince, got.Due)
		assert.Equal(t, urgent, got.UrgentAt)
		waiting, _, err := stores.Tickets(ctx, reseller, ticket.Query{WaitingOn: dedicated.Reseller})
		require.NoError(t, err)
		var ids []uuid.UUID
		for _, one := range waiting {
			ids = append(ids, one.ID)
		}
		assert.ElementsMatch(t, []uuid.UUID{open1, thanked}, ids)
	})
}
