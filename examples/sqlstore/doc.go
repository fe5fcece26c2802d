// Package sqlstore keeps everything of metalkeep in an SQL database: SQLite for one machine, one file and nothing to
// install; PostgreSQL for any number of processes on any number of machines.
//
//	db, err := sqlstore.Open(ctx, "sqlite:panel.db") // or "postgres://panel@db.example.com/panel"
//	servers := dedicated.New(dedicated.Config{Store: db.Servers()})
//	dispatcher := notify.New(notify.Config{Outbox: db.Outbox()}, subscribers...)
package sqlstore
