package cancellation_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

func warnings(leads ...int) cancellation.Settings {
	return cancellation.Settings{Warn: true, DaysAhead: leads}
}

// warnedDays returns the days ahead of the recorded warnings.
func warnedDays(c cancellation.Cancellation) []int {
	var days []int
	for _, w := range c.Warned {
		days = append(days, w.Days)
	}
	return days
}

// tickUntil ticks whenever something is due until a time, as a Runner does.
func (f *fixture) tickUntil(t testing.TB, until time.Time) {
	t.Helper()
	for {
		next := f.tick(t)
		if next.IsZero() || next.After(until) {
			f.clock.Set(until)
			f.tick(t)
			return
		}
		require.True(t, next.After(f.clock.Now()), "a Tick must not return a past instant")
		f.clock.Set(next)
	}
}

func TestWarningsAreDueAtTheSameLocalTime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, at string
		lead     int
		want     string // in UTC
	}{
		{"plain", "2026-11-24T12:00:00+01:00", 7, "2026-11-17 11:00"},
		{"across the end of summer time", "2026-10-26T00:00:00+01:00", 7, "2026-10-18 22:00"},
		{"across the beginning of summer time", "2027-03-29T00:00:00+02:00", 1, "2027-03-27 23:00"},
		{"a time that the day of the warning skips", "2027-03-29T02:30:00+02:00", 1, "2027-03-28 01:30"},
		{"a time that the day of the warning repeats", "2026-10-26T02:30:00+01:00", 1, "2026-10-25 00:30"},
		{"a month has fewer days", "2027-03-31T08:00:00+02:00", 31, "2027-02-28 07:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clock.Set(at("2026-10-01 00:00"))
			f.saveSettings(t, warnings(tt.lead))
			date, err := time.Parse(time.RFC3339, tt.at)
			require.NoError(t, err)
			c := f.scheduleAt(t, f.server(t).ID, date)
			next := f.tick(t)
			assert.Equal(t, at(tt.want), next)
			f.tickAt(t, next.Add(-time.Microsecond))
			assert.Empty(t, f.get(t, c.ID).Warned)
			f.tickAt(t, next)
			assert.Equal(t, []cancellation.Warning{{Days: tt.lead, For: c.At, Sent: next}}, f.get(t, c.ID).Warned)
			assert.Equal(t, tt.lead, payloads[cancellation.Notice](t, f, cancellation.KindWarning)[0].DaysLeft)
		})
	}
}

func TestEachWarningOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, warnings(1, 14, 7, 7))
	c := f.scheduleAt(t, f.server(t).ID, endOfNovember())
	f.tickUntil(t, endOfNovember().Add(-time.Second))
	assert.Equal(t, []int{14, 7, 1}, warnedDays(f.get(t, c.ID)))
	f.tickUntil(t, endOfNovember().Add(time.Hour))
	assert.Equal(t, 3, f.countEvents(t, c.ID)[cancellation.KindWarning])
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

func TestScheduledWithinTheWarningDays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, warnings(14, 7))
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-13 09:00"))
	f.tick(t)
	assert.Equal(t, []int{7}, warnedDays(f.get(t, c.ID)), "only the nearest, at once")
	assert.Equal(t, 3, payloads[cancellation.Notice](t, f, cancellation.KindWarning)[0].DaysLeft, "the true number of days")
	f.tick(t)
	f.tickUntil(t, at("2026-11-12 00:00"))
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindWarning])
}

func TestWarningsOff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{DaysAhead: []int{7}, MinWarningDays: 5})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-13 09:00"))
	f.tickUntil(t, at("2026-11-13 09:00"))
	c = f.get(t, c.ID)
	assert.Empty(t, c.Warned)
	assert.Equal(t, cancellation.Executed, c.State, "the execution does not wait for a warning")
}

// TestDowntime: no Tick runs for a while, across warnings and dates.
func TestDowntime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := []struct {
		name       string
		down       time.Duration // from 10 November
		date       string
		first, all []int // the days of the warnings: after the downtime, and until the execution
		state      cancellation.State
		left       int // days, in the last warning
	}{
		{"1 day, over a warning", day, "2026-11-17 12:00", []int{7}, []int{7, 1}, cancellation.Scheduled, 6},
		{"1 day, over two warnings", day, "2026-11-11 12:00", []int{1}, []int{1}, cancellation.Scheduled, 0},
		{"1 day, over the date", day, "2026-11-10 20:00", nil, nil, cancellation.Executed, 0},
		{"40 days, over both warnings", 40 * day, "2026-12-21 00:00", []int{1}, []int{1}, cancellation.Scheduled, 1},
		{"40 days, over one warning", 40 * day, "2026-12-25 00:00", []int{7}, []int{7, 1}, cancellation.Scheduled, 5},
		{"40 days, over the date", 40 * day, "2026-11-30 23:00", nil, nil, cancellation.Executed, 0},
		{"3 years, over both warnings", 3 * 365 * day, "2029-11-10 00:00", []int{1}, []int{1}, cancellation.Scheduled, 1},
		{"3 years, over the date", 3 * 365 * day, "2026-11-30 23:00", nil, nil, cancellation.Executed, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.saveSettings(t, warnings(7, 1))
			s := f.server(t)
			c := f.scheduleAt(t, s.ID, at(tt.date))
			end := f.clock.Now().Add(tt.down)
			f.tickAt(t, end)
			got := f.get(t, c.ID)
			assert.Equal(t, tt.first, warnedDays(got))
			assert.Equal(t, tt.state, got.State)
			events := len(f.events(t))
			f.tick(t)
			assert.Len(t, f.events(t), events, "a second tick at the same instant does nothing")
			assert.Equal(t, got, f.get(t, c.ID))
			if notices := payloads[cancellation.Notice](t, f, cancellation.KindWarning); len(notices) > 0 {
				assert.Equal(t, tt.left, notices[0].DaysLeft)
			}
			f.tickUntil(t, at(tt.date).Add(time.Hour))
			got = f.get(t, c.ID)
			assert.Equal(t, tt.all, warnedDays(got))
			assert.Equal(t, cancellation.Executed, got.State)
			require.LessOrEqual(t, len(f.biller.refunds()), 1)
			for _, r := range f.biller.refunds() {
				assert.Equal(t, at(tt.date), r.At, "as of the planned date")
			}
			assert.Equal(t, dedicated.CleanUp, f.readServer(t, s.ID).State)
		})
	}
}

func TestOldestFirstAfterDowntime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var want []string
	for day := 28; day > 10; day-- {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00").AddDate(0, 0, day))
	}
	f.tickAt(t, at("2029-11-10 09:00"))
	for day := 11; day <= 28; day++ {
		want = append(want, at("2026-11-10 09:00").AddDate(0, 0, day).Format(time.RFC3339))
	}
	all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{States: []cancellation.State{cancellation.Executed}})
	require.NoError(t, err)
	require.Len(t, all, len(want))
	var got []string
	for _, c := range all {
		got = append(got, c.At.Format(time.RFC3339))
	}
	assert.Equal(t, want, got)
}

func TestRescheduleRestartsWarnings(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	f.saveSettings(t, warnings(7))
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-13 09:00"))
	f.tick(t)
	_, err := f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{At: at("2026-11-13 18:00")})
	require.NoError(t, err)
	f.tick(t)
	got := f.get(t, c.ID)
	assert.Equal(t, []cancellation.Warning{
		{Days: 7, For: at("2026-11-13 09:00"), Sent: at("2026-11-10 09:00")},
		{Days: 7, For: at("2026-11-13 18:00"), Sent: at("2026-11-10 09:00")},
	}, got.Warned, "another time of the same day is another date")
	moved := payloads[cancellation.Notice](t, f, cancellation.KindRescheduled)
	require.Len(t, moved, 1)
	assert.Equal(t, "2026-11-13T10:00:00+01:00", moved[0].FromDate)
	assert.Equal(t, "2026-11-13T19:00:00+01:00", moved[0].Date)

	_, err = f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{At: at("2026-11-13 09:00")})
	require.NoError(t, err)
	f.tick(t)
	assert.Len(t, f.get(t, c.ID).Warned, 2, "never twice for the same date and lead")
	_, err = f.Discard(ctx, f.reseller, c.ID, "paid")
	require.NoError(t, err)
	assert.Equal(t, 2, f.countEvents(t, c.ID)[cancellation.KindRescheduled])
	off := payloads[cancellation.Notice](t, f, cancellation.KindDiscarded)
	require.Len(t, off, 1)
	assert.Equal(t, "paid", off[0].Reason)
}

func TestChangedSettingsApplyToScheduled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server := f.server(t)
	c := f.scheduleAt(t, server.ID, at("2026-11-25 09:00"))
	assert.Equal(t, at("2026-11-25 09:00"), f.tick(t), "no warnings")

	s := f.saveSettings(t, warnings(7))
	assert.Equal(t, at("2026-11-18 09:00"), f.tick(t), "on")
	s.DaysAhead = []int{14, 10}
	s = f.saveSettings(t, s)
	assert.Equal(t, at("2026-11-11 09:00"), f.tick(t), "earlier")
	f.tickAt(t, at("2026-11-11 09:00"))
	assert.Equal(t, []int{14}, warnedDays(f.get(t, c.ID)))

	s.DaysAhead = []int{20}
	s = f.saveSettings(t, s)
	f.tick(t)
	assert.Equal(t, []int{14}, warnedDays(f.get(t, c.ID)), "no warning farther ahead than a recorded one")
	s.DaysAhead = []int{14, 13}
	s = f.saveSettings(t, s)
	f.tickAt(t, at("2026-11-14 09:00"))
	assert.Equal(t, []int{14, 13}, warnedDays(f.get(t, c.ID)))

	s.Warn = false
	s = f.saveSettings(t, s)
	assert.Equal(t, at("2026-11-25 09:00"), f.tick(t), "off")
	s.Warn, s.DaysAhead = true, []int{14, 13, 3}
	f.saveSettings(t, s)
	assert.Equal(t, at("2026-11-22 09:00"), f.tick(t), "on again, and no warning is repeated")
	assert.Equal(t, []int{14, 13}, warnedDays(f.get(t, c.ID)))
}

// TestChangedSettingsReachNewOrders: changed settings apply to all scheduled cancellations, also to one that another process
// schedules meanwhile under the settings before.
func TestChangedSettingsReachNewOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 250 {
		f.scheduleAt(t, f.server(t).ID, endOfNovember())
	}
	f.tick(t)
	late := f.newManager(t, func(c *cancellation.Config) {
		c.Store = &beforeCommit{Store: f.store, do: func() { // the settings are saved and followed while it schedules
			f.saveSettings(t, warnings(14))
			f.tick(t)
		}}
	})
	_, err := late.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: f.server(t).ID, When: cancellation.When{At: endOfNovember()}})
	require.NoError(t, err)
	assert.Equal(t, at("2026-11-16 23:00"), f.tick(t))
	f.tickAt(t, at("2026-11-16 23:00"))
	all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, all, 251)
	for _, c := range all {
		assert.Len(t, c.Warned, 1)
	}
}

// onePageStore lists one page, and then fails.
type onePageStore struct {
	cancellation.Store
	pages int
}

func (h *onePageStore) Cancellations(ctx context.Context, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
	if h.pages++; h.pages > 1 {
		return nil, "", errNoAnswer
	}
	return h.Store.Cancellations(ctx, reseller, q)
}

// TestChangedSettingsReachRescheduled: another process, under the settings before, moves a cancellation from behind the position of
// the batches to before it. The changed settings apply to it, too.
func TestChangedSettingsReachRescheduled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 120 {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-26 09:00"))
	}
	c := f.scheduleAt(t, f.server(t).ID, at("2026-12-20 09:00"))
	f.tick(t)
	late := f.newManager(t, func(config *cancellation.Config) {
		config.Store = &beforeCommit{Store: f.store, do: func() {
			f.saveSettings(t, warnings(7))
			half := f.newManager(t, func(config *cancellation.Config) { config.Store = &onePageStore{Store: f.store} })
			_, err := half.Tick(t.Context())
			require.ErrorIs(t, err, errNoAnswer)
		}}
	})
	_, err := late.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-25 09:00")})
	require.NoError(t, err)
	f.tickUntil(t, at("2026-11-24 09:00"))
	assert.Equal(t, []int{7}, warnedDays(f.get(t, c.ID)))
}
