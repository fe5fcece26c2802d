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
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

func TestPreview(t *testing.T) {
	t.Parallel()
	executed := []notify.Kind{cancellation.KindExecuted, cancellation.KindCompleted, cancellation.KindClosed}
	told := func(kinds ...notify.Kind) []notify.Kind { return append(kinds, executed...) }
	lateWarning := warnings(3)
	lateWarning.MinWarningDays = 5
	tests := []struct {
		name     string
		actor    func(*fixture) dedicated.Actor
		order    cancellation.Order
		settings cancellation.Settings
		warnings []string
		told     []notify.Kind
		refund   string
	}{
		{"a client's", theClient, cancellation.Order{When: endOfPeriod()}, warnings(14, 7), []string{"2026-11-16 23:00", "2026-11-23 23:00"},
			told(cancellation.KindScheduled, cancellation.KindScheduledByClient, cancellation.KindWarning), "0.00"},
		{"a reseller's", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-11-20 12:00")}}, warnings(14, 7),
			[]string{"2026-11-10 09:00", "2026-11-13 12:00"}, told(cancellation.KindWarning), "10.00"},
		{"a reseller's, told at once", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-11-20 12:00")}, TellClient: true},
			cancellation.Settings{}, nil, told(cancellation.KindScheduled), "10.00"},
		{"now", theReseller, cancellation.Order{When: cancellation.When{Now: true}}, warnings(14, 7), nil, told(), "20.00"},
		{"set back", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-11-10 09:00")}, Backdated: true}, warnings(14, 7), nil, told(), "20.00"},
		{"warned too late", theReseller, cancellation.Order{When: cancellation.When{At: at("2026-11-20 12:00")}}, lateWarning,
			[]string{"2026-11-17 12:00"}, told(cancellation.KindPostponed, cancellation.KindWarning), "10.00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *cancellation.Config) {
				c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
					return dedicated.Refuse("gates are not asked")
				})
			})
			f.saveSettings(t, tt.settings)
			tt.order.ServerID = f.server(t).ID
			before, _, err := f.store.Cancellations(t.Context(), f.reseller.ResellerID, cancellation.Query{})
			require.NoError(t, err)
			p, err := f.Preview(t.Context(), tt.actor(f), tt.order)
			require.NoError(t, err)
			var want []time.Time
			for _, w := range tt.warnings {
				want = append(want, at(w))
			}
			assert.Equal(t, want, p.Warnings)
			assert.Equal(t, tt.told, p.Told)
			assert.Equal(t, "Europe/Berlin", p.Zone)
			assert.Equal(t, "EUR", p.Currency)
			assertMoney(t, tt.refund, p.Refund.Total)
			assert.Equal(t, uuid.Nil, p.Cancellation.ID, "it has none yet")
			assert.Equal(t, cancellation.Scheduled, p.Cancellation.State)
			after, _, err := f.store.Cancellations(t.Context(), f.reseller.ResellerID, cancellation.Query{})
			require.NoError(t, err)
			assert.Equal(t, before, after, "it writes nothing")
			assert.Empty(t, f.events(t))
		})
	}
}

// TestPreviewComesTrue: what was announced happens, at the instants and with the refund that were announced.
func TestPreviewComesTrue(t *testing.T) {
	t.Parallel()
	for _, minimum := range []int{0, 5} {
		f := newFixture(t)
		s := warnings(14, 3, 1)
		s.MinWarningDays = minimum
		f.saveSettings(t, s)
		order := cancellation.Order{ServerID: f.server(t).ID, When: cancellation.When{At: at("2026-11-20 12:00")}, TellClient: true}
		p, err := f.Preview(t.Context(), f.reseller, order)
		require.NoError(t, err)
		c, err := f.Schedule(t.Context(), f.reseller, order)
		require.NoError(t, err)
		f.tickUntil(t, at("2026-12-31 00:00"))
		c = f.get(t, c.ID)
		var sent []time.Time
		for _, w := range c.Warned {
			sent = append(sent, w.Sent)
		}
		assert.Equal(t, sent, p.Warnings)
		assert.True(t, p.Refund.Total.Equal(c.Refund.Total))
		told := map[notify.Kind]bool{}
		for _, kind := range p.Told {
			told[kind] = true
		}
		for kind := range f.countEvents(t, c.ID) {
			assert.True(t, told[kind], kind)
			delete(told, kind)
		}
		assert.Empty(t, told)
	}
}

// TestPreviewOfARepeat: the order is stored already.
func TestPreviewOfARepeat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	order := cancellation.Order{ID: uuid.New(), ServerID: f.server(t).ID, When: cancellation.When{At: at("2026-11-20 12:00")}}
	c, err := f.Schedule(t.Context(), f.reseller, order)
	require.NoError(t, err)
	p, err := f.Preview(t.Context(), f.reseller, order)
	require.NoError(t, err)
	assert.Equal(t, c, p.Cancellation)
	assertMoney(t, "10.00", p.Refund.Total)
	assert.Equal(t, []notify.Kind{cancellation.KindExecuted, cancellation.KindCompleted, cancellation.KindClosed}, p.Told)

	other := order
	other.ID = uuid.Nil
	_, err = f.Preview(t.Context(), f.reseller, other)
	assert.Equal(t, c.ID, requireError(t, err, cancellation.ErrConflict).Existing.ID, "a second one")

	f.tickAt(t, at("2026-11-20 12:00"))
	p, err = f.Preview(t.Context(), f.reseller, order)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Executed, p.Cancellation.State)
	assertMoney(t, "10.00", p.Refund.Total)
	assert.Empty(t, p.Told)
}

// TestPreviewOfARepeatAfterARelease: nothing comes of the order any more.
func TestPreviewOfARepeatAfterARelease(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.server(t)
	order := cancellation.Order{ID: uuid.New(), ServerID: s.ID, When: endOfPeriod()}
	c, err := f.Schedule(t.Context(), f.client, order)
	require.NoError(t, err)
	f.reassign(t, s, uuid.New())
	p, err := f.Preview(t.Context(), f.client, order)
	require.NoError(t, err)
	assert.Equal(t, c.ID, p.Cancellation.ID)
	assert.Empty(t, p.Warnings)
	assert.Empty(t, p.Told)
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	f.saveSettings(t, cancellation.Settings{NoticeDays: 31, LockDays: 3, ClientMayDiscard: true, ClientMayChooseDate: true})
	own, providers := f.server(t), f.serverOf(t, dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"})
	for _, a := range []dedicated.Actor{f.client, f.reseller} {
		p, err := f.Policy(ctx, a, own.ID)
		require.NoError(t, err)
		assert.Equal(t, cancellation.Policy{
			EndOfPeriod: endOfNovember(), FirstAllowed: at("2026-12-31 23:00"), NoticeDays: 31, LockDays: 3,
			ClientMayDiscard: true, ClientMayChooseDate: true, Own: true,
		}, p)
		p, err = f.Policy(ctx, a, providers.ID)
		require.NoError(t, err)
		assert.Zero(t, p, "nothing can be ordered there")
	}
	spare, err := f.servers.Add(ctx, f.reseller, dedicated.NewServer{Name: "spare"})
	require.NoError(t, err)
	_, err = f.Policy(ctx, f.reseller, spare.ID)
	assertError(t, err, cancellation.ErrConflict)
	_, err = f.Policy(ctx, f.client, spare.ID)
	assertError(t, err, cancellation.ErrNotFound)
}

// countedBiller counts the questions.
type countedBiller struct {
	*biller
	asked   int
	periods []dedicated.Period
}

func (b *countedBiller) Paid(ctx context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error) {
	b.asked++
	b.periods = append(b.periods, p)
	return b.biller.Paid(ctx, s, p)
}

// TestQuotes: a curve, with one question of the Biller.
func TestQuotes(t *testing.T) {
	t.Parallel()
	counted := &countedBiller{}
	f := newFixture(t, func(c *cancellation.Config) {
		counted.biller = &biller{}
		c.Biller = counted
	})
	s := f.server(t)
	curve := []time.Time{at("2026-11-10 09:00"), at("2026-11-20 12:00"), at("2026-11-30 22:59"), endOfNovember()}
	results, err := f.Quotes(t.Context(), f.reseller, s.ID, curve...)
	require.NoError(t, err)
	require.Len(t, results, 4)
	for i, want := range []string{"20.00", "10.00", "0.00", "0.00"} {
		assertMoney(t, want, results[i].Total)
		single, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: curve[i]})
		require.NoError(t, err)
		assert.Equal(t, single, results[i])
	}
	assert.Equal(t, 1+len(curve), counted.asked, "one for all of them")
	assert.Equal(t, 1, counted.periods[0].Index, "the period of the first instant")

	results, err = f.Quotes(t.Context(), f.reseller, s.ID)
	require.NoError(t, err)
	assert.Empty(t, results)
	assert.Equal(t, 1+len(curve), counted.asked, "nothing to ask")
	_, err = f.Quotes(t.Context(), f.reseller, s.ID, make([]time.Time, cancellation.MaxQuotes+1)...)
	assert.Equal(t, "at", requireError(t, err, cancellation.ErrInvalid).Field)
	_, err = f.Quotes(t.Context(), f.reseller, s.ID, time.Time{})
	assert.Equal(t, "When", requireError(t, err, cancellation.ErrInvalid).Field)
}

// TestQuotedInstants: about which instants an actor may ask. It is 10 November, 09:00; the period began on 31 October, 23:00.
func TestQuotedInstants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		instant                  string
		reseller, client, choose error // choose: a client with ClientMayChooseDate
	}{
		{"2026-11-01 11:59", cancellation.ErrInvalid, cancellation.ErrForbidden, cancellation.ErrForbidden},
		{"2026-11-01 12:00", nil, cancellation.ErrForbidden, cancellation.ErrForbidden},
		{"2026-11-10 08:59", nil, cancellation.ErrForbidden, cancellation.ErrForbidden},
		{"2026-11-10 09:00", nil, cancellation.ErrForbidden, nil},
		{"2026-11-20 12:00", nil, cancellation.ErrForbidden, nil},
		{"2026-11-30 23:00", nil, nil, nil},
		{"2027-10-31 23:00", nil, nil, nil},
		{"2027-10-31 22:00", nil, cancellation.ErrForbidden, nil},
	}
	for _, tt := range tests {
		f := newFixture(t)
		f.clock.Set(at("2026-11-01 12:00"))
		s := f.server(t)
		f.clock.Set(at("2026-11-10 09:00"))
		ask := func(a dedicated.Actor) error {
			_, err := f.Quotes(t.Context(), a, s.ID, endOfNovember(), at(tt.instant))
			_, single := f.Quote(t.Context(), a, s.ID, cancellation.When{At: at(tt.instant)})
			assert.Equal(t, err == nil, single == nil, tt.instant)
			return err
		}
		require.ErrorIs(t, ask(f.reseller), tt.reseller, tt.instant)
		require.ErrorIs(t, ask(f.client), tt.client, tt.instant)
		f.saveSettings(t, cancellation.Settings{ClientMayChooseDate: true, NoticeDays: 60, LockDays: 60})
		require.ErrorIs(t, ask(f.client), tt.choose, tt.instant)
		for _, w := range []cancellation.When{endOfPeriod(), firstAllowed()} {
			_, err := f.Quote(t.Context(), f.client, s.ID, w)
			require.NoError(t, err, "notice and lock do not matter")
		}
	}
}

// TestClientSinceLongAgo: a client who was there before the library, and before the present terms, gets back no first days.
func TestClientSinceLongAgo(t *testing.T) {
	t.Parallel()
	for since, want := range map[string]string{"2023-11-10 09:00": "0.00", "2026-10-11 08:59": "0.00", "2026-11-01 09:00": "30.00"} {
		for _, b := range []dedicated.Billing{monthly(), billing("2026-11-14 23:00", dedicated.Month, 1)} {
			f := newFixture(t, func(c *cancellation.Config) { c.RefundFormula = refund.MoneyBack{Days: 30} })
			added, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "web-01"})
			require.NoError(t, err)
			s, err := f.servers.Assign(t.Context(), f.reseller, added.ID, dedicated.NewAssignment{
				ClientID: f.client.ID, Billing: b, Since: at(since),
			})
			require.NoError(t, err)
			got, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{Now: true})
			require.NoError(t, err)
			assertMoney(t, want, got.Total)
			got, err = f.Quote(t.Context(), f.client, s.ID, endOfPeriod())
			require.NoError(t, err)
			assertMoney(t, "0.00", got.Total) // the end of a period is after the 30 days
			c := f.scheduleAsClient(t, s.ID)
			f.tickUntil(t, c.At)
			assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
		}
	}
}
