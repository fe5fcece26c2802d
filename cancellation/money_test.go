package cancellation_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

func amount(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// paid returns a charge for November 2026.
func paid(label, amount string) refund.Charge {
	c := november()
	c.Label, c.Paid = label, decimal.RequireFromString(amount)
	return c
}

// pricedServer assigns a server whose amounts are in the currency. November is charged as given.
func (f *fixture) pricedServer(t testing.TB, currency string, places int32, charges ...refund.Charge) dedicated.Server {
	t.Helper()
	f.biller.charges = charges
	s, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "web-01"})
	require.NoError(t, err)
	b := monthly()
	b.Currency, b.Places = currency, places
	s, err = f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: b})
	require.NoError(t, err)
	return s
}

// The amounts of a refund and of its statement have the decimals of the currency, in whatever form the Biller says what was paid. A
// third of November is unused.
func TestDecimalsOfTheCurrency(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, currency string
		places         int32
		paid           decimal.Decimal
		total          string
		statement      string // what was paid
	}{
		{"euros", "EUR", 0, amount("79.50"), "26.50", "79.50"},
		{"euros that lost a zero", "EUR", 0, amount("79.5"), "26.50", "79.50"},
		{"euros that lost all zeros", "EUR", 2, amount("79"), "26.33", "79.00"},
		{"euros with an exponent", "EUR", 0, decimal.New(8, 1), "26.67", "80.00"},
		{"euros with more zeros", "EUR", 0, amount("79.5000"), "26.50", "79.50"},
		{"euros with more decimals are rounded once", "EUR", 0, amount("79.5149"), "26.50", "79.5149"},
		{"yen", "JPY", 0, amount("2000"), "667", "2000"},
		{"yen with zeros", "JPY", 0, amount("2000.00"), "667", "2000"},
		{"whole forints", "HUF", -1, amount("2000.00"), "667", "2000"},
		{"forints", "HUF", 0, amount("2000"), "666.67", "2000.00"},
		{"dinars", "KWD", 0, amount("2"), "0.667", "2.000"},
		{"dinars in hundredths", "KWD", 2, amount("2"), "0.67", "2.00"},
		{"a currency of the host's own", "PTS", 1, amount("2"), "0.7", "2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			charge := paid("November", "0")
			charge.Paid = tt.paid
			f := newFixture(t)
			s := f.pricedServer(t, tt.currency, tt.places, charge)
			w := cancellation.When{At: at("2026-11-20 12:00")}
			quote, err := f.Quote(t.Context(), f.reseller, s.ID, w)
			require.NoError(t, err)
			assertMoney(t, tt.total, quote.Total)
			c := f.scheduleAt(t, s.ID, w.At)
			f.tickAt(t, w.At)
			got := f.get(t, c.ID)
			assertMoney(t, tt.total, got.Refund.Total)
			assert.Equal(t, s.Billing.Decimals(), got.Places)
			require.Len(t, f.biller.refunds(), 1)
			assertMoney(t, tt.total, f.biller.refunds()[0].Amount)
			for _, kind := range []notify.Kind{cancellation.KindExecuted, cancellation.KindCompleted} {
				statement := payloads[cancellation.Statement](t, f, kind)[0]
				assert.Equal(t, tt.total+" "+tt.currency, statement.Total+" "+statement.Currency)
				assert.Equal(t, cancellation.StatementLine{Label: "November", Paid: tt.statement, Amount: tt.total}, statement.Lines[0])
			}
			assertMoney(t, tt.total, payloads[cancellation.Closed](t, f, cancellation.KindClosed)[0].Total)
		})
	}
}

// Amounts with more decimals than the currency are never rounded up to more than was paid.
func TestPaidWithMoreDecimals(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) { c.RefundFormula = refund.MoneyBack{Days: 30} })
	s := f.pricedServer(t, "EUR", 0, paid("server", "79.509"), paid("disk", "0.009"), paid("credit", "-0.001"))
	quote, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	assertMoney(t, "79.50", quote.Total)
	assertMoney(t, "79.50", quote.Lines[0].Amount)
	assertMoney(t, "0.00", quote.Lines[1].Amount)
	assertMoney(t, "0.00", quote.Lines[2].Amount)
}

// An inventory of the host's is not validated. A currency outside ISO 4217 that does not say its decimals is not rounded to whole
// units.
func TestInventoryWithoutDecimals(t *testing.T) {
	t.Parallel()
	for currency, text := range map[string]string{"PTS": "PTS has none there", "": "is not a code of ISO 4217", "EUR": ""} {
		f := newFixture(t)
		s := f.server(t)
		s.Billing.Currency, s.Billing.Places = currency, 0
		m := f.newManager(t, func(c *cancellation.Config) { c.Servers = otherBilling{f.servers, s.Billing} })
		_, err := m.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
		if text == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, requireError(t, err, cancellation.ErrHost).Err, text)
	}
}

// A Biller that answers what makes no sense is named, not the formula.
func TestChargesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	charge := paid("server", "30.00")
	charge.End = charge.Start
	f := newFixture(t)
	s := f.pricedServer(t, "EUR", 0, charge)
	_, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.ErrorContains(t, requireError(t, err, cancellation.ErrHost).Err, `Biller.Paid failed: refund: charge 0 ("server"): End is`)
}

// otherBilling is an inventory that answers every server with one billing.
type otherBilling struct {
	cancellation.Servers
	billing dedicated.Billing
}

func (o otherBilling) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s, err := o.Servers.Server(ctx, a, id)
	s.Billing = o.billing
	return s, err
}

// A bill of 149.00 with a credit of 13.54 refunds a third of 135.46.
func TestCreditOnTheBill(t *testing.T) {
	t.Parallel()
	seesCredit := false
	naive := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		r := refund.Result{Total: decimal.Zero}
		for _, charge := range c.Charges {
			seesCredit = seesCredit || charge.Paid.IsNegative()
			part := refund.Line{Charge: charge, Amount: charge.Paid.DivRound(decimal.New(3, 0), c.Places)}
			r.Lines, r.Total = append(r.Lines, part), r.Total.Add(part.Amount)
		}
		return r, nil
	})
	for name, change := range map[string]func(*cancellation.Config, *cancellation.Settings){
		"the default":               func(*cancellation.Config, *cancellation.Settings) {},
		"an expression":             func(_ *cancellation.Config, s *cancellation.Settings) { s.Formula = "paid / 3" },
		"a formula of the host's":   func(c *cancellation.Config, _ *cancellation.Settings) { c.RefundFormula = naive },
		"a combination around this": func(c *cancellation.Config, _ *cancellation.Settings) { c.RefundFormula = refund.Fee{Of: naive} },
	} {
		t.Run(name, func(t *testing.T) {
			var settings cancellation.Settings
			f := newFixture(t, func(c *cancellation.Config) { change(c, &settings) })
			f.saveSettings(t, settings)
			s := f.pricedServer(t, "EUR", 0, paid("server", "149.00"), paid("outage", "-13.54"))
			w := cancellation.When{At: at("2026-11-20 12:00")}
			quote, err := f.Quote(t.Context(), f.reseller, s.ID, w)
			require.NoError(t, err)
			assertMoney(t, "45.15", quote.Total)
			c := f.scheduleAt(t, s.ID, w.At)
			f.tickAt(t, w.At)
			assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
			require.Len(t, f.biller.refunds(), 1)
			assertMoney(t, "45.15", f.biller.refunds()[0].Amount)
			assert.Equal(t, []cancellation.StatementLine{
				{Label: "server", Paid: "149.00", Amount: "45.15", Note: "paid less credits: 135.46"},
				{Label: "outage", Paid: "-13.54", Amount: "0.00", Note: "a credit: it lowers the payments for other charges"},
			}, payloads[cancellation.Statement](t, f, cancellation.KindExecuted)[0].Lines)
		})
	}
	assert.False(t, seesCredit)
}

// The total is at most what was paid for all charges, less credits and refunds.
func TestRefundAboveAllPayments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) {
		c.RefundFormula = refund.FormulaFunc(func(refund.Case) (refund.Result, error) {
			return refund.Result{Total: amount("90.01"), Lines: []refund.Line{{Amount: amount("90.01")}}}, nil
		})
	})
	s := f.pricedServer(t, "EUR", 0, paid("server", "100.00"), paid("credit", "-10.00"))
	_, err := f.Quote(t.Context(), f.reseller, s.ID, cancellation.When{At: at("2026-11-20 12:00")})
	e := requireError(t, err, cancellation.ErrHost)
	require.ErrorContains(t, e.Err, "90.01 is more than the 90 that was paid and not yet refunded")
}

func TestClosedWritesTheCurrencysDecimals(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(cancellation.Closed{Total: decimal.New(4000, -2)})
	require.NoError(t, err)
	assert.Contains(t, string(text), `"total":"40.00"`)
}
