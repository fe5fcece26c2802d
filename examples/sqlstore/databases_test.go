package sqlstore_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/examples/internal/postgrestest"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
)

// server is the PostgreSQL server of the tests.
var server postgrestest.Server

func TestMain(m *testing.M) {
	if dsn := os.Getenv(workerEnv); dsn != "" {
		os.Exit(runWorker(dsn))
	}
	if job := os.Getenv(benchWorkerEnv); job != "" {
		os.Exit(benchMain(job))
	}
	os.Exit(server.Main(m))
}

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(t *testing.T, fresh func(*testing.T) string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, freshSQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(*testing.T) string { return freshPostgres(t) }) // the schema exists until the whole test has ended: see reused
	})
}

// reused returns a function that opens an empty database. It makes a new SQLite file each time, but reuses one PostgreSQL schema,
// because a new one takes long. Use it only in tests whose sub-tests are not parallel.
func reused(fresh func(*testing.T) string) func(*testing.T) *sqlstore.DB {
	dsn := ""
	return func(t *testing.T) *sqlstore.DB {
		t.Helper()
		if dsn == "" || isSQLite(dsn) {
			dsn = fresh(t)
		} else {
			empty(t, dsn)
		}
		return open(t, dsn)
	}
}

// empty deletes all rows.
func empty(t *testing.T, dsn string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), `DELETE FROM servers; DELETE FROM backup_requests; DELETE FROM backup_tasks; DELETE FROM tickets;
		DELETE FROM cancellations; DELETE FROM cancellation_settings; DELETE FROM texts; DELETE FROM deliveries; DELETE FROM events;
		DELETE FROM subscriptions; DELETE FROM subscribers`)
	require.NoError(t, err)
}

func open(t *testing.T, dsn string) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// freshSQLite returns the DSN of a new file. The tests do not wait for the disk.
func freshSQLite(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "panel.db") + "?_pragma=synchronous(off)"
}

func isSQLite(dsn string) bool { return strings.HasPrefix(dsn, "sqlite:") }

// freshPostgres returns the DSN of a new schema.
func freshPostgres(t *testing.T) string { return server.Schema(t) }
