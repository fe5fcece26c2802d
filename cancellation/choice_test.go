package cancellation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// TestChosenDates: what a date means, and who may choose it. It is 10 November, 09:00; the period began on 31 October, 23:00.
func TestChosenDates(t *testing.T) {
	t.Parallel()
	byDate := func(s string) cancellation.When { return cancellation.When{At: at(s)} }
	now := at("2026-11-10 09:00")
	free := cancellation.Settings{ClientMayChooseDate: true}
	withNotice := cancellation.Settings{ClientMayChooseDate: true, NoticeDays: 7}
	locked := cancellation.Settings{ClientMayChooseDate: true, NoticeDays: 7, LockDays: 14}
	tests := []struct {
		name      string
		actor     func(*fixture) dedicated.Actor
		when      cancellation.When
		backdated bool
		settings  cancellation.Settings
		want      time.Time
		err       error
		field     string
		earliest  string // of the error
	}{
		{name: "now", actor: theReseller, when: cancellation.When{Now: true}, want: now},
		{name: "a clock that is a minute behind", actor: theReseller, when: byDate("2026-11-10 08:59"), want: now},
		{name: "two minutes ago", actor: theReseller, when: byDate("2026-11-10 08:58"), err: cancellation.ErrInvalid, field: "When.At"},
		{name: "set back", actor: theReseller, when: byDate("2026-11-02 10:00"), backdated: true, want: at("2026-11-02 10:00")},
		{name: "set back by half a minute", actor: theReseller, when: cancellation.When{At: now.Add(-30 * time.Second)}, backdated: true, want: now.Add(-30 * time.Second)},
		{name: "set back to the start of the assignment", actor: theReseller, when: byDate("2026-11-01 12:00"), backdated: true, want: at("2026-11-01 12:00")},
		{name: "set back too far", actor: theReseller, when: byDate("2026-11-01 11:59"), backdated: true, err: cancellation.ErrInvalid, field: "When.At", earliest: "2026-11-01 12:00"},
		{name: "set back, but ahead", actor: theReseller, when: byDate("2026-11-20 12:00"), backdated: true, want: at("2026-11-20 12:00")},
		{name: "the end of the period, set back", actor: theReseller, when: endOfPeriod(), backdated: true, err: cancellation.ErrInvalid, field: "Order.Backdated"},
		{name: "the first end, set back", actor: theReseller, when: firstAllowed(), backdated: true, err: cancellation.ErrInvalid, field: "Order.Backdated"},
		{name: "now, set back", actor: theReseller, when: cancellation.When{Now: true}, backdated: true, err: cancellation.ErrInvalid, field: "Order.Backdated"},
		{name: "a client, now", actor: theClient, when: cancellation.When{Now: true}, settings: free, err: cancellation.ErrForbidden, field: "When.Now", earliest: "2026-11-30 23:00"},
		{name: "a client sets back", actor: theClient, when: byDate("2026-11-02 10:00"), backdated: true, settings: free, err: cancellation.ErrForbidden, field: "Order.Backdated", earliest: "2026-11-30 23:00"},
		{name: "a client sets the end of the period back", actor: theClient, when: endOfPeriod(), backdated: true, err: cancellation.ErrForbidden, field: "Order.Backdated", earliest: "2026-11-30 23:00"},
		{name: "a client's date", actor: theClient, when: byDate("2026-11-20 12:00"), err: cancellation.ErrForbidden, field: "When.At", earliest: "2026-11-30 23:00"},
		{name: "a client's date that is the end of the period", actor: theClient, when: byDate("2026-11-30 23:00"), err: cancellation.ErrForbidden, field: "When.At", earliest: "2026-11-30 23:00"},
		{name: "a client's date, allowed", actor: theClient, when: byDate("2026-11-20 12:00"), settings: free, want: at("2026-11-20 12:00")},
		{name: "a day ahead", actor: theClient, when: byDate("2026-11-11 09:00"), settings: free, want: at("2026-11-11 09:00")},
		{name: "less than a day ahead", actor: theClient, when: byDate("2026-11-11 08:59"), settings: free, err: cancellation.ErrForbidden, field: "When.At", earliest: "2026-11-11 09:00"},
		{name: "a past date", actor: theClient, when: byDate("2026-11-01 08:59"), settings: free, err: cancellation.ErrForbidden, field: "When.At", earliest: "2026-11-11 09:00"},
		{name: "with the notice", actor: theClient, when: byDate("2026-11-17 09:00"), settings: withNotice, want: at("2026-11-17 09:00")},
		{name: "without the notice", actor: theClient, when: byDate("2026-11-17 08:59"), settings: withNotice, err: cancellation.ErrForbidden, field: "When.At", earliest: "2026-11-17 09:00"},
		{name: "within the lock", actor: theClient, when: byDate("2026-11-24 08:59"), settings: locked, err: cancellation.ErrForbidden, field: "When.At", earliest: "2026-11-24 09:00"},
		{name: "before the lock", actor: theClient, when: byDate("2026-11-24 09:00"), settings: locked, want: at("2026-11-24 09:00")},
		{name: "the end of the period, with dates allowed", actor: theClient, when: endOfPeriod(), settings: free, want: endOfNovember()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clock.Set(at("2026-11-01 12:00"))
			s := f.server(t)
			f.clock.Set(now)
			f.saveSettings(t, tt.settings)
			order := cancellation.Order{ID: uuid.New(), ServerID: s.ID, When: tt.when, Backdated: tt.backdated}
			p, previewErr := f.Preview(t.Context(), tt.actor(f), order)
			c, err := f.Schedule(t.Context(), tt.actor(f), order)
			if tt.err != nil {
				e := requireError(t, err, tt.err)
				assert.Equal(t, tt.field, e.Field)
				if tt.earliest != "" {
					assert.Equal(t, at(tt.earliest), e.Earliest)
				}
				require.EqualError(t, previewErr, err.Error())
				f.assertNothing(t)
				return
			}
			require.NoError(t, err)
			require.NoError(t, previewErr)
			assert.Equal(t, tt.want, c.At)
			assert.Equal(t, tt.want, c.Ordered)
			assert.Equal(t, now, c.Asked)
			version := c.Version
			p.Cancellation.Version = version
			assert.Equal(t, c, p.Cancellation)
			again, err := f.Schedule(t.Context(), tt.actor(f), order)
			require.NoError(t, err, "a repeat")
			assert.Equal(t, c, again)
		})
	}
}

// TestBackdatedOrder: refund and mails are as of the date, and there is no warning.
func TestBackdatedOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.clock.Set(at("2026-11-01 12:00"))
	s := f.server(t)
	f.clock.Set(at("2026-11-10 09:00"))
	settings := warnings(30, 7)
	settings.MinWarningDays, settings.Paused = 7, true
	settings = f.saveSettings(t, settings)
	order := cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at("2026-11-05 12:00")}, Backdated: true, TellClient: true}
	quote, err := f.Quote(t.Context(), f.reseller, s.ID, order.When)
	require.NoError(t, err)
	assertMoney(t, "25.00", quote.Total)
	c, err := f.Schedule(t.Context(), f.reseller, order)
	require.NoError(t, err)
	f.tick(t)
	assert.Empty(t, f.get(t, c.ID).Warned, "also while executions are paused")
	settings.Paused = false
	f.saveSettings(t, settings)
	f.tickUntil(t, at("2026-11-10 09:30"))
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State, "at once")
	require.Len(t, f.biller.refunds(), 1)
	assertMoney(t, "25.00", f.biller.refunds()[0].Amount)
	assert.Equal(t, at("2026-11-05 12:00"), f.biller.refunds()[0].At)
	notice := payloads[cancellation.Notice](t, f, cancellation.KindScheduled)
	require.Len(t, notice, 1)
	assert.True(t, notice[0].Backdated)
	assert.Equal(t, "2026-11-05T13:00:00+01:00", notice[0].Date)
	assert.Equal(t, "2026-11-05T13:00:00+01:00", payloads[cancellation.Statement](t, f, cancellation.KindExecuted)[0].Date)
}

// TestBackdatingBeforeTheFirstPeriod: the first period has not begun, so only the assignment bounds it.
func TestBackdatingBeforeTheFirstPeriod(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-12-14 23:00", dedicated.Month, 1))
	require.NoError(t, err)
	f.clock.Set(at("2026-11-20 12:00"))
	order := cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at("2026-11-10 08:59")}, Backdated: true}
	_, err = f.Schedule(t.Context(), f.reseller, order)
	assert.Equal(t, at("2026-11-10 09:00"), requireError(t, err, cancellation.ErrInvalid).Earliest)
	order.When.At = at("2026-11-10 09:00")
	_, err = f.Schedule(t.Context(), f.reseller, order)
	require.NoError(t, err)
}

// TestNowIsNeverPostponed: MinWarningDays holds only for dates that were ordered so many days ahead.
func TestNowIsNeverPostponed(t *testing.T) {
	t.Parallel()
	for _, w := range []cancellation.When{{Now: true}, {At: at("2026-11-10 09:00")}, {At: at("2026-11-13 08:59")}} {
		f := newFixture(t)
		s := warnings(7)
		s.MinWarningDays = 3
		f.saveSettings(t, s)
		c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: f.server(t).ID, When: w})
		require.NoError(t, err)
		f.tickAt(t, c.At)
		assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	}
}

// TestDueByOtherBillingIsNotExecutedUnwarned: other billing makes a cancellation due at once that was ordered long ahead. The client
// is warned as long before as MinWarningDays says.
func TestDueByOtherBillingIsNotExecutedUnwarned(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	settings := warnings(7)
	settings.MinWarningDays = 10
	f.saveSettings(t, settings)
	s := f.server(t)
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, quarterly())
	require.NoError(t, err)
	c := f.scheduleAsClient(t, s.ID)
	f.tickUntil(t, at("2026-11-12 12:00"))
	_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, billing("2026-11-03 23:00", dedicated.Week, 1))
	require.NoError(t, err)
	f.tickUntil(t, at("2026-11-22 11:59"))
	got := f.get(t, c.ID)
	assert.Equal(t, at("2026-11-12 12:00"), got.At, "as of the change")
	assert.Equal(t, at("2026-12-31 23:00"), got.Ordered)
	assert.Equal(t, cancellation.Scheduled, got.State, "ordered two days before the present date, but weeks before the one that was ordered")
	assert.Len(t, got.Warned, 1)
	f.tickUntil(t, got.Postponed)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

// TestRescheduleToNow: a move takes every When, but sets nothing back.
func TestRescheduleToNow(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	_, err := f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{At: at("2026-11-02 00:00")})
	assert.Equal(t, "When.At", requireError(t, err, cancellation.ErrInvalid).Field)
	c, err = f.Reschedule(ctx, f.reseller, c.ID, firstAllowed())
	require.NoError(t, err)
	assert.Equal(t, endOfNovember(), c.At)
	assert.Equal(t, monthly().Cycle, c.Cycle)
	c, err = f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{Now: true})
	require.NoError(t, err)
	assert.Equal(t, at("2026-11-10 09:00"), c.At)
	f.clock.Set(at("2026-11-10 09:01"))
	again, err := f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{Now: true})
	require.NoError(t, err)
	assert.Equal(t, c, again, "it is due already")
	f.tick(t)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

// TestClientMayChooseDateAndMove: a client may move its order to any date that it could order.
func TestClientMayChooseDateAndMove(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	f.saveSettings(t, cancellation.Settings{ClientMayChooseDate: true, ClientMayDiscard: true, NoticeDays: 3})
	c := f.scheduleAsClient(t, f.server(t).ID)
	moved, err := f.Reschedule(ctx, f.client, c.ID, cancellation.When{At: at("2026-11-13 09:00")})
	require.NoError(t, err)
	assert.Equal(t, at("2026-11-13 09:00"), moved.At)
	_, err = f.Reschedule(ctx, f.client, c.ID, cancellation.When{At: at("2026-11-13 08:59")})
	assert.Equal(t, at("2026-11-13 09:00"), requireError(t, err, cancellation.ErrForbidden).Earliest)
	f.clock.Set(at("2026-11-13 09:00"))
	for _, change := range []func() error{
		func() error {
			_, err := f.Reschedule(ctx, f.client, c.ID, cancellation.When{At: at("2026-11-20 09:00")})
			return err
		},
		func() error { _, err := f.Discard(ctx, f.client, c.ID, ""); return err },
	} {
		require.ErrorContains(t, change(), "was due at")
		assertError(t, change(), cancellation.ErrForbidden)
	}
}

// TestExpect: the date has changed since the person saw it.
func TestExpect(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	order := cancellation.Order{ID: uuid.New(), ServerID: f.server(t).ID, When: endOfPeriod()}
	p, err := f.Preview(ctx, f.client, order)
	require.NoError(t, err)
	order.Expect = p.Cancellation.At
	f.clock.Set(endOfNovember()) // midnight falls between the two
	_, err = f.Schedule(ctx, f.client, order)
	e := requireError(t, err, cancellation.ErrConflict)
	assert.Equal(t, "Order.Expect", e.Field)
	assert.Equal(t, at("2026-12-31 23:00"), e.At)
	assert.ErrorContains(t, err, "2027-01-01T00:00:00+01:00")
	f.assertNothing(t)
	order.Expect = e.At.Add(700 * time.Nanosecond)
	c, err := f.Schedule(ctx, f.client, order)
	require.NoError(t, err)
	order.Expect = at("2020-01-01 00:00")
	again, err := f.Schedule(ctx, f.client, order)
	require.NoError(t, err, "a repeat is not compared")
	assert.Equal(t, c, again)
}

// TestTellClient: the client of a reseller's order is told at once, and knows it from then on.
func TestTellClient(t *testing.T) {
	t.Parallel()
	for _, tell := range []bool{false, true} {
		f, ctx := newFixture(t), t.Context()
		order := cancellation.Order{ID: uuid.New(), ServerID: f.server(t).ID, When: endOfPeriod(), TellClient: tell}
		c, err := f.Schedule(ctx, f.reseller, order)
		require.NoError(t, err)
		want := map[notify.Kind]int{}
		if tell {
			want[cancellation.KindScheduled] = 1
		}
		assert.Equal(t, want, f.countEvents(t, c.ID))
		other := order
		other.TellClient = !tell
		_, err = f.Schedule(ctx, f.reseller, other)
		assert.Equal(t, "Order.ID", requireError(t, err, cancellation.ErrConflict).Field, "another order")
		_, err = f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
		require.NoError(t, err)
		_, err = f.Discard(ctx, f.reseller, c.ID, "")
		require.NoError(t, err)
		if tell {
			want[cancellation.KindRescheduled], want[cancellation.KindDiscarded] = 1, 1
			assert.Equal(t, "reseller", payloads[cancellation.Notice](t, f, cancellation.KindScheduled)[0].By)
		}
		assert.Equal(t, want, f.countEvents(t, c.ID))
	}
}

// TestResellersMoveStays: a client cannot undo what the reseller, or System, has done to its order.
func TestResellersMoveStays(t *testing.T) {
	t.Parallel()
	for _, role := range []dedicated.Role{dedicated.Reseller, dedicated.System} {
		f, ctx := newFixture(t), t.Context()
		f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true})
		order := cancellation.Order{ID: uuid.New(), ServerID: f.server(t).ID, When: endOfPeriod()}
		c, err := f.Schedule(ctx, f.client, order)
		require.NoError(t, err)
		c, err = f.Reschedule(ctx, f.client, c.ID, firstAllowed())
		require.NoError(t, err)
		assert.Equal(t, dedicated.Client, c.MovedBy)
		by := dedicated.Actor{Role: role, ResellerID: f.reseller.ResellerID, ID: f.reseller.ID}
		c, err = f.Reschedule(ctx, by, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
		require.NoError(t, err)
		assert.Equal(t, role, c.MovedBy)
		_, err = f.Reschedule(ctx, f.client, c.ID, endOfPeriod())
		assertError(t, err, cancellation.ErrForbidden)
		require.ErrorContains(t, err, "ask the reseller")
		_, err = f.Discard(ctx, f.client, c.ID, "")
		assertError(t, err, cancellation.ErrForbidden)
		again, err := f.Schedule(ctx, f.client, order)
		require.NoError(t, err, "a late repeat")
		assert.Equal(t, c.At, again.At)
		_, err = f.Discard(ctx, by, c.ID, "")
		require.NoError(t, err)
	}
}

// TestPostponedIsDue: while an execution is postponed, a client may change nothing: the time from the date on is not charged.
func TestPostponedIsDue(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := warnings(7)
	s.MinWarningDays, s.ClientMayDiscard = 5, true
	f.saveSettings(t, s)
	c := f.scheduleAsClient(t, f.server(t).ID)
	f.tickAt(t, at("2026-11-30 23:00"))
	require.Equal(t, at("2026-12-05 23:00"), f.get(t, c.ID).Postponed)
	f.clock.Set(at("2026-12-03 12:00"))
	_, err := f.Discard(ctx, f.client, c.ID, "")
	assertError(t, err, cancellation.ErrForbidden)
	_, err = f.Reschedule(ctx, f.client, c.ID, endOfPeriod())
	assertError(t, err, cancellation.ErrForbidden)
	_, err = f.Discard(ctx, f.reseller, c.ID, "")
	require.NoError(t, err, "the reseller may")
}
