package dedicatedtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/dedicated/dedicatedtest"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func open(*testing.T) (dedicated.Store, notify.Outbox) {
	outbox := &notify.MemoryOutbox{}
	return &dedicated.MemoryStore{Outbox: outbox}, outbox
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	dedicatedtest.TestStore(t, open)
}

type methods = storetest.Methods[dedicated.Server, dedicated.Query, dedicated.Change, struct{}]

// brokenStore has the methods of Store, but for the ones in methods.
type brokenStore struct {
	dedicated.Store
	methods methods
}

func (s brokenStore) Server(ctx context.Context, id uuid.UUID) (dedicated.Server, error) {
	return s.methods.Get(ctx, id)
}

func (s brokenStore) Servers(ctx context.Context, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
	return s.methods.List(ctx, reseller, q)
}

func (s brokenStore) Commit(ctx context.Context, changes ...dedicated.Change) error {
	return s.methods.Commit(ctx, changes...)
}

func suite() storetest.Suite[dedicated.Store] {
	return storetest.Suite[dedicated.Store]{Test: dedicatedtest.TestStore, Open: open}
}

func TestBrokenStores(t *testing.T) {
	t.Parallel()
	servers := storetest.Breaks[dedicated.Store, dedicated.Server, dedicated.Query, dedicated.Change, struct{}]{
		Suite: suite(),
		Fields: storetest.Fields[dedicated.Server, dedicated.Query, dedicated.Change, struct{}]{
			Meta:    func(s *dedicated.Server) storetest.Meta { return storetest.Meta{ID: &s.ID, Version: &s.Version} },
			Page:    func(q *dedicated.Query) (limit *int, after *string) { return &q.Limit, &q.After },
			Records: func(c *dedicated.Change) *[]dedicated.Server { return &c.Servers },
			Events:  func(c *dedicated.Change) *[]notify.Event { return &c.Events },
		},
		Methods: func(s dedicated.Store) methods { return methods{Get: s.Server, List: s.Servers, Commit: s.Commit} },
		Replace: func(s dedicated.Store, m methods) dedicated.Store { return brokenStore{s, m} },
	}
	storetest.Fails(t, append(servers.All(),
		servers.BreakRecords("6 time", "returns local times", func(s *dedicated.Server) {
			s.AssignedAt = s.AssignedAt.In(time.FixedZone("", 3600))
		}),
		servers.BreakRecords("6 time", "truncates times to seconds", func(s *dedicated.Server) {
			s.Billing.Anchor = s.Billing.Anchor.Truncate(time.Second)
		}),
		servers.BreakRecords("6 time", "returns 1970 for a zero time", func(s *dedicated.Server) {
			if s.AssignedAt.IsZero() {
				s.AssignedAt = time.Unix(0, 0).UTC()
			}
		}),
		servers.BreakQueries("8 order: criteria", "ignores all criteria", func(q *dedicated.Query) {
			*q = dedicated.Query{Limit: q.Limit, After: q.After}
		}),
	)...)
}

// bulkStore has another ServersByID.
type bulkStore struct {
	dedicated.BulkStore
	serversByID func(context.Context, dedicated.BulkStore, []uuid.UUID) ([]dedicated.Server, error)
}

func (s bulkStore) ServersByID(ctx context.Context, ids []uuid.UUID) ([]dedicated.Server, error) {
	return s.serversByID(ctx, s.BulkStore, ids)
}

func TestBrokenBulkStores(t *testing.T) {
	t.Parallel()
	breaks := func(name string, f func(context.Context, dedicated.BulkStore, []uuid.UUID) ([]dedicated.Server, error)) storetest.Broken {
		return suite().Break("BulkStore", name, func(s dedicated.Store) dedicated.Store { return bulkStore{s.(dedicated.BulkStore), f} })
	}
	storetest.Fails(t,
		breaks("returns a server twice if its ID comes twice",
			func(ctx context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				all, err := s.ServersByID(ctx, ids)
				for i, id := range ids {
					if slices.Contains(ids[:i], id) {
						server, _ := s.Server(ctx, id)
						all = append(all, server)
					}
				}
				return all, err
			}),
		breaks("fails for an unknown ID",
			func(ctx context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				all, err := s.ServersByID(ctx, ids)
				if len(all) < len(ids) {
					err = errors.Join(err, dedicated.ErrNotFound)
				}
				return all, err
			}),
		breaks("forgets a time",
			func(ctx context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				all, err := s.ServersByID(ctx, ids)
				for i := range all {
					all[i].BilledAt = time.Time{}
				}
				return all, err
			}),
		breaks("ignores the context",
			func(ctx context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				return s.ServersByID(context.WithoutCancel(ctx), ids)
			}),
	)
}
