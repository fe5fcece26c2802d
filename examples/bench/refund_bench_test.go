package bench_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// The benchmarks calculate one refund: 100.00 were paid for 29 days, of which 19 are unused. The library checks the case, counts the
// days in the zone of the case, rounds half to even, enforces the bounds and makes a line. The alternatives get the days as
// numbers and return a number.
const refundSource = "paid * unused_days / period_days - 5"

func refundCase() refund.Case {
	start := time.Date(2028, time.February, 1, 0, 0, 0, 0, time.UTC)
	return refund.Case{
		Charges:      []refund.Charge{{Label: "server", Paid: decimal.New(100_00, -2), Start: start, End: start.AddDate(0, 1, 0)}},
		At:           start.AddDate(0, 0, 9).Add(12 * time.Hour),
		ServiceStart: start,
		Places:       2,
	}
}

// rental is the case as the alternatives get it.
type rental struct {
	Paid       decimal.Decimal `expr:"paid"`
	UnusedDays decimal.Decimal `expr:"unused_days"`
	PeriodDays decimal.Decimal `expr:"period_days"`
}

func refundRental() rental {
	return rental{Paid: decimal.New(100_00, -2), UnusedDays: decimal.NewFromInt(19), PeriodDays: decimal.NewFromInt(29)}
}

func (r rental) prorated() decimal.Decimal { return r.Paid.Mul(r.UnusedDays).DivRound(r.PeriodDays, 2) }

// byHand must choose the number of digits of the division.
func (r rental) byHand(fee decimal.Decimal) decimal.Decimal {
	return r.Paid.Mul(r.UnusedDays).DivRound(r.PeriodDays, 16).Sub(fee).RoundBank(2)
}

// decimals makes expr-lang calculate with decimals: it replaces literals by constants.
type decimals struct{}

func (decimals) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IntegerNode:
		ast.Patch(node, &ast.ConstantNode{Value: decimal.NewFromInt(int64(n.Value))})
		(*node).SetType(reflect.TypeFor[decimal.Decimal]())
	}
}

func compiled(tb testing.TB) *vm.Program {
	tb.Helper()
	operator := func(name string, calculate func(a, b decimal.Decimal) decimal.Decimal) expr.Option {
		return expr.Function(name, func(p ...any) (any, error) {
			return calculate(p[0].(decimal.Decimal), p[1].(decimal.Decimal)), nil
		}, calculate)
	}
	program, err := expr.Compile(refundSource, expr.Env(rental{}), expr.Patch(decimals{}),
		operator("mul", decimal.Decimal.Mul),
		operator("sub", decimal.Decimal.Sub),
		operator("div", func(a, b decimal.Decimal) decimal.Decimal { return a.DivRound(b, 16) }),
		expr.Operator("*", "mul"), expr.Operator("-", "sub"), expr.Operator("/", "div"))
	require.NoError(tb, err)
	return program
}

// TestRefundAlternativesAgree shows that all alternatives calculate the same amounts.
func TestRefundAlternativesAgree(t *testing.T) {
	t.Parallel()
	r, err := refund.Prorated{}.Refund(refundCase())
	require.NoError(t, err)
	require.Equal(t, "65.52", r.Total.String())
	require.Equal(t, "65.52", refundRental().prorated().String())

	formula, err := refund.Parse(refundSource)
	require.NoError(t, err)
	r, err = formula.Refund(refundCase())
	require.NoError(t, err)
	require.Equal(t, "60.52", r.Total.String())
	require.Equal(t, "60.52", refundRental().byHand(decimal.NewFromInt(5)).String())
	alternative, err := vm.Run(compiled(t), refundRental())
	require.NoError(t, err)
	require.Equal(t, "60.52", alternative.(decimal.Decimal).RoundBank(2).String())
}

func BenchmarkRefundProrated(b *testing.B) {
	b.Run("metalkeep", func(b *testing.B) {
		c := refundCase()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (refund.Prorated{}).Refund(c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decimal.Mul.DivRound", func(b *testing.B) {
		r := refundRental()
		b.ReportAllocs()
		for b.Loop() {
			r.prorated()
		}
	})
}

func BenchmarkRefundExpression(b *testing.B) {
	b.Run("metalkeep", func(b *testing.B) {
		c := refundCase()
		formula, err := refund.Parse(refundSource)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := formula.Refund(c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decimals by hand", func(b *testing.B) {
		r, fee := refundRental(), decimal.NewFromInt(5)
		b.ReportAllocs()
		for b.Loop() {
			r.byHand(fee)
		}
	})
	b.Run("expr-lang with decimals", func(b *testing.B) {
		program, env := compiled(b), refundRental()
		var machine vm.VM
		b.ReportAllocs()
		for b.Loop() {
			out, err := machine.Run(program, env)
			if err != nil {
				b.Fatal(err)
			}
			out.(decimal.Decimal).RoundBank(2)
		}
	})
}
