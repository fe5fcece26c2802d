package cancellation_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

func TestBadgesAndEnds(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	a, b, free := f.server(t), f.server(t), f.server(t)
	ca, cb := f.scheduleAsClient(t, a.ID), f.scheduleAt(t, b.ID, at("2026-11-20 12:00"))
	ids := []uuid.UUID{a.ID, b.ID, free.ID, uuid.New()}
	want := map[uuid.UUID]cancellation.Badge{
		a.ID: {CancellationID: ca.ID, At: ca.At, By: dedicated.Client, State: cancellation.Scheduled},
		b.ID: {CancellationID: cb.ID, At: cb.At, By: dedicated.Reseller, State: cancellation.Scheduled},
	}
	for _, actor := range []dedicated.Actor{f.reseller, f.client} {
		signs, err := f.Badges(ctx, actor, ids)
		require.NoError(t, err)
		assert.Equal(t, want, signs)
	}
	ends, err := f.Ends(ctx, ids)
	require.NoError(t, err)
	assert.Len(t, ends, 2)
	assert.Equal(t, cb.At, ends[b.ID])
	f.tickAt(t, endOfNovember())
	signs, err := f.Badges(ctx, f.reseller, ids)
	require.NoError(t, err)
	assert.Empty(t, signs)
}

func TestShouldRenew(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := f.server(t)
	renews := func(start string) bool {
		yes, err := f.ShouldRenew(ctx, s.ID, at(start))
		require.NoError(t, err)
		return yes
	}
	assert.True(t, renews("2026-11-30 23:00"))
	c, err := f.Schedule(ctx, f.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	require.NoError(t, err)
	assert.False(t, renews("2026-11-30 23:00"), "the period that begins at the planned date")
	assert.False(t, renews("2026-12-31 23:00"))
	assert.True(t, renews("2026-11-30 22:59"))

	_, err = f.servers.ChangeBilling(ctx, f.reseller, s.ID, quarterly())
	require.NoError(t, err)
	assert.True(t, renews("2026-11-30 23:00"), "under the present billing, before a Tick")
	assert.False(t, renews("2026-12-31 23:00"))
	_, err = f.Discard(ctx, f.reseller, c.ID, "")
	require.NoError(t, err)
	assert.True(t, renews("2026-12-31 23:00"))

	f.scheduleAt(t, s.ID, at("2026-12-10 12:00"))
	assert.False(t, renews("2026-12-31 23:00"))
	f.reassign(t, s, f.client.ID)
	assert.True(t, renews("2026-12-31 23:00"), "another assignment")
}

func TestShouldRenewWhileExecuting(t *testing.T) {
	t.Parallel()
	f, _, c := newStuckFixture(t)
	yes, err := f.ShouldRenew(t.Context(), c.ServerID, endOfNovember())
	require.NoError(t, err)
	assert.False(t, yes)
}

func TestCancellationsPages(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	for n := range 7 {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00").AddDate(0, 0, n%3))
	}
	var got []cancellation.Cancellation
	for after := ""; ; {
		items, next, err := f.Cancellations(ctx, f.client, cancellation.Query{Limit: 3, After: after})
		require.NoError(t, err)
		got = append(got, items...)
		if after = next; after == "" {
			break
		}
	}
	require.Len(t, got, 7)
	for i := range got[1:] {
		assert.False(t, got[i+1].At.Before(got[i].At))
	}
	items, _, err := f.Cancellations(ctx, f.reseller, cancellation.Query{From: at("2026-11-21 00:00"), To: at("2026-11-22 00:00")})
	require.NoError(t, err)
	assert.Len(t, items, 2)
	items, _, err = f.Cancellations(ctx, f.client, cancellation.Query{ClientID: uuid.New()})
	require.NoError(t, err)
	assert.Empty(t, items)
	_, _, err = f.Cancellations(ctx, f.client, cancellation.Query{Stuck: true})
	assert.Equal(t, "Stuck", requireError(t, err, cancellation.ErrForbidden).Field)
	_, _, err = f.Cancellations(ctx, f.reseller, cancellation.Query{From: at("2026-11-22 00:00"), To: at("2026-11-21 00:00")})
	assert.Equal(t, "To", requireError(t, err, cancellation.ErrInvalid).Field)
	for _, q := range []cancellation.Query{{Limit: -1}, {After: "nonsense"}} {
		_, _, err = f.Cancellations(ctx, f.reseller, q)
		assertError(t, err, cancellation.ErrInvalid)
	}
}

// TestClientView: a client sees no steps and failures, and no member of the reseller's staff.
func TestClientView(t *testing.T) {
	t.Parallel()
	f, hooks, c := newStuckFixture(t)
	_, err := f.Retry(t.Context(), f.reseller, c.ID)
	require.NoError(t, err)
	got, err := f.Cancellation(t.Context(), f.client, c.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled", "executing"}, history(got))
	assert.Empty(t, got.Steps)
	assert.Zero(t, got.Attempts)
	assert.Empty(t, got.LastError)
	assert.True(t, got.Due.IsZero() && got.RetryAt.IsZero() && got.LeaseUntil.IsZero())
	assert.Equal(t, dedicated.Actor{Role: dedicated.Reseller, ResellerID: f.reseller.ResellerID}, got.By)
	assert.Equal(t, got.By, got.History[0].By)
	assert.Equal(t, f.reseller, f.get(t, c.ID).History[0].By, "the stored record is unchanged")

	hooks.deprovisionErr = errors.New("still no answer")
	_, err = f.Tick(t.Context())
	require.Error(t, err)
	_, err = f.Abandon(t.Context(), f.reseller, c.ID, "the client has sued us")
	require.NoError(t, err)
	got, err = f.Cancellation(t.Context(), f.client, c.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled", "executing", "abandoned"}, history(got))
	assert.Equal(t, cancellation.Failed, got.State)
}

func TestQuoteEqualsTheExecution(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{Formula: "paid * unused_days / period_days * 0.8"})
	charge := november()
	charge.Refunded = decimal.New(100, -2)
	f.biller.charges = []refund.Charge{charge, {Label: "addresses", Kind: refund.Flat, Paid: decimal.New(800, -2), Start: charge.Start, End: charge.End}}
	s := f.server(t)
	when := cancellation.When{At: at("2026-11-20 12:00")}
	quote, err := f.Quote(t.Context(), f.reseller, s.ID, when)
	require.NoError(t, err)
	require.Len(t, quote.Lines, 2)
	assertMoney(t, "8.00", quote.Lines[0].Amount)
	c := f.scheduleAt(t, s.ID, when.At)
	again, err := f.Quote(t.Context(), f.reseller, s.ID, when)
	require.NoError(t, err)
	assert.Equal(t, quote, again)
	f.tickAt(t, at("2026-11-29 00:00"))
	assert.Equal(t, quote, f.get(t, c.ID).Refund)
	require.Len(t, f.biller.refunds(), 1)
	assert.Equal(t, quote.Lines, f.biller.refunds()[0].Lines)
	assert.Equal(t, quote.Total, f.biller.refunds()[0].Amount)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	none, err := f.Settings(ctx, f.reseller)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Settings{ResellerID: f.reseller.ResellerID}, none)

	given := cancellation.Settings{
		Warn: true, DaysAhead: []int{7, 1}, ClientMayDiscard: true, NoticeDays: 14, LockDays: 2, MinWarningDays: 3, Formula: "paid / 2",
	}
	saved := f.saveSettings(t, given)
	read, err := f.Settings(ctx, f.reseller)
	require.NoError(t, err)
	assert.Equal(t, saved, read)
	f.tick(t)
	read, err = f.Settings(ctx, f.reseller)
	require.NoError(t, err)
	assert.True(t, read.Due.IsZero(), "done")
	saved.NoticeDays = 0
	_, err = f.SaveSettings(ctx, f.reseller, saved)
	require.NoError(t, err, "only a Tick has written them meanwhile")
	_, err = f.SaveSettings(ctx, f.reseller, read)
	assert.Equal(t, "Version", requireError(t, err, cancellation.ErrConflict).Field, "others were saved since")
	_, err = f.SaveSettings(ctx, f.reseller, cancellation.Settings{Version: 100})
	assertError(t, err, cancellation.ErrConflict)
	fresh := f.saveSettings(t, cancellation.Settings{})
	assert.False(t, fresh.Warn, "Version 0 replaces whatever is stored")
	_, err = f.SaveSettings(ctx, f.reseller, cancellation.Settings{ResellerID: uuid.New()})
	assertError(t, err, cancellation.ErrNotFound)
}

func TestInvalidSettings(t *testing.T) {
	t.Parallel()
	many := make([]int, cancellation.MaxLeads+1)
	for i := range many {
		many[i] = i + 1
	}
	for field, s := range map[string]cancellation.Settings{
		"DaysAhead":      {Warn: true},
		"NoticeDays":     {NoticeDays: -1},
		"LockDays":       {LockDays: cancellation.MaxDays + 1},
		"MinWarningDays": {MinWarningDays: -1},
		"Formula":        {Formula: "paid * unsued_days"},
	} {
		f := newFixture(t)
		_, err := f.SaveSettings(t.Context(), f.reseller, s)
		e := requireError(t, err, cancellation.ErrInvalid)
		assert.Equal(t, field, e.Field)
	}
	for _, days := range [][]int{{0}, {-1}, {cancellation.MaxDays + 1}, many} {
		f := newFixture(t)
		_, err := f.SaveSettings(t.Context(), f.reseller, cancellation.Settings{DaysAhead: days})
		assert.Equal(t, "DaysAhead", requireError(t, err, cancellation.ErrInvalid).Field)
	}
	f := newFixture(t)
	_, err := f.SaveSettings(t.Context(), f.reseller, cancellation.Settings{Formula: "paid * unsued_days"})
	var e *refund.ExpressionError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "unused_days", e.Nearest)
}

// TestShouldRenewWithoutExecution: a server that will not be cancelled is charged.
func TestShouldRenewWithoutExecution(t *testing.T) {
	t.Parallel()
	t.Run("the server belongs to a provider now", func(t *testing.T) {
		t.Parallel()
		altered := &alteredServers{}
		f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
		c := f.scheduleAsClient(t, f.server(t).ID)
		altered.change = func(s *dedicated.Server) { s.Owner.Provider = "Upstream Ltd" }
		yes, err := f.ShouldRenew(t.Context(), c.ServerID, endOfNovember())
		require.NoError(t, err)
		assert.True(t, yes, "the cancellation will not be executed")
	})
	t.Run("the server has another client now", func(t *testing.T) {
		t.Parallel()
		servers := &unansweredUnlock{answerLost: true}
		f := newFixture(t, func(c *cancellation.Config) { servers.Servers, c.Servers = c.Servers, servers })
		s := f.server(t)
		c := f.scheduleAt(t, s.ID, at("2026-11-10 09:00"))
		_, err := f.Tick(t.Context())
		require.ErrorIs(t, err, errNoAnswer)
		_, err = f.servers.Restock(t.Context(), f.reseller, s.ID)
		require.NoError(t, err)
		_, err = f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: monthly()})
		require.NoError(t, err)
		require.Equal(t, cancellation.Executing, f.get(t, c.ID).State)
		yes, err := f.ShouldRenew(t.Context(), s.ID, endOfNovember())
		require.NoError(t, err)
		assert.True(t, yes, "the cancellation belongs to the assignment before")
	})
}
