package refund_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// The decimal package has global settings that any part of a host may change. No result depends on them. The test is not
// parallel, because it changes them.
func TestGlobalSettingsChangeNothing(t *testing.T) {
	precision, exponent := decimal.DivisionPrecision, decimal.MaxDecodeExponent
	defer func() { decimal.DivisionPrecision, decimal.MaxDecodeExponent = precision, exponent }()

	c := on10th(november("100.00"), november("0.01"), november("123456789012345678901.23"))
	results := func() [][]string {
		all := [][]string{}
		for _, f := range []refund.Formula{
			refund.Prorated{Percent: decimal.NewNullDecimal(decimal.New(333, -1))},
			refund.MoneyBack{Days: 30},
			refund.Fee{Amount: decimal.New(7, -2), Of: refund.Cap{Amount: decimal.NewNullDecimal(decimal.New(100, 0))}},
			parse(t, "round(paid / 7, 5) * unused_days / period_days - 0.12345"),
		} {
			r, err := f.Refund(c)
			require.NoError(t, err)
			all = append(all, append(lineAmounts(r), withScale(r.Total)))
		}
		return all
	}
	want := results()
	for _, digits := range []int{2, 50, 0} {
		decimal.DivisionPrecision, decimal.MaxDecodeExponent = digits, digits
		assert.Equal(t, want, results(), "with a global precision of %d", digits)
	}
}
