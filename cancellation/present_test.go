package cancellation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// shown returns the badge that the reseller and the server's client see, nil if none, and checks that Ends and ShouldRenew say the same.
func (f *fixture) shown(t *testing.T, server uuid.UUID, client dedicated.Actor) *cancellation.Badge {
	t.Helper()
	ctx, ids := t.Context(), []uuid.UUID{server}
	badges, err := f.Badges(ctx, f.reseller, ids)
	require.NoError(t, err)
	ofClient, err := f.Badges(ctx, client, ids)
	require.NoError(t, err)
	assert.Equal(t, badges, ofClient)
	ends, err := f.Ends(ctx, ids)
	require.NoError(t, err)
	renews, err := f.ShouldRenew(ctx, server, at("2030-01-01 00:00"))
	require.NoError(t, err)
	b, ok := badges[server]
	assert.Equal(t, !ok, renews)
	if !ok {
		assert.Empty(t, ends)
		return nil
	}
	assert.Equal(t, map[uuid.UUID]time.Time{server: b.At}, ends)
	return &b
}

// TestRecordOfAnEarlierAssignment: a server was released by hand and rented to the next client, and nobody told the Manager. The order of
// the client before shows on nobody's server and counts for nothing.
func TestRecordOfAnEarlierAssignment(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	assert.Equal(t, c.ID, f.shown(t, s.ID, f.client).CancellationID)

	_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	assert.Nil(t, f.shown(t, s.ID, f.client), "in clean_up, and the cancellation is not executing")

	next := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: f.reseller.ResellerID}
	_, err = f.servers.Restock(t.Context(), f.reseller, s.ID)
	require.NoError(t, err)
	_, err = f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: next.ID, Billing: monthly()})
	require.NoError(t, err)
	assert.Nil(t, f.shown(t, s.ID, next))
	old, err := f.Badges(t.Context(), f.client, []uuid.UUID{s.ID})
	require.NoError(t, err)
	assert.Empty(t, old)

	second, err := f.Schedule(t.Context(), next, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	require.NoError(t, err)
	assert.Equal(t, second.ID, f.shown(t, s.ID, next).CancellationID, "the present assignment's own")
}

// TestDateUnderThePresentBilling: badges and ends show the date under the present billing, before anything has followed it.
func TestDateUnderThePresentBilling(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	_, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	require.NoError(t, err)
	assert.Equal(t, endOfNovember(), f.shown(t, s.ID, f.client).At)
	_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, quarterly())
	require.NoError(t, err)
	assert.Equal(t, at("2026-12-31 23:00"), f.shown(t, s.ID, f.client).At)
}

// TestExecutingInCleanUp: while its server is in clean_up under the assignment, an execution shows.
func TestExecutingInCleanUp(t *testing.T) {
	t.Parallel()
	f, _, c := newStuckFixture(t)
	require.Equal(t, dedicated.CleanUp, f.readServer(t, c.ServerID).State)
	assert.Equal(t, &cancellation.Badge{CancellationID: c.ID, At: c.At, By: c.By.Role, State: cancellation.Executing}, f.shown(t, c.ServerID, f.client))
}

// TestProvidersServerHasNoBadge: nothing will happen to a server that belongs to a provider by now.
func TestProvidersServerHasNoBadge(t *testing.T) {
	t.Parallel()
	altered := &alteredServers{}
	f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
	s := f.server(t)
	f.scheduleAsClient(t, s.ID)
	altered.change = func(s *dedicated.Server) { s.Owner = dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"} }
	assert.Nil(t, f.shown(t, s.ID, f.client))
}

// TestFollowsOtherBillingWithinADay: nobody told the Manager of other billing. A scheduled end of period is looked at once a day, so
// that it follows within a day, and so does one whose reseller has paused executions. A fixed date is not looked at.
func TestFollowsOtherBillingWithinADay(t *testing.T) {
	t.Parallel()
	for _, settings := range []cancellation.Settings{{}, {Paused: true}} {
		for _, w := range []cancellation.When{endOfPeriod(), {FirstAllowed: true}} {
			f := newFixture(t)
			f.saveSettings(t, settings)
			yearly := monthly()
			yearly.Anchor, yearly.Cycle.Unit = at("2026-01-31 23:00"), dedicated.Year
			s := f.server(t)
			_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, yearly)
			require.NoError(t, err)
			c, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: w})
			require.NoError(t, err)
			require.Equal(t, at("2027-01-31 23:00"), c.At)
			f.tick(t)
			f.clock.Set(at("2026-11-20 12:00"))
			b := monthly()
			_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, b)
			require.NoError(t, err)
			f.tickUntil(t, at("2026-11-21 12:00"))
			assert.Equal(t, endOfNovember(), f.get(t, c.ID).At)
			assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindRescheduled])
			f.tickUntil(t, at("2026-12-02 00:00"))
			want := cancellation.Executed
			if settings.Paused {
				want = cancellation.Scheduled
			}
			assert.Equal(t, want, f.get(t, c.ID).State)
		}
	}
	f := newFixture(t)
	f.scheduleAt(t, f.server(t).ID, endOfNovember())
	assert.Equal(t, endOfNovember(), f.tick(t), "a fixed date costs nothing before it is due")
}

// TestASecondTickDoesNothing: the daily look plans the next one a day ahead.
func TestASecondTickDoesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAsClient(t, f.server(t).ID)
	next := f.tick(t)
	assert.Equal(t, at("2026-11-11 09:00"), next)
	once := f.get(t, c.ID)
	assert.Equal(t, next, f.tick(t))
	assert.Equal(t, once, f.get(t, c.ID))
	assert.Equal(t, at("2026-11-12 09:00"), f.tickAt(t, next))
	assert.Equal(t, endOfNovember(), f.tickAt(t, at("2026-11-30 09:00")), "the date itself, if it comes earlier")
}

// TestOneServerWithoutBilling: the inventory answers for one server with a billing that has no period to end. That costs no other
// server its badge.
func TestOneServerWithoutBilling(t *testing.T) {
	t.Parallel()
	altered := &alteredServers{}
	f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
	a, b := f.server(t), f.server(t)
	f.scheduleAsClient(t, a.ID)
	f.scheduleAsClient(t, b.ID)
	altered.change = func(s *dedicated.Server) {
		if s.ID == a.ID {
			s.Billing = dedicated.Billing{}
		}
	}
	ends, err := f.Ends(t.Context(), []uuid.UUID{a.ID, b.ID})
	require.NoError(t, err)
	assert.Equal(t, map[uuid.UUID]time.Time{a.ID: endOfNovember(), b.ID: endOfNovember()}, ends)
	badges, err := f.Badges(t.Context(), f.reseller, []uuid.UUID{a.ID, b.ID})
	require.NoError(t, err)
	assert.Len(t, badges, 2)
	_, err = f.ShouldRenew(t.Context(), a.ID, endOfNovember())
	assertError(t, err, cancellation.ErrHost)
	renews, err := f.ShouldRenew(t.Context(), b.ID, endOfNovember())
	require.NoError(t, err)
	assert.False(t, renews)
}
