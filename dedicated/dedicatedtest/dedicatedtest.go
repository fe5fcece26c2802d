// Package dedicatedtest is the conformance suite for implementations of dedicated.Store.
package dedicatedtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// TestStore tests an implementation against the contract in dedicated.Store's comment. open returns a fresh, empty store
// and the outbox in which the events of its Commit arrive; it is called once for each sub-test, and each sub-test is
// named after the numbered line of the contract that it holds. A store that is no dedicated.BulkStore skips what is owed by
// one.
//
//	func TestStore(t *testing.T) {
//		dedicatedtest.TestStore(t, func(t *testing.T) (dedicated.Store, notify.Outbox) {
//			outbox := &notify.MemoryOutbox{}
//			return &dedicated.MemoryStore{Outbox: outbox}, outbox
//		})
//	}
func TestStore(t *testing.T, open func(*testing.T) (dedicated.Store, notify.Outbox)) {
	storetest.Test(t, servers(open))
	t.Run("8 order: criteria", func(t *testing.T) { testCriteria(t, open) })
	t.Run("8 order: an unknown owner is ErrInvalid", func(t *testing.T) { testOwner(t, open) })
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
		Commit: func(ctx context.Context, changes ...storetest.Change[dedicated.Server]) error {
			var own []dedicated.Change
			for _, c := range changes {
				own = append(own, dedicated.Change{Servers: c.Records, Events: c.Events})
			}
			return store.Commit(ctx, own...)
		},
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
			Cycle:  dedicated.Cycle{Unit: dedicated.Month, Count: 3}, Zone: "Europe/Berlin", Currency: "EUR", Places: 2,
		},
		BilledAt:   time.Date(2026, 5, 1, 0, 0, 0, 2000, time.UTC),
		Assignment: uuid.New(), AssignedAt: time.Date(2026, 2, 1, 0, 0, 0, 1000, time.UTC), LockedBy: uuid.New(),
	}
}

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
	tests := []struct {
		name string
		q    dedicated.Query
		want []dedicated.Server
	}{
		{"everything", dedicated.Query{}, []dedicated.Server{a, b, c}},
		{"text in the name, whatever the case", dedicated.Query{Text: "ALPHA"}, []dedicated.Server{a}},
		{"text is no pattern", dedicated.Query{Text: "0%_"}, []dedicated.Server{c}},
		{"text that is a pattern elsewhere", dedicated.Query{Text: "b_ta"}, nil},
		{"text in the ID", dedicated.Query{Text: strings.ToUpper(b.ID.String()[4:30])}, []dedicated.Server{b}},
		{"states", dedicated.Query{States: []dedicated.State{dedicated.Suspended, dedicated.InStock}}, []dedicated.Server{a, c}},
		{"own", dedicated.Query{Owner: "own"}, []dedicated.Server{a, b}},
		{"a provider's", dedicated.Query{Owner: "provider"}, []dedicated.Server{c}},
		{"a client's", dedicated.Query{ClientID: client}, []dedicated.Server{b, c}},
		{"all at once", dedicated.Query{ClientID: client, Owner: "own", Text: "et", States: []dedicated.State{dedicated.InUse}}, []dedicated.Server{b}},
		{"nothing", dedicated.Query{Text: "nowhere"}, nil},
	}
	for _, tt := range tests {
		got, next, err := store.Servers(t.Context(), reseller, tt.q)
		if err != nil || next != "" {
			t.Errorf("%s: cursor %q, %v", tt.name, next, err)
		}
		if !sameServers(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, names(got), names(tt.want))
		}
	}
}

func sameServers(got, want []dedicated.Server) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		if got[i].ID != want[i].ID {
			return false
		}
	}
	return true
}

func names(servers []dedicated.Server) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Name)
	}
	return all
}

func testOwner(t *testing.T, open func(*testing.T) (dedicated.Store, notify.Outbox)) {
	store, _ := open(t)
	if _, _, err := store.Servers(t.Context(), uuid.New(), dedicated.Query{Owner: "mine"}); !errors.Is(err, dedicated.ErrInvalid) {
		t.Errorf("the owner %q gave %v, want ErrInvalid", "mine", err)
	}
}

func testBulk(t *testing.T, open func(*testing.T) (dedicated.Store, notify.Outbox)) {
	store, _ := open(t)
	bulk, ok := store.(dedicated.BulkStore)
	if !ok {
		t.Skip("the store is no dedicated.BulkStore, nor need it be")
	}
	a, b, unasked := makeServer(uuid.New(), 1), makeServer(uuid.New(), 2), makeServer(uuid.New(), 3)
	if err := store.Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{a, b, unasked}}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	for name, ids := range map[string][]uuid.UUID{"nothing": nil, "servers": {b.ID, uuid.New(), a.ID, b.ID}} {
		t.Run(name, func(t *testing.T) {
			var want []uuid.UUID
			if ids != nil {
				want = []uuid.UUID{a.ID, b.ID}
			}
			storetest.TestBulk(t, func(s dedicated.Server) uuid.UUID { return s.ID }, store.Server,
				func(ctx context.Context) ([]dedicated.Server, error) { return bulk.ServersByID(ctx, ids) }, want...)
		})
	}
}
