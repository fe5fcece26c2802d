package sqlstore_test

import (
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
)

// raw opens a database without the package.
func raw(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driverOf(dsn))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// driverOf returns the driver for a DSN, and the name of the database for that driver.
func driverOf(dsn string) (driver, name string) {
	if isSQLite(dsn) {
		return "sqlite", strings.TrimPrefix(dsn, "sqlite:") + "&_pragma=busy_timeout(10000)"
	}
	return "pgx", dsn
}

func server1(reseller uuid.UUID) dedicated.Server {
	return dedicated.Server{ID: uuid.New(), ResellerID: reseller, Name: "web-01", State: dedicated.InStock}
}

func TestOpenAgainKeepsEverything(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn, s := fresh(t), server1(uuid.New())
		require.NoError(t, open(t, dsn).Servers().Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{s}}))
		got, err := open(t, dsn).Servers().Server(t.Context(), s.ID)
		require.NoError(t, err)
		assert.Equal(t, s.Name, got.Name)
	})
}

func TestOpenByManyAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		start, results := make(chan struct{}), make(chan error, 8)
		for range cap(results) {
			go func() {
				<-start
				db, err := sqlstore.Open(t.Context(), dsn)
				if err == nil {
					err = db.Close()
				}
				results <- err
			}()
		}
		close(start)
		for range cap(results) {
			require.NoError(t, <-results)
		}
		var applied int
		require.NoError(t, raw(t, dsn).QueryRow("SELECT count(*) FROM metalkeep_migrations WHERE version_id = 1").Scan(&applied))
		assert.Equal(t, 1, applied, "the first migration is applied once")
	})
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		open(t, dsn)
		insert := "INSERT INTO metalkeep_migrations (version_id, is_applied) VALUES (99, TRUE)"
		_, err := raw(t, dsn).Exec(insert)
		require.NoError(t, err)
		files, err := os.ReadDir("migrations/sqlite")
		require.NoError(t, err)
		newest, err := strconv.Atoi(strings.SplitN(files[len(files)-1].Name(), "_", 2)[0])
		require.NoError(t, err)
		_, err = sqlstore.Open(t.Context(), dsn)
		want := fmt.Sprintf("the database has schema version 99, but this program supports at most %d: use a newer program", newest)
		require.ErrorContains(t, err, want)
	})
}

// TestMigrationsOfTheHost shows that a host may use goose for its own tables in the same database.
func TestMigrationsOfTheHost(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fresh func(*testing.T) string) {
		dsn := fresh(t)
		_, err := raw(t, dsn).Exec(`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id BIGINT NOT NULL, is_applied BOOLEAN NOT NULL,
			tstamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)`)
		require.NoError(t, err)
		_, err = raw(t, dsn).Exec(`INSERT INTO goose_db_version (id, version_id, is_applied) VALUES (1, 0, TRUE), (2, 1, TRUE), (3, 7, TRUE)`)
		require.NoError(t, err)
		_, _, err = open(t, dsn).Servers().Servers(t.Context(), uuid.New(), dedicated.Query{})
		require.NoError(t, err)
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ dsn, want string }{
		"an empty DSN":      {"", "neither"},
		"another database":  {"mysql://localhost/panel", "neither"},
		"no file":           {"sqlite:", "expected the name of a file"},
		"memory":            {"sqlite::memory:", "expected the name of a file"},
		"memory, by option": {"sqlite:panel?mode=memory", "expected the name of a file"},
		"a missing folder":  {"sqlite:" + t.TempDir() + "/none/panel.db", "unable to open"},
		"a malformed port":  {"postgres://localhost:none/panel", "port"},
		"no server":         {"postgres://127.0.0.1:1/panel?connect_timeout=2", "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sqlstore.Open(t.Context(), tt.dsn)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestSQLiteSettings reads the settings of a new file.
func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	dsn := freshSQLite(t)
	open(t, dsn)
	var mode, check string
	db := raw(t, dsn)
	require.NoError(t, db.QueryRow("PRAGMA journal_mode").Scan(&mode))
	assert.Equal(t, "wal", mode)
	require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&check))
	assert.Equal(t, "ok", check)
	var notStrict int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%' AND name <> 'metalkeep_migrations'").Scan(&notStrict))
	assert.Zero(t, notStrict, "all our tables are strict")
}
