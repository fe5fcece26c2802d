package main

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/refund/refundtest"
)

func november(label string, kind refund.Kind, paid string) refund.Charge {
	return refund.Charge{
		Label: label, Kind: kind, Paid: decimal.RequireFromString(paid),
		Start: time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC),
		End:   time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC),
	}
}

// TestRules compares refunds with the promised amounts. It asks as package cancellation does: a rule never sees a credit.
func TestRules(t *testing.T) {
	t.Parallel()
	fromFile, err := load(files, "refund.formula")
	require.NoError(t, err)
	server, licence := november("server", refund.Recurring, "60.00"), november("licence", refund.Flat, "8.00")
	credit := november("outage", refund.Recurring, "-13.54")
	tests := []struct {
		name    string
		rule    refund.Formula
		day     int // of November
		charges []refund.Charge
		want    string
	}{
		{"terms: in full on day 14", terms(), 14, []refund.Charge{server, licence}, "68.00"},
		{"terms: 80 percent less the fee on day 15", terms(), 15, []refund.Charge{server, licence}, "21.50"},
		{"terms: one fee for two servers", terms(), 15, []refund.Charge{server, server}, "45.50"},
		{"terms: above the minimum", terms(), 27, []refund.Charge{server}, "2.30"},
		{"terms: below the minimum", terms(), 28, []refund.Charge{server}, "0.00"},
		{"weeks: one is used", weeks(), 2, []refund.Charge{server}, "46.00"},
		{"weeks: two are used", weeks(), 9, []refund.Charge{server}, "32.00"},
		{"weeks: all are used", weeks(), 30, []refund.Charge{server}, "0.00"},
		{"terms: less a credit of 13.54 on day 14", terms(), 14, []refund.Charge{server, licence, credit}, "54.46"},
		{"weeks: less a credit of 13.54", weeks(), 2, []refund.Charge{credit, server}, "35.62"},
		{"file: in full on day 14", fromFile, 14, []refund.Charge{server, licence}, "68.00"},
		{"file: a fee for each charge on day 15", fromFile, 15, []refund.Charge{server, server}, "43.00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := refund.Calculate(tt.rule, refund.Case{
				Charges:      tt.charges,
				At:           time.Date(2026, time.November, tt.day, 12, 0, 0, 0, time.UTC),
				ServiceStart: time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC),
				Places:       2,
			})
			require.NoError(t, err)
			assert.Equal(t, tt.want, r.Total.StringFixed(2), r)
		})
	}
}

// TestConformance runs the conformance suite on each rule.
func TestConformance(t *testing.T) {
	t.Parallel()
	fromFile, err := load(files, "refund.formula")
	require.NoError(t, err)
	t.Run("terms", func(t *testing.T) {
		t.Parallel()
		refundtest.TestFormula(t, terms(), refundtest.Options{Places: []int32{2}})
	})
	t.Run("weeks", func(t *testing.T) {
		t.Parallel()
		refundtest.TestFormula(t, weeks(), refundtest.Options{ZeroAtEnd: true})
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		refundtest.TestFormula(t, fromFile, refundtest.Options{Places: []int32{2}, ShortPeriods: true})
	})
}

// TestLoad shows that the error for a mistake in the file names its place.
func TestLoad(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"refund.formula": {Data: []byte("paid\n  * unusd_days / period_days\n")}}
	_, err := load(fsys, "refund.formula")
	require.ErrorIs(t, err, refund.ErrInvalid)
	require.EqualError(t, err, `refund.formula: line 2, column 5: found "unusd_days", expected a variable; did you mean "unused_days"?`)
	_, err = load(fsys, "missing.formula")
	require.Error(t, err)
}
