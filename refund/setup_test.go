package refund_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

func amount(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func percent(s string) decimal.NullDecimal { return decimal.NewNullDecimal(amount(s)) }

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func loadZone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// november returns a charge for 1 to 30 November 2026.
func november(paid string) refund.Charge {
	return refund.Charge{Label: "server", Paid: amount(paid), Start: day(2026, time.November, 1), End: day(2026, time.December, 1)}
}

// on10th returns a case in which the charges are cancelled on 10 November 2026 at noon.
func on10th(charges ...refund.Charge) refund.Case {
	return refund.Case{
		Charges:      charges,
		At:           time.Date(2026, time.November, 10, 12, 0, 0, 0, time.UTC),
		ServiceStart: day(2026, time.November, 1),
		Places:       2,
	}
}

func parse(t testing.TB, source string) *refund.Expression {
	t.Helper()
	e, err := refund.Parse(source)
	require.NoError(t, err)
	return e
}

// lineAmounts returns the amounts of the lines with their scale.
func lineAmounts(r refund.Result) []string {
	all := make([]string, 0, len(r.Lines))
	for _, l := range r.Lines {
		all = append(all, withScale(l.Amount))
	}
	return all
}

// withScale writes all decimals, so 2.00 and 2 differ.
func withScale(d decimal.Decimal) string { return d.StringFixed(max(0, -d.Exponent())) }

// checkRefund checks the total and, if lines is not empty, the amounts of the lines.
func checkRefund(t *testing.T, f refund.Formula, c refund.Case, total string, lines ...string) refund.Result {
	t.Helper()
	r, err := f.Refund(c)
	require.NoError(t, err)
	assert.Equal(t, total, withScale(r.Total))
	if len(lines) > 0 {
		assert.Equal(t, lines, lineAmounts(r))
	}
	return r
}

// checkInvalid checks that the formula returns an ErrInvalid with the text.
func checkInvalid(t *testing.T, f refund.Formula, c refund.Case, text string) {
	t.Helper()
	r, err := f.Refund(c)
	require.ErrorIs(t, err, refund.ErrInvalid)
	assert.EqualError(t, err, text)
	assert.Empty(t, r)
}
