package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
)

type backups struct {
	db       *DB
	requests *table[backup.Request]
	tasks    *table[backup.Task]
}

var _ backup.BulkStore = backups{}

// Backups returns the store for backup.Config. It is a backup.BulkStore.
func (db *DB) Backups() backup.Store {
	return backups{
		db: db,
		requests: table[backup.Request]{
			name: "backup_requests", record: "backup request", keys: 1, fields: requestFields,
			due:           func(r *backup.Request) (uuid.UUID, time.Time) { return r.ID, r.Due },
			rarelyChanged: []string{"reseller_id", "client_id", "server_id", "server_name"},
		}.prepared(),
		tasks: table[backup.Task]{
			name: "backup_tasks", record: "backup task", keys: 1, fields: taskFields,
			rarelyChanged: []string{"request_id", "reseller_id", "client_id", "server_id", "at", "state", "attempt"},
		}.prepared(),
	}
}

func requestFields(r *backup.Request) fields {
	return fields{
		{"id", &r.ID},
		{"version", &r.Version},
		{"reseller_id", &r.ResellerID},
		{"client_id", &r.ClientID},
		{"server_id", &r.ServerID},
		{"assignment", &r.Assignment},
		{"form", document{&r.Form}},
		{"server_name", &r.ServerName},
		{"at_provider", &r.AtProvider},
		{"planned", &r.Planned},
		{"recorded", &r.Recorded},
		{"skipped", &r.Skipped},
		{"revisions", &r.Revisions},
		{"ended", &r.Ended},
		{"ending", &r.Ending},
		{"end_reason", &r.EndReason},
		{"due", &r.Due},
		{"lease_until", &r.LeaseUntil},
		{"failures", &r.Failures},
		{"epoch", &r.Epoch},
	}
}

// taskFields leaves out the derived fields, WillNotRun and Overdue.
func taskFields(t *backup.Task) fields {
	return fields{
		{"id", &t.ID},
		{"version", &t.Version},
		{"request_id", &t.RequestID},
		{"reseller_id", &t.ResellerID},
		{"client_id", &t.ClientID},
		{"server_id", &t.ServerID},
		{"assignment", &t.Assignment},
		{"server_name", &t.ServerName},
		{"what", &t.What},
		{"at", &t.At},
		{"state", &t.State},
		{"missed", &t.Missed},
		{"attempt", &t.Attempt},
		{"at_provider", &t.AtProvider},
		{"result", document{&t.Result}},
		{"reason", &t.Reason},
		{"performer_failed", &t.PerformerFailed},
		{"remind_at", &t.RemindAt},
		{"tries", &t.Tries},
		{"try_at", &t.TryAt},
		{"search", computed{searchable(t.ServerName, t.ServerID)}},
	}
}

// Request implements backup.Store.
func (b backups) Request(ctx context.Context, id uuid.UUID) (backup.Request, error) {
	return b.requests.get(ctx, b.db, id)
}

// Requests implements backup.Store.
func (b backups) Requests(ctx context.Context, reseller uuid.UUID, q backup.RequestQuery) ([]backup.Request, string, error) {
	found := query{dialect: b.db.dialect}
	found.where("reseller_id = %s", reseller)
	found.match("client_id", q.ClientID)
	found.match("server_id", q.ServerID)
	if q.Live {
		found.where("ended = %s", time.Time{})
	}
	if q.Unconfirmed {
		found.where("(ended = %s OR due <> %s)", time.Time{}, time.Time{})
		found.where("epoch <> %s", q.Epoch)
	}
	byName := order[backup.Request]{
		"backup requests", "server_name", func(r *backup.Request) (any, uuid.UUID) { return r.ServerName, r.ID },
	}
	return b.requests.list(ctx, b.db, found, byName, q.Limit, q.After)
}

// Task implements backup.Store.
func (b backups) Task(ctx context.Context, id uuid.UUID) (backup.Task, error) {
	return b.tasks.get(ctx, b.db, id)
}

// Tasks implements backup.Store. A task of one request that cannot be read is an error: the Manager decides by the tasks of a request.
func (b backups) Tasks(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) ([]backup.Task, string, error) {
	byDate := order[backup.Task]{"backup tasks", "at", func(t *backup.Task) (any, uuid.UUID) { return t.At, t.ID }}
	list := b.tasks.list
	if q.RequestID != uuid.Nil {
		list = b.tasks.readableList
	}
	return list(ctx, b.db, b.searchTasks(reseller, q), byDate, q.Limit, q.After)
}

// Counts implements backup.Store.
func (b backups) Counts(ctx context.Context, reseller uuid.UUID, q backup.TaskQuery) (map[backup.State]int, error) {
	return count[backup.State](ctx, b.db, b.tasks.name, "state", b.searchTasks(reseller, q))
}

func (b backups) searchTasks(reseller uuid.UUID, q backup.TaskQuery) query {
	found := query{dialect: b.db.dialect}
	found.where("reseller_id = %s", reseller)
	found.between("at", q.From, q.To)
	matchAny(&found, "state", q.States)
	found.match("client_id", q.ClientID)
	found.match("server_id", q.ServerID)
	found.match("request_id", q.RequestID)
	found.contains("search", q.Text)
	found.owner(q.Owner)
	return found
}

// OpenTasks implements backup.BulkStore. A task that cannot be read is an error.
func (b backups) OpenTasks(ctx context.Context, requests, ids []uuid.UUID) ([]backup.Task, error) {
	in := b.db.dialect.inList
	return b.tasks.readableByIDs(ctx, b.db, in("request_id", "$1")+" AND state = 'pending' OR "+in("id", "$2"), requests, ids)
}

// ClaimDue implements backup.Store.
func (b backups) ClaimDue(ctx context.Context, now, until time.Time, limit int) (due backup.Due, err error) {
	if err := checkClaim(limit); err != nil {
		return due, err
	}
	err = b.db.transact(ctx, func(t *tx) error {
		claimed, err := b.requests.claim(ctx, t, now, until, limit)
		due = backup.Due{Requests: claimed.records, Unreadable: claimed.unreadable, Next: claimed.next}
		return err
	})
	b.db.logUnreadable(ctx, due.Unreadable)
	return due, err
}

// Commit implements backup.Store.
func (b backups) Commit(ctx context.Context, changes ...backup.Change) error {
	var c commit
	for _, change := range changes {
		put(&c, b.requests, change.Requests)
		put(&c, b.tasks, change.Tasks)
		c.events = append(c.events, change.Events...)
	}
	return b.db.commit(ctx, c)
}
