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

func TestSignsAndEnds(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	a, b, free := w.server(t), w.server(t), w.server(t)
	ca, cb := w.endOfPeriod(t, a.ID), w.schedule(t, b.ID, at("2026-11-20 12:00"))
	ids := []uuid.UUID{a.ID, b.ID, free.ID, uuid.New()}
	want := map[uuid.UUID]cancellation.Badge{
		a.ID: {CancellationID: ca.ID, At: ca.At, By: dedicated.Client, State: cancellation.Scheduled},
		b.ID: {CancellationID: cb.ID, At: cb.At, By: dedicated.Reseller, State: cancellation.Scheduled},
	}
	for _, actor := range []dedicated.Actor{w.reseller, w.client} {
		signs, err := w.Badges(ctx, actor, ids)
		require.NoError(t, err)
		assert.Equal(t, want, signs)
	}
	ends, err := w.Ends(ctx, ids)
	require.NoError(t, err)
	assert.Len(t, ends, 2)
	assert.Equal(t, cb.At, ends[b.ID])
	w.tickAt(t, endOfNovember())
	signs, err := w.Badges(ctx, w.reseller, ids)
	require.NoError(t, err)
	assert.Empty(t, signs)
}

func TestRenews(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s := w.server(t)
	renews := func(start string) bool {
		yes, err := w.ShouldRenew(ctx, s.ID, at(start))
		require.NoError(t, err)
		return yes
	}
	assert.True(t, renews("2026-11-30 23:00"))
	c := w.endOfPeriod(t, s.ID)
	assert.False(t, renews("2026-11-30 23:00"), "the period that begins when the server ends")
	assert.False(t, renews("2026-12-31 23:00"))
	assert.True(t, renews("2026-11-30 22:59"))

	_, err := w.servers.ChangeBilling(ctx, w.reseller, s.ID, quarterly())
	require.NoError(t, err)
	assert.True(t, renews("2026-11-30 23:00"), "under the present billing, whoever has noticed")
	assert.False(t, renews("2026-12-31 23:00"))
	_, err = w.Discard(ctx, w.reseller, c.ID, "")
	require.NoError(t, err)
	assert.True(t, renews("2026-12-31 23:00"))

	w.schedule(t, s.ID, at("2026-12-10 12:00"))
	assert.False(t, renews("2026-12-31 23:00"))
	w.give(t, s, w.client.ID)
	assert.True(t, renews("2026-12-31 23:00"), "another use of the server")
}

func TestRenewsWhileExecuting(t *testing.T) {
	t.Parallel()
	w, _, c := stuck(t)
	yes, err := w.ShouldRenew(t.Context(), c.ServerID, endOfNovember())
	require.NoError(t, err)
	assert.False(t, yes)
}

func TestCancellationsPages(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	for n := range 7 {
		w.schedule(t, w.server(t).ID, at("2026-11-20 12:00").AddDate(0, 0, n%3))
	}
	var got []cancellation.Cancellation
	for after := ""; ; {
		items, next, err := w.Cancellations(ctx, w.client, cancellation.Query{Limit: 3, After: after})
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
	items, _, err := w.Cancellations(ctx, w.reseller, cancellation.Query{From: at("2026-11-21 00:00"), To: at("2026-11-22 00:00")})
	require.NoError(t, err)
	assert.Len(t, items, 2)
	items, _, err = w.Cancellations(ctx, w.client, cancellation.Query{ClientID: uuid.New()})
	require.NoError(t, err)
	assert.Empty(t, items)
	_, _, err = w.Cancellations(ctx, w.client, cancellation.Query{Stuck: true})
	assert.Equal(t, "Stuck", problem(t, err, cancellation.ErrForbidden).Field)
	_, _, err = w.Cancellations(ctx, w.reseller, cancellation.Query{From: at("2026-11-22 00:00"), To: at("2026-11-21 00:00")})
	assert.Equal(t, "To", problem(t, err, cancellation.ErrInvalid).Field)
	for _, q := range []cancellation.Query{{Limit: -1}, {After: "nonsense"}} {
		_, _, err = w.Cancellations(ctx, w.reseller, q)
		assertProblem(t, err, cancellation.ErrInvalid)
	}
}

// TestClientsView: nothing of the work behind it, nobody of the reseller's people.
func TestClientsView(t *testing.T) {
	t.Parallel()
	w, p, c := stuck(t)
	_, err := w.Retry(t.Context(), w.reseller, c.ID)
	require.NoError(t, err)
	got, err := w.Cancellation(t.Context(), w.client, c.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled", "executing"}, history(got))
	assert.Empty(t, got.Steps)
	assert.Zero(t, got.Attempts)
	assert.Empty(t, got.LastError)
	assert.True(t, got.Due.IsZero() && got.RetryAt.IsZero() && got.LeaseUntil.IsZero())
	assert.Equal(t, dedicated.Actor{Role: dedicated.Reseller, ResellerID: w.reseller.ResellerID}, got.By)
	assert.Equal(t, got.By, got.History[0].By)
	assert.Equal(t, w.reseller, w.get(t, c.ID).History[0].By, "the record itself is as it was")

	p.wipe = errors.New("still no answer")
	_, err = w.Tick(t.Context())
	require.Error(t, err)
	_, err = w.Abandon(t.Context(), w.reseller, c.ID, "the client has sued us")
	require.NoError(t, err)
	got, err = w.Cancellation(t.Context(), w.client, c.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled", "executing", "abandoned"}, history(got))
	assert.Equal(t, cancellation.Failed, got.State)
}

func TestQuoteIsTheExecution(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.save(t, cancellation.Settings{Formula: "paid * unused_days / period_days * 0.8"})
	charge := november()
	charge.Refunded = decimal.New(100, -2)
	w.biller.charges = []refund.Charge{charge, {Label: "addresses", Kind: refund.Flat, Paid: decimal.New(800, -2), Start: charge.Start, End: charge.End}}
	s := w.server(t)
	when := cancellation.When{At: at("2026-11-20 12:00")}
	quote, err := w.Quote(t.Context(), w.reseller, s.ID, when)
	require.NoError(t, err)
	require.Len(t, quote.Lines, 2)
	assertMoney(t, "8.00", quote.Lines[0].Amount)
	c := w.schedule(t, s.ID, when.At)
	again, err := w.Quote(t.Context(), w.reseller, s.ID, when)
	require.NoError(t, err)
	assert.Equal(t, quote, again)
	w.tickAt(t, at("2026-11-29 00:00"))
	assert.Equal(t, quote, w.get(t, c.ID).Refund)
	require.Len(t, w.biller.refunds(), 1)
	assert.Equal(t, quote.Lines, w.biller.refunds()[0].Lines)
	assert.Equal(t, quote.Total, w.biller.refunds()[0].Amount)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	none, err := w.Settings(ctx, w.reseller)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Settings{ResellerID: w.reseller.ResellerID}, none)

	given := cancellation.Settings{
		Warn: true, DaysAhead: []int{7, 1}, ClientMayDiscard: true, NoticeDays: 14, LockDays: 2, MinWarningDays: 3, Formula: "paid / 2",
	}
	saved := w.save(t, given)
	read, err := w.Settings(ctx, w.reseller)
	require.NoError(t, err)
	assert.Equal(t, saved, read)
	w.tick(t)
	read, err = w.Settings(ctx, w.reseller)
	require.NoError(t, err)
	assert.True(t, read.Due.IsZero(), "done")
	saved.NoticeDays = 0
	_, err = w.SaveSettings(ctx, w.reseller, saved)
	require.NoError(t, err, "what a tick does to them is no reason to refuse")
	_, err = w.SaveSettings(ctx, w.reseller, read)
	assert.Equal(t, "Version", problem(t, err, cancellation.ErrConflict).Field, "somebody has saved others since")
	_, err = w.SaveSettings(ctx, w.reseller, cancellation.Settings{Version: 100})
	assertProblem(t, err, cancellation.ErrConflict)
	fresh := w.save(t, cancellation.Settings{})
	assert.False(t, fresh.Warn, "0 saves whatever is stored")
	_, err = w.SaveSettings(ctx, w.reseller, cancellation.Settings{ResellerID: uuid.New()})
	assertProblem(t, err, cancellation.ErrNotFound)
}

func TestSettingsRefused(t *testing.T) {
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
		w := setup(t)
		_, err := w.SaveSettings(t.Context(), w.reseller, s)
		e := problem(t, err, cancellation.ErrInvalid)
		assert.Equal(t, field, e.Field)
	}
	for _, days := range [][]int{{0}, {-1}, {cancellation.MaxDays + 1}, many} {
		w := setup(t)
		_, err := w.SaveSettings(t.Context(), w.reseller, cancellation.Settings{DaysAhead: days})
		assert.Equal(t, "DaysAhead", problem(t, err, cancellation.ErrInvalid).Field)
	}
	w := setup(t)
	_, err := w.SaveSettings(t.Context(), w.reseller, cancellation.Settings{Formula: "paid * unsued_days"})
	var e *refund.ExpressionError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "unused_days", e.Nearest)
}

// TestRenewsOfWhatStays: what will not be cancelled is charged.
func TestRenewsOfWhatStays(t *testing.T) {
	t.Parallel()
	t.Run("a provider's by now", func(t *testing.T) {
		t.Parallel()
		i := &inventory{}
		w := setup(t, func(c *cancellation.Config) { i.Servers, c.Servers = c.Servers, i })
		c := w.endOfPeriod(t, w.server(t).ID)
		i.change = func(s *dedicated.Server) { s.Owner.Provider = "Upstream Ltd" }
		yes, err := w.ShouldRenew(t.Context(), c.ServerID, endOfNovember())
		require.NoError(t, err)
		assert.True(t, yes, "it will not be executed")
	})
	t.Run("another's by now", func(t *testing.T) {
		t.Parallel()
		d := &deafServers{deaf: true}
		w := setup(t, func(c *cancellation.Config) { d.Servers, c.Servers = c.Servers, d })
		s := w.server(t)
		c := w.schedule(t, s.ID, at("2026-11-10 09:00"))
		_, err := w.Tick(t.Context())
		require.ErrorIs(t, err, errNoAnswer)
		_, err = w.servers.Restock(t.Context(), w.reseller, s.ID)
		require.NoError(t, err)
		_, err = w.servers.Assign(t.Context(), w.reseller, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: monthly()})
		require.NoError(t, err)
		require.Equal(t, cancellation.Executing, w.get(t, c.ID).State)
		yes, err := w.ShouldRenew(t.Context(), s.ID, endOfNovember())
		require.NoError(t, err)
		assert.True(t, yes, "the cancellation was of the use before")
	})
}
