package sqlstore

import (
	"context"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Recorder keeps the queries that a database is asked.
type Recorder struct {
	mu      sync.Mutex
	queries []Query
}

// Query is one of them, as the driver got it. Of SQLite's the arguments are not known, nor do they matter to its plans.
type Query struct {
	Text string
	Args []any
}

// Taken returns the queries that were asked since the last call.
func (r *Recorder) Taken() []Query {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.queries
	r.queries = nil
	return taken
}

func (r *Recorder) add(q Query) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queries = append(r.queries, q)
}

// OpenRecorded opens a database that has its schema.
func OpenRecorded(dsn string) (*DB, *Recorder, error) {
	r := &Recorder{}
	if !strings.HasPrefix(dsn, "postgres") {
		db, err := connect(dsn)
		if err == nil {
			db.dialect = recordedSQLite{db.dialect.(liteSQL), r}
		}
		return db, r, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, nil, err
	}
	config.Tracer = tracer{r}
	pool := stdlib.OpenDB(*config)
	return &DB{dialect: postgres{}, write: pool, pool: pool}, r, nil
}

type recordedSQLite struct {
	liteSQL
	r *Recorder
}

func (d recordedSQLite) sql(statement string) string {
	text := d.liteSQL.sql(statement)
	d.r.add(Query{Text: text})
	return text
}

type tracer struct{ r *Recorder }

func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	t.r.add(Query{q.SQL, q.Args})
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
