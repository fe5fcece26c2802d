package main

import (
	"os"
	"path/filepath"
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

			for range 2 {
				code, stdout, stderr = program("-db", dsn)
				assert.Equal(t, exitFailed, code)
				assert.Empty(t, stdout)
				assert.Equal(t, "quickstart: the database is in use: found servers or events, expected none; "+
					"name another file, or make another database\n", stderr)
			}
		})
	}
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
