package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// A database holds one epoch, in the only row of metalkeep_epoch. Every transaction that writes reads it first. On PostgreSQL a plain
// SELECT is enough: it locks the table against LOCK TABLE until the transaction ends. So BeginEpoch waits for all transactions of the
// old epoch, and those that begin meanwhile wait for BeginEpoch and then read the new epoch. On SQLite the file has one writer.

// inEpoch finds a row if the database holds an epoch.
const inEpoch = "SELECT id FROM metalkeep_epoch WHERE id = 1 AND epoch = $1"

// EpochError says that the database holds another epoch than when this process opened it: an operator has begun one after restoring a
// copy. Nothing was written. All further writes fail, too, until the process opens the database again.
type EpochError struct {
	Opened string // the epoch when the process opened the database; "": the first one
}

// Error says what happened and what to do.
func (e *EpochError) Error() string {
	return fmt.Sprintf("the database does not hold the epoch %q any more, for which this process was started: nothing was written; "+
		"restart the process", e.Opened)
}

// Epoch returns the epoch that the database held when Open opened it. "" is the first one. The Managers take it from their stores.
func (db *DB) Epoch() string { return db.epoch }

// Epoch implements dedicated.EpochStore.
func (s servers) Epoch() string { return s.db.epoch }

// Epoch implements dedicated.EpochStore.
func (b backups) Epoch() string { return b.db.epoch }

// Epoch implements dedicated.EpochStore.
func (s tickets) Epoch() string { return s.db.epoch }

// Epoch implements dedicated.EpochStore.
func (s cancellations) Epoch() string { return s.db.epoch }

var _, _, _, _ dedicated.EpochStore = servers{}, backups{}, tickets{}, cancellations{}

// BeginEpoch begins another epoch. Call it after restoring a copy of the database, before any Manager uses that: see "Restoring a
// copy" in the comment of the package. It waits for the transactions that run. Then every DB that was opened before refuses to write,
// this one included, with an EpochError: close it, and Open the database again.
//
// epoch must be a name that no epoch of this database ever had, such as the date and time of the restore, because the IDs of the events
// derive from it. ErrInvalid is a name that notify.CheckEpoch refuses, "", and the present epoch.
func (db *DB) BeginEpoch(ctx context.Context, epoch string) error {
	if err := notify.CheckEpoch(epoch); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	if epoch == "" || epoch == db.epoch {
		return fmt.Errorf("sqlstore: %w: the epoch %q began already: want a name that no epoch of this database had", dedicated.ErrInvalid, epoch)
	}
	return db.transact(ctx, func(t *tx) error {
		var statements []statement
		if lock := db.dialect.lockEpoch(); lock != "" {
			statements = append(statements, statement{text: lock})
		}
		return t.write(ctx, append(statements, statement{
			text: "UPDATE metalkeep_epoch SET epoch = $1 WHERE id = 1", args: []any{epoch}, noRow: errNoEpoch,
		}))
	})
}

// errNoEpoch is for a database whose table was tampered with.
var errNoEpoch = errors.New("sqlstore: the table metalkeep_epoch has no row with the id 1: insert it, with a new epoch")

// readEpoch reads the epoch for this DB.
func (db *DB) readEpoch(ctx context.Context) error {
	var epochs []string
	err := db.read(ctx, "SELECT epoch FROM metalkeep_epoch WHERE id = 1", nil, func(rows *sql.Rows) error {
		var epoch string
		err := rows.Scan(&epoch)
		epochs = append(epochs, epoch)
		return err
	})
	switch {
	case err != nil:
		return err
	case len(epochs) == 0:
		return errNoEpoch
	}
	db.epoch = epochs[0]
	return db.prepare(ctx, statement{text: inEpoch})
}
