// Package sqlstore implements all stores of metalkeep on an SQL database. SQLite is for one machine: one file, and nothing to
// install. PostgreSQL is for any number of processes on any number of machines.
//
//	db, err := sqlstore.Open(ctx, "sqlite:panel.db") // or "postgres://panel@db.example.com/panel"
//	…
//	servers, err := dedicated.New(dedicated.Config{Store: db.Servers()})
//	dispatcher, err := notify.New(notify.Config{Outbox: db.Outbox()}, subscribers...)
//
// It is an example. A host may import it, or copy the folder and adapt it: the package imports only packages that a host may
// import. Every store passes the conformance suite of its package, on both databases.
//
// # How it works
//
// Both databases share one implementation. A table describes how the fields of a record map to columns (serverFields,
// taskFields …). Reads, writes, lists and claims follow from that description. The differences between the databases are in
// sqlite.go and postgres.go, behind the interface dialect.
//
// A Commit is one transaction. The UPDATE itself compares the version. Partial unique indexes enforce uniqueness. The events
// of a call become rows of the outbox in the same transaction. On PostgreSQL a whole transaction takes two round trips, for
// one record or for a hundred.
//
// A claim is one UPDATE. On PostgreSQL it skips rows that other processes are claiming (FOR UPDATE SKIP LOCKED). A claim of
// deliveries finds the first waiting event of each subject. The column ready is only a hint: it lets a claim skip deliveries
// that wait behind one whose next attempt is later.
//
// Times are integers in microseconds. Decimals are text with their scale. Nested values that no query searches are JSON. Text
// search uses a separate column in lower case. Every list has an index for its order. A filter without an index of its own
// reads along that index.
//
// Queries are checked by the Managers alone. A store refuses a cursor of another list, and a claim with a limit below 1.
//
// # Errors
//
// After a deadlock the call repeats the transaction. A broken connection is a *LostError, which says whether the transaction
// may have been committed. If a context ends before the commit, nothing is written.
//
// # Records that cannot be read
//
// A value that no program can read is an error of its own and holds up no other record: JSON of a wrong shape after an edit by hand, text
// that is no UUID in SQLite, a number out of range. A claim names the record in Due.Unreadable, and so Tick returns an error for it. The
// column unreadable counts these claims, and aside_until says until when claims ignore the record: a minute, doubling up to a day. The column
// due does not change. Lists leave the record out and log it (Options.Logger); counts still count it. In the outbox the later events of the
// same subject wait.
//
// Where a Manager decides by an answer, the answer is an error instead: a read of the record alone, the active cancellations of its server
// alone, and the tasks of its backup request. Without the record the answer would say that the server stays, or that no task is planned.
// Only that server or request waits. An active cancellation that cannot be read still excludes a second one.
//
// The error names the record and the column. Repair the value, and let the next claim find the record:
//
//	UPDATE cancellations SET history = '[]', unreadable = 0, aside_until = 0 WHERE id = '…'
//
// # Clocks
//
// A lease that ends later than an hour and twice its length from now was set by a process with a wrong clock. Claims ignore it. With
// Options.MaxClockDifference, a process with a wrong clock claims nothing at all. Programs should set it to a minute. It is off by default,
// because tests and simulations run on clocks of their own.
//
// # Operation
//
// Open applies the embedded migrations. They go forward only, and a program refuses a schema that is newer than itself: stop
// the old programs before you start the new ones. Use a separate file or schema: the tables have common names, and SQLite's
// statistics are set for the whole file. The table metalkeep_migrations lists the applied migrations.
//
// Back up a SQLite file with VACUUM INTO 'copy.db' or with .backup, also while programs use it. A plain copy of panel.db lacks
// the data that is still in panel.db-wal. SQLite empties that journal when no reader needs it, so long reads without a pause
// let it grow. The umask of the process decides the permissions of the file, which holds the names of clients. Back up
// PostgreSQL as usual, with pg_dump or its archive. Its encoding must be UTF8. A process uses at most 16 connections. Behind a
// PgBouncer in transaction mode, add default_query_exec_mode=exec to the URL, and connect directly to PostgreSQL for the first
// Open of a new version.
//
// # Restoring a copy
//
// A restored database does not know what happened after the copy was made: which machines were wiped, which refunds were paid, which
// mails were sent. So it gets a new epoch. The Managers take it from their stores.
//
//  1. Stop all processes, and restore the copy. Remove panel.db-wal and panel.db-shm of the old SQLite file.
//
//  2. Begin a new epoch, in a short program. Its name must be one that no epoch of this database ever had:
//
//     db, err := sqlstore.Open(ctx, "sqlite:panel.db")
//     …
//     err = db.BeginEpoch(ctx, "restored-2026-11-28T09:30")
//
//  3. Start the processes. A process that was started before cannot write any more: its calls fail with an [EpochError].
//
//  4. List what waits for a person: cancellations by cancellation.Query.Unconfirmed, and with a Performer backup requests by
//     backup.RequestQuery.Unconfirmed. Compare each with what really happened, then Confirm it, or Discard the cancellation or
//     Withdraw the request: see "Restore" in the comments of packages cancellation and backup.
//
// Deliveries that waited in the copy go out again, with the Message-IDs that they had, so that receivers drop the repeats. New events
// have new IDs, because the epoch is part of them. The check of the epoch costs no round trip.
//
// # Cleaning up
//
// The stores never delete anything. This statement deletes the events that are delivered to all their subscribers, and their
// deliveries:
//
//	DELETE FROM events WHERE at < $1 AND NOT EXISTS (
//		SELECT 1 FROM deliveries d WHERE d.event_id = events.id AND NOT d.delivered)
//
// A registered subscriber gets deliveries for ever, even if no program handles them any more. When you remove or rename a
// subscriber, delete the old one:
//
//	DELETE FROM subscriptions WHERE subscriber = $1;
//	DELETE FROM subscribers WHERE name = $1;
//	DELETE FROM deliveries WHERE subscriber = $1 AND NOT delivered;
package sqlstore
