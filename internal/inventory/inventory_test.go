package inventory_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/inventory"
)

// fixture is a reseller with servers.
type fixture struct {
	servers  *dedicated.Manager
	reseller dedicated.Actor
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}})
	require.NoError(t, err)
	return fixture{servers, dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}}
}

func (f fixture) add(t *testing.T) dedicated.Server {
	t.Helper()
	s, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "web-07"})
	require.NoError(t, err)
	return s
}

// inventoryFunc is a function as an inventory.
type inventoryFunc func(dedicated.Actor, uuid.UUID) (dedicated.Server, error)

func (f inventoryFunc) Server(_ context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	return f(a, id)
}

func TestServer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.add(t)
	answer := func(s dedicated.Server, err error) inventoryFunc {
		return func(dedicated.Actor, uuid.UUID) (dedicated.Server, error) { return s, err }
	}
	tests := []struct {
		name  string
		from  dedicated.Inventory
		id    uuid.UUID
		found bool
		err   error
	}{
		{"a server", f.servers, s.ID, true, nil},
		{"the nil ID", f.servers, uuid.Nil, false, nil},
		{"an unknown server", f.servers, uuid.New(), false, nil},
		{"a server of another reseller", answer(dedicated.Server{ID: s.ID, ResellerID: uuid.New()}, nil), s.ID, false, nil},
		{"another server", answer(s, nil), uuid.New(), false, dedicated.ErrHost},
		{"a conflict", answer(dedicated.Server{}, dedicated.ErrConflict), s.ID, false, dedicated.ErrHost},
		{"an error", answer(dedicated.Server{}, errors.New("secret")), s.ID, false, dedicated.ErrHost},
		{"a panic", inventoryFunc(func(dedicated.Actor, uuid.UUID) (dedicated.Server, error) { panic("secret") }), s.ID, false, dedicated.ErrHost},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, found, err := inventory.Server(t.Context(), tt.from, f.reseller.ResellerID, tt.id)
			require.ErrorIs(t, err, tt.err)
			assert.NotErrorIs(t, err, dedicated.ErrConflict)
			assert.Equal(t, tt.found, found)
			if found {
				assert.Equal(t, s, got)
			}
		})
	}
}

// counting is an inventory that counts its questions. Those for many servers may fail.
type counting struct {
	dedicated.BulkInventory
	single, many atomic.Int64
	fail         func() error
}

func (a *counting) Server(ctx context.Context, actor dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	a.single.Add(1)
	return a.BulkInventory.Server(ctx, actor, id)
}

func (a *counting) ServersByID(ctx context.Context, actor dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	a.many.Add(1)
	if a.fail != nil {
		if err := a.fail(); err != nil {
			return nil, err
		}
	}
	return a.BulkInventory.ServersByID(ctx, actor, ids)
}

func TestPrefetch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fail   func() error
		single int64 // questions for the two servers that exist, and one that does not
	}{
		{"answers at once", nil, 1},
		{"asks again after a question that failed", func() error { return errors.New("timeout") }, 3},
		{"asks again after a question that panicked", func() error { panic("nil map") }, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			a, b, missing := f.add(t), f.add(t), uuid.New()
			system := dedicated.Actor{Role: dedicated.System, ResellerID: f.reseller.ResellerID}
			host := &counting{BulkInventory: f.servers, fail: tt.fail}
			read := inventory.Prefetch(t.Context(), host, map[uuid.UUID][]uuid.UUID{system.ResellerID: {a.ID, b.ID, missing}})
			for _, want := range []dedicated.Server{a, b} {
				got, err := read.Server(t.Context(), system, want.ID)
				require.NoError(t, err)
				assert.Equal(t, want, got)
			}
			assert.EqualValues(t, 1, host.many.Load())
			assert.Equal(t, tt.single, host.single.Load())

			_, err := read.Server(t.Context(), system, missing)
			require.ErrorIs(t, err, dedicated.ErrNotFound)
			_, err = read.Server(t.Context(), dedicated.Actor{Role: dedicated.System, ResellerID: uuid.New()}, a.ID)
			require.ErrorIs(t, err, dedicated.ErrNotFound, "servers that were read for one reseller are not another's")
			assert.Equal(t, tt.single+1, host.single.Load(), "of another reseller")
		})
	}
	t.Run("an inventory that is not a BulkInventory is asked for several servers at once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			reseller := uuid.New()
			slow := inventoryFunc(func(_ dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
				time.Sleep(time.Second)
				return dedicated.Server{ID: id, ResellerID: reseller, State: dedicated.InUse}, nil
			})
			var ids []uuid.UUID
			for range 150 {
				ids = append(ids, uuid.New())
			}
			start := time.Now()
			read := inventory.Prefetch(t.Context(), slow, map[uuid.UUID][]uuid.UUID{reseller: ids})
			for _, id := range ids {
				s, found, err := inventory.Server(t.Context(), read, reseller, id)
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, id, s.ID)
			}
			assert.Equal(t, 2*time.Second, time.Since(start), "100 at once")
		})
	})
	t.Run("an ended context", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		s := f.add(t)
		system := dedicated.Actor{Role: dedicated.System, ResellerID: f.reseller.ResellerID}
		read := inventory.Prefetch(t.Context(), f.servers, map[uuid.UUID][]uuid.UUID{system.ResellerID: {s.ID}})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := read.Server(ended, system, s.ID)
		require.ErrorIs(t, err, context.Canceled)
	})
}
