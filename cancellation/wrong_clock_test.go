package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
)

// TestLeaseOfAWrongClock: a process whose clock is nine years ahead claims an execution that is stuck, and dies.
func TestLeaseOfAWrongClock(t *testing.T) {
	t.Parallel()
	claim := func(t *testing.T, ahead time.Duration) (*fixture, *recordingHooks, cancellation.Cancellation) {
		t.Helper()
		f, hooks, c := newStuckFixture(t)
		hooks.deprovisionErr = nil
		wrong := max(c.RetryAt.Sub(f.clock.Now()), ahead)
		now := f.clock.Now().Add(wrong)
		due, err := f.store.ClaimDue(t.Context(), now, now.Add(cancellation.DefaultLease), 10)
		require.NoError(t, err)
		require.Len(t, due.Cancellations, 1)
		return f, hooks, f.get(t, c.ID)
	}
	const nineYears = 9 * 365 * 24 * time.Hour
	t.Run("the next tick goes on", func(t *testing.T) {
		t.Parallel()
		f, _, c := claim(t, nineYears)
		f.tickAt(t, c.RetryAt)
		assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	})
	t.Run("Retry is not refused", func(t *testing.T) {
		t.Parallel()
		f, _, c := claim(t, nineYears)
		_, err := f.Retry(t.Context(), f.reseller, c.ID)
		require.NoError(t, err)
		f.tick(t)
		assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	})
	t.Run("Abandon is not refused", func(t *testing.T) {
		t.Parallel()
		f, _, c := claim(t, nineYears)
		_, err := f.Abandon(t.Context(), f.reseller, c.ID, "the server has burnt")
		require.NoError(t, err)
		assert.Equal(t, cancellation.Failed, f.get(t, c.ID).State)
	})
	t.Run("a clock that is half an hour ahead is believed", func(t *testing.T) {
		t.Parallel()
		f, _, c := claim(t, 30*time.Minute)
		_, err := f.Retry(t.Context(), f.reseller, c.ID)
		assert.Contains(t, requireError(t, err, cancellation.ErrConflict).Msg, "a process is working on")
	})
}
