// Package dedicatedtest tests implementations of dedicated.Store.
//
// A store with a subtle error loses data or assigns a server twice, and manual tests seldom find such errors. TestStore tests a store
// against each numbered line of the contract in the comment of dedicated.Store, with concurrent calls and failed commits. The smallest
// use is a test of your own store:
//
//	func TestServerStore(t *testing.T) {
//		dedicatedtest.TestStore(t, func(t *testing.T) (dedicated.Store, notify.Outbox) {
//			db := openEmptyDatabase(t)
//			return db.Servers(), db.Outbox()
//		})
//	}
//
// The name of a failed sub-test begins with the number of the line that the store breaks.
package dedicatedtest

import (
	"bytes"
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// TestStore tests a store against the contract in the comment of dedicated.Store. open returns a fresh, empty store and the outbox
// that receives the events of its Commit. TestStore calls open once for each sub-test. If the store implements dedicated.BulkStore,
// TestStore tests that too.
func TestStore(t *testing.T, open func(*testing.T) (dedicated.Store, notify.Outbox)) {
	storetest.Test(t, servers(open))
	t.Run("8 order: criteria", func(t *testing.T) { testCriteria(t, open) })
	t.Run("BulkStore: servers as Server returns them", func(t *testing.T) { testBulk(t, open) })
}

func servers(open func(*testing.T) (dedicated.Store, notify.Outbox)) storetest.Kind[dedicated.Server] {
	return storetest.Kind[dedicated.Server]{
		Open: func(t *testing.T) storetest.Store[dedicated.Server] { return adapt(open(t)) },
		Make: makeServer,
		Edit: func(s dedicated.Server) dedicated.Server {
			s.State, s.LockedBy, s.Owner = dedicated.CleanUp, uuid.New(), dedicated.Owner{}
			return s
		},
		Meta: func(s *dedicated.Server) storetest.Meta { return storetest.Meta{ID: &s.ID, Version: &s.Version} },
		Compare: func(a, b dedicated.Server) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), bytes.Compare(a.ID[:], b.ID[:]))
		},
	}
}

func adapt(store dedicated.Store, outbox notify.Outbox) storetest.Store[dedicated.Server] {
	return storetest.Store[dedicated.Server]{
		Get: store.Server,
		List: func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]dedicated.Server, string, error) {
			return store.Servers(ctx, reseller, dedicated.Query{Limit: limit, After: after})
		},
		Commit: storetest.AdaptCommit(store.Commit, func(servers []dedicated.Server, events []notify.Event) dedicated.Change {
			return dedicated.Change{Servers: servers, Events: events}
		}),
		Outbox: outbox,
	}
}

func makeServer(reseller uuid.UUID, n int) dedicated.Server {
	return dedicated.Server{
		ID: uuid.New(), ResellerID: reseller, ClientID: uuid.New(), Name: storetest.Name(n),
		Owner: dedicated.Owner{Provider: "Upstream & Söhne", Reference: "srv'42\""},
		State: dedicated.InUse,
		Billing: dedicated.Billing{
			Anchor: time.Date(2026, 1, 31, 23, 59, 59, 123456000, time.UTC),
			Cycle:  dedicated.Cycle{Unit: dedicated.Month, Count: 3}, Zone: "Europe/Berlin", Currency: "HUF", Places: -1,
		},
		BilledAt:   time.Date(2026, 5, 1, 0, 0, 0, 2000, time.UTC),
		Assignment: uuid.New(), AssignedAt: time.Date(2026, 2, 1, 0, 0, 0, 1000, time.UTC), LockedBy: uuid.New(),
	}
}

func serverID(s dedicated.Server) uuid.UUID { return s.ID }

func testCriteria(t *testing.T, open func(*testing.T) (dedicated.Store, notify.Outbox)) {
	store, _ := open(t)
	reseller, client := uuid.New(), uuid.New()
	a := dedicated.Server{ID: uuid.New(), ResellerID: reseller, Name: "Alpha", State: dedicated.InStock}
	b := dedicated.Server{ID: uuid.New(), ResellerID: reseller, Name: "beta", State: dedicated.InUse, ClientID: client}
	c := dedicated.Server{ID: uuid.New(), ResellerID: reseller, Name: "gamma 100%_", State: dedicated.Suspended, ClientID: client,
		Owner: dedicated.Owner{Provider: "alphabet", Reference: "beta"}}
	other := dedicated.Server{ID: uuid.New(), ResellerID: uuid.New(), Name: "Alpha", State: dedicated.InStock, ClientID: client}
	if err := store.Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{c, other, a, b}}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	type (
		query = dedicated.Query
		list  = []dedicated.Server
	)
	storetest.TestCriteria(t, serverID, func(s dedicated.Server) string { return s.Name },
		func(q query) (list, string, error) { return store.Servers(t.Context(), reseller, q) },
		[]storetest.Criteria[dedicated.Server, query]{
			{Name: "no criteria", Want: list{a, b, c}},
			{Name: "text in the name, in another case", Query: query{Text: "ALPHA"}, Want: list{a}},
			{Name: "text with wildcards of LIKE", Query: query{Text: "0%_"}, Want: list{c}},
			{Name: "text that matches only as a pattern", Query: query{Text: "b_ta"}},
			{Name: "text in the ID", Query: query{Text: strings.ToUpper(b.ID.String()[4:30])}, Want: list{b}},
			{Name: "states", Query: query{States: []dedicated.State{dedicated.Suspended, dedicated.InStock}}, Want: list{a, c}},
			{Name: "owned by the reseller", Query: query{Owner: "own"}, Want: list{a, b}},
			{Name: "owned by a provider", Query: query{Owner: "provider"}, Want: list{c}},
			{Name: "a client", Query: query{ClientID: client}, Want: list{b, c}},
			{Name: "all criteria", Query: query{
				ClientID: client, Owner: "own", Text: "et", States: []dedicated.State{dedicated.InUse},
			}, Want: list{b}},
			{Name: "no match", Query: query{Text: "nowhere"}},
		}...)
}

func testBulk(t *testing.T, open func(*testing.T) (dedicated.Store, notify.Outbox)) {
	store, _ := open(t)
	bulk, ok := store.(dedicated.BulkStore)
	if !ok {
		t.Skip("the store does not implement dedicated.BulkStore, which is optional")
	}
	a, b, other := makeServer(uuid.New(), 1), makeServer(uuid.New(), 2), makeServer(uuid.New(), 3)
	if err := store.Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{a, b, other}}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	for name, ids := range map[string][]uuid.UUID{"no IDs": nil, "several IDs": {b.ID, uuid.New(), a.ID, b.ID}} {
		t.Run(name, func(t *testing.T) {
			var want []uuid.UUID
			if ids != nil {
				want = []uuid.UUID{a.ID, b.ID}
			}
			storetest.TestBulk(t, serverID, store.Server,
				func(ctx context.Context) ([]dedicated.Server, error) { return bulk.ServersByID(ctx, ids) }, want...)
		})
	}
}
