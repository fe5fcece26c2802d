package cancellation_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

func billing(anchor string, unit dedicated.Unit, count int) dedicated.Billing {
	b := monthly()
	b.Anchor, b.Cycle = at(anchor), dedicated.Cycle{Unit: unit, Count: count}
	return b
}

// TestOtherBilling: what becomes of an end of period on 10 November, monthly from 1 October, if the billing changes on 20 November.
func TestOtherBilling(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		billing  dedicated.Billing
		client   string // the date of a client's order
		reseller string // and of a reseller's
	}{
		{"new terms from the date on", billing("2026-11-30 23:00", dedicated.Year, 1), "2026-11-30 23:00", "2026-11-30 23:00"},
		{"new terms from after the date", billing("2026-12-14 23:00", dedicated.Month, 1), "2026-11-30 23:00", "2026-11-30 23:00"},
		{"new terms from just before the date", billing("2026-11-30 22:59", dedicated.Month, 1), "2026-12-30 22:59", "2026-12-30 22:59"},
		{"a longer cycle", billing("2026-09-30 22:00", dedicated.Month, 3), "2026-11-30 23:00", "2026-12-31 23:00"},
		{"a year from before the date", billing("2026-11-19 23:00", dedicated.Year, 1), "2026-11-30 23:00", "2027-11-19 23:00"},
		{"the same cycle, later in the month", billing("2026-10-14 22:00", dedicated.Month, 1), "2026-11-20 12:00", "2026-11-20 12:00"},
		{"the same cycle, extended", billing("2026-11-04 23:00", dedicated.Month, 1), "2026-12-04 23:00", "2026-12-04 23:00"},
		{"a shorter cycle", billing("2026-11-02 23:00", dedicated.Week, 3), "2026-11-23 23:00", "2026-11-23 23:00"},
		{"a cycle that ended before the change", billing("2026-11-01 23:00", dedicated.Week, 1), "2026-11-20 12:00", "2026-11-20 12:00"},
	}
	for _, tt := range tests {
		for who, want := range map[string]string{"client": tt.client, "reseller": tt.reseller} {
			t.Run(tt.name+"/"+who, func(t *testing.T) {
				t.Parallel()
				for _, way := range []string{"subscriber", "tick"} {
					f, d := newEventFixture(t)
					s := f.server(t)
					a := map[string]dedicated.Actor{"client": f.client, "reseller": f.reseller}[who]
					c, err := f.Schedule(t.Context(), a, cancellation.Order{ServerID: s.ID, When: endOfPeriod(), TellClient: true})
					require.NoError(t, err)
					assert.Equal(t, monthly().Cycle, c.Cycle)
					f.clock.Set(at("2026-11-20 12:00"))
					_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, tt.billing)
					require.NoError(t, err)
					ends, err := f.Ends(t.Context(), []uuid.UUID{s.ID})
					require.NoError(t, err)
					assert.Equal(t, at(want), ends[s.ID], "before anything has followed")
					if way == "subscriber" {
						_, err = d.Tick(t.Context())
					} else {
						_, err = f.Tick(t.Context())
					}
					require.NoError(t, err)
					c = f.get(t, c.ID)
					assert.Equal(t, at(want), c.At, way)
					moves, cycle := 1, tt.billing.Cycle
					if c.At.Equal(endOfNovember()) {
						moves, cycle = 0, monthly().Cycle
					}
					assert.Equal(t, moves, f.countEvents(t, c.ID)[cancellation.KindRescheduled], "each move is mailed")
					assert.Equal(t, cycle, c.Cycle)
					_, err = d.Tick(t.Context())
					require.NoError(t, err)
					f.tick(t)
					assert.Equal(t, at(want), f.get(t, c.ID).At, "%s: the rule comes to the same again", way)
				}
			})
		}
	}
}

// TestClientsOrderComesBackAtTheMost: after a move to an earlier date, that date's cycle counts.
func TestClientsOrderComesBackAtTheMost(t *testing.T) {
	t.Parallel()
	f, d := newEventFixture(t)
	s := f.server(t)
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, quarterly())
	require.NoError(t, err)
	c := f.scheduleAsClient(t, s.ID)
	for _, step := range []struct {
		billing dedicated.Billing
		want    string
	}{{quarterly(), "2026-12-31 23:00"}, {monthly(), "2026-11-30 23:00"}, {quarterly(), "2026-11-30 23:00"}, {monthly(), "2026-11-30 23:00"}} {
		_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, step.billing)
		require.NoError(t, err)
		_, err = d.Tick(t.Context())
		require.NoError(t, err)
		assert.Equal(t, at(step.want), f.get(t, c.ID).At)
	}
}

// TestFixedDateStays: dates, and now, do not follow any billing.
func TestFixedDateStays(t *testing.T) {
	t.Parallel()
	for _, w := range []cancellation.When{{At: endOfNovember()}, {Now: true}} {
		f, d := newEventFixture(t)
		s := f.server(t)
		c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: w})
		require.NoError(t, err)
		assert.Equal(t, dedicated.Cycle{}, c.Cycle)
		_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-10-04 22:00", dedicated.Week, 1))
		require.NoError(t, err)
		_, err = d.Tick(t.Context())
		require.NoError(t, err)
		assert.Equal(t, c, f.get(t, c.ID))
	}
}

// TestZoneStays: the zone of a cancellation's dates is frozen. It changes only when the date moves.
func TestZoneStays(t *testing.T) {
	t.Parallel()
	f, d := newEventFixture(t)
	s := f.server(t)
	fixed := f.scheduleAt(t, s.ID, endOfNovember())
	other := f.server(t)
	_, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: other.ID, When: endOfPeriod()})
	require.NoError(t, err)
	for zone, follows := range map[string]string{"Europe/Madrid": "2026-11-30 23:00", "Asia/Tokyo": "2026-11-30 22:00"} {
		b := monthly()
		b.Zone = zone
		for _, id := range []uuid.UUID{s.ID, other.ID} {
			_, err := f.servers.ChangeBilling(t.Context(), f.reseller, id, b)
			require.NoError(t, err)
		}
		_, err := d.Tick(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "Europe/Berlin", f.get(t, fixed.ID).Zone)
		active, err := f.store.Active(t.Context(), []uuid.UUID{other.ID})
		require.NoError(t, err)
		assert.Equal(t, at(follows), active[0].At)
		want := "Europe/Berlin"
		if !active[0].At.Equal(endOfNovember()) {
			want = zone
		}
		assert.Equal(t, want, active[0].Zone)
		b.Zone = "Europe/Berlin"
		for _, id := range []uuid.UUID{s.ID, other.ID} {
			_, err := f.servers.ChangeBilling(t.Context(), f.reseller, id, b)
			require.NoError(t, err)
		}
		_, err = d.Tick(t.Context())
		require.NoError(t, err)
	}
}
