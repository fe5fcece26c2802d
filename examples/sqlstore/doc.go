// Package sqlstore keeps everything of metalkeep in an SQL database: SQLite for one machine, one file and nothing to
// install; PostgreSQL for any number of processes on any number of machines.
//
//	db, err := sqlstore.Open(ctx, "sqlite:panel.db") // or "postgres://panel@db.example.com/panel"
//	…
//	servers, err := dedicated.New(dedicated.Config{Store: db.Servers()})
//	dispatcher, err := notify.New(notify.Config{Outbox: db.Outbox()}, subscribers...)
//
// It is an example: use it as it is, or copy the folder and make it a store of your own; it imports nothing that a host may
// not. Every store passes the suite of its package, on both databases.
//
// # How it is made
//
// There is one body of code. A table says how the fields of a record lie in columns (serverFields, taskFields …), and
// reads, writes, lists and claims follow from that. In what the databases differ is in sqlite.go and postgres.go, behind
// the interface dialect.
//
// A Commit is one transaction. The version is compared in the UPDATE itself, what must be unique is a partial unique
// index, and the events of a call become rows of the outbox beside its records. On PostgreSQL all that travels in one round
// trip, whether it is one record or a hundred.
//
// A claim is one UPDATE, which on PostgreSQL passes over rows that others are claiming (FOR UPDATE SKIP LOCKED). Of a
// subject's events the first that waits is found when deliveries are claimed. What is kept beside them, in the column ready,
// only spares a claim to look at those that wait behind one that is tried again later.
//
// Times are integers in microseconds, decimals are text with their scale, what is nested and never searched is JSON. Text is
// searched in a column of its own that holds it in small letters. Every list has an index that serves its order; a filter
// that has none walks that one.
//
// # What goes wrong
//
// Deadlocks are tried again within the call. A broken connection is a *LostError, which says whether something may have
// been written. What a context ends before its commit leaves nothing.
//
// # Operation
//
// Migrations are embedded and applied by Open; they go forward only, and a schema that is newer than the program is
// refused: start the new programs after the old ones have stopped. Give it a file, or a schema, of its own: the names of the
// tables are plain ones, and of a file it sets SQLite's statistics. What was applied is in metalkeep_migrations.
//
// Back up a file by VACUUM INTO 'copy.db' or SQLite's .backup, while it works; a plain copy of panel.db lacks what is still in
// panel.db-wal. That journal is emptied when no reader needs it any more: long reads without a pause let it grow. The file is
// made as the process's umask says; it holds the names of customers. PostgreSQL is backed up as ever, by pg_dump or its
// archive. Its encoding must be UTF8; a process takes 16 connections at the most. Behind a PgBouncer that pools transactions
// add default_query_exec_mode=exec to the URL, and let the first Open of a new version go to PostgreSQL itself.
//
// Nothing is ever deleted. Prune what was delivered to everybody, and the deliveries follow their events:
//
//	DELETE FROM events WHERE at < $1 AND NOT EXISTS (
//		SELECT 1 FROM deliveries d WHERE d.event_id = events.id AND NOT d.delivered)
//
// A subscriber that was registered gets deliveries for ever, which wait if nobody works through them. When a program gives
// one up, or another name, retire the old one by its name:
//
//	DELETE FROM subscriptions WHERE subscriber = $1;
//	DELETE FROM subscribers WHERE name = $1;
//	DELETE FROM deliveries WHERE subscriber = $1 AND NOT delivered;
package sqlstore
