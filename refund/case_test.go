package refund_test

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// everyFormula returns the formulas of this package, with their zero values where those are valid.
func everyFormula(t *testing.T) map[string]refund.Formula {
	return map[string]refund.Formula{
		"None": refund.None{}, "Prorated": refund.Prorated{}, "MoneyBack": refund.MoneyBack{},
		"Fee": refund.Fee{}, "Minimum": refund.Minimum{}, "Cap": refund.Cap{},
		"ByKind": refund.ByKind{}, "ByLabel": refund.ByLabel{}, "Expression": parse(t, "paid"),
	}
}

func TestInvalidCases(t *testing.T) {
	t.Parallel()
	enormous := decimal.New(1, 1_000_000_000)
	tests := []struct {
		name    string
		corrupt func(*refund.Case)
		want    string
	}{
		{"places below 0", func(c *refund.Case) { c.Places = -1 },
			"refund: Places is -1, expected the number of the currency's decimals, 0 to 8"},
		{"places above 8", func(c *refund.Case) { c.Places = 9 }, "refund: Places is 9, expected the number of the currency's decimals, 0 to 8"},
		{"no instant", func(c *refund.Case) { c.At = time.Time{} },
			"refund: At is missing, expected the instant at which the service ends, in the years 1 to 9999"},
		{"an instant after the year 9999", func(c *refund.Case) { c.At = time.Unix(math.MaxInt64, 0) },
			"refund: At is out of range, expected the instant at which the service ends, in the years 1 to 9999"},
		{"a service before the year 1", func(c *refund.Case) { c.ServiceStart = time.Unix(math.MinInt64, 0) },
			"refund: ServiceStart is out of range, expected an instant in the years 1 to 9999"},
		{"an unknown kind", func(c *refund.Case) { c.Charges[1].Kind = 4 },
			`refund: charge 1 ("disk"): Kind is 4, expected Recurring, Flat, Setup or Usage`},
		{"a credit that was refunded beyond it", func(c *refund.Case) { c.Charges[1].Paid, c.Charges[1].Refunded = amount("-1"), amount("-1.01") },
			`refund: charge 1 ("disk"): Refunded is -1.01, expected the credit of -1 or more`},
		{"a credit with 17 decimals", func(c *refund.Case) { c.Charges[1].Paid = decimal.New(-1, -17) },
			`refund: charge 1 ("disk"): Paid is too long for a case with a credit, expected at most 16 decimals, and less than 1e60`},
		{"an enormous payment beside a credit", func(c *refund.Case) { c.Charges[0].Paid, c.Charges[1].Paid = decimal.New(1, 60), amount("-1") },
			`refund: charge 0 ("server"): Paid is too long for a case with a credit, expected at most 16 decimals, and less than 1e60`},
		{"an enormous refund beside a credit", func(c *refund.Case) { c.Charges[0].Refunded, c.Charges[1].Paid = decimal.New(1, 60), amount("-1") },
			`refund: charge 0 ("server"): Refunded is too long for a case with a credit, expected at most 16 decimals, and less than 1e60`},
		{"a negative refund before", func(c *refund.Case) { c.Charges[1].Refunded = amount("-1") },
			`refund: charge 1 ("disk"): Refunded is -1, expected an amount of 0 or more`},
		{"an enormous exponent", func(c *refund.Case) { c.Charges[1].Paid = enormous },
			`refund: charge 1 ("disk"): Paid has more than 77 digits or an exponent outside -64 to 64, expected an amount of 0 or more`},
		{"a tiny exponent", func(c *refund.Case) { c.Charges[1].Refunded = decimal.New(1, -1_000_000_000) },
			`refund: charge 1 ("disk"): Refunded has more than 77 digits or an exponent outside -64 to 64, expected an amount of 0 or more`},
		{"no period", func(c *refund.Case) { c.Charges[1].Start, c.Charges[1].End = time.Time{}, time.Time{} },
			`refund: charge 1 ("disk"): Start is missing, expected an instant in the years 1 to 9999`},
		{"no end", func(c *refund.Case) { c.Charges[1].End = time.Time{} },
			`refund: charge 1 ("disk"): End is missing, expected an instant in the years 1 to 9999`},
		{"an empty period", func(c *refund.Case) { c.Charges[1].End = c.Charges[1].Start },
			`refund: charge 1 ("disk"): End is 2026-11-01T00:00:00Z, expected an instant after Start, 2026-11-01T00:00:00Z`},
		{"a flat charge for an empty period", func(c *refund.Case) { c.Charges[1].Kind, c.Charges[1].End = refund.Flat, c.Charges[1].Start },
			`refund: charge 1 ("disk"): End is 2026-11-01T00:00:00Z, expected an instant after Start, 2026-11-01T00:00:00Z`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, f := range everyFormula(t) {
				disk := november("5.00")
				disk.Label = "disk"
				c := on10th(november("3.00"), disk)
				tt.corrupt(&c)
				t.Run(name, func(t *testing.T) { checkInvalid(t, f, c, tt.want) })
			}
		})
	}
}

func TestErrorNamesTheCharge(t *testing.T) {
	t.Parallel()
	bad := november("5.00")
	bad.Label, bad.Kind = "disk", 9
	_, err := refund.Prorated{}.Refund(on10th(november("3.00"), bad))
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, refund.Error{Charge: 1, Label: "disk", Field: "Kind", Found: "is 9", Expected: "Recurring, Flat, Setup or Usage"}, *e)
	_, err = refund.Prorated{}.Refund(refund.Case{Places: 2})
	require.ErrorAs(t, err, &e)
	assert.Equal(t, -1, e.Charge)
}

// Each bound has a valid case and an invalid one.
func TestBoundsOfNumbers(t *testing.T) {
	t.Parallel()
	largest := new(big.Int).Lsh(big.NewInt(1), 256)
	largest.Sub(largest, big.NewInt(1))
	tests := []struct {
		name string
		paid decimal.Decimal
		ok   bool
	}{
		{"64 bits", decimal.New(math.MaxInt64, 64), true},
		{"64 decimals", decimal.New(math.MaxInt64, -64), true},
		{"exponent 65", decimal.New(1, 65), false},
		{"65 decimals", decimal.New(1, -65), false},
		{"zero with an exponent", decimal.New(0, 1_000_000), false},
		{"256 bits", decimal.NewFromBigInt(largest, 64), true},
		{"257 bits", decimal.NewFromBigInt(new(big.Int).Lsh(big.NewInt(1), 256), 0), false},
		{"a million digits", decimal.NewFromBigInt(new(big.Int).Lsh(big.NewInt(1), 4_000_000), 0), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			charge := november("0")
			charge.Paid = tt.paid
			r, err := refund.MoneyBack{Days: 30}.Refund(on10th(charge))
			if !tt.ok {
				require.ErrorIs(t, err, refund.ErrInvalid)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, 0, r.Total.Cmp(tt.paid.RoundFloor(2)))

			// The result may have more digits than a charge may have. Combinations and JSON accept it.
			again, err := refund.Fee{Of: refund.MoneyBack{Days: 30}}.Refund(on10th(charge, charge))
			require.NoError(t, err)
			assert.True(t, again.Total.Equal(r.Total.Add(r.Total)))
			text, err := json.Marshal(again)
			require.NoError(t, err)
			var stored refund.Result
			require.NoError(t, json.Unmarshal(text, &stored))
			assert.Equal(t, again.String(), stored.String())
		})
	}
}

// The first and the last valid instant.
func TestBoundsOfInstants(t *testing.T) {
	t.Parallel()
	first, last := day(1, time.January, 1).Add(1), day(10_000, time.January, 1).Add(-1)
	c := on10th(november("3.00"))
	c.Charges[0].Start, c.Charges[0].End, c.ServiceStart = first, last, first
	for at, want := range map[time.Time]string{first: "3.00", last: "0.00"} {
		c.At = at
		r := checkRefund(t, refund.Prorated{By: refund.Seconds}, c, want)
		assert.Equal(t, int64(315_537_897_599), r.Lines[0].Total)
	}
	for _, at := range []time.Time{first.Add(-2), last.Add(1)} {
		c.At = at
		checkInvalid(t, refund.None{}, c, "refund: At is out of range, expected the instant at which the service ends, in the years 1 to 9999")
	}
}

func TestInvalidSettings(t *testing.T) {
	t.Parallel()
	const money = ", expected 0 or more with at most 2 decimals"
	null := func(s string) decimal.NullDecimal { return decimal.NewNullDecimal(amount(s)) }
	tests := []struct {
		name    string
		formula refund.Formula
		want    string
	}{
		{"a percent below 0", refund.Prorated{Percent: percent("-1")}, "refund: Prorated.Percent is -1, expected 0 to 100"},
		{"a percent above 100", refund.Prorated{Percent: percent("100.01")}, "refund: Prorated.Percent is 100.01, expected 0 to 100"},
		{"an enormous percent", refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(1, 1_000_000_000))},
			"refund: Prorated.Percent has more than 77 digits or an exponent outside -64 to 64, expected 0 to 100"},
		{"an unknown unit", refund.Prorated{By: 2}, "refund: Prorated.By is 2, expected Days or Seconds"},
		{"an unknown rounding", refund.Prorated{Rounding: 3}, "refund: Prorated.Rounding is 3, expected HalfEven, HalfUp or HalfDown"},
		{"money back for negative days", refund.MoneyBack{Days: -1}, "refund: MoneyBack.Days is -1, expected 0 or more"},
		{"a fee below 0", refund.Fee{Amount: amount("-5")}, "refund: Fee.Amount is -5" + money},
		{"a fee with more decimals than the currency", refund.Fee{Amount: amount("5.001")}, "refund: Fee.Amount is 5.001" + money},
		{"a minimum below 0", refund.Minimum{Amount: amount("-5")}, "refund: Minimum.Amount is -5" + money},
		{"a cap below 0", refund.Cap{Amount: null("-5")}, "refund: Cap.Amount is -5" + money},
		{"no function", refund.FormulaFunc(nil), "refund: FormulaFunc is nil, expected a function"},
		{"no function in a combination", refund.Fee{Of: refund.FormulaFunc(nil)}, "refund: FormulaFunc is nil, expected a function"},
		{"no formula", &refund.Expression{}, "refund: Expression is empty, expected an expression that Parse returned"},
		{"no expression", (*refund.Expression)(nil), "refund: Expression is empty, expected an expression that Parse returned"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkInvalid(t, tt.formula, on10th(november("3.00")), tt.want)
		})
	}
	c := on10th(november("3.00"))
	c.ServiceStart = time.Time{}
	checkInvalid(t, refund.MoneyBack{Days: 1}, c, "refund: ServiceStart is missing, expected the start of the service, which MoneyBack needs")
	checkRefund(t, refund.MoneyBack{}, c, "0.00")
}
