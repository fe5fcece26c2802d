package sqlstore

import (
	"context"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Recorder records the queries that a database receives.
type Recorder struct {
	mu      sync.Mutex
	queries []Query
}

// Query is a recorded query, as the driver received it. Args is empty for SQLite, whose plans do not depend on the arguments.
type Query struct {
	Text string
	Args []any
}

// Take returns the queries since the last call.
func (r *Recorder) Take() []Query {
	r.mu.Lock()
	defer r.mu.Unlock()
	queries := r.queries
	r.queries = nil
	return queries
}

func (r *Recorder) add(q Query) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queries = append(r.queries, q)
}

// OpenRecorded opens a database that has the current schema.
func OpenRecorded(dsn string) (*DB, *Recorder, error) {
	r := &Recorder{}
	if !strings.HasPrefix(dsn, "postgres") {
		db, err := connect(dsn)
		if err == nil {
			db.dialect = recordingDialect{db.dialect.(sqliteDialect), r}
		}
		return db, r, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, nil, err
	}
	config.Tracer = tracer{r}
	pool := stdlib.OpenDB(*config)
	return &DB{dialect: postgresDialect{}, write: pool, pool: pool}, r, nil
}

type recordingDialect struct {
	sqliteDialect
	r *Recorder
}

func (d recordingDialect) sql(statement string) string {
	text := d.sqliteDialect.sql(statement)
	d.r.add(Query{Text: text})
	return text
}

type tracer struct{ r *Recorder }

func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	t.r.add(Query{q.SQL, q.Args})
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
