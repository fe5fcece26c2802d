package ticket_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// listingStore calls before at its first list, and commits with an error if there is one.
type listingStore struct {
	ticket.Store
	before func()
	err    error
}

func (s *listingStore) Tickets(ctx context.Context, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Tickets(ctx, reseller, q)
}

func (s *listingStore) Commit(ctx context.Context, changes ...ticket.Change) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.Commit(ctx, changes...)
}

// TestRepeatedOpenMeetsItself: a repeat of Open reads while the first one commits. It returns the ticket of the first one.
func TestRepeatedOpenMeetsItself(t *testing.T) {
	t.Parallel()
	store := &listingStore{}
	d := newFixture(t, func(c *ticket.Config) { store.Store, c.Store = c.Store, store })
	f := ticket.Form{ID: uuid.New(), ServerID: d.own, Kind: ticket.Reboot, Text: "please"}
	var first ticket.View
	store.before = func() {
		var err error
		first, err = d.Open(t.Context(), d.client, f)
		require.NoError(t, err)
	}
	second, err := d.Open(t.Context(), d.client, f)
	require.NoError(t, err)
	assert.Equal(t, first, second)
}

// TestConflictInTheWordsOfAStore: a Store that wraps a Manager may return an error of this package. A client does not read its text.
func TestConflictInTheWordsOfAStore(t *testing.T) {
	t.Parallel()
	store := &listingStore{}
	d := newFixture(t, func(c *ticket.Config) { store.Store, c.Store = c.Store, store })
	id := d.opened(t, d.own, ticket.Reboot)
	for _, err := range []error{
		&ticket.Error{Op: "Commit", Msg: "dsn=secret", Err: ticket.ErrConflict},
		errors.Join(errors.New("dsn=secret"), ticket.ErrConflict, ticket.ErrHost),
	} {
		store.err = err
		_, err := d.Comment(t.Context(), d.client, id, ticket.Note{Text: "hello"})
		require.ErrorIs(t, err, ticket.ErrConflict)
		require.NotErrorIs(t, err, ticket.ErrHost)
		assert.NotContains(t, err.Error(), "secret")
	}
}

// TestRepeatedOpenAfterTheServerLeft: a caller that did not get the answer repeats Open later. It opens nothing anew, and gets the
// ticket.
func TestRepeatedOpenAfterTheServerLeft(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	f := ticket.Form{ID: uuid.New(), ServerID: d.own, Kind: ticket.Reboot, Text: "please"}
	first, err := d.Open(t.Context(), d.client, f)
	require.NoError(t, err)
	s := d.servers[d.own]
	s.ClientID, s.Assignment, s.State = uuid.Nil, uuid.Nil, dedicated.InStock
	d.servers[d.own] = s
	for name, a := range map[string]dedicated.Actor{"client": d.client, "reseller": d.reseller} {
		second, err := d.Open(t.Context(), a, f)
		require.NoError(t, err, name)
		assert.Equal(t, first, second, name)
	}
	other := f
	other.ServerID = d.rented
	_, err = d.Open(t.Context(), d.client, other)
	require.ErrorIs(t, err, ticket.ErrConflict, "another server")
	f.ID = uuid.New()
	_, err = d.Open(t.Context(), d.client, f)
	require.ErrorIs(t, err, ticket.ErrNotFound, "a new ticket")
	_, err = d.Open(t.Context(), dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: d.reseller.ResellerID}, other)
	require.ErrorIs(t, err, ticket.ErrNotFound, "another client")
}

// TestOpenForAnotherClientThanTheGateSaw: the server changes hands while a gate is asked. Nothing is stored for a client whom no gate
// has seen.
func TestOpenForAnotherClientThanTheGateSaw(t *testing.T) {
	t.Parallel()
	store := &listingStore{}
	var seen []uuid.UUID
	var d *fixture
	d = newFixture(t, func(c *ticket.Config) {
		store.Store, c.Store = c.Store, store
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, _ ticket.Kind, s dedicated.Server) error {
			seen = append(seen, s.ClientID)
			s.ClientID, s.Assignment = uuid.New(), uuid.New()
			d.servers[d.own] = s
			store.err, store.before = ticket.ErrConflict, func() { store.err = nil } // the next read is followed by a commit without one
			return nil
		})
	})
	_, err := d.Open(t.Context(), d.reseller, ticket.Form{ServerID: d.own, Kind: ticket.Reboot, Text: "please"})
	require.ErrorIs(t, err, ticket.ErrConflict)
	assert.Equal(t, []uuid.UUID{d.client.ID}, seen)
	all, _, err := d.Tickets(t.Context(), d.reseller, ticket.Query{})
	require.NoError(t, err)
	assert.Empty(t, all)
}
