package cancellation_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
)

// forgetfulStore makes cursors that it does not take.
type forgetfulStore struct {
	cancellation.Store
	forgets bool
}

func (s *forgetfulStore) Cancellations(ctx context.Context, r uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
	if s.forgets && q.After != "" {
		return nil, "", cancellation.ErrInvalid
	}
	return s.Store.Cancellations(ctx, r, q)
}

// TestForgottenCursor: while changed settings reach the cancellations batch by batch, the host updates its Store, and that does not
// know the cursor of before. The pass begins again an hour later, and reaches every cancellation.
func TestForgottenCursor(t *testing.T) {
	t.Parallel()
	store := &forgetfulStore{forgets: true}
	f := newFixture(t, func(c *cancellation.Config) { store.Store, c.Store = c.Store, store })
	all := f.scheduleMany(t, 150, "2026-11-30 23:00")
	f.tick(t)
	saved := f.saveSettings(t, warnings(7))

	_, err := f.Tick(t.Context())
	require.ErrorIs(t, err, cancellation.ErrHost)
	require.NotErrorIs(t, err, cancellation.ErrInvalid, "it is not the fault of a caller")
	settings, err := f.Settings(t.Context(), f.reseller)
	require.NoError(t, err)
	assert.Empty(t, settings.Rearm)
	again := f.clock.Now().Add(time.Hour)
	assert.Equal(t, again, settings.Due)

	store.forgets = false
	f.tickAt(t, again)
	for _, id := range all {
		require.Equal(t, saved.Saved, f.get(t, id).SettingsVersion)
	}
}
