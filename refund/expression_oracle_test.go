package refund_test

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// numberExpr is a random expression whose value is a number.
type numberExpr struct {
	source string
	value  *big.Rat // calculated with math/big; nil if the calculation divides by zero
}

// conditionExpr is a random expression whose value is true or false.
type conditionExpr struct {
	source string
	value  *bool // nil if the calculation divides by zero
}

// generator generates random expressions together with their values.
type generator struct {
	*rand.Rand
	paid *big.Rat
}

func (c generator) number(depth int) numberExpr {
	if depth == 0 || c.IntN(6) == 0 {
		switch c.IntN(4) {
		case 0:
			return numberExpr{"paid", c.paid}
		case 1:
			return numberExpr{"unused_days", big.NewRat(20, 1)}
		case 2:
			return numberExpr{"period_days", big.NewRat(30, 1)}
		}
		n, places := c.Int64N(2000), c.IntN(4)
		x := big.NewRat(n, int64([]int{1, 10, 100, 1000}[places]))
		return numberExpr{x.FloatString(places), x}
	}
	a, b := c.number(depth-1), c.number(depth-1)
	switch c.IntN(8) {
	case 0:
		return combine("(%s + %s)", a, b, (*big.Rat).Add)
	case 1:
		return combine("(%s - %s)", a, b, (*big.Rat).Sub)
	case 2:
		return combine("(%s * %s)", a, b, (*big.Rat).Mul)
	case 3:
		if b.value != nil && b.value.Sign() == 0 {
			return numberExpr{fmt.Sprintf("(%s / %s)", a.source, b.source), nil}
		}
		return combine("(%s / %s)", a, b, (*big.Rat).Quo)
	case 4:
		return combine("min(%s, %s)", a, b, func(z, x, y *big.Rat) *big.Rat {
			if x.Cmp(y) < 0 {
				return z.Set(x)
			}
			return z.Set(y)
		})
	case 5:
		return combine("max(%s, %s)", a, b, func(z, x, y *big.Rat) *big.Rat {
			if x.Cmp(y) > 0 {
				return z.Set(x)
			}
			return z.Set(y)
		})
	case 6:
		return c.rounding(a)
	default:
		return c.when(c.condition(depth-1), a, b)
	}
}

func combine(format string, a, b numberExpr, operate func(z, x, y *big.Rat) *big.Rat) numberExpr {
	s := numberExpr{source: fmt.Sprintf(format, a.source, b.source)}
	if a.value != nil && b.value != nil {
		s.value = operate(new(big.Rat), a.value, b.value)
	}
	return s
}

func (c generator) when(condition conditionExpr, a, b numberExpr) numberExpr {
	s := numberExpr{source: fmt.Sprintf("when(%s, %s, %s)", condition.source, a.source, b.source)}
	switch {
	case condition.value == nil:
	case *condition.value:
		s.value = a.value
	default:
		s.value = b.value
	}
	return s
}

// rounding generates a call of floor, ceil or round. It calculates the value from the quotient and the remainder.
func (c generator) rounding(a numberExpr) numberExpr {
	name := []string{"floor", "ceil", "round"}[c.IntN(3)]
	s := numberExpr{source: fmt.Sprintf("%s(%s, 1)", name, a.source)}
	if a.value == nil {
		return s
	}
	tenfold := new(big.Rat).Mul(a.value, big.NewRat(10, 1))
	below, rest := new(big.Int).DivMod(tenfold.Num(), tenfold.Denom(), new(big.Int))
	twice := rest.Lsh(rest, 1).Cmp(tenfold.Denom())
	if name == "ceil" && rest.Sign() > 0 || name == "round" && (twice > 0 || twice == 0 && below.Bit(0) == 1) {
		below.Add(below, big.NewInt(1))
	}
	s.value = new(big.Rat).SetFrac(below, big.NewInt(10))
	return s
}

func (c generator) condition(depth int) conditionExpr {
	if depth > 0 && c.IntN(3) == 0 {
		return c.logic(c.condition(depth-1), c.condition(depth-1))
	}
	a, b := c.number(max(0, depth-1)), c.number(max(0, depth-1))
	i := c.IntN(6)
	t := conditionExpr{source: fmt.Sprintf("(%s %s %s)", a.source, []string{"==", "!=", "<", "<=", ">", ">="}[i], b.source)}
	if a.value != nil && b.value != nil {
		d := a.value.Cmp(b.value)
		isTrue := []bool{d == 0, d != 0, d < 0, d <= 0, d > 0, d >= 0}[i]
		t.value = &isTrue
	}
	return t
}

func (c generator) logic(a, b conditionExpr) conditionExpr {
	switch c.IntN(3) {
	case 0:
		t := conditionExpr{source: "!" + a.source}
		if a.value != nil {
			not := !*a.value
			t.value = &not
		}
		return t
	case 1:
		t := conditionExpr{source: fmt.Sprintf("(%s && %s)", a.source, b.source), value: a.value}
		if a.value != nil && *a.value {
			t.value = b.value
		}
		return t
	default:
		t := conditionExpr{source: fmt.Sprintf("(%s || %s)", a.source, b.source), value: a.value}
		if a.value != nil && !*a.value {
			t.value = b.value
		}
		return t
	}
}

// Random expressions give exactly what math/big gives, or an error if the calculation divides by zero.
func TestExpressionsAgainstExactRationals(t *testing.T) {
	t.Parallel()
	divisionsByZero := 0
	for seed := range uint64(4_000) {
		c := generator{rand.New(rand.NewPCG(seed, 9)), big.NewRat(6665, 100)}
		s := c.number(5)
		if len(s.source) > 4096 {
			continue
		}
		// The formula maps the value to the range from 0 to paid. Without that, nearly every refund would be clamped.
		e, err := refund.Parse("paid / 2 + max(0 - paid / 2, min(paid / 2, " + s.source + "))")
		if err != nil {
			var e *refund.ExpressionError
			require.ErrorAs(t, err, &e)
			require.Contains(t, e.Found, "more than 1000", s.source)
			continue
		}
		r, err := e.Refund(on10th(november("66.65")))
		if s.value == nil {
			require.ErrorContains(t, err, "which is 0", s.source)
			divisionsByZero++
			continue
		}
		require.NoError(t, err, s.source)
		half := big.NewRat(6665, 200)
		x := new(big.Rat).Set(s.value)
		if x.Cmp(half) > 0 {
			x.Set(half)
		}
		if minus := new(big.Rat).Neg(half); x.Cmp(minus) < 0 {
			x.Set(minus)
		}
		x.Add(x, half)
		want := roundRat(x.Mul(x, big.NewRat(100, 1)), refund.HalfEven)
		require.Equal(t, want.String(), r.Total.Coefficient().String(), s.source)
	}
	require.Greater(t, divisionsByZero, 50)
}

// checkDuration fails if f is slow in each of 20 attempts. A single slow attempt can be caused by the machine.
func checkDuration(t *testing.T, name string, f func()) {
	t.Helper()
	var took time.Duration
	for range 20 {
		start := time.Now()
		f()
		if took = time.Since(start); took < maxDuration {
			return
		}
	}
	t.Errorf("%s takes %s", name, took)
}

// hardestSources returns sources that need as much time or memory as the bounds permit.
func hardestSources() map[string]string {
	long := strings.Repeat("9", 77)
	return map[string]string{
		"products":        "1 / (0 + " + strings.TrimSuffix(strings.Repeat("paid*unused_seconds/period_seconds*", 110), "*") + ")",
		"fractions":       "paid" + strings.Repeat(" + 1 / (unused_seconds + 0.7)", 140),
		"long fractions":  long + strings.Repeat("/"+long+"*"+long, 25),
		"cancelled":       strings.TrimSuffix(strings.Repeat("unused_seconds/period_seconds*period_seconds/unused_seconds*", 68), "*"),
		"spaces":          "paid" + strings.Repeat(" ", 3000) + strings.Repeat("+1", 499),
		"many arguments":  "max(" + strings.TrimSuffix(strings.Repeat("paid/7,", 330), ",") + ")",
		"rounded":         strings.Repeat("round(", 63) + "paid/7" + strings.Repeat(",8)", 63),
		"parentheses":     strings.Repeat("(", 4096),
		"minus signs":     strings.Repeat("-", 4096),
		"one long name":   strings.Repeat("a", 4096),
		"one long number": strings.Repeat("1", 4096),
		"negations":       strings.Repeat("!", 4095) + "1",
	}
}

// The test is not parallel, because it measures durations and allocations.
func TestNoSourceIsSlow(t *testing.T) {
	for name, source := range hardestSources() {
		t.Run(name, func(t *testing.T) {
			require.LessOrEqual(t, len(source), 4096)
			c := on10th(november(strings.Repeat("9", 77)))
			var e *refund.Expression
			var err error
			checkDuration(t, "parsing", func() { e, err = refund.Parse(source) })
			if err != nil {
				require.ErrorIs(t, err, refund.ErrInvalid)
				return
			}
			checkDuration(t, "refunding", func() {
				if _, err := e.Refund(c); err != nil && !errors.Is(err, refund.ErrInvalid) {
					t.Error(err)
				}
			})
			checkDuration(t, "explaining", func() { _, _ = e.Explain(c) })
			size := testing.AllocsPerRun(1, func() { _, _ = e.Refund(c) })
			require.Less(t, size, 20_000.0)
		})
	}
}

// FuzzExpression gives arbitrary sources to Parse. Parsing and refunding must be fast and must not panic, the refund must be
// within the bounds, and the source that String returns must give the same refund.
func FuzzExpression(f *testing.F) {
	// The sources are short, because a fuzzer spends its time on minimizing long ones.
	for _, source := range []string{
		"paid * unused_days / period_days - 5", "when(service_days < 30, paid, 0)", "round(paid, places)", "!(1<2)||paid", "0x1p-2", "paid //",
		"max(1, min(unused_seconds, period_seconds), floor(2.5), ceil(1 / 3, 2))", "((((", "- - - -1",
		"when(!(used_days >= 1) && 1 != 2 || 3 == 3, - -1, 2)",
	} {
		f.Add(source, int64(10000), int64(777))
	}
	f.Fuzz(func(t *testing.T, source string, cents, elapsed int64) {
		var e *refund.Expression
		var err error
		checkDuration(t, "parsing", func() { e, err = refund.Parse(source) })
		if err != nil {
			var e *refund.ExpressionError
			require.ErrorAs(t, err, &e)
			require.Positive(t, e.Line)
			require.Positive(t, e.Column)
			return
		}
		charge := november("0")
		charge.Paid = amount(fmt.Sprintf("%d.%02d", nonNegative(cents)/100, nonNegative(cents)%100))
		c := on10th(charge)
		c.At = charge.Start.Add(time.Duration(elapsed % int64(60*24*time.Hour)))
		var r refund.Result
		checkDuration(t, "refunding", func() { r, err = e.Refund(c) })
		if err != nil {
			require.ErrorIs(t, err, refund.ErrInvalid)
			return
		}
		require.False(t, r.Total.IsNegative() || r.Total.GreaterThan(charge.Paid))
		require.Equal(t, int32(-2), r.Total.Exponent())
		again, err := parse(t, e.String()).Refund(c)
		require.NoError(t, err)
		require.Equal(t, withScale(r.Total), withScale(again.Total))
		explained, err := e.Explain(c)
		require.NoError(t, err)
		require.Equal(t, r.Lines[0], explained[0].Line)
	})
}
