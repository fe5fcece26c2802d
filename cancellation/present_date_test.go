package cancellation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

func TestClientsOrderMovedAYearByTwoChanges(t *testing.T) {
	t.Parallel()
	f, d := newEventFixture(t)
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	require.Equal(t, endOfNovember(), c.At)
	for _, b := range []dedicated.Billing{
		billing("2025-11-29 23:00", dedicated.Year, 1), // ends one day before: moves earlier, which is allowed
		billing("2026-11-09 23:00", dedicated.Year, 1), // "the same cycle" as the first change, not as the order
	} {
		_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, b)
		require.NoError(t, err)
		_, err = d.Tick(t.Context())
		require.NoError(t, err)
	}
	got := f.get(t, c.ID).At
	assert.False(t, got.After(endOfNovember()), "the client ordered %s under a monthly cycle; yearly billing has moved it to %s", endOfNovember(), got)
}

func TestTwoChangesDependOnWhoLookedBetween(t *testing.T) {
	t.Parallel()
	var ats []time.Time
	for _, look := range []bool{true, false} {
		f, d := newEventFixture(t)
		s := f.server(t)
		c := f.scheduleAsClient(t, s.ID)
		for _, b := range []dedicated.Billing{billing("2025-11-29 23:00", dedicated.Year, 1), billing("2026-11-09 23:00", dedicated.Year, 1)} {
			_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, b)
			require.NoError(t, err)
			if look {
				_, err = d.Tick(t.Context())
				require.NoError(t, err)
			}
		}
		_, err := d.Tick(t.Context())
		require.NoError(t, err)
		ats = append(ats, f.get(t, c.ID).At)
	}
	assert.Less(t, ats[0].Sub(ats[1]).Abs(), 48*time.Hour, "%v", ats)
}

func TestTermsFromAfterTheDateMoveIt(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"client", "reseller"} {
		for _, way := range []string{"subscriber", "tick"} {
			f, d := newEventFixture(t)
			f.saveSettings(t, cancellation.Settings{Paused: true})
			s := f.server(t)
			a := map[string]dedicated.Actor{"client": f.client, "reseller": f.reseller}[who]
			c, err := f.Schedule(t.Context(), a, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
			require.NoError(t, err)
			f.tick(t)
			f.clock.Set(at("2026-12-01 12:00"))
			renew, err := f.ShouldRenew(t.Context(), s.ID, endOfNovember())
			require.NoError(t, err)
			require.False(t, renew, "the invoicing does not charge what begins at the date")
			_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-11-14 23:00", dedicated.Month, 1))
			require.NoError(t, err)
			if way == "subscriber" {
				_, err = d.Tick(t.Context())
			} else {
				f.tickAt(t, at("2026-12-02 12:00"))
			}
			require.NoError(t, err)
			assert.Equal(t, endOfNovember(), f.get(t, c.ID).At, "%s, %s: new terms that begin at or after At never move it", who, way)
		}
	}
}

func TestTermsFromAfterTheDateBeforeTheTick(t *testing.T) {
	t.Parallel()
	f, d := newEventFixture(t)
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	f.tick(t)
	f.clock.Set(endOfNovember().Add(10 * time.Second))
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-11-14 23:00", dedicated.Month, 1))
	require.NoError(t, err)
	_, err = d.Tick(t.Context())
	require.NoError(t, err)
	f.tickAt(t, endOfNovember().Add(30*time.Second))
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State, "it was due before the billing changed; now it is for %s", got.At)
}

func TestClientChangesFromAtOn(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"discard", "reschedule"} {
		f := newFixture(t) // no subscriber is wired
		f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true})
		s := f.server(t)
		c := f.scheduleAsClient(t, s.ID)
		f.tick(t)
		f.clock.Set(at("2026-11-20 12:00"))
		_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-11-01 23:00", dedicated.Week, 1))
		require.NoError(t, err)
		f.clock.Set(at("2026-11-20 13:00"))
		badges, err := f.Badges(t.Context(), f.client, []uuid.UUID{s.ID})
		require.NoError(t, err)
		require.Equal(t, at("2026-11-20 12:00"), badges[s.ID].At, "the client sees that the date has passed")
		if op == "discard" {
			_, err = f.Discard(t.Context(), f.client, c.ID, "")
		} else {
			_, err = f.Reschedule(t.Context(), f.client, c.ID, endOfPeriod())
		}
		assert.ErrorIs(t, err, cancellation.ErrForbidden, "%s: from At on a client may change nothing", op)
	}
}

func TestClientDiscardsInLockedDays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true, LockDays: 7})
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	f.tick(t)
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-11-08 23:00", dedicated.Week, 1))
	require.NoError(t, err)
	f.clock.Set(at("2026-11-10 13:00"))
	badges, err := f.Badges(t.Context(), f.client, []uuid.UUID{s.ID})
	require.NoError(t, err)
	require.Equal(t, at("2026-11-15 23:00"), badges[s.ID].At)
	_, err = f.Discard(t.Context(), f.client, c.ID, "")
	assert.ErrorIs(t, err, cancellation.ErrForbidden, "five days before the date, seven are locked")
}

func TestClientConfirmsAfterARestore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true})
	c := f.scheduleAsClient(t, f.server(t).ID)
	f.restore(t)
	_, err := f.Reschedule(t.Context(), f.client, c.ID, endOfPeriod())
	t.Log(err, f.get(t, c.ID).Epoch)
	waiting, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{Unconfirmed: true})
	require.NoError(t, err)
	assert.Len(t, waiting, 1, "Confirm is for the reseller")
}

func TestSameDateAfterARestoreIsNoMove(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true})
	c := f.scheduleAsClient(t, f.server(t).ID)
	f.restore(t)
	_, err := f.Reschedule(t.Context(), f.reseller, c.ID, endOfPeriod())
	require.NoError(t, err)
	assert.Zero(t, f.countEvents(t, c.ID)[cancellation.KindRescheduled], "the date has not moved")
	_, err = f.Discard(t.Context(), f.client, c.ID, "")
	assert.NoError(t, err, "no reseller has moved it")
}

func TestEarliestIsAcceptedNext(t *testing.T) {
	t.Parallel()
	for _, notice := range []int{0, 5} {
		f := newFixture(t)
		f.saveSettings(t, cancellation.Settings{ClientMayChooseDate: true, NoticeDays: notice})
		s := f.server(t)
		_, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at("2026-11-10 10:00")}})
		e := requireError(t, err, cancellation.ErrForbidden)
		f.clock.Set(f.clock.Now().Add(2 * time.Second))
		_, err = f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: e.Earliest}})
		assert.NoError(t, err, "the error named it as the earliest date")
	}
}

func TestPreviewedDateIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{ClientMayChooseDate: true})
	o := cancellation.Order{ServerID: f.server(t).ID, When: cancellation.When{At: at("2026-11-11 09:00")}}
	p, err := f.Preview(t.Context(), f.client, o)
	require.NoError(t, err)
	f.clock.Set(f.clock.Now().Add(5 * time.Second))
	o.Expect = p.Cancellation.At
	_, err = f.Schedule(t.Context(), f.client, o)
	assert.NoError(t, err)
}

func TestClientQuotesJustNow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{ClientMayChooseDate: true})
	s := f.server(t)
	_, err := f.Quotes(t.Context(), f.client, s.ID, at("2026-11-10 08:59").Add(58*time.Second), at("2026-11-11 09:00"))
	assert.NoError(t, err, "an At up to a minute past is now")
}

func TestSinceBeforeYearOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "x"})
	require.NoError(t, err)
	b := monthly()
	b.Anchor = at("2026-11-30 23:00")
	since := time.Time{}.AddDate(-2, 0, 0)
	s, err = f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: b, Since: since})
	if err != nil {
		require.ErrorIs(t, err, dedicated.ErrInvalid)
		return
	}
	_, err = json.Marshal(s)
	assert.NoError(t, err)
	c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: since}, Backdated: true})
	if err != nil {
		return
	}
	for range 8 {
		_, err = f.Tick(t.Context())
		f.clock.Set(f.clock.Now().Add(2 * time.Hour))
	}
	assert.NoError(t, err)
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State, "%s %v", got.LastError, got.Steps)
}

func TestSinceBecomesZero(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "x"})
	require.NoError(t, err)
	s, err = f.servers.Assign(t.Context(), f.reseller, s.ID,
		dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly(), Since: time.Time{}.Add(time.Nanosecond)})
	if err == nil {
		assert.False(t, s.AssignedAt.IsZero())
	}
}

func TestBillingWithoutAPeriod(t *testing.T) {
	t.Parallel()
	f, d := newEventFixture(t)
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	b := billing("9999-06-01 00:00", dedicated.Year, 1)
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, b)
	if err != nil {
		assert.ErrorIs(t, err, dedicated.ErrInvalid)
		return
	}
	_, _ = d.Tick(t.Context())
	f.clock.Set(endOfNovember())
	_, err = f.Tick(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State, "new terms that begin after At never move it")
}
