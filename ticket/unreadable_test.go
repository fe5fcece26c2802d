package ticket_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// unreadableStore names records that it cannot read in each claim. It does not put them aside, although it must.
type unreadableStore struct {
	ticket.Store
	named []notify.Unreadable
}

func (s unreadableStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (ticket.Due, error) {
	due, err := s.Store.ClaimDue(ctx, now, until, limit)
	due.Unreadable = append(due.Unreadable, s.named...)
	return due, err
}

// TestTickReportsUnreadableTickets: each is an error of its own, and the others go on.
func TestTickReportsUnreadableTickets(t *testing.T) {
	t.Parallel()
	named := []notify.Unreadable{{ID: uuid.New(), Reason: "column thread: no JSON"}, {Reason: "column id: no UUID"}}
	f := newFixture(t, func(c *ticket.Config) { c.Store = unreadableStore{c.Store, named} })
	id := f.opened(t, f.own, ticket.Reboot)
	f.clock.Add(1000 * time.Hour)
	f.events(t)
	_, err := f.Tick(t.Context())
	list, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%v", err)
	require.Len(t, list.Unwrap(), 2, "each once")
	for i, u := range named {
		var e *ticket.Error
		require.ErrorAs(t, list.Unwrap()[i], &e)
		require.ErrorIs(t, e, ticket.ErrHost)
		assert.Equal(t, u.ID, e.TicketID)
		assert.Contains(t, e.Error(), u.Reason)
	}
	kinds, events := f.events(t)
	require.Equal(t, []notify.Kind{ticket.KindUnanswered}, kinds, "the reseller is reminded of the other ticket")
	assert.Equal(t, id, events[0].SubjectID)
}
