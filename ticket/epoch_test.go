package ticket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestEventsOfAnEpoch: the same change has an event of its own in each epoch, and today's in the first one.
func TestEventsOfAnEpoch(t *testing.T) {
	t.Parallel()
	for _, epoch := range []string{"", "second"} {
		f := newFixture(t, func(c *ticket.Config) { c.Epoch = epoch })
		id := f.opened(t, f.rented, ticket.Reboot)
		f.clock.Add(24 * time.Hour)
		_, err := f.Tick(t.Context())
		require.NoError(t, err)
		_, err = f.Forward(t.Context(), f.reseller, id, ticket.Note{Text: "please"})
		require.NoError(t, err)
		version := map[notify.Kind]int64{
			ticket.KindOpened: 1, ticket.KindReceived: 1, ticket.KindUnanswered: 3, ticket.KindForwarded: 4, ticket.KindConfirmed: 4,
		}
		_, events := f.events(t)
		require.Len(t, events, len(version), epoch)
		for _, e := range events {
			want, err := notify.Subject{ID: id, Version: version[e.Kind], Epoch: epoch}.Event(e.Kind, e.At, struct{}{})
			require.NoError(t, err)
			assert.Equal(t, want.ID, e.ID, "%s in epoch %q", e.Kind, epoch)
		}
	}
}
