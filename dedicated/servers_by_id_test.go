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

// plainStore is a Store that is not a BulkStore.
type plainStore struct{ dedicated.Store }

func TestServersByID(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"a BulkStore": false, "any other store": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *dedicated.Config) {
				if plain {
					c.Store = plainStore{c.Store}
				}
			})
			stock, rented := f.add(t), f.add(t)
			rented, err := f.Assign(t.Context(), f.reseller, rented.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly()})
			require.NoError(t, err)
			ids := []uuid.UUID{rented.ID, uuid.New(), uuid.Nil, stock.ID, rented.ID}
			other := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
			tests := []struct {
				name  string
				actor dedicated.Actor
				want  []uuid.UUID
				err   error
			}{
				{"the reseller", f.reseller, []uuid.UUID{stock.ID, rented.ID}, nil},
				{"the system", dedicated.Actor{Role: dedicated.System, ResellerID: f.reseller.ResellerID}, []uuid.UUID{stock.ID, rented.ID}, nil},
				{"the client", f.client, []uuid.UUID{rented.ID}, nil},
				{"another reseller", other, nil, nil},
				{"another client", dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: f.reseller.ResellerID}, nil, nil},
				{"another reseller's client", dedicated.Actor{Role: dedicated.Client, ID: f.client.ID, ResellerID: other.ResellerID}, nil, nil},
				{"an actor without a role", dedicated.Actor{}, nil, dedicated.ErrNotFound},
				{"an actor without a reseller", dedicated.Actor{Role: dedicated.System}, nil, dedicated.ErrNotFound},
			}
			for _, tt := range tests {
				found, err := f.ServersByID(t.Context(), tt.actor, ids)
				require.ErrorIs(t, err, tt.err, tt.name)
				var got []uuid.UUID
				for _, s := range found {
					got = append(got, s.ID)
					single, err := f.Server(t.Context(), tt.actor, s.ID)
					require.NoError(t, err, tt.name)
					assert.Equal(t, single, s, tt.name)
				}
				assert.ElementsMatch(t, tt.want, got, tt.name)
			}
		})
	}
}

// TestServersByIDFails: if one server cannot be read, ServersByID returns no server.
func TestServersByIDFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("the disk is full")
	f := newFixture(t, func(c *dedicated.Config) { c.Store = failingReads{plainStore{c.Store}, failure} })
	found, err := f.ServersByID(t.Context(), f.reseller, []uuid.UUID{uuid.New()})
	require.ErrorIs(t, err, dedicated.ErrHost)
	require.ErrorIs(t, err, failure)
	assert.NotContains(t, err.Error(), "disk")
	assert.Empty(t, found)
}

// failingReads fails at each read of a server.
type failingReads struct {
	dedicated.Store
	err error
}

func (u failingReads) Server(context.Context, uuid.UUID) (dedicated.Server, error) {
	return dedicated.Server{}, u.err
}
