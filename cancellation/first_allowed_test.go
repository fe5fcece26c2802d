package cancellation_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

func firstAllowed() cancellation.When { return cancellation.When{FirstAllowed: true} }

// TestFirstAllowed: what the error names is what FirstAllowed then orders, also if notice or lock are longer than a period.
func TestFirstAllowed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		notice, lock int
		now          string
		field        string // of the error for the end of the period; "": it is allowed
		want         string
	}{
		{0, 0, "2026-11-10 09:00", "", "2026-11-30 23:00"},
		{31, 0, "2026-11-10 09:00", "Settings.NoticeDays", "2026-12-31 23:00"},
		{31, 0, "2026-11-30 23:00", "", "2026-12-31 23:00"},
		{31, 0, "2026-11-30 23:01", "Settings.NoticeDays", "2027-01-31 23:00"},
		{31, 0, "2027-02-01 00:00", "Settings.NoticeDays", "2027-03-31 22:00"},
		{0, 31, "2026-11-10 09:00", "Settings.LockDays", "2026-12-31 23:00"},
		{32, 0, "2026-12-01 00:00", "Settings.NoticeDays", "2027-01-31 23:00"},
		{14, 60, "2026-11-10 09:00", "Settings.LockDays", "2027-01-31 23:00"},
		{365, 0, "2026-11-10 09:00", "Settings.NoticeDays", "2027-11-30 23:00"},
		{400, 7, "2026-11-10 09:00", "Settings.NoticeDays", "2027-12-31 23:00"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d and %d days at %s", tt.notice, tt.lock, tt.now), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clock.Set(at(tt.now))
			f.saveSettings(t, cancellation.Settings{NoticeDays: tt.notice, LockDays: tt.lock, ClientMayDiscard: true})
			s := f.server(t)
			if tt.field != "" {
				_, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
				e := requireError(t, err, cancellation.ErrForbidden)
				assert.Equal(t, tt.field, e.Field)
				assert.Equal(t, at(tt.want), e.Earliest)
				assert.ErrorContains(t, err, "the earliest possible end is "+local(t, e.Earliest), "it says so")
			}
			_, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at(tt.want)}})
			assert.Equal(t, at(tt.want), requireError(t, err, cancellation.ErrForbidden).Earliest, "a date stays forbidden, and the error names the end")
			p, err := f.Policy(t.Context(), f.client, s.ID)
			require.NoError(t, err)
			assert.Equal(t, at(tt.want), p.FirstAllowed)
			c, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: firstAllowed()})
			require.NoError(t, err)
			assert.Equal(t, at(tt.want), c.At)
			assert.Equal(t, []int{tt.notice, tt.lock}, []int{c.NoticeDays, c.LockDays})
			ends, err := f.Ends(t.Context(), []uuid.UUID{s.ID})
			require.NoError(t, err)
			assert.Equal(t, at(tt.want), ends[s.ID])
			f.tickUntil(t, at(tt.want))
			assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
		})
	}
}

// local writes an instant in the zone of monthly.
func local(t *testing.T, instant time.Time) string {
	t.Helper()
	berlin, err := time.LoadLocation(monthly().Zone)
	require.NoError(t, err)
	return instant.In(berlin).Format(time.RFC3339)
}

// TestFirstAllowedOfAReseller: for a reseller it is the end of the period.
func TestFirstAllowedOfAReseller(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{NoticeDays: 365, LockDays: 60})
	c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: f.server(t).ID, When: firstAllowed()})
	require.NoError(t, err)
	assert.Equal(t, endOfNovember(), c.At)
	assert.Equal(t, []int{0, 0}, []int{c.NoticeDays, c.LockDays})
}

// TestFrozenNoticeAndLock: settings that are saved later change no order. A move freezes the new ones.
func TestFrozenNoticeAndLock(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	settings := f.saveSettings(t, cancellation.Settings{NoticeDays: 31, LockDays: 3, ClientMayDiscard: true})
	c, err := f.Schedule(ctx, f.client, cancellation.Order{ServerID: f.server(t).ID, When: firstAllowed()})
	require.NoError(t, err)
	settings.NoticeDays, settings.LockDays = 0, 60
	f.saveSettings(t, settings)
	f.tick(t)
	assert.Equal(t, at("2026-12-31 23:00"), f.get(t, c.ID).At, "under the frozen notice")
	f.clock.Set(at("2026-12-28 23:00"))
	_, err = f.Discard(ctx, f.client, c.ID, "")
	require.NoError(t, err, "three days were locked")

	f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true})
	f.clock.Set(at("2027-01-02 00:00"))
	second, err := f.Schedule(ctx, f.client, cancellation.Order{ServerID: c.ServerID, When: endOfPeriod()})
	require.NoError(t, err)
	f.saveSettings(t, cancellation.Settings{LockDays: 60, ClientMayDiscard: true})
	f.clock.Set(at("2027-01-31 22:59"))
	second, err = f.Reschedule(ctx, f.client, second.ID, firstAllowed())
	require.NoError(t, err, "no day was locked")
	assert.Equal(t, at("2027-04-30 22:00"), second.At)
	assert.Equal(t, 60, second.LockDays)
	f.clock.Set(at("2027-03-02 00:00"))
	_, err = f.Discard(ctx, f.client, second.ID, "")
	e := requireError(t, err, cancellation.ErrForbidden)
	assert.Equal(t, "Settings.LockDays", e.Field)
	assert.Zero(t, e.Earliest, "nothing that a client could order instead")
}

// TestFirstAllowedIsTheEarliest compares FirstAllowed with the rules, by trying every end: no rule refuses it, every earlier end is
// refused, and later it means the same.
func TestFirstAllowedIsTheEarliest(t *testing.T) {
	t.Parallel()
	days := []int{0, 1, 2, 7, 14, 30, 31, 32, 60, 90, 365, 400}
	cycles := []dedicated.Cycle{{Unit: dedicated.Month, Count: 1}, {Unit: dedicated.Year, Count: 1}, {Unit: dedicated.Week, Count: 1}, {Unit: dedicated.Day, Count: 1}}
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"} {
		for _, cycle := range cycles {
			t.Run(fmt.Sprint(zone, cycle), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				s := f.server(t)
				b := dedicated.Billing{Anchor: at("2026-01-31 02:30"), Cycle: cycle, Zone: zone, Currency: "EUR", Places: 2}
				_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, b)
				require.NoError(t, err)
				loc, err := time.LoadLocation(zone)
				require.NoError(t, err)
				rnd := rand.New(rand.NewPCG(7, uint64(cycle.Unit)))
				for _, notice := range days {
					for _, lock := range days {
						f.saveSettings(t, cancellation.Settings{NoticeDays: notice, LockDays: lock})
						for range 2 {
							f.clock.Set(at("2026-02-01 00:00").Add(time.Duration(rnd.IntN(2*365*4)) * 6 * time.Hour))
							f.checkFirstAllowed(t, s, b, loc, notice, lock)
						}
					}
				}
			})
		}
	}
}

// checkFirstAllowed orders FirstAllowed now, and one microsecond before and after the end that it means leaves notice and lock.
func (f *fixture) checkFirstAllowed(t *testing.T, s dedicated.Server, b dedicated.Billing, loc *time.Location, notice, lock int) {
	t.Helper()
	now := f.clock.Now()
	last := f.orderFirstAllowed(t, s, b, notice, lock).In(loc)
	last = time.Date(last.Year(), last.Month(), last.Day()-max(notice, lock), last.Hour(), last.Minute(), last.Second(), 0, loc)
	for _, edge := range []time.Time{last.Add(-time.Microsecond), last, last.Add(time.Microsecond)} {
		if edge.After(b.Anchor) {
			f.clock.Set(edge.UTC())
			f.orderFirstAllowed(t, s, b, notice, lock)
		}
	}
	f.clock.Set(now)
}

// orderFirstAllowed orders FirstAllowed and checks the date by brute force.
func (f *fixture) orderFirstAllowed(t *testing.T, s dedicated.Server, b dedicated.Billing, notice, lock int) time.Time {
	t.Helper()
	ctx, now := t.Context(), f.clock.Now()
	what := fmt.Sprintf("at %s, %d and %d days, %v", now, notice, lock, b)
	c, err := f.Schedule(ctx, f.client, cancellation.Order{ServerID: s.ID, When: firstAllowed()})
	require.NoError(t, err, what)
	p, err := b.PeriodAt(now)
	require.NoError(t, err)
	for ; !p.End.Equal(c.At); p, err = b.Period(p.Index + 1) {
		require.NoError(t, err)
		require.True(t, p.End.Before(c.At), "%s: %s is no end of a period", what, c.At)
		require.True(t, tooLate(now, p.End, notice) || tooLate(now, p.End, lock), "%s: %s is earlier, and left", what, p.End)
	}
	require.False(t, tooLate(now, p.End, notice) || tooLate(now, p.End, lock), "%s: %s is too early", what, c.At)
	f.clock.Set(now.Add(c.At.Sub(now) / 2))
	ends, err := f.Ends(ctx, []uuid.UUID{s.ID})
	require.NoError(t, err)
	require.Equal(t, c.At, ends[s.ID], "%s: it means the same later", what)
	_, err = f.Discard(ctx, f.reseller, c.ID, "")
	require.NoError(t, err)
	f.clock.Set(now)
	return c.At
}

// tooLate reports whether now is in the last days before t, by the local time of the zone of t's server.
func tooLate(now, t time.Time, days int) bool {
	return days > 0 && now.After(daysEarlier(t, days))
}

// daysEarlier returns the same local time so many days earlier. Of a repeated local time it is the first; a skipped one is moved forward.
func daysEarlier(t time.Time, days int) time.Time {
	loc := t.Location()
	wall := time.Date(t.Year(), t.Month(), t.Day()-days, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	var first time.Time
	for _, offset := range offsets(loc, wall) {
		if got := wall.Add(-offset).In(loc); got.Hour() == t.Hour() && got.Minute() == t.Minute() && (first.IsZero() || got.Before(first)) {
			first = got
		}
	}
	if first.IsZero() { // it does not exist: by the offset before the gap
		first = wall.Add(-offsets(loc, wall)[0])
	}
	return first
}

// offsets returns the offsets of the zone a day before and a day after, in order of time.
func offsets(loc *time.Location, wall time.Time) []time.Duration {
	var all []time.Duration
	for _, t := range []time.Time{wall.AddDate(0, 0, -1), wall.AddDate(0, 0, 1)} {
		_, seconds := t.In(loc).Zone()
		all = append(all, time.Duration(seconds)*time.Second)
	}
	return all
}
