package refund_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

func zzDate(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

func zzCharge(label string, kind refund.Kind, paid, refunded string) refund.Charge {
	return refund.Charge{Label: label, Kind: kind, Paid: decimal.RequireFromString(paid), Refunded: decimal.RequireFromString(refunded),
		Start: zzDate(2026, 11, 1), End: zzDate(2026, 12, 1)}
}

func TestCalculateIsRefund(t *testing.T) {
	t.Parallel()
	credit := zzCharge("credit", refund.Recurring, "-5.00", "-5.00")
	credit.Start, credit.End = zzDate(2026, 10, 1), zzDate(2026, 11, 1)
	c := refund.Case{
		Charges: []refund.Charge{
			zzCharge("server", refund.Recurring, "20.00", "0"), zzCharge("disk", refund.Recurring, "0.00", "10.00"), credit,
		},
		At: zzDate(2026, 11, 1), Places: 2,
	}
	expression, err := refund.Parse("paid")
	require.NoError(t, err)
	for _, f := range []refund.Formula{refund.Prorated{}, expression, refund.MoneyBack{Else: refund.Prorated{}}, refund.Fee{}, refund.Cap{}} {
		direct, err := refund.Prorated{}.Refund(c)
		require.NoError(t, err)
		asked, err := refund.Calculate(f, c)
		require.NoError(t, err)
		assert.Equal(t, direct.Total.String(), asked.Total.String(), "%T", f)
	}
}

func TestZeroCombinationsAreProrated(t *testing.T) {
	t.Parallel()
	c := refund.Case{
		Charges: []refund.Charge{
			zzCharge("server", refund.Recurring, "10.00", "0"),
			zzCharge("disk", refund.Recurring, "10.00", "15.00"),
			zzCharge("set-up", refund.Setup, "100.00", "0"),
		},
		At: zzDate(2026, 11, 1), Places: 2,
	}
	want, err := refund.Prorated{}.Refund(c)
	require.NoError(t, err)
	got, err := refund.ByKind{}.Refund(c)
	require.NoError(t, err)
	assert.Equal(t, want.String(), got.String())
	got, err = refund.ByLabel{Formulas: map[string]refund.Formula{"server": nil, "disk": nil}}.Refund(c)
	require.NoError(t, err)
	assert.Equal(t, want.String(), got.String())
}

func TestCalculateKeepsWrongTotal(t *testing.T) {
	t.Parallel()
	c := refund.Case{Charges: []refund.Charge{
		zzCharge("server", refund.Recurring, "20.00", "0"), zzCharge("disk", refund.Recurring, "0.00", "10.00"),
	}, At: zzDate(2026, 11, 1), Places: 2}
	f := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		return refund.Result{Total: decimal.New(1000000, -2), Lines: []refund.Line{{Charge: c.Charges[0], Amount: decimal.New(2000, -2)}, {Charge: c.Charges[1], Amount: decimal.New(0, -2)}}}, nil
	})
	r, err := refund.Calculate(f, c)
	require.NoError(t, err)
	assert.Equal(t, "10000", r.Total.String(), "Calculate does not check the result: a check must still see the wrong total")
	t.Log(r)
}

func TestTypedNil(t *testing.T) {
	t.Parallel()
	f := refund.FormulaFunc(func(c refund.Case) (refund.Result, error) {
		var e *refund.Error
		return refund.Result{}, e
	})
	c := refund.Case{Charges: []refund.Charge{zzCharge("a", refund.Recurring, "10", "0"), zzCharge("b", refund.Recurring, "-1", "0")}, At: zzDate(2026, 11, 3), Places: 2}
	assert.NotPanics(t, func() { _, _ = refund.Calculate(f, c) })
	assert.NotPanics(t, func() { _, _ = refund.ByKind{Recurring: f}.Refund(c) })
}
