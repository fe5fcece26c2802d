package ticket_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// deafServers is an inventory that does not answer, whatever its context says.
type deafServers struct {
	ticket.Servers
	release chan struct{}
}

func (s deafServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	<-s.release
	return s.Servers.Server(ctx, a, id)
}

// TestDeafParts: a part that ignores its context is ErrHost after its deadline, and nothing was changed.
func TestDeafParts(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"inventory", "gate"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				d := newFixture(t, func(c *ticket.Config) {
					c.CallTimeout = 20 * time.Second
					if part == "inventory" {
						c.Servers = deafServers{c.Servers, release}
						return
					}
					c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, ticket.Kind, dedicated.Server) error {
						<-release
						return nil
					})
				})
				begin := time.Now()
				_, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: d.own, Kind: ticket.Reboot, Subject: "please", Text: "now"})
				require.ErrorIs(t, err, ticket.ErrHost)
				assert.Equal(t, 25*time.Second, time.Since(begin), "the deadline, and a quarter of it to return")
				tickets, _, err := d.Tickets(t.Context(), d.reseller, ticket.Query{})
				require.NoError(t, err)
				assert.Empty(t, tickets)
			})
		})
	}
	d := newFixture(t)
	_, err := ticket.New(ticket.Config{Store: d.store, Servers: d.servers, CallTimeout: -1})
	require.ErrorIs(t, err, ticket.ErrInvalid)
}
