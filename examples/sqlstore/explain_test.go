package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
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

// TestPlans checks the plans of all lists and claims. None may read a whole table, and none may sort.
func TestPlans(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		rows := 100_000
		if isSQLite(dsn) && raceDetector {
			rows = 2_000 // the race detector slows SQLite down, and the plans do not depend on the number of rows
		}
		reseller := fill(t, open(t, dsn), raw(t, dsn), isSQLite(dsn), rows)
		db, recorder, err := sqlstore.OpenRecorded(dsn)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		for name, call := range calls(db, reseller) {
			require.NoError(t, call(t.Context()), name)
			queries := recorder.Take()
			for _, q := range queries {
				if strings.HasPrefix(strings.ToLower(q.Text), "begin") || q.Text == "commit" {
					continue
				}
				plan := explain(t, raw(t, dsn), q, isSQLite(dsn))
				if name == "texts" {
					plan = strings.ReplaceAll(plan, "Sort", "") // this list has no pages, and few rows
				}
				if strings.HasPrefix(name, "tasks of a request") {
					assert.NotRegexp(t, "backup_tasks_(of_state|by_date)", plan, name)
				}
				if slow := slowPart(plan, isSQLite(dsn)); slow != "" {
					t.Errorf("%s: %s:\n%s\n%s", name, slow, q.Text, plan)
				}
			}
			assert.NotEmpty(t, queries, name)
		}
	})
}

// slowPart returns the part of a plan that reads or sorts too many rows, "" if there is none.
func slowPart(plan string, sqlite bool) string {
	if !sqlite {
		for _, costly := range []string{"Seq Scan", "Sort", "Hash Join", "Merge"} {
			if strings.Contains(plan, costly) {
				return costly
			}
		}
		return ""
	}
	if strings.Contains(plan, "USE TEMP B-TREE") {
		return "a sort"
	}
	for line := range strings.Lines(plan) {
		if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "USING") && !strings.Contains(line, "VIRTUAL TABLE") {
			return "a scan of a table"
		}
	}
	return ""
}

func explain(t *testing.T, db *sql.DB, q sqlstore.Query, sqlite bool) string {
	t.Helper()
	text := "EXPLAIN (COSTS OFF) " + q.Text
	if sqlite {
		text = "EXPLAIN QUERY PLAN " + q.Text
		q.Args = make([]any, len(slices.Compact(slices.Sorted(slices.Values(regexp.MustCompile(`\?\d+`).FindAllString(q.Text, -1))))))
	}
	rows, err := db.QueryContext(t.Context(), text, q.Args...)
	require.NoError(t, err, text)
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if sqlite {
			var id, parent, unused int
			require.NoError(t, rows.Scan(&id, &parent, &unused, &line))
		} else {
			require.NoError(t, rows.Scan(&line))
		}
		plan.WriteString(line + "\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}

// calls returns all lists, with their first and second page, and all claims.
func calls(db *sqlstore.DB, reseller uuid.UUID) map[string]func(context.Context) error {
	now, any1 := day(500), uuid.New()
	all := map[string]func(context.Context) error{
		"claim cancellations": func(ctx context.Context) error { return second(db.Cancellations().ClaimDue(ctx, now, day(501), 100)) },
		"claim backups":       func(ctx context.Context) error { return second(db.Backups().ClaimDue(ctx, now, day(501), 100)) },
		"claim tickets":       func(ctx context.Context) error { return second(db.Tickets().ClaimDue(ctx, now, day(501), 100)) },
		"claim deliveries":    func(ctx context.Context) error { return second(db.Outbox().ClaimDue(ctx, "mail", now, day(501), 100)) },
		"active": func(ctx context.Context) error {
			return second(db.Cancellations().Active(ctx, []uuid.UUID{any1, uuid.New()}))
		},
		"servers by ID": func(ctx context.Context) error {
			return second(db.Servers().(dedicated.BulkStore).ServersByID(ctx, []uuid.UUID{any1, uuid.New()}))
		},
		"open tasks": func(ctx context.Context) error {
			return second(db.Backups().(backup.BulkStore).OpenTasks(ctx, []uuid.UUID{any1, uuid.New()}, []uuid.UUID{uuid.New()}))
		},
		"texts": func(ctx context.Context) error { return second(db.Texts().Texts(ctx, reseller)) },
	}
	twice := func(name string, list func(ctx context.Context, after string) (string, error)) {
		all[name] = func(ctx context.Context) error {
			next, err := list(ctx, "")
			if err == nil && next != "" {
				_, err = list(ctx, next)
			}
			return err
		}
	}
	for name, q := range map[string]dedicated.Query{
		"": {}, " by text": {Text: "web-7"}, " of a client": {ClientID: any1}, " in a state": {States: []dedicated.State{dedicated.InUse}},
		" of providers": {Owner: "provider"}, " of states": {States: []dedicated.State{dedicated.InUse, dedicated.Suspended}},
	} {
		twice("servers"+name, func(ctx context.Context, after string) (string, error) {
			q.After = after
			_, next, err := db.Servers().Servers(ctx, reseller, q)
			return next, err
		})
	}
	for name, q := range map[string]backup.RequestQuery{
		"": {}, " live": {Live: true}, " of a client": {ClientID: any1}, " of a server": {ServerID: any1},
		" unconfirmed": {Unconfirmed: true, Epoch: "second"},
	} {
		twice("requests"+name, func(ctx context.Context, after string) (string, error) {
			q.After = after
			_, next, err := db.Backups().Requests(ctx, reseller, q)
			return next, err
		})
	}
	for name, q := range map[string]backup.TaskQuery{
		"": {}, " of a client": {ClientID: any1}, " of a request": {RequestID: any1},
		" of a request, pending":       {RequestID: any1, States: []backup.State{backup.Pending}},
		" of a request, of its client": {RequestID: any1, ClientID: any1, States: []backup.State{backup.Pending, backup.Failed}}, " pending": {States: []backup.State{backup.Pending}},
		" of states": {States: []backup.State{backup.Pending, backup.Failed}}, " of a month": {From: day(100), To: day(130)},
		" of a server": {ServerID: any1}, " overdue": {States: []backup.State{backup.Pending}, To: now}, " by text": {Text: "web-7"},
	} {
		twice("tasks"+name, func(ctx context.Context, after string) (string, error) {
			q.After = after
			_, next, err := db.Backups().Tasks(ctx, reseller, q)
			return next, err
		})
	}
	for name, q := range map[string]ticket.Query{
		"": {}, " by age": {Sort: "age"}, " of a client": {Sort: "age", ClientID: any1, Public: true}, " by text": {Text: "reboot now"},
		" open": {States: []ticket.Status{ticket.Open, ticket.Confirmed}}, " urgent": {UrgentBy: now}, " waiting": {WaitingOn: dedicated.Reseller},
		" of a client by urgency": {ClientID: any1}, " of a server": {ServerID: any1}, " of a server by age": {ServerID: any1, Sort: "age"},
		" of an assignee": {Assignee: any1}, " of an assignee by age": {Assignee: any1, Sort: "age"},
	} {
		twice("tickets"+name, func(ctx context.Context, after string) (string, error) {
			q.After = after
			_, next, err := db.Tickets().Tickets(ctx, reseller, q)
			return next, err
		})
	}
	for name, q := range map[string]cancellation.Query{
		"": {}, " scheduled": {States: []cancellation.State{cancellation.Scheduled}}, " of a client": {ClientID: any1},
		" of a month": {From: day(100), To: day(130)}, " stuck": {Stuck: true}, " of a server": {ServerID: any1},
		" unconfirmed": {Unconfirmed: true, Epoch: "second"},
	} {
		twice("cancellations"+name, func(ctx context.Context, after string) (string, error) {
			q.After = after
			_, next, err := db.Cancellations().Cancellations(ctx, reseller, q)
			return next, err
		})
	}
	for name, q := range map[string]notify.DeliveryQuery{
		"": {}, " dead": {Dead: true}, " of a reseller": {ResellerID: reseller}, " of an event": {Event: any1},
		" of a subscriber": {Subscriber: "mail"}, " dead of a reseller": {Dead: true, ResellerID: reseller},
	} {
		twice("deliveries"+name, func(ctx context.Context, after string) (string, error) {
			q.After = after
			_, next, err := db.Outbox().Deliveries(ctx, q)
			return next, err
		})
	}
	return all
}

func second[T any](_ T, err error) error { return err }

func day(n int) time.Time { return time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC) }

// fill stores many records of several resellers, and returns the reseller with a twentieth of them. It stores one record of each type
// by the stores, and copies it with other values for searching and sorting. One of a hundred records is due. If tables are named,
// it copies only the records of those.
func fill(t testing.TB, db *sqlstore.DB, to *sql.DB, sqlite bool, rows int, tables ...string) uuid.UUID {
	t.Helper()
	ctx, reseller := t.Context(), uuid.New()
	require.NoError(t, db.Outbox().Register(ctx, "mail", nil))
	s := server1(reseller)
	events := []notify.Event{{ID: uuid.New(), Kind: "a.b", At: day(0), ResellerID: reseller, SubjectID: s.ID, Data: []byte(`{}`)}}
	require.NoError(t, db.Servers().Commit(ctx, dedicated.Change{Servers: []dedicated.Server{s}, Events: events}))
	require.NoError(t, db.Backups().Commit(ctx, backup.Change{
		Requests: []backup.Request{{ID: uuid.New(), ResellerID: reseller, ServerName: "web-01"}},
		Tasks:    []backup.Task{{ID: uuid.New(), ResellerID: reseller, ServerName: "web-01", At: day(1), State: backup.Completed}},
	}))
	require.NoError(t, db.Tickets().Commit(ctx, ticket.Change{
		Tickets: []ticket.Ticket{{ID: uuid.New(), ResellerID: reseller, Subject: "reboot", OpenedAt: day(1)}},
	}))
	require.NoError(t, db.Cancellations().Commit(ctx, cancellation.Change{
		Cancellations: []cancellation.Cancellation{{ID: uuid.New(), ResellerID: reseller, At: day(1), State: cancellation.Executed}},
		Settings:      []cancellation.Settings{{ResellerID: reseller}},
	}))
	require.NoError(t, db.Texts().Save(ctx, notify.Text{ResellerID: reseller, Kind: "a.b", Locale: "de"}))

	newID := "gen_random_uuid()"
	if sqlite {
		newID = "lower(printf('%s-%s-%s-%s-%s', hex(randomblob(4)), hex(randomblob(2)), hex(randomblob(2)), hex(randomblob(2)), hex(randomblob(6))))"
	}
	resellerID := fmt.Sprintf("CASE WHEN n %% 20 = 0 THEN o.reseller_id ELSE %s END", newID)
	at := fmt.Sprintf("%d + n * %d", day(0).UnixMicro(), int64(10*time.Minute/time.Microsecond))
	due := fmt.Sprintf("CASE WHEN n %% 100 = 0 THEN %d + n ELSE %d + n END", day(400).UnixMicro(), day(600).UnixMicro())
	copies := []struct {
		table string
		other map[string]string
	}{
		{"servers", map[string]string{"name": "'web-' || n", "at_provider": "n % 4 = 0", "state": "CASE WHEN n % 3 = 0 THEN 'in_stock' ELSE 'in_use' END"}},
		{"backup_requests", map[string]string{"server_name": "'web-' || n", "due": due}},
		{"backup_tasks", map[string]string{
			"at": at, "request_id": newID, "state": "CASE WHEN n % 5 = 0 THEN 'pending' ELSE 'completed' END",
		}},
		{"tickets", map[string]string{"opened_at": at, "urgent_at": at, "due": due, "waiting_on": "n % 3", "assignee": newID,
			"status": "CASE WHEN n % 5 = 0 THEN 'open' ELSE 'closed' END"}},
		{"texts", map[string]string{"kind": "'a.' || n", "reseller_id": strings.Replace(resellerID, "20", "5000", 1)}},
		{"cancellations", map[string]string{
			"at": at, "due": due, "assignment": newID, "state": "CASE WHEN n % 5 = 0 THEN 'scheduled' ELSE 'executed' END",
		}},
		{"cancellation_settings", map[string]string{"due": due}},
		{"events", map[string]string{"at": at, "subject_id": newID}},
	}
	many := func(table string) bool { return len(tables) == 0 || slices.Contains(tables, table) }
	for _, c := range copies {
		if !many(c.table) {
			continue
		}
		for column, value := range map[string]string{"id": newID, "reseller_id": resellerID, "client_id": newID, "server_id": newID} {
			if c.other[column] == "" {
				c.other[column] = value
			}
		}
		multiply(t, to, c.table, c.other, rows)
	}
	if many("deliveries") {
		_, err := to.ExecContext(ctx, `INSERT INTO deliveries (event_id, subscriber, version, seq, at, reseller_id, subject_id,
				attempts, due, ready, lease_until, delivered, dead, last_error)
			SELECT id, 'mail', 1, seq, at, reseller_id, subject_id, 0, at, at, at - 1, seq % 10 > 0, seq % 1000 = 1, '' FROM events WHERE seq > 1`)
		require.NoError(t, err)
	}
	if !sqlite { // the schema for SQLite contains statistics
		_, err := to.ExecContext(ctx, "ANALYZE")
		require.NoError(t, err)
	}
	return reseller
}

// multiply copies the only row of a table n times. other holds the values that differ, as expressions of n, the number of the copy,
// and o, the row.
func multiply(t testing.TB, db *sql.DB, table string, other map[string]string, n int) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
	require.NoError(t, err)
	columns, err := rows.Columns()
	require.NoError(t, err)
	require.NoError(t, rows.Close())
	columns = slices.DeleteFunc(columns, func(c string) bool { return c == "seq" })
	values := make([]string, len(columns))
	for i, c := range columns {
		if values[i] = other[c]; values[i] == "" {
			values[i] = "o." + c
		}
	}
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO %[1]s (%[2]s)
		WITH RECURSIVE copies(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM copies WHERE n < %[3]d)
		SELECT %[4]s FROM copies CROSS JOIN (SELECT * FROM %[1]s LIMIT 1) o`,
		table, strings.Join(columns, ", "), n, strings.Join(values, ", ")))
	require.NoError(t, err, table)
}
