package ticket_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// conflictingStore returns a conflict from its first read.
type conflictingStore struct {
	ticket.Store
	answered bool
}

func (s *conflictingStore) Ticket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	if !s.answered {
		s.answered = true
		return ticket.Ticket{}, ticket.ErrConflict
	}
	return s.Store.Ticket(ctx, id)
}

// TestConflictOfAReadPassesNoGate: after a conflict of a read, the gate is asked all the same.
func TestConflictOfAReadPassesNoGate(t *testing.T) {
	t.Parallel()
	closed := dedicated.Refuse("closed")
	d := newFixture(t, func(c *ticket.Config) {
		c.Store = &conflictingStore{Store: c.Store}
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, ticket.Kind, dedicated.Server) error { return closed })
	})
	_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot, Subject: "please", Text: "now"})
	require.ErrorIs(t, err, closed)
}
