package cancellation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/refund"
)

func TestQuoteIsTheFormula(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	credit := paid("credit", "-5.00")
	credit.Refunded = amount("-5.00")
	credit.Start, credit.End = credit.Start.AddDate(0, -1, 0), credit.Start
	gift := paid("disk", "0.00")
	gift.Refunded = amount("10.00")
	charges := []refund.Charge{paid("server", "20.00"), gift, credit}
	s := f.pricedServer(t, "EUR", 2, charges...)
	f.saveSettings(t, cancellation.Settings{Formula: "paid"})
	quote, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	e, err := refund.Parse("paid")
	require.NoError(t, err)
	want, err := e.Refund(refund.Case{Charges: charges, At: at("2026-11-20 12:00"), Places: 2})
	require.NoError(t, err)
	assert.Equal(t, want.Total.StringFixed(2), quote.Total.StringFixed(2))
}

type jsonStore struct{ *cancellation.MemoryStore }

var _ = context.Background

func (s jsonStore) Commit(ctx context.Context, changes ...cancellation.Change) error {
	if _, err := json.Marshal(changes); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return s.MemoryStore.Commit(ctx, changes...)
}

func TestSetupChargeThatNoStoreHolds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) { c.Store = jsonStore{c.Store.(*cancellation.MemoryStore)} })
	setup := refund.Charge{Label: "set-up", Kind: refund.Setup, Paid: amount("10.00"), End: time.Date(292277, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := f.pricedServer(t, "EUR", 2, paid("November", "30.00"), setup)
	_, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	t.Log("quote:", err)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	f.clock.Set(at("2026-11-20 12:00"))
	_, err = f.Tick(t.Context())
	t.Log("tick:", err)
	for range 12 {
		f.clock.Set(f.clock.Now().Add(3 * time.Hour))
		_, _ = f.Tick(t.Context())
	}
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State, "%s", got.LastError)
}

func TestBookedLineThatNoStoreHolds(t *testing.T) {
	t.Parallel()
	charge := november()
	charge.End = time.Date(292277, 1, 1, 0, 0, 0, 0, time.UTC)
	b := &rememberingBiller{answer: func(uuid.UUID) (cancellation.Refund, bool, error) {
		return cancellation.Refund{Amount: amount("12.00"), Lines: []refund.Line{{Charge: charge, Amount: amount("12.00")}}}, true, nil
	}}
	f := newFixture(t, func(c *cancellation.Config) {
		b.biller = c.Biller.(*biller)
		c.Biller = b
		c.Store = jsonStore{c.Store.(*cancellation.MemoryStore)}
	})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	for range 12 {
		f.clock.Set(f.clock.Now().Add(48 * time.Hour))
		_, err := f.Tick(t.Context())
		if err != nil {
			t.Log(err)
		}
	}
	got := f.get(t, c.ID)
	t.Log(got.State, got.Attempts, got.LastError, len(b.asked))
	assert.Equal(t, cancellation.Executed, got.State)
}

func TestQuotesStopWithTheCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	f := newFixture(t, func(c *cancellation.Config) {
		c.RefundFormula = refund.FormulaFunc(func(q refund.Case) (refund.Result, error) {
			asked.Add(1)
			cancel()
			return refund.Prorated{}.Refund(q)
		})
	})
	s := f.server(t)
	var all []time.Time
	for i := range cancellation.MaxQuotes {
		all = append(all, at("2026-11-20 12:00").Add(time.Duration(i)*time.Minute))
	}
	_, err := f.Quotes(ctx, f.reseller, s.ID, all...)
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, asked.Load(), int64(10))
}

func TestFormulaLinesNobodyPaid(t *testing.T) {
	t.Parallel()
	line := func(label, paid, amount string) refund.Line {
		return refund.Line{Charge: refund.Charge{Label: label, Paid: decimal.RequireFromString(paid)}, Amount: decimal.RequireFromString(amount)}
	}
	for name, lines := range map[string][]refund.Line{
		"a line above its payment": {line("server", "10.00", "15.00"), line("disk", "10.00", "0.00")},
		"a charge of nobody":       {line("yacht", "1000.00", "15.00")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(c *cancellation.Config) {
				c.RefundFormula = refund.FormulaFunc(func(refund.Case) (refund.Result, error) {
					return refund.Result{Total: decimal.New(1500, -2), Lines: lines}, nil
				})
			})
			s := f.pricedServer(t, "EUR", 2, paid("server", "10.00"), paid("disk", "10.00"))
			_, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
			assert.ErrorIs(t, err, cancellation.ErrHost)
		})
	}
}

func TestStatementAndGlobals(t *testing.T) {
	t.Parallel()
	defer func(old bool) { decimal.TrimTrailingZeros = old }(decimal.TrimTrailingZeros)
	decimal.TrimTrailingZeros = false
	f := newFixture(t)
	s := f.pricedServer(t, "EUR", 2, paid("November", "79.5149000"))
	f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	f.tickAt(t, at("2026-11-20 12:00"))
	assert.Equal(t, "79.5149", payloads[cancellation.Statement](t, f, cancellation.KindExecuted)[0].Lines[0].Paid)
}
