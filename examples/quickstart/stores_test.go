package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/examples/internal/postgrestest"
)

var server postgrestest.Server

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// TestStoryInADatabase: the story is the same wherever it is kept, and is not played where there is one already.
func TestStoryInADatabase(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "panel.db") },
		"postgres": func(t *testing.T) string { return server.Schema(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := dsn(t)
			code, stdout, stderr := program("-db", dsn)
			require.Equal(t, exitPlayed, code, stderr)
			require.Equal(t, embeddedText(), stdout)

			played := contents(t, dsn)
			for range 2 {
				code, stdout, stderr = program("-db", dsn)
				assert.Equal(t, exitFailed, code)
				assert.Empty(t, stdout)
				assert.Equal(t, "quickstart: the database is in use: found servers or events, expected none; "+
					"name another file, or make another database\n", stderr)
			}
			assert.Equal(t, played, contents(t, dsn), "what is refused changes nothing")
		})
	}
}

// contents are all rows of a database's tables.
func contents(t *testing.T, dsn string) map[string][]string {
	t.Helper()
	driver, name, tables := "pgx", dsn, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, name, tables = "sqlite", file, "SELECT name FROM sqlite_schema WHERE type = 'table'"
	}
	db, err := sql.Open(driver, name)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	all := map[string][]string{}
	for _, row := range rows(t, db, tables) {
		table := row[0].(string)
		for _, row := range rows(t, db, "SELECT * FROM "+table) {
			all[table] = append(all[table], fmt.Sprint(row...))
		}
		slices.Sort(all[table])
	}
	for _, table := range []string{"servers", "backup_tasks", "tickets", "cancellations", "deliveries"} {
		require.NotEmpty(t, all[table], table)
	}
	return all
}

func rows(t *testing.T, db *sql.DB, query string) [][]any {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, found.Close()) }()
	columns, err := found.Columns()
	require.NoError(t, err)
	var all [][]any
	for found.Next() {
		row, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			places[i] = &row[i]
		}
		require.NoError(t, found.Scan(places...))
		all = append(all, row)
	}
	require.NoError(t, found.Err())
	return all
}

// TestDatabaseOfAStoryThatBrokeOff: whoever is stopped in the middle leaves servers.
func TestDatabaseOfAStoryThatBrokeOff(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "panel.db")
	kept, done, err := openStores(t.Context(), dsn)
	require.NoError(t, err)
	inv := read(t, embedded)
	inv.servers = inv.servers[:1]
	_, err = newHost(t.Context(), inv, kept)
	require.NoError(t, err)
	require.NoError(t, done())
	_, _, err = openStores(t.Context(), dsn)
	require.ErrorContains(t, err, "the database is in use")
}
