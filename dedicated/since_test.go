package dedicated_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// TestSince: since when a client has had its server. It is 24 November, 09:00, and 123456789 nanoseconds.
func TestSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 9, 0, 0, 123456000, time.UTC)
	tests := []struct {
		name        string
		since, want time.Time // want zero: it is refused
	}{
		{"not said", time.Time{}, now},
		{"three years ago, elsewhere", time.Date(2023, 11, 24, 10, 0, 0, 5999, time.FixedZone("", 3600)), time.Date(2023, 11, 24, 9, 0, 0, 5000, time.UTC)},
		{"before the anchor", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"now", now, now},
		{"later in this microsecond", now.Add(999), now},
		{"a microsecond ahead", now.Add(time.Microsecond), time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			s := f.add(t)
			got, err := f.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly(), Since: tt.since})
			if tt.want.IsZero() {
				var e *dedicated.Error
				require.ErrorIs(t, err, dedicated.ErrInvalid)
				require.True(t, errors.As(err, &e))
				assert.Equal(t, "Since", e.Field)
				stored, err := f.Server(t.Context(), f.reseller, s.ID)
				require.NoError(t, err)
				assert.Equal(t, s, stored)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got.AssignedAt)
			assert.Equal(t, now, got.BilledAt, "the billing is known from now on")
			stored, err := f.Server(t.Context(), f.reseller, s.ID)
			require.NoError(t, err)
			assert.Equal(t, got, stored)
			_, err = got.Billing.PeriodAt(now)
			require.NoError(t, err)
		})
	}
}
