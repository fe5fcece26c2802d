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

// TestAnchorIsStoredInUTC: the anchor is stored in UTC, to the microsecond.
func TestAnchorIsStoredInUTC(t *testing.T) {
	t.Parallel()
	f, b := newFixture(t), monthly()
	b.Anchor = time.Date(2026, 10, 31, 1, 0, 0, 123456789, time.FixedZone("", 3600))
	s, err := f.Assign(t.Context(), f.reseller, f.add(t).ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: b})
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 10, 31, 0, 0, 0, 123456000, time.UTC), s.Billing.Anchor)
	again, err := f.ChangeBilling(t.Context(), f.reseller, s.ID, b)
	require.NoError(t, err)
	assert.Equal(t, s, again, "the same billing, with the anchor in another zone")
}

// TestBilledAt: BilledAt is the time of the last change of billing.
func TestBilledAt(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := f.addAssigned(t)
	assert.Equal(t, s.AssignedAt, s.BilledAt)
	f.clock.Set(f.clock.Now().AddDate(0, 1, 0))
	same, err := f.ChangeBilling(ctx, f.reseller, s.ID, monthly())
	require.NoError(t, err)
	assert.Equal(t, s.BilledAt, same.BilledAt, "nothing has changed")
	other := monthly()
	other.Cycle.Count = 3
	s, err = f.ChangeBilling(ctx, f.reseller, s.ID, other)
	require.NoError(t, err)
	assert.Equal(t, zone.Instant(f.clock.Now()), s.BilledAt)
	_, err = f.Release(ctx, f.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	s, err = f.Restock(ctx, f.reseller, s.ID)
	require.NoError(t, err)
	assert.True(t, s.BilledAt.IsZero())
}
