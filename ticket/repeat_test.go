package ticket_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
