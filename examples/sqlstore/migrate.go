package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// versions is the table of applied migrations. Its name differs from goose's default, which a host may use for itself.
const versions = "metalkeep_migrations"

// migrate applies the migrations that a database lacks. They go forward only.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string, options ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, db, files, append(options, goose.WithTableName(versions), goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	stored, supported, err := provider.GetVersions(ctx)
	if err == nil && stored > supported {
		err = fmt.Errorf("the database has schema version %d, but this program supports at most %d: use a newer program", stored, supported)
	}
	return err
}

// migrate holds an advisory lock of the schema, so that only one of several starting programs migrates.
func (postgresDialect) migrate(ctx context.Context, db *sql.DB) error {
	return migrate(ctx, db, goose.DialectPostgres, "postgres", goose.WithSessionLocker(schemaLock{}))
}

// schemaLock waits for the lock in the database. The lock of goose polls instead.
type schemaLock struct{}

// SessionLock implements lock.SessionLocker.
func (schemaLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(hashtextextended('metalkeep ' || current_schema(), 0))`)
	return err
}

// SessionUnlock implements lock.SessionLocker.
func (schemaLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(hashtextextended('metalkeep ' || current_schema(), 0))`)
	return err
}

// migrate relies on SQLite's own lock. Each migration is one transaction, which locks the file when it begins. If several
// programs start at once, the later ones fail with an error, try again and find the migration applied.
func (d sqliteDialect) migrate(ctx context.Context, db *sql.DB) error {
	var err error
	for range maxAttempts {
		if err = migrate(ctx, db, goose.DialectSQLite3, "sqlite"); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}
