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

// requireError returns the typed error, which must also be the sentinel.
func requireError(t *testing.T, err, sentinel error) *cancellation.Error {
	t.Helper()
	require.ErrorIs(t, err, sentinel)
	var e *cancellation.Error
	require.ErrorAs(t, err, &e)
	return e
}

// assertError is requireError without a result.
func assertError(t *testing.T, err, sentinel error) {
	t.Helper()
	require.NotNil(t, requireError(t, err, sentinel))
}

func TestNew(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for field, c := range map[string]cancellation.Config{
		"Config.Store":   {Servers: f.servers},
		"Config.Servers": {Store: f.store},
		"Config.Lease":   {Store: f.store, Servers: f.servers, Lease: -1},
	} {
		_, err := cancellation.New(c)
		assert.Equal(t, field, requireError(t, err, cancellation.ErrInvalid).Field)
	}
	_, err := cancellation.New(cancellation.Config{Store: f.store, Servers: f.servers})
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
		{"no When", theReseller, cancellation.Order{}, cancellation.ErrInvalid, "When"},
		{"At and EndOfPeriod", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-12-01 00:00"), EndOfPeriod: true}}, cancellation.ErrInvalid, "When"},
		{"a minute and a microsecond ago", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-11-10 08:59").Add(-time.Microsecond)}},
			cancellation.ErrInvalid, "When.At"},
		{"after the year 9999", theReseller, cancellation.Order{When: cancellation.When{At: at("9999-12-31 23:00").AddDate(0, 0, 1)}},
			cancellation.ErrInvalid, "When.At"},
		{"a long reason", theReseller, cancellation.Order{When: endOfPeriod(), Reason: long}, cancellation.ErrInvalid, "Order.Reason"},
		{"a reason of two lines", theClient, cancellation.Order{When: endOfPeriod(), Reason: "a\nb"}, cancellation.ErrInvalid, "Order.Reason"},
		{"a client's date", theClient, cancellation.Order{When: cancellation.When{At: endOfNovember()}}, cancellation.ErrForbidden, "When.At"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			tt.order.ServerID = f.server(t).ID
			_, err := f.Schedule(t.Context(), tt.actor(f), tt.order)
			assert.Equal(t, tt.field, requireError(t, err, tt.err).Field)
			f.assertNothing(t)
		})
	}
}

func theReseller(f *fixture) dedicated.Actor { return f.reseller }
func theClient(f *fixture) dedicated.Actor   { return f.client }

// assertNothing checks that no cancellation and no event is stored.
func (f *fixture) assertNothing(t *testing.T) {
	t.Helper()
	all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{})
	require.NoError(t, err)
	assert.Empty(t, all)
	assert.Empty(t, f.events(t))
}

func TestScheduleNow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := at("2026-11-10 09:00")
	c := f.scheduleAt(t, f.server(t).ID, now.Add(700*time.Nanosecond))
	assert.Equal(t, now, c.At, "to the microsecond")
	f.tick(t)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

func TestClientDateErrorNamesThePeriodEnd(t *testing.T) {
	t.Parallel()
	const want = "cancellation: client may only cancel at the end of the billing period, 2026-12-01T00:00:00+01:00"
	f := newFixture(t)
	f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true})
	s := f.server(t)
	day := cancellation.When{At: at("2026-11-12 00:00")}
	_, err := f.Quote(t.Context(), f.client, s.ID, day)
	assert.Equal(t, endOfNovember(), requireError(t, err, cancellation.ErrForbidden).PeriodEnd)
	require.EqualError(t, err, want)
	_, err = f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: day})
	assert.Equal(t, endOfNovember(), requireError(t, err, cancellation.ErrForbidden).PeriodEnd)
	require.EqualError(t, err, want)
	_, err = f.Reschedule(t.Context(), f.client, f.scheduleAsClient(t, s.ID).ID, day)
	assert.Equal(t, endOfNovember(), requireError(t, err, cancellation.ErrForbidden).PeriodEnd)
	require.EqualError(t, err, want)
}

func TestPastDateInTheServersZone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	past := cancellation.Order{ServerID: f.server(t).ID, When: cancellation.When{At: at("2026-11-10 08:58")}}
	_, err := f.Schedule(t.Context(), f.reseller, past)
	require.EqualError(t, err, "cancellation: When.At: 2026-11-10T09:58:00+01:00 is past: want 2026-11-10T10:00:00+01:00 or later")
}

func TestEndOfPeriodBeforeTheAnchor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	b := monthly()
	b.Anchor = at("2026-12-14 23:00")
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, b)
	require.NoError(t, err)
	assert.Equal(t, at("2027-01-14 23:00"), f.scheduleAsClient(t, s.ID).At, "the end of the first period")
}

func TestProvidersServer(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := f.serverOf(t, dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"})
	order := cancellation.Order{ServerID: s.ID, When: endOfPeriod()}

	_, err := f.Schedule(ctx, f.reseller, order)
	e := requireError(t, err, cancellation.ErrForbidden)
	assert.Equal(t, "Upstream Ltd", e.Provider)
	assert.Equal(t, "srv-4711", e.Reference)
	assert.Contains(t, err.Error(), "Upstream Ltd")

	_, err = f.Schedule(ctx, f.client, order)
	e = requireError(t, err, cancellation.ErrForbidden)
	assert.Empty(t, e.Provider+e.Reference)
	assert.NotContains(t, err.Error(), "Upstream")
	assert.NotContains(t, err.Error(), "srv-4711")
	assert.Contains(t, err.Error(), "cancel_at_provider")
	f.assertNothing(t)
}

func TestServerNotInUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "spare"})
	require.NoError(t, err)
	_, err = f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: endOfNovember()}})
	assertError(t, err, cancellation.ErrConflict)
	_, err = f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
	assertError(t, err, cancellation.ErrNotFound)
}

func TestServerWithoutBilling(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) { c.Servers = unbilled{c.Servers} })
	s := f.server(t)
	for _, a := range []dedicated.Actor{f.reseller, f.client} {
		_, err := f.Schedule(t.Context(), a, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
		e := requireError(t, err, cancellation.ErrHost)
		assert.ErrorContains(t, e.Err, "no billing period to end", "for the log")
		for _, w := range []cancellation.When{endOfPeriod(), firstAllowed(), {At: at("2026-11-09 00:00")}} {
			_, err = f.Quote(t.Context(), a, s.ID, w)
			assertError(t, err, cancellation.ErrHost)
		}
		_, err = f.Preview(t.Context(), a, cancellation.Order{ServerID: s.ID, When: firstAllowed()})
		assertError(t, err, cancellation.ErrHost)
		_, err = f.Policy(t.Context(), a, s.ID)
		assertError(t, err, cancellation.ErrHost)
	}
	f.assertNothing(t)
}

// unbilled is an inventory whose servers have no billing.
type unbilled struct{ cancellation.Servers }

func (u unbilled) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s, err := u.Servers.Server(ctx, a, id)
	s.Billing = dedicated.Billing{}
	return s, err
}

func TestSecondOrderNamesTheFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	for _, a := range []dedicated.Actor{f.reseller, f.client} {
		_, err := f.Schedule(t.Context(), a, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
		e := requireError(t, err, cancellation.ErrConflict)
		want, err2 := f.Cancellation(t.Context(), a, c.ID)
		require.NoError(t, err2)
		assert.Equal(t, &want, e.Existing, "as the actor may see it")
		assert.Contains(t, err.Error(), "2026-11-20T13:00:00+01:00")
	}
}

func TestRepeatedOrder(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	order := cancellation.Order{ID: uuid.New(), ServerID: f.server(t).ID, When: endOfPeriod(), Reason: "moving"}
	first, err := f.Schedule(ctx, f.client, order)
	require.NoError(t, err)
	assert.Equal(t, order.ID, first.ID)
	again, err := f.Schedule(ctx, f.client, order)
	require.NoError(t, err)
	assert.Equal(t, first, again)

	other := order
	other.Reason = "not moving"
	_, err = f.Schedule(ctx, f.client, other)
	assert.Equal(t, "Order.ID", requireError(t, err, cancellation.ErrConflict).Field)
	_, err = f.Schedule(ctx, f.reseller, order)
	assert.Equal(t, "Order.ID", requireError(t, err, cancellation.ErrConflict).Field, "by another actor")
	other = order
	other.When = cancellation.When{At: endOfNovember()}
	_, err = f.Schedule(ctx, f.client, other)
	assertError(t, err, cancellation.ErrConflict)

	_, err = f.Reschedule(ctx, f.reseller, first.ID, cancellation.When{At: at("2026-11-12 00:00")})
	require.NoError(t, err)
	again, err = f.Schedule(ctx, f.client, order)
	require.NoError(t, err, "a late repeat")
	assert.Equal(t, at("2026-11-12 00:00"), again.At)
	f.tickAt(t, at("2026-11-12 00:00"))
	again, err = f.Schedule(ctx, f.client, order)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Executed, again.State)
	assert.Len(t, f.countEvents(t, first.ID), 6)
}

func TestNoticeDays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, now string
		days      int
		earliest  string // "": allowed
	}{
		{"exactly in time", "2026-11-16 23:00", 14, ""},
		{"a minute late", "2026-11-16 23:01", 14, "2026-12-31 23:00"},
		{"too late for the next period as well", "2026-11-16 23:01", 60, "2027-01-31 23:00"},
		{"no notice", "2026-11-30 22:59", 0, ""},
		{"across the change of clocks", "2026-10-17 22:01", 14, "2026-11-30 23:00"},
		{"just before the change of clocks", "2026-10-17 22:00", 14, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clock.Set(at(tt.now))
			f.saveSettings(t, cancellation.Settings{NoticeDays: tt.days})
			s := f.server(t)
			_, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
			if tt.earliest == "" {
				require.NoError(t, err)
				return
			}
			e := requireError(t, err, cancellation.ErrForbidden)
			assert.Equal(t, "Settings.NoticeDays", e.Field)
			assert.Equal(t, at(tt.earliest), e.Earliest)
			_, err = f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
			require.NoError(t, err, "a reseller needs no notice")
		})
	}
}

// TestEarliestEndIsAccepted: Error.Earliest is the first end of a period that leaves the notice.
func TestEarliestEndIsAccepted(t *testing.T) {
	t.Parallel()
	for _, unit := range []dedicated.Unit{dedicated.Day, dedicated.Week, dedicated.Month} {
		f := newFixture(t)
		f.saveSettings(t, cancellation.Settings{NoticeDays: 45})
		s := f.server(t)
		b := monthly()
		b.Cycle.Unit = unit
		_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, b)
		require.NoError(t, err)
		_, err = f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
		earliest := requireError(t, err, cancellation.ErrForbidden).Earliest
		p, err := b.PeriodAt(earliest.Add(-1))
		require.NoError(t, err)
		assert.True(t, p.End.Equal(earliest), "the end of a period")
		berlin := p.End.Location()
		assert.False(t, p.End.AddDate(0, 0, -45).Before(f.clock.Now()), "it leaves the notice")
		assert.True(t, p.Start.In(berlin).AddDate(0, 0, -45).Before(f.clock.Now()), "the period before does not")
		c, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: s.ID, When: cancellation.When{FirstAllowed: true}})
		require.NoError(t, err)
		assert.Equal(t, earliest, c.At, "the earliest end that will do")
	}
}

func TestLockDays(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	f.saveSettings(t, cancellation.Settings{LockDays: 3, ClientMayDiscard: true})
	a, b := f.server(t), f.server(t)
	c := f.scheduleAsClient(t, a.ID)
	f.clock.Set(at("2026-11-27 23:01"))
	_, err := f.Discard(ctx, f.client, c.ID, "")
	assert.Equal(t, "Settings.LockDays", requireError(t, err, cancellation.ErrForbidden).Field)
	_, err = f.Reschedule(ctx, f.client, c.ID, endOfPeriod())
	assert.Equal(t, "Settings.LockDays", requireError(t, err, cancellation.ErrForbidden).Field)
	_, err = f.Schedule(ctx, f.client, cancellation.Order{ServerID: b.ID, When: endOfPeriod()})
	assert.Equal(t, "Settings.LockDays", requireError(t, err, cancellation.ErrForbidden).Field)
	_, err = f.Discard(ctx, f.reseller, c.ID, "")
	require.NoError(t, err, "the reseller may")
	f.clock.Set(at("2026-12-01 00:00"))
	_, err = f.Schedule(ctx, f.client, cancellation.Order{ServerID: b.ID, When: endOfPeriod()})
	require.NoError(t, err, "the next period is not locked yet")
}

func TestGateRefuses(t *testing.T) {
	t.Parallel()
	reason := errors.New("the calendar")
	var asked []cancellation.Cancellation
	f := newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate,
			func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
				asked = append(asked, c)
				return nil
			},
			func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
				return fmt.Errorf("%w: %w", reason, dedicated.Refuse("a backup is running"))
			},
			func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
				panic("not asked after a refusal")
			})
	})
	_, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: f.server(t).ID, When: endOfPeriod()})
	assertError(t, err, cancellation.ErrForbidden)
	require.ErrorIs(t, err, reason)
	assert.ErrorContains(t, err, "refused: a backup is running")
	assert.NotContains(t, err.Error(), "calendar")
	require.Len(t, asked, 1)
	assert.EqualValues(t, 0, asked[0].Version)
	assert.Equal(t, endOfNovember(), asked[0].At)
	f.assertNothing(t)
}

func TestGatePanics(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error { panic("boom") })
	})
	_, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: f.server(t).ID, When: endOfPeriod()})
	assertError(t, err, cancellation.ErrHost)
	assert.NotContains(t, err.Error(), "boom", "no actor may read the panic's value")
	f.assertNothing(t)
}
