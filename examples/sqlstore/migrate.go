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

// versions is the table of the migrations that were applied. It is not goose's own: a host that uses goose has that.
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
		return fmt.Errorf("bringing the schema up to date: %w", err)
	}
	stored, known, err := provider.GetVersions(ctx)
	if err == nil && stored > known {
		err = fmt.Errorf("the database has schema %d, this program knows %d at the most: a newer program is wanted", stored, known)
	}
	return err
}

// migrate runs under an advisory lock of its schema, so that of several programs that start at once one does the work.
func (postgres) migrate(ctx context.Context, db *sql.DB) error {
	return migrate(ctx, db, goose.DialectPostgres, "postgres", goose.WithSessionLocker(schemaLock{}))
}

// schemaLock waits for its turn; goose's own lock asks again and again.
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

// migrate has no lock but SQLite's own: each migration is one transaction with its number, which locks the file as it
// begins. Of several programs that start at once the one that comes second fails, finds the work done and looks again.
func (d liteSQL) migrate(ctx context.Context, db *sql.DB) error {
	var err error
	for range attempts {
		if err = migrate(ctx, db, goose.DialectSQLite3, "sqlite"); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}
