package sqlstore

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

type servers struct {
	db    *DB
	table *table[dedicated.Server]
}

var _ dedicated.BulkStore = servers{}

// Servers returns the store for dedicated.Config. It is a dedicated.BulkStore.
func (db *DB) Servers() dedicated.Store {
	return servers{db, table[dedicated.Server]{
		name: "servers", record: "server", keys: 1, fields: serverFields, rarelyChanged: []string{"reseller_id", "client_id", "name"},
	}.prepared()}
}

func serverFields(s *dedicated.Server) fields {
	return fields{
		{"id", &s.ID},
		{"version", &s.Version},
		{"reseller_id", &s.ResellerID},
		{"client_id", &s.ClientID},
		{"name", &s.Name},
		{"provider", &s.Owner.Provider},
		{"reference", &s.Owner.Reference},
		{"at_provider", computed{!s.Owner.Own()}},
		{"state", &s.State},
		{"billing_anchor", &s.Billing.Anchor},
		{"billing_unit", &s.Billing.Cycle.Unit},
		{"billing_count", &s.Billing.Cycle.Count},
		{"billing_zone", &s.Billing.Zone},
		{"currency", &s.Billing.Currency},
		{"places", &s.Billing.Places},
		{"billed_at", &s.BilledAt},
		{"assignment", &s.Assignment},
		{"assigned_at", &s.AssignedAt},
		{"locked_by", &s.LockedBy},
		{"search", computed{searchable(s.Name, s.ID)}},
	}
}

// searchable returns the text by which a server is found, in lower case.
func searchable(name string, id uuid.UUID) string { return strings.ToLower(name) + "\n" + id.String() }

// Server implements dedicated.Store.
func (s servers) Server(ctx context.Context, id uuid.UUID) (dedicated.Server, error) {
	return s.table.get(ctx, s.db, id)
}

// Servers implements dedicated.Store.
func (s servers) Servers(ctx context.Context, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
	found := query{dialect: s.db.dialect}
	found.where("reseller_id = %s", reseller)
	found.owner(q.Owner)
	matchAny(&found, "state", q.States)
	found.match("client_id", q.ClientID)
	found.contains("search", q.Text)
	byName := order[dedicated.Server]{"servers", "name", func(s *dedicated.Server) (any, uuid.UUID) { return s.Name, s.ID }}
	return s.table.list(ctx, s.db, found, byName, q.Limit, q.After)
}

// ServersByID implements dedicated.BulkStore.
func (s servers) ServersByID(ctx context.Context, ids []uuid.UUID) ([]dedicated.Server, error) {
	return s.table.byIDs(ctx, s.db, s.db.dialect.inList("id", "$1"), ids)
}

// Commit implements dedicated.Store.
func (s servers) Commit(ctx context.Context, changes ...dedicated.Change) error {
	var c commit
	for _, change := range changes {
		put(&c, s.table, change.Servers)
		c.events = append(c.events, change.Events...)
	}
	return s.db.commit(ctx, c)
}
