package dedicated_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// TestBilledAt: since when the present billing holds, for what depends on its periods.
func TestAnchorIsKeptAsInstant(t *testing.T) {
	t.Parallel()
	w, b := setup(t), monthly()
	b.Anchor = time.Date(2026, 10, 31, 1, 0, 0, 123456789, time.FixedZone("", 3600))
	s, err := w.Assign(t.Context(), w.reseller, w.add(t).ID, dedicated.NewAssignment{ClientID: w.client.ID, Billing: b})
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 10, 31, 0, 0, 0, 123456000, time.UTC), s.Billing.Anchor)
	again, err := w.ChangeBilling(t.Context(), w.reseller, s.ID, b)
	require.NoError(t, err)
	assert.Equal(t, s, again, "the same billing, written otherwise")
}

func TestBilledAt(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s := w.assigned(t)
	assert.Equal(t, s.AssignedAt, s.BilledAt)
	w.clock.Set(w.clock.Now().AddDate(0, 1, 0))
	same, err := w.ChangeBilling(ctx, w.reseller, s.ID, monthly())
	require.NoError(t, err)
	assert.Equal(t, s.BilledAt, same.BilledAt, "nothing has changed")
	other := monthly()
	other.Cycle.Count = 3
	s, err = w.ChangeBilling(ctx, w.reseller, s.ID, other)
	require.NoError(t, err)
	assert.Equal(t, zone.Instant(w.clock.Now()), s.BilledAt)
	_, err = w.Release(ctx, w.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	s, err = w.Restock(ctx, w.reseller, s.ID)
	require.NoError(t, err)
	assert.True(t, s.BilledAt.IsZero())
}
