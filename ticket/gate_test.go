package ticket_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// stumbling is a store whose first answer is a conflict.
type stumbling struct {
	ticket.Store
	answered bool
}

func (s *stumbling) Ticket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	if !s.answered {
		s.answered = true
		return ticket.Ticket{}, ticket.ErrConflict
	}
	return s.Store.Ticket(ctx, id)
}

// TestConflictsGoRoundNoGate: a conflict before the gate was asked is no way past it.
func TestConflictsGoRoundNoGate(t *testing.T) {
	t.Parallel()
	closed := errors.New("closed")
	d := setup(t, func(c *ticket.Config) {
		c.Store = &stumbling{Store: c.Store}
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, ticket.Kind, dedicated.Server) error { return closed })
	})
	_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot, Subject: "please", Text: "now"})
	require.ErrorIs(t, err, closed)
}
