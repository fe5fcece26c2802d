package dedicated_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

func TestAuthorization(t *testing.T) {
	t.Parallel()
	operations := map[string]dedicated.State{ // with a state that each takes
		"Assign": dedicated.InStock, "ChangeBilling": dedicated.InUse, "Rename": dedicated.InUse, "Suspend": dedicated.InUse, "Resume": dedicated.Suspended,
		"Release": dedicated.InUse, "Unlock": dedicated.CleanUp, "Restock": dedicated.CleanUp, "Retire": dedicated.InStock,
		"Server": dedicated.InUse, "Add": dedicated.InStock,
	}
	for op, state := range operations {
		for _, owner := range []dedicated.Owner{{}, {Provider: "upstream", Reference: "u-1"}} {
			f := newFixture(t)
			otherID := uuid.New()
			used := state == dedicated.InUse || state == dedicated.Suspended
			ofClient := dedicated.ErrNotFound
			switch {
			case op == "Server":
				ofClient = nil
			case op == "Add" || used:
				ofClient = dedicated.ErrForbidden
			}
			otherClient := dedicated.ErrNotFound
			if op == "Add" {
				otherClient = dedicated.ErrForbidden
			}
			elsewhere := error(dedicated.ErrNotFound)
			if op == "Add" {
				elsewhere = nil // among its own servers
			}
			tests := []struct {
				name  string
				actor dedicated.Actor
				want  error
			}{
				{"reseller", f.reseller, nil},
				{"system", dedicated.Actor{Role: dedicated.System, ResellerID: f.reseller.ResellerID}, nil},
				{"client", f.client, ofClient},
				{"other client", dedicated.Actor{Role: dedicated.Client, ID: otherID, ResellerID: f.reseller.ResellerID}, otherClient},
				{"same client of another reseller", dedicated.Actor{Role: dedicated.Client, ID: f.client.ID, ResellerID: otherID}, otherClient},
				{"other reseller", dedicated.Actor{Role: dedicated.Reseller, ResellerID: otherID}, elsewhere},
				{"system of another reseller", dedicated.Actor{Role: dedicated.System, ResellerID: otherID}, elsewhere},
				{"reseller without an ID", dedicated.Actor{Role: dedicated.Reseller}, dedicated.ErrNotFound},
				{"system without an ID", dedicated.Actor{Role: dedicated.System}, dedicated.ErrNotFound},
				{"client without an ID", dedicated.Actor{Role: dedicated.Client, ResellerID: f.reseller.ResellerID}, dedicated.ErrNotFound},
				{"role 0", dedicated.Actor{ID: f.client.ID, ResellerID: f.reseller.ResellerID}, dedicated.ErrNotFound},
				{"an unknown role", dedicated.Actor{Role: 9, ID: f.client.ID, ResellerID: f.reseller.ResellerID}, dedicated.ErrNotFound},
			}
			for _, tt := range tests {
				t.Run(op+"/"+owner.Provider+"/"+tt.name, func(t *testing.T) {
					t.Parallel()
					f := *f
					s := f.addInState(t, state)
					s.Owner = owner
					require.NoError(t, f.store.Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{s}}))
					got, err := f.do(t, op, tt.actor, s)
					if tt.want == nil {
						require.NoError(t, err)
						if tt.actor.Role == dedicated.Client {
							assert.Equal(t, dedicated.Owner{}, got.Owner)
						} else if op != "Add" {
							assert.Equal(t, owner, got.Owner)
						}
						return
					}
					require.ErrorIs(t, err, tt.want)
					assert.Equal(t, dedicated.Server{}, got)
					for _, other := range []error{dedicated.ErrNotFound, dedicated.ErrForbidden} {
						assert.Equal(t, other == tt.want, errors.Is(err, other))
					}
				})
			}
		}
	}
}

func TestClientSeesNoOwnerAndNoLock(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := f.addAssigned(t)
	s.Owner, s.LockedBy = dedicated.Owner{Provider: "upstream", Reference: "u-1"}, uuid.New()
	require.NoError(t, f.store.Commit(ctx, dedicated.Change{Servers: []dedicated.Server{s}}))
	got, err := f.Server(ctx, f.client, s.ID)
	require.NoError(t, err)
	listed, _, err := f.Servers(ctx, f.client, dedicated.Query{})
	require.NoError(t, err)
	require.Len(t, listed, 1)
	for _, visible := range []dedicated.Server{got, listed[0]} {
		assert.Equal(t, s.Name, visible.Name)
		assert.Equal(t, dedicated.Owner{}, visible.Owner)
		assert.Equal(t, uuid.Nil, visible.LockedBy)
	}
	for _, text := range []string{"upstream", "u-1"} {
		listed, _, err := f.Servers(ctx, f.client, dedicated.Query{Text: text})
		require.NoError(t, err)
		assert.Empty(t, listed, "a search by %q reveals the owner", text)
	}
	for _, owner := range []string{"own", "provider"} {
		_, _, err = f.Servers(ctx, f.client, dedicated.Query{Owner: owner})
		require.ErrorIs(t, err, dedicated.ErrForbidden)
	}
}

func TestServersOfAClient(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	used, suspended := f.addInState(t, dedicated.InUse), f.addInState(t, dedicated.Suspended)
	f.addInState(t, dedicated.CleanUp)
	f.addInState(t, dedicated.InStock)
	other, err := f.Assign(ctx, f.reseller, f.add(t).ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: monthly()})
	require.NoError(t, err)
	tests := []struct {
		name string
		q    dedicated.Query
		want []uuid.UUID
	}{
		{"the servers that it uses", dedicated.Query{}, []uuid.UUID{used.ID, suspended.ID}},
		{"the suspended ones", dedicated.Query{States: []dedicated.State{dedicated.Suspended, dedicated.CleanUp}}, []uuid.UUID{suspended.ID}},
		{"no server that it has left", dedicated.Query{States: []dedicated.State{dedicated.CleanUp}}, nil},
		{"no server of another client", dedicated.Query{ClientID: other.ClientID}, nil},
		{"its own by name", dedicated.Query{ClientID: f.client.ID, Text: "web"}, []uuid.UUID{used.ID, suspended.ID}},
	}
	for _, tt := range tests {
		items, next, err := f.Servers(ctx, f.client, tt.q)
		require.NoError(t, err, tt.name)
		assert.Empty(t, next, tt.name)
		var got []uuid.UUID
		for _, s := range items {
			got = append(got, s.ID)
		}
		assert.ElementsMatch(t, tt.want, got, tt.name)
	}
	all, _, err := f.Servers(ctx, f.reseller, dedicated.Query{})
	require.NoError(t, err)
	assert.Len(t, all, 5)
	for _, a := range []dedicated.Actor{{}, {Role: dedicated.Reseller}, {Role: dedicated.Client, ResellerID: f.reseller.ResellerID}} {
		_, _, err := f.Servers(ctx, a, dedicated.Query{})
		require.ErrorIs(t, err, dedicated.ErrNotFound)
	}
	none, _, err := f.Servers(ctx, dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}, dedicated.Query{})
	require.NoError(t, err)
	assert.Empty(t, none)
	_, _, err = f.Servers(ctx, f.reseller, dedicated.Query{After: "?"})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
}
