// Package sqlstore keeps everything of metalkeep in an SQL database: SQLite for one machine, one file and nothing to
// install; PostgreSQL for any number of processes on any number of machines.
//
//	db, err := sqlstore.Open(ctx, "sqlite:panel.db") // or "postgres://panel@db.example.com/panel"
//	…
//	servers, err := dedicated.New(dedicated.Config{Store: db.Servers()})
//	dispatcher, err := notify.New(notify.Config{Outbox: db.Outbox()}, subscribers...)
//
// It is an example: use it as it is, or as a pattern for a store of your own. Every store passes the suite of its package,
// on both databases.
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
// subject's events the first that waits is found when deliveries are claimed, not kept beside them: there is nothing that
// could get out of step.
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
// refused. Nothing is ever deleted: prune delivered events with DELETE FROM events WHERE …, and their deliveries follow.
package sqlstore
