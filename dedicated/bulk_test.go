package dedicated_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// plainStore is a store without what is optional.
type plainStore struct{ dedicated.Store }

func TestServersByID(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"a BulkStore": false, "any other store": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, func(c *dedicated.Config) {
				if plain {
					c.Store = plainStore{c.Store}
				}
			})
			stock, rented := w.add(t), w.add(t)
			rented, err := w.Assign(t.Context(), w.reseller, rented.ID, dedicated.NewAssignment{ClientID: w.client.ID, Billing: monthly()})
			require.NoError(t, err)
			ids := []uuid.UUID{rented.ID, uuid.New(), uuid.Nil, stock.ID, rented.ID}
			other := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
			tests := []struct {
				name  string
				actor dedicated.Actor
				want  []uuid.UUID
				err   error
			}{
				{"the reseller", w.reseller, []uuid.UUID{stock.ID, rented.ID}, nil},
				{"the system", dedicated.Actor{Role: dedicated.System, ResellerID: w.reseller.ResellerID}, []uuid.UUID{stock.ID, rented.ID}, nil},
				{"the client", w.client, []uuid.UUID{rented.ID}, nil},
				{"another reseller", other, nil, nil},
				{"another client", dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: w.reseller.ResellerID}, nil, nil},
				{"another reseller's client", dedicated.Actor{Role: dedicated.Client, ID: w.client.ID, ResellerID: other.ResellerID}, nil, nil},
				{"nobody", dedicated.Actor{}, nil, dedicated.ErrNotFound},
				{"no reseller's", dedicated.Actor{Role: dedicated.System}, nil, dedicated.ErrNotFound},
			}
			for _, tt := range tests {
				found, err := w.ServersByID(t.Context(), tt.actor, ids)
				require.ErrorIs(t, err, tt.err, tt.name)
				var got []uuid.UUID
				for _, s := range found {
					got = append(got, s.ID)
					single, err := w.Server(t.Context(), tt.actor, s.ID)
					require.NoError(t, err, tt.name)
					assert.Equal(t, single, s, tt.name)
				}
				assert.ElementsMatch(t, tt.want, got, tt.name)
			}
		})
	}
}

// TestServersByIDFails: half an answer would be one that hides servers.
func TestServersByIDFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	w := setup(t, func(c *dedicated.Config) { c.Store = unreadable{plainStore{c.Store}, broken} })
	found, err := w.ServersByID(t.Context(), w.reseller, []uuid.UUID{uuid.New()})
	require.ErrorIs(t, err, broken)
	assert.Empty(t, found)
}

type unreadable struct {
	dedicated.Store
	err error
}

func (u unreadable) Server(context.Context, uuid.UUID) (dedicated.Server, error) {
	return dedicated.Server{}, u.err
}

// asked is an inventory that counts its questions and may fail at those for many servers.
type asked struct {
	dedicated.BulkInventory
	single, many int
	fail         func() error
}

func (a *asked) Server(ctx context.Context, actor dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	a.single++
	return a.BulkInventory.Server(ctx, actor, id)
}

func (a *asked) ServersByID(ctx context.Context, actor dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	a.many++
	if a.fail != nil {
		if err := a.fail(); err != nil {
			return nil, err
		}
	}
	return a.BulkInventory.ServersByID(ctx, actor, ids)
}

func TestReadAhead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fail   func() error
		single int // questions for the two servers that there are
	}{
		{"answers at once", nil, 0},
		{"asks again where the question failed", func() error { return errors.New("timeout") }, 2},
		{"asks again where the question panicked", func() error { panic("nil map") }, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			a, b, missing := w.add(t), w.add(t), uuid.New()
			system := dedicated.Actor{Role: dedicated.System, ResellerID: w.reseller.ResellerID}
			host := &asked{BulkInventory: w.Manager, fail: tt.fail}
			read := dedicated.ReadAhead(t.Context(), host, map[uuid.UUID][]uuid.UUID{system.ResellerID: {a.ID, b.ID, missing}})
			for _, want := range []dedicated.Server{a, b} {
				got, err := read.Server(t.Context(), system, want.ID)
				require.NoError(t, err)
				assert.Equal(t, want, got)
			}
			assert.Equal(t, 1, host.many)
			assert.Equal(t, tt.single, host.single)

			_, err := read.Server(t.Context(), system, missing)
			require.ErrorIs(t, err, dedicated.ErrNotFound)
			_, err = read.Server(t.Context(), dedicated.Actor{Role: dedicated.System, ResellerID: uuid.New()}, a.ID)
			require.ErrorIs(t, err, dedicated.ErrNotFound, "what was read for one reseller is not another's")
			assert.Equal(t, tt.single+2, host.single)
		})
	}
	t.Run("leaves an inventory that cannot as it is", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		plain := struct{ dedicated.Inventory }{w.Manager}
		assert.Equal(t, plain, dedicated.ReadAhead(t.Context(), plain, map[uuid.UUID][]uuid.UUID{w.reseller.ResellerID: {uuid.New()}}))
	})
	t.Run("heeds the context", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		s := w.add(t)
		system := dedicated.Actor{Role: dedicated.System, ResellerID: w.reseller.ResellerID}
		read := dedicated.ReadAhead(t.Context(), w.Manager, map[uuid.UUID][]uuid.UUID{system.ResellerID: {s.ID}})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := read.Server(ended, system, s.ID)
		require.ErrorIs(t, err, context.Canceled)
	})
}
