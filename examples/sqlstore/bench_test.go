package sqlstore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
)

// onBoth runs a benchmark on both databases. SQLite waits for the disk at checkpoints, not at each commit. The PostgreSQL server of the
// tests never waits.
func onBoth(b *testing.B, run func(b *testing.B, dsn string)) {
	b.Run("sqlite", func(b *testing.B) { run(b, "sqlite:"+b.TempDir()+"/panel.db?_pragma=synchronous(normal)") })
	b.Run("postgres", func(b *testing.B) { run(b, server.Schema(b)) })
}

func opened(b *testing.B, dsn string) *sqlstore.DB {
	b.Helper()
	db, err := sqlstore.Open(context.Background(), dsn)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return db
}

// rate reports how many units are processed in a second.
func rate(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), unit+"/s")
}

// BenchmarkCommit stores changes of servers. Each has an event for one subscriber. The floors are hand-written loops with as few
// statements as possible: update the row, add the event, add its delivery. The first waits for each statement, as most programs do.
// The second, on PostgreSQL, sends a whole transaction at once.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("changes=%d", n), func(b *testing.B) {
			onBoth(b, func(b *testing.B, dsn string) {
				b.Run("store", func(b *testing.B) { benchStore(b, dsn, n) })
				b.Run("floor", func(b *testing.B) { benchFloor(b, dsn, n, false) })
				if !isSQLite(dsn) {
					b.Run("floor at once", func(b *testing.B) { benchFloor(b, dsn, n, true) })
				}
			})
		})
	}
}

// storeServers stores new servers and returns the changes.
func storeServers(b *testing.B, db *sqlstore.DB, n int) []dedicated.Change {
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
	store, changes := db.Servers(), storeServers(b, db, n)
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

func benchFloor(b *testing.B, dsn string, n int, atOnce bool) {
	changes := storeServers(b, opened(b, dsn), n)
	h, err := openByHand(b.Context(), dsn)
	require.NoError(b, err)
	defer func() { require.NoError(b, h.close()) }()
	h.atOnce = atOnce
	for b.Loop() {
		var commands []command
		var added []string
		for i := range changes {
			s, event := &changes[i].Servers[0], uuid.NewString()
			s.Version++
			id, reseller := s.ID.String(), s.ResellerID.String()
			added = append(added, event)
			commands = append(commands,
				command{`UPDATE servers SET version = version + 1, reseller_id = $3, name = $4, provider = '', reference = '', state = $5,
					search = $4 WHERE id = $1 AND version = $2`, []any{id, s.Version, reseller, s.Name, string(s.State)}},
				command{addEvent, []any{event, "dedicated.renamed", day(0).UnixMicro(), reseller, nil, id, id, `{"server_name":"web-01"}`}})
		}
		require.NoError(b, h.transact(b.Context(), append(commands, h.fanOut(added))...))
	}
	rate(b, n, "changes")
}
