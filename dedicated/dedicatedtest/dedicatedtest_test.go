package dedicatedtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
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

// altered is a store with one method replaced; the others are the good store's.
type altered struct {
	dedicated.Store
	server  func(context.Context, dedicated.Store, uuid.UUID) (dedicated.Server, error)
	servers func(context.Context, dedicated.Store, uuid.UUID, dedicated.Query) ([]dedicated.Server, string, error)
	commit  func(context.Context, dedicated.Store, ...dedicated.Change) error
}

func (a altered) Server(ctx context.Context, id uuid.UUID) (dedicated.Server, error) {
	if a.server != nil {
		return a.server(ctx, a.Store, id)
	}
	return a.Store.Server(ctx, id)
}

func (a altered) Servers(ctx context.Context, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
	if a.servers != nil {
		return a.servers(ctx, a.Store, reseller, q)
	}
	return a.Store.Servers(ctx, reseller, q)
}

func (a altered) Commit(ctx context.Context, changes ...dedicated.Change) error {
	if a.commit != nil {
		return a.commit(ctx, a.Store, changes...)
	}
	return a.Store.Commit(ctx, changes...)
}

// current gives every server of the changes the version that is stored, as a store does that checks none.
func current(ctx context.Context, s dedicated.Store, changes []dedicated.Change) []dedicated.Change {
	var all []dedicated.Change
	for _, c := range changes {
		own := dedicated.Change{Events: c.Events}
		for _, server := range c.Servers {
			stored, err := s.Server(ctx, server.ID)
			server.Version = stored.Version
			if err != nil {
				server.Version = 0
			}
			own.Servers = append(own.Servers, server)
		}
		all = append(all, own)
	}
	return all
}

// mangled applies change to every server that Server returns.
func mangled(change func(*dedicated.Server)) func(context.Context, dedicated.Store, uuid.UUID) (dedicated.Server, error) {
	return func(ctx context.Context, s dedicated.Store, id uuid.UUID) (dedicated.Server, error) {
		server, err := s.Server(ctx, id)
		change(&server)
		return server, err
	}
}

// bulk is a store that reads many servers in a way of its own.
type bulk struct {
	dedicated.BulkStore
	servers func(context.Context, dedicated.BulkStore, []uuid.UUID) ([]dedicated.Server, error)
}

func (b bulk) ServersByID(ctx context.Context, ids []uuid.UUID) ([]dedicated.Server, error) {
	return b.servers(ctx, b.BulkStore, ids)
}

func bulky(
	name string, servers func(context.Context, dedicated.BulkStore, []uuid.UUID) ([]dedicated.Server, error),
) storetest.Broken {
	return storetest.Broken{Name: name, Line: "BulkStore", Run: func(t *testing.T) {
		dedicatedtest.TestStore(t, func(t *testing.T) (dedicated.Store, notify.Outbox) {
			good, outbox := open(t)
			return bulk{good.(dedicated.BulkStore), servers}, outbox
		})
	}}
}

func TestSuiteFindsBrokenStores(t *testing.T) {
	t.Parallel()
	aliased := storetest.Broken{Name: "keeps the data of events", Line: "5 ownership: keeps", Run: func(t *testing.T) {
		dedicatedtest.TestStore(t, func(t *testing.T) (dedicated.Store, notify.Outbox) {
			good, outbox := open(t)
			kept := &aliases{Outbox: outbox}
			return altered{Store: good, commit: kept.commit}, kept
		})
	}}
	broken := func(name, line string, a altered) storetest.Broken {
		return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
			dedicatedtest.TestStore(t, func(t *testing.T) (dedicated.Store, notify.Outbox) {
				good, outbox := open(t)
				a.Store = good
				return a, outbox
			})
		}}
	}
	var racy sync.Mutex
	storetest.Fails(t,
		aliased,
		bulky("asked for many, returns who was asked for twice twice",
			func(ctx context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				var all []dedicated.Server
				for _, id := range ids {
					if server, err := s.Server(ctx, id); err == nil {
						all = append(all, server)
					}
				}
				return all, ctx.Err()
			}),
		bulky("asked for many, fails for one that there is not",
			func(ctx context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				all, err := s.ServersByID(ctx, ids)
				if len(all) < len(ids) {
					err = errors.Join(err, dedicated.ErrNotFound)
				}
				return all, err
			}),
		bulky("asked for many, forgets the time",
			func(ctx context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				all, err := s.ServersByID(ctx, ids)
				for i := range all {
					all[i].BilledAt = time.Time{}
				}
				return all, err
			}),
		bulky("asked for many, heeds no context",
			func(_ context.Context, s dedicated.BulkStore, ids []uuid.UUID) ([]dedicated.Server, error) {
				return s.ServersByID(context.Background(), ids)
			}),
		broken("checks versions before it writes", "1 concurrency", altered{
			commit: func(ctx context.Context, s dedicated.Store, changes ...dedicated.Change) error {
				for _, c := range changes {
					for _, server := range c.Servers {
						stored, err := s.Server(ctx, server.ID)
						if err == nil && stored.Version != server.Version {
							return dedicated.ErrConflict
						}
					}
				}
				time.Sleep(time.Microsecond)
				racy.Lock()
				defer racy.Unlock()
				return s.Commit(ctx, current(ctx, s, changes)...)
			},
		}),
		broken("has an error of its own for what is missing", "2 missing", altered{
			server: func(ctx context.Context, s dedicated.Store, id uuid.UUID) (dedicated.Server, error) {
				server, err := s.Server(ctx, id)
				if err != nil {
					err = errors.New("no rows")
				}
				return server, err
			},
		}),
		broken("overwrites what is created twice", "3 duplicate create", altered{
			commit: func(ctx context.Context, s dedicated.Store, changes ...dedicated.Change) error {
				return s.Commit(ctx, current(ctx, s, changes)...)
			},
		}),
		broken("checks no versions", "4 atomicity: a stale version", altered{
			commit: func(ctx context.Context, s dedicated.Store, changes ...dedicated.Change) error {
				return s.Commit(ctx, current(ctx, s, changes)...)
			},
		}),
		broken("returns the version before", "4 atomicity: the stored version", altered{
			server: mangled(func(s *dedicated.Server) { s.Version-- }),
		}),
		broken("commits change by change", "4 atomicity: all records", altered{
			commit: func(ctx context.Context, s dedicated.Store, changes ...dedicated.Change) error {
				var all error
				for _, c := range changes {
					all = errors.Join(all, s.Commit(ctx, c))
				}
				return all
			},
		}),
		broken("drops events", "4 atomicity: events arrive", altered{
			commit: func(ctx context.Context, s dedicated.Store, changes ...dedicated.Change) error {
				for i := range changes {
					changes[i].Events = nil
				}
				return s.Commit(ctx, changes...)
			},
		}),
		broken("applies changes backwards", "4 atomicity: changes of a call", altered{
			commit: func(ctx context.Context, s dedicated.Store, changes ...dedicated.Change) error {
				var backwards []dedicated.Change
				for i := range changes {
					backwards = append(backwards, changes[len(changes)-1-i])
				}
				return s.Commit(ctx, backwards...)
			},
		}),
		broken("returns local times", "6 time", altered{
			server: mangled(func(s *dedicated.Server) { s.AssignedAt = s.AssignedAt.In(time.FixedZone("", 3600)) }),
		}),
		broken("cuts times to seconds", "6 time", altered{
			server: mangled(func(s *dedicated.Server) { s.Billing.Anchor = s.Billing.Anchor.Truncate(time.Second) }),
		}),
		broken("takes the zero time for 1970", "6 time", altered{
			server: mangled(func(s *dedicated.Server) {
				if s.AssignedAt.IsZero() {
					s.AssignedAt = time.Unix(0, 0).UTC()
				}
			}),
		}),
		broken("knows no pages", "8 order: sorted", altered{
			servers: func(ctx context.Context, s dedicated.Store, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
				limit := q.Limit
				q.Limit = 0
				items, _, err := s.Servers(ctx, reseller, q)
				if limit > 0 && len(items) > limit {
					items = items[:limit]
				}
				return items, "", err
			},
		}),
		broken("starts anew at a cursor it does not know", "8 order: what is no cursor", altered{
			servers: func(ctx context.Context, s dedicated.Store, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
				items, next, err := s.Servers(ctx, reseller, q)
				if errors.Is(err, dedicated.ErrInvalid) {
					q.After = ""
					return s.Servers(ctx, reseller, q)
				}
				return items, next, err
			},
		}),
		broken("lists what it has just listed", "8 order: a cursor stands", altered{servers: offsets}),
		broken("shows everybody's servers", "8 order: one reseller", altered{servers: everybody()}),
		broken("knows no criteria", "8 order: criteria", altered{
			servers: func(ctx context.Context, s dedicated.Store, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
				return s.Servers(ctx, reseller, dedicated.Query{Limit: q.Limit, After: q.After})
			},
		}),
		broken("takes an owner it does not know for any", "8 order: an unknown owner", altered{
			servers: func(ctx context.Context, s dedicated.Store, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
				if q.Owner != "own" && q.Owner != "provider" {
					q.Owner = ""
				}
				return s.Servers(ctx, reseller, q)
			},
		}),
		broken("heeds no context", "9 context", altered{
			commit: func(_ context.Context, s dedicated.Store, changes ...dedicated.Change) error {
				return s.Commit(context.Background(), changes...)
			},
		}),
	)
}

// offsets is a list whose cursor counts, so that what is added before it makes records come twice.
func offsets(ctx context.Context, s dedicated.Store, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
	all, _, err := s.Servers(ctx, reseller, dedicated.Query{Limit: 1000})
	from := min(len(q.After), len(all))
	to := min(from+max(q.Limit, 1), len(all))
	next := ""
	if to < len(all) {
		next = string(make([]byte, to))
	}
	return all[from:to], next, err
}

// everybody lists the servers of the resellers it was asked for before as well.
func everybody() func(context.Context, dedicated.Store, uuid.UUID, dedicated.Query) ([]dedicated.Server, string, error) {
	return func(ctx context.Context, s dedicated.Store, reseller uuid.UUID, q dedicated.Query) ([]dedicated.Server, string, error) {
		items, next, err := s.Servers(ctx, reseller, q)
		if reseller == uuid.Nil {
			items = append(items, dedicated.Server{ID: uuid.New()})
		}
		return items, next, err
	}
}

// aliases is an outbox that hands out the very data that its store was given.
type aliases struct {
	notify.Outbox
	data sync.Map
}

func (a *aliases) commit(ctx context.Context, s dedicated.Store, changes ...dedicated.Change) error {
	for _, c := range changes {
		for _, e := range c.Events {
			a.data.Store(e.ID, e.Data)
		}
	}
	return s.Commit(ctx, changes...)
}

func (a *aliases) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	items, next, err := a.Outbox.Deliveries(ctx, q)
	for i := range items {
		if data, ok := a.data.Load(items[i].Event.ID); ok {
			items[i].Event.Data = data.(json.RawMessage)
		}
	}
	return items, next, err
}
