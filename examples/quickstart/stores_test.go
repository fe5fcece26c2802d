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

// TestDatabases shows that the output is the same on every database, and that a second run on a database changes nothing.
func TestDatabases(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "panel.db") },
		"postgres": func(t *testing.T) string { return server.Schema(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := dsn(t)
			code, stdout, stderr := program("-db", dsn)
			require.Equal(t, exitOK, code, stderr)
			require.Equal(t, embeddedText(), stdout)

			before := contents(t, dsn)
			for range 2 {
				code, stdout, stderr = program("-db", dsn)
				assert.Equal(t, exitFailed, code)
				assert.Empty(t, stdout)
				assert.Equal(t, "quickstart: the database is in use: found servers or events, expected an empty database; "+
					"name another file, or create another database\n", stderr)
			}
			assert.Equal(t, before, contents(t, dsn), "a refused run changes nothing")
		})
	}
}

// contents returns all rows of all tables.
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
		row, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			targets[i] = &row[i]
		}
		require.NoError(t, found.Scan(targets...))
		all = append(all, row)
	}
	require.NoError(t, found.Err())
	return all
}

// TestUnfinishedRun shows that the database of a run that was stopped is in use too.
func TestUnfinishedRun(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "panel.db")
	opened, closeStores, err := openStores(t.Context(), dsn)
	require.NoError(t, err)
	inv := read(t, embedded)
	inv.servers = inv.servers[:1]
	_, err = newHost(t.Context(), inv, opened)
	require.NoError(t, err)
	require.NoError(t, closeStores())
	_, _, err = openStores(t.Context(), dsn)
	require.ErrorContains(t, err, "the database is in use")
}
