package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

func TestExecutionPostponedWithoutWarning(t *testing.T) {
	t.Parallel()
	settings := warnings(7, 1)
	settings.MinWarningDays = 3
	tests := []struct {
		name      string
		firstTick string
		postponed string // "": it is not postponed
	}{
		{"warned in time", "2026-11-23 23:00", ""},
		{"warned late, but long enough ahead", "2026-11-27 20:00", ""},
		{"warned a day ahead", "2026-11-29 23:30", "2026-12-02 23:30"},
		{"not warned until after the date", "2026-12-05 12:00", "2026-12-08 12:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.saveSettings(t, settings)
			c := f.scheduleAsClient(t, f.server(t).ID)
			f.tickAt(t, at(tt.firstTick))
			c = f.get(t, c.ID)
			assert.Len(t, c.Warned, 1)
			assert.Equal(t, cancellation.Scheduled, c.State)
			assert.Equal(t, endOfNovember(), c.At, "the planned date stays")
			if tt.postponed == "" {
				f.tickUntil(t, endOfNovember())
				assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
				assert.Zero(t, f.countEvents(t, c.ID)[cancellation.KindPostponed])
				return
			}
			assert.Equal(t, at(tt.postponed), c.Postponed)
			assert.Equal(t, cancellation.Entry{
				At: at(tt.firstTick), By: dedicated.Actor{Role: dedicated.System, ResellerID: f.reseller.ResellerID},
				What: "postponed", From: endOfNovember(), To: at(tt.postponed),
			}, c.History[1])
			assert.Equal(t, 3, payloads[cancellation.Notice](t, f, cancellation.KindWarning)[0].DaysLeft)
			f.tickUntil(t, at(tt.postponed).Add(-time.Minute))
			assert.Equal(t, cancellation.Scheduled, f.get(t, c.ID).State)
			f.tickUntil(t, at(tt.postponed))
			c = f.get(t, c.ID)
			assert.Equal(t, cancellation.Executed, c.State)
			assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindPostponed], "once")
			assert.Empty(t, f.biller.refunds(), "the period was over on the planned date")
		})
	}
}

func TestPostponedOnceOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := warnings(7)
	s.MinWarningDays = 3
	s = f.saveSettings(t, s)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-13 09:00"))
	f.tickAt(t, at("2026-11-13 10:00"))
	assert.Equal(t, at("2026-11-16 10:00"), f.get(t, c.ID).Due)
	s.MinWarningDays = 2 // the largest for which it was ordered long enough ahead
	f.saveSettings(t, s)
	f.tickUntil(t, at("2026-11-16 09:59"))
	assert.Equal(t, cancellation.Scheduled, f.get(t, c.ID).State)
	f.tickUntil(t, at("2026-11-16 10:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

// TestMinWarningDaysAboveTheLead: if MinWarningDays is longer than any warning is ahead, every execution is postponed.
func TestMinWarningDaysAboveTheLead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := warnings(1)
	s.MinWarningDays = 10
	f.saveSettings(t, s)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 09:00"))
	f.tick(t)
	assert.Zero(t, f.get(t, c.ID).Postponed, "no warning is due yet")
	f.tickUntil(t, at("2026-11-29 08:59"))
	c = f.get(t, c.ID)
	assert.Equal(t, cancellation.Scheduled, c.State)
	assert.Equal(t, at("2026-11-29 09:00"), c.Postponed)
	f.tickUntil(t, at("2026-11-29 09:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

// TestRescheduleEndsAPostponement: a postponement holds for its date only.
func TestRescheduleEndsAPostponement(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := warnings(7)
	s.MinWarningDays = 10
	f.saveSettings(t, s)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 09:00"))
	f.tickAt(t, at("2026-11-19 09:00"))
	require.Equal(t, at("2026-11-29 09:00"), f.get(t, c.ID).Postponed)
	s.MinWarningDays = 0
	f.saveSettings(t, s)
	_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-22 09:00")})
	require.NoError(t, err)
	f.tickUntil(t, at("2026-11-22 09:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}
