package cancellation_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// TestFromOrderToRefund runs a whole cancellation: order, warning, a new date, execution, and the refund that was quoted.
func TestFromOrderToRefund(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	f.saveSettings(t, cancellation.Settings{Warn: true, DaysAhead: []int{7}})
	s := f.server(t)

	quote, err := f.Quote(ctx, f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	assertMoney(t, "10.00", quote.Total)

	c := f.scheduleAsClient(t, s.ID)
	assert.Equal(t, endOfNovember(), c.At)
	assert.Equal(t, f.client, c.By)

	next := f.tick(t)
	assert.Equal(t, at("2026-11-11 09:00"), next, "an end of period is looked at once a day")
	f.tickUntil(t, at("2026-11-23 22:59"))
	assert.Zero(t, f.countEvents(t, c.ID)[cancellation.KindWarning])
	f.tickUntil(t, at("2026-11-23 23:00"))
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindWarning])

	moved, err := f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{At: at("2026-11-24 12:00")})
	require.NoError(t, err)
	assert.Equal(t, at("2026-11-24 12:00"), moved.At)
	f.tickAt(t, at("2026-11-25 12:00"))
	done := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, done.State)
	assert.Equal(t, []string{"scheduled", "rescheduled", "executing", "executed"}, history(done))
	for _, step := range done.Steps {
		assert.Equal(t, at("2026-11-25 12:00"), step.Done, step.Name)
	}
	got := f.readServer(t, s.ID)
	assert.Equal(t, dedicated.CleanUp, got.State)
	assert.Equal(t, uuid.Nil, got.LockedBy)
	require.Len(t, f.biller.refunds(), 1)
	r := f.biller.refunds()[0]
	assertMoney(t, "6.00", r.Amount)
	assert.Equal(t, at("2026-11-24 12:00"), r.At, "as of the planned date")
	assert.Equal(t, uuid.NewSHA1(c.ID, []byte("refund")), r.Key)
	assert.Equal(t, map[notify.Kind]int{
		cancellation.KindScheduled: 1, cancellation.KindScheduledByClient: 1, cancellation.KindWarning: 1, cancellation.KindRescheduled: 1,
		cancellation.KindExecuted: 1, cancellation.KindCompleted: 1, cancellation.KindClosed: 1,
	}, f.countEvents(t, c.ID))
}
