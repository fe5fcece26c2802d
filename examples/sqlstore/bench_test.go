package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
)

// onBoth runs a benchmark on both databases. SQLite waits for the disk when it makes a checkpoint, not at each commit; the
// PostgreSQL that the tests start does not wait at all.
func onBoth(b *testing.B, run func(b *testing.B, dsn string)) {
	b.Run("sqlite", func(b *testing.B) { run(b, "sqlite:"+b.TempDir()+"/panel.db?_pragma=synchronous(normal)") })
	b.Run("postgres", func(b *testing.B) { run(b, server.schema(b)) })
}

func opened(b *testing.B, dsn string) *sqlstore.DB {
	b.Helper()
	db, err := sqlstore.Open(context.Background(), dsn)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return db
}

func rate(b *testing.B, n int, what string) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), what+"/s")
}

// BenchmarkCommit stores changes of servers with an event each that one subscriber wants, a call after the other. Its
// floors are loops written by hand that do the same with as few statements as it takes: change the row, add the event, add
// its delivery. One waits for each statement, as programs do; the other, on PostgreSQL, sends a whole transaction at once.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("changes=%d", n), func(b *testing.B) {
			onBoth(b, func(b *testing.B, dsn string) {
				b.Run("store", func(b *testing.B) { benchStore(b, dsn, n) })
				b.Run("floor", func(b *testing.B) { benchFloor(b, dsn, n, stepwise) })
				if !isSQLite(dsn) {
					b.Run("floor at once", func(b *testing.B) { benchFloor(b, dsn, n, atOnce) })
				}
			})
		})
	}
}

// some servers, stored.
func some(b *testing.B, db *sqlstore.DB, n int) []dedicated.Change {
	b.Helper()
	changes := make([]dedicated.Change, n)
	for i := range changes {
		changes[i].Servers = []dedicated.Server{server1(named("reseller"))}
	}
	require.NoError(b, db.Servers().Commit(b.Context(), changes...))
	require.NoError(b, db.Outbox().Register(b.Context(), "mail", nil))
	return changes
}

func benchStore(b *testing.B, dsn string, n int) {
	db := opened(b, dsn)
	store, changes := db.Servers(), some(b, db, n)
	for b.Loop() {
		for i := range changes {
			s := &changes[i].Servers[0]
			s.Version++
			changes[i].Events = []notify.Event{{
				ID: uuid.New(), Kind: "dedicated.renamed", At: day(0), ResellerID: s.ResellerID, ServerID: s.ID, SubjectID: s.ID,
				Data: []byte(`{"server_name":"web-01"}`),
			}}
		}
		require.NoError(b, store.Commit(b.Context(), changes...))
	}
	rate(b, n, "changes")
}

const (
	floorUpdate = `UPDATE servers SET version = version + 1, reseller_id = $3, name = $4, provider = $5, reference = $6, state = $7,
		search = $8 WHERE id = $1 AND version = $2`
	floorEvent = `INSERT INTO events (id, kind, at, reseller_id, server_id, subject_id, brought_by, data)
		VALUES ($1, $2, $3, $4, $5, $6, $1, $7)`
	floorFan = `INSERT INTO deliveries (event_id, subscriber, version, seq, at, reseller_id, subject_id, attempts, due, lease_until,
		delivered, dead, last_error) SELECT id, 'mail', 1, seq, at, reseller_id, subject_id, 0, at, 0, FALSE, FALSE, '' FROM events WHERE id = $1`
)

func benchFloor(b *testing.B, dsn string, n int, floor func(b *testing.B, conn *sql.Conn, texts []string) func([][]any)) {
	changes := some(b, opened(b, dsn), n)
	db, err := sql.Open(driverOf(dsn))
	require.NoError(b, err)
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(b.Context())
	require.NoError(b, err)
	defer func() { _ = conn.Close() }()
	texts := []string{floorUpdate, floorEvent, floorFan}
	if isSQLite(dsn) {
		for i, text := range texts {
			texts[i] = strings.ReplaceAll(text, "$", "?")
		}
	}
	commit := floor(b, conn, texts)
	for b.Loop() {
		var all [][]any
		for i := range changes {
			s, event := &changes[i].Servers[0], uuid.NewString()
			s.Version++
			id, reseller := s.ID.String(), s.ResellerID.String()
			all = append(all,
				[]any{id, s.Version, reseller, s.Name, "", "", string(s.State), s.Name},
				[]any{event, "dedicated.renamed", day(0).UnixMicro(), reseller, id, id, `{"server_name":"web-01"}`},
				[]any{event})
		}
		commit(all)
	}
	rate(b, n, "changes")
}

// stepwise prepares the statements once.
func stepwise(b *testing.B, conn *sql.Conn, texts []string) func([][]any) {
	var statements []*sql.Stmt
	for _, text := range texts {
		s, err := conn.PrepareContext(b.Context(), text)
		require.NoError(b, err)
		statements = append(statements, s)
	}
	execute := func(text string) {
		_, err := conn.ExecContext(b.Context(), text)
		require.NoError(b, err)
	}
	return func(all [][]any) {
		execute("BEGIN")
		for i, args := range all {
			_, err := statements[i%len(statements)].ExecContext(b.Context(), args...)
			require.NoError(b, err)
		}
		execute("COMMIT")
	}
}

func atOnce(b *testing.B, conn *sql.Conn, texts []string) func([][]any) {
	return func(all [][]any) {
		err := conn.Raw(func(c any) error {
			var batch pgx.Batch
			batch.Queue("BEGIN")
			for i, args := range all {
				batch.Queue(texts[i%len(texts)], args...)
			}
			batch.Queue("COMMIT")
			return c.(*stdlib.Conn).Conn().SendBatch(b.Context(), &batch).Close()
		})
		require.NoError(b, err)
	}
}

// BenchmarkTick works off what is due, by way of the Managers.
func BenchmarkTick(b *testing.B) {
	const n = 300
	works := []struct {
		name    string
		prepare func(b *testing.B, p *panel, round int)
		ticker  func(p *panel) dedicated.Ticker
	}{
		{"warnings", prepareWarnings, func(p *panel) dedicated.Ticker { return p.cancellations }},
		{"cancellations", prepareExecutions, func(p *panel) dedicated.Ticker { return p.cancellations }},
		{"planned backups", preparePlans, func(p *panel) dedicated.Ticker { return p.backups }},
		{"deliveries", prepareDeliveries, func(p *panel) dedicated.Ticker { return p.dispatcher }},
	}
	for _, w := range works {
		b.Run(w.name, func(b *testing.B) {
			onBoth(b, func(b *testing.B, dsn string) {
				now := clock.NewMock()
				p, err := newPanel(storesOf(opened(b, dsn)), host{
					clock: now, biller: monthsPaid{func(context.Context, cancellation.Refund) error { return nil }},
					mail: func(context.Context, notify.Event) error { return nil },
				})
				require.NoError(b, err)
				b.ResetTimer()
				for round := range b.N {
					b.StopTimer()
					now.Set(day(40 * (round + 1)))
					w.prepare(b, p, round)
					b.StartTimer()
					_, err := w.ticker(p).Tick(b.Context())
					require.NoError(b, err)
				}
				rate(b, n, strings.ReplaceAll(w.name, " ", "-"))
			})
		})
	}
}

func each300(b *testing.B, p *panel, round int, do func(s dedicated.Server) error) {
	b.Helper()
	for i := range 300 {
		id := named(fmt.Sprint(round, " server ", i))
		_, err := p.servers.Add(b.Context(), p.reseller, dedicated.NewServer{ID: id, Name: fmt.Sprint("web-", i)})
		require.NoError(b, err)
		billing := monthly()
		billing.Anchor = p.clock.Now()
		s, err := p.servers.Assign(b.Context(), p.reseller, id, named("client"), billing)
		require.NoError(b, err)
		require.NoError(b, do(s))
	}
}

func prepareWarnings(b *testing.B, p *panel, round int) {
	_, err := p.cancellations.SaveSettings(b.Context(), p.reseller, cancellation.Settings{Warn: true, DaysAhead: []int{7}})
	require.NoError(b, err)
	_, err = p.cancellations.Tick(b.Context())
	require.NoError(b, err)
	at := p.clock.Now().AddDate(0, 0, 10)
	each300(b, p, round, func(s dedicated.Server) error {
		_, err := p.cancellations.Schedule(b.Context(), p.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at}})
		return err
	})
	p.clock.(*clock.Mock).Set(at.AddDate(0, 0, -6))
}

func prepareExecutions(b *testing.B, p *panel, round int) {
	at := p.clock.Now().AddDate(0, 0, 10)
	each300(b, p, round, func(s dedicated.Server) error {
		_, err := p.cancellations.Schedule(b.Context(), p.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at}})
		return err
	})
	p.clock.(*clock.Mock).Set(at)
}

// preparePlans leaves tasks pending until the next occurrence comes, which is recorded as skipped.
func preparePlans(b *testing.B, p *panel, round int) {
	_, err := p.backups.Tick(b.Context()) // what the round before left
	require.NoError(b, err)
	each300(b, p, round, func(s dedicated.Server) error {
		schedule := backup.Schedule{
			Frequency: backup.Weekly, Weekdays: []time.Weekday{time.Monday}, Until: p.clock.Now().AddDate(0, 0, 20),
		}
		_, err := p.backups.Submit(b.Context(), p.reseller, backup.Form{ServerID: s.ID, Schedule: schedule})
		return err
	})
	p.clock.(*clock.Mock).Set(p.clock.Now().AddDate(0, 0, 15))
}

func prepareDeliveries(b *testing.B, p *panel, round int) {
	_, err := p.dispatcher.Tick(b.Context())
	require.NoError(b, err)
	var changes []dedicated.Change
	for i := range 300 {
		s := server1(p.reseller.ResellerID)
		changes = append(changes, dedicated.Change{Servers: []dedicated.Server{s}, Events: []notify.Event{{
			ID: uuid.New(), Kind: "dedicated.assigned", At: p.clock.Now().Add(time.Duration(i-300) * time.Second), ResellerID: s.ResellerID,
			SubjectID: s.ID, Data: []byte(`{}`),
		}}})
	}
	require.NoError(b, p.stores.servers.Commit(b.Context(), changes...))
}

// BenchmarkScale claims 100 due cancellations, and reads pages of servers, among few and among many. The largest number is
// measured with METALKEEP_LONG=1.
func BenchmarkScale(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if os.Getenv("METALKEEP_LONG") != "" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("stored=%d", n), func(b *testing.B) {
			onBoth(b, func(b *testing.B, dsn string) { benchScale(b, dsn, n) })
		})
	}
}

func benchScale(b *testing.B, dsn string, n int) {
	db := opened(b, dsn)
	own, err := sql.Open(driverOf(dsn))
	require.NoError(b, err)
	defer func() { _ = own.Close() }()
	reseller := fill(b, db, own, isSQLite(dsn), n)
	_, err = own.Exec("UPDATE servers SET reseller_id = $1", reseller.String())
	require.NoError(b, err)
	_, err = own.Exec("UPDATE cancellations SET due = $1 WHERE due < $1", day(900).UnixMicro())
	require.NoError(b, err)
	_, err = own.Exec("ANALYZE")
	require.NoError(b, err)

	b.Run("claim 100", func(b *testing.B) {
		var due []string
		require.NoError(b, each(own, "SELECT CAST(id AS TEXT) FROM cancellations LIMIT 100", &due))
		for b.Loop() {
			b.StopTimer()
			for _, id := range due {
				_, err := own.Exec("UPDATE cancellations SET due = $1, lease_until = 0 WHERE id = $2", day(1).UnixMicro(), id)
				require.NoError(b, err)
			}
			b.StartTimer()
			claimed, err := db.Cancellations().ClaimDue(b.Context(), day(2), day(3), 1000)
			require.NoError(b, err)
			require.Len(b, claimed.Cancellations, 100)
		}
	})
	for _, page := range []int{1, 1000} {
		b.Run(fmt.Sprintf("page %d", page), func(b *testing.B) {
			q := dedicated.Query{Limit: min(10, n/1000-1)}
			for range page - 1 {
				_, next, err := db.Servers().Servers(b.Context(), reseller, q)
				require.NoError(b, err)
				q.After = next
			}
			for b.Loop() {
				items, _, err := db.Servers().Servers(b.Context(), reseller, q)
				require.NoError(b, err)
				require.Len(b, items, q.Limit)
			}
		})
	}
}

func each(db *sql.DB, query string, into *[]string) error {
	rows, err := db.Query(query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		*into = append(*into, s)
	}
	return rows.Err()
}
