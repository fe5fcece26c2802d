package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// problem is the typed error, which must also be the sentinel.
func problem(t *testing.T, err, sentinel error) *cancellation.Error {
	t.Helper()
	require.ErrorIs(t, err, sentinel)
	var e *cancellation.Error
	require.ErrorAs(t, err, &e)
	return e
}

// assertProblem is problem, where nothing more is to be said of it.
func assertProblem(t *testing.T, err, sentinel error) {
	t.Helper()
	require.NotNil(t, problem(t, err, sentinel))
}

func TestNew(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for field, c := range map[string]cancellation.Config{
		"Config.Store":   {Servers: w.servers},
		"Config.Servers": {Store: w.store},
		"Config.Lease":   {Store: w.store, Servers: w.servers, Lease: -1},
	} {
		_, err := cancellation.New(c)
		assert.Equal(t, field, problem(t, err, cancellation.ErrInvalid).Field)
	}
	_, err := cancellation.New(cancellation.Config{Store: w.store, Servers: w.servers})
	require.NoError(t, err)
}

func TestScheduleRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", dedicated.MaxReason+1)
	tests := []struct {
		name  string
		actor func(*fixture) dedicated.Actor
		order cancellation.Order
		err   error
		field string
	}{
		{"neither", theReseller, cancellation.Order{}, cancellation.ErrInvalid, "When"},
		{"both", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-12-01 00:00"), EndOfPeriod: true}}, cancellation.ErrInvalid, "When"},
		{"a microsecond ago", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-11-10 09:00").Add(-time.Microsecond)}},
			cancellation.ErrInvalid, "When.At"},
		{"beyond the years", theReseller, cancellation.Order{When: cancellation.When{At: at("9999-12-31 23:00").AddDate(0, 0, 1)}},
			cancellation.ErrInvalid, "When.At"},
		{"a long reason", theReseller, cancellation.Order{When: endOfPeriod(), Reason: long}, cancellation.ErrInvalid, "Order.Reason"},
		{"a reason of two lines", theClient, cancellation.Order{When: endOfPeriod(), Reason: "a\nb"}, cancellation.ErrInvalid, "Order.Reason"},
		{"a client's date", theClient, cancellation.Order{When: cancellation.When{At: endOfNovember()}}, cancellation.ErrForbidden, "When.At"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			tt.order.ServerID = w.server(t).ID
			_, err := w.Schedule(t.Context(), tt.actor(w), tt.order)
			assert.Equal(t, tt.field, problem(t, err, tt.err).Field)
			w.assertNothing(t)
		})
	}
}

func theReseller(w *fixture) dedicated.Actor { return w.reseller }
func theClient(w *fixture) dedicated.Actor   { return w.client }

// assertNothing: nothing is stored and nobody was told.
func (w *fixture) assertNothing(t *testing.T) {
	t.Helper()
	all, _, err := w.Cancellations(t.Context(), w.reseller, cancellation.Query{})
	require.NoError(t, err)
	assert.Empty(t, all)
	assert.Empty(t, w.told(t))
}

func TestScheduleNow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	now := at("2026-11-10 09:00")
	c := w.schedule(t, w.server(t).ID, now.Add(700*time.Nanosecond))
	assert.Equal(t, now, c.At, "to the microsecond")
	w.tick(t)
	assert.Equal(t, cancellation.Executed, w.get(t, c.ID).State)
}

func TestClientsDateNamesThePeriodsEnd(t *testing.T) {
	t.Parallel()
	const words = "cancellation: client may only cancel at the end of the billing period, 2026-12-01T00:00:00+01:00"
	w := setup(t)
	w.save(t, cancellation.Settings{ClientMayDiscard: true})
	s := w.server(t)
	day := cancellation.When{At: at("2026-11-12 00:00")}
	_, err := w.Quote(t.Context(), w.client, s.ID, day)
	assert.Equal(t, endOfNovember(), problem(t, err, cancellation.ErrForbidden).PeriodEnd)
	require.EqualError(t, err, words)
	_, err = w.Schedule(t.Context(), w.client, cancellation.Order{ServerID: s.ID, When: day})
	assert.Equal(t, endOfNovember(), problem(t, err, cancellation.ErrForbidden).PeriodEnd)
	require.EqualError(t, err, words)
	_, err = w.Reschedule(t.Context(), w.client, w.endOfPeriod(t, s.ID).ID, day)
	assert.Equal(t, endOfNovember(), problem(t, err, cancellation.ErrForbidden).PeriodEnd)
	require.EqualError(t, err, words)
}

func TestPastDatesAreShownAsTheServersClockDoes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	past := cancellation.Order{ServerID: w.server(t).ID, When: cancellation.When{At: at("2026-11-10 08:59")}}
	_, err := w.Schedule(t.Context(), w.reseller, past)
	require.EqualError(t, err, "cancellation: When.At: 2026-11-10T09:59:00+01:00 is past: want 2026-11-10T10:00:00+01:00 or later")
}

func TestEndOfPeriodBeforeTheAnchor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.server(t)
	b := monthly()
	b.Anchor = at("2026-12-14 23:00")
	_, err := w.servers.ChangeBilling(t.Context(), w.reseller, s.ID, b)
	require.NoError(t, err)
	assert.Equal(t, at("2027-01-14 23:00"), w.endOfPeriod(t, s.ID).At, "the end of the first period")
}

func TestProvidersServer(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s := w.serverOf(t, dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"})
	order := cancellation.Order{ServerID: s.ID, When: endOfPeriod()}

	_, err := w.Schedule(ctx, w.reseller, order)
	e := problem(t, err, cancellation.ErrForbidden)
	assert.Equal(t, "Upstream Ltd", e.Provider)
	assert.Equal(t, "srv-4711", e.Reference)
	assert.Contains(t, err.Error(), "Upstream Ltd")

	_, err = w.Schedule(ctx, w.client, order)
	e = problem(t, err, cancellation.ErrForbidden)
	assert.Empty(t, e.Provider+e.Reference)
	assert.NotContains(t, err.Error(), "Upstream")
	assert.NotContains(t, err.Error(), "srv-4711")
	assert.Contains(t, err.Error(), "cancel_at_provider")
	w.assertNothing(t)
}

func TestServerThatNobodyUses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s, err := w.servers.Add(t.Context(), w.reseller, dedicated.NewServer{Name: "spare"})
	require.NoError(t, err)
	_, err = w.Schedule(t.Context(), w.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: endOfNovember()}})
	assertProblem(t, err, cancellation.ErrConflict)
	_, err = w.Schedule(t.Context(), w.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	assertProblem(t, err, cancellation.ErrNotFound)
}

func TestNoPeriodIsNeverNow(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *cancellation.Config) { c.Servers = unbilled{c.Servers} })
	s := w.server(t)
	for _, a := range []dedicated.Actor{w.reseller, w.client} {
		_, err := w.Schedule(t.Context(), a, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
		e := problem(t, err, cancellation.ErrHost)
		assert.ErrorContains(t, e.Err, "no billing period to end", "for the log")
	}
	w.assertNothing(t)
}

// unbilled is an inventory that knows no billing.
type unbilled struct{ cancellation.Servers }

func (u unbilled) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s, err := u.Servers.Server(ctx, a, id)
	s.Billing = dedicated.Billing{}
	return s, err
}

func TestSecondShowsTheFirst(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.server(t)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	for _, a := range []dedicated.Actor{w.reseller, w.client} {
		_, err := w.Schedule(t.Context(), a, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
		e := problem(t, err, cancellation.ErrConflict)
		want, err2 := w.Cancellation(t.Context(), a, c.ID)
		require.NoError(t, err2)
		assert.Equal(t, &want, e.Existing, "as the actor may see it")
		assert.Contains(t, err.Error(), "2026-11-20T13:00:00+01:00")
	}
}

func TestRepeatedOrder(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	order := cancellation.Order{ID: uuid.New(), ServerID: w.server(t).ID, When: endOfPeriod(), Reason: "moving"}
	first, err := w.Schedule(ctx, w.client, order)
	require.NoError(t, err)
	assert.Equal(t, order.ID, first.ID)
	again, err := w.Schedule(ctx, w.client, order)
	require.NoError(t, err)
	assert.Equal(t, first, again)

	other := order
	other.Reason = "not moving"
	_, err = w.Schedule(ctx, w.client, other)
	assert.Equal(t, "Order.ID", problem(t, err, cancellation.ErrConflict).Field)
	_, err = w.Schedule(ctx, w.reseller, order)
	assert.Equal(t, "Order.ID", problem(t, err, cancellation.ErrConflict).Field, "by somebody else")
	other = order
	other.When = cancellation.When{At: endOfNovember()}
	_, err = w.Schedule(ctx, w.client, other)
	assertProblem(t, err, cancellation.ErrConflict)

	_, err = w.Reschedule(ctx, w.reseller, first.ID, cancellation.When{At: at("2026-11-12 00:00")})
	require.NoError(t, err)
	again, err = w.Schedule(ctx, w.client, order)
	require.NoError(t, err, "the answer was lost for long")
	assert.Equal(t, at("2026-11-12 00:00"), again.At)
	w.tickAt(t, at("2026-11-12 00:00"))
	again, err = w.Schedule(ctx, w.client, order)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Executed, again.State)
	assert.Len(t, w.kinds(t, first.ID), 6)
}

func TestNoticePeriod(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, now string
		days      int
		earliest  string // "": allowed
	}{
		{"in time, to the microsecond", "2026-11-16 23:00", 14, ""},
		{"a minute late", "2026-11-16 23:01", 14, "2026-12-31 23:00"},
		{"late for the next one too", "2026-11-16 23:01", 60, "2027-01-31 23:00"},
		{"no notice", "2026-11-30 22:59", 0, ""},
		{"across the change of clocks", "2026-10-17 22:01", 14, "2026-11-30 23:00"},
		{"just before the change of clocks", "2026-10-17 22:00", 14, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.clock.Set(at(tt.now))
			w.save(t, cancellation.Settings{NoticeDays: tt.days})
			s := w.server(t)
			_, err := w.Schedule(t.Context(), w.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
			if tt.earliest == "" {
				require.NoError(t, err)
				return
			}
			e := problem(t, err, cancellation.ErrForbidden)
			assert.Equal(t, "Settings.NoticeDays", e.Field)
			assert.Equal(t, at(tt.earliest), e.Earliest)
			_, err = w.Schedule(t.Context(), w.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
			require.NoError(t, err, "a reseller needs none")
		})
	}
}

// TestEarliestEndWillDo: a client that comes in the period that the error names is not refused again.
func TestEarliestEndWillDo(t *testing.T) {
	t.Parallel()
	for _, unit := range []dedicated.Unit{dedicated.Day, dedicated.Week, dedicated.Month} {
		w := setup(t)
		w.save(t, cancellation.Settings{NoticeDays: 45})
		s := w.server(t)
		b := monthly()
		b.Cycle.Unit = unit
		_, err := w.servers.ChangeBilling(t.Context(), w.reseller, s.ID, b)
		require.NoError(t, err)
		_, err = w.Schedule(t.Context(), w.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
		earliest := problem(t, err, cancellation.ErrForbidden).Earliest
		p, err := b.PeriodAt(earliest.Add(-1))
		require.NoError(t, err)
		assert.True(t, p.End.Equal(earliest), "the end of a period")
		berlin := p.End.Location()
		assert.False(t, p.End.AddDate(0, 0, -45).Before(w.clock.Now()), "leaves the notice")
		assert.True(t, p.Start.In(berlin).AddDate(0, 0, -45).Before(w.clock.Now()), "is the first that does")
	}
}

func TestLockedDays(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	w.save(t, cancellation.Settings{LockDays: 3, ClientMayDiscard: true})
	a, b := w.server(t), w.server(t)
	c := w.endOfPeriod(t, a.ID)
	w.clock.Set(at("2026-11-27 23:01"))
	_, err := w.Discard(ctx, w.client, c.ID, "")
	assert.Equal(t, "Settings.LockDays", problem(t, err, cancellation.ErrForbidden).Field)
	_, err = w.Reschedule(ctx, w.client, c.ID, endOfPeriod())
	assert.Equal(t, "Settings.LockDays", problem(t, err, cancellation.ErrForbidden).Field)
	_, err = w.Schedule(ctx, w.client, cancellation.Order{ServerID: b.ID, When: endOfPeriod()})
	assert.Equal(t, "Settings.LockDays", problem(t, err, cancellation.ErrForbidden).Field)
	_, err = w.Discard(ctx, w.reseller, c.ID, "")
	require.NoError(t, err, "the reseller may")
	w.clock.Set(at("2026-12-01 00:00"))
	_, err = w.Schedule(ctx, w.client, cancellation.Order{ServerID: b.ID, When: endOfPeriod()})
	require.NoError(t, err, "the next period is not locked yet")
}

func TestGateRefuses(t *testing.T) {
	t.Parallel()
	reason := errors.New("the calendar")
	var asked []cancellation.Cancellation
	w := setup(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate,
			func(_ context.Context, c cancellation.Cancellation) error { asked = append(asked, c); return nil },
			func(context.Context, cancellation.Cancellation) error {
				return fmt.Errorf("%w: %w", reason, dedicated.Refuse("a backup is running"))
			},
			func(context.Context, cancellation.Cancellation) error { panic("not asked after a refusal") })
	})
	_, err := w.Schedule(t.Context(), w.client, cancellation.Order{ServerID: w.server(t).ID, When: endOfPeriod()})
	assertProblem(t, err, cancellation.ErrForbidden)
	require.ErrorIs(t, err, reason)
	assert.ErrorContains(t, err, "refused: a backup is running")
	assert.NotContains(t, err.Error(), "calendar")
	require.Len(t, asked, 1)
	assert.EqualValues(t, 0, asked[0].Version)
	assert.Equal(t, endOfNovember(), asked[0].At)
	w.assertNothing(t)
}

func TestGatePanics(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, cancellation.Cancellation) error { panic("boom") })
	})
	_, err := w.Schedule(t.Context(), w.client, cancellation.Order{ServerID: w.server(t).ID, When: endOfPeriod()})
	assertProblem(t, err, cancellation.ErrHost)
	assert.NotContains(t, err.Error(), "boom", "no actor may read the panic's value")
	w.assertNothing(t)
}
