package dedicated_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// TestEventsOfAnEpoch: the same change has an event of its own in each epoch, and today's in the first one.
func TestEventsOfAnEpoch(t *testing.T) {
	t.Parallel()
	for _, epoch := range []string{"", "second"} {
		f := newFixture(t, func(c *dedicated.Config) { c.Epoch = epoch })
		s := f.addAssigned(t)
		_, err := f.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
		require.NoError(t, err)
		all, _, err := f.outbox.Deliveries(t.Context(), notify.DeliveryQuery{})
		require.NoError(t, err)
		version := map[notify.Kind]int64{dedicated.KindAssigned: 2, dedicated.KindEnded: 3, dedicated.KindReleased: 3}
		require.Len(t, all, len(version), epoch)
		for _, d := range all {
			e := d.Event
			want, err := notify.Subject{ID: s.ID, Version: version[e.Kind], Epoch: epoch}.Event(e.Kind, e.At, struct{}{})
			require.NoError(t, err)
			assert.Equal(t, want.ID, e.ID, "%s in epoch %q", e.Kind, epoch)
		}
	}
}
