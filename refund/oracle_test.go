package refund_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// randomCase holds the numbers of a random case and its formula. The fuzzer generates them as well.
type randomCase struct {
	paid      int64 // in units of 10^-scale
	refunded  int64 // in units of 10^-scale
	scale     uint8
	percent   int64 // in hundredths of a percent
	start     int64 // Unix seconds
	length    int64 // of the period, in seconds
	elapsed   int64 // seconds from the start of the period to the cancellation
	places    uint8
	by        refund.Unit
	dayUnused bool // Prorated.CancelDayUnused
	rounding  refund.Rounding
}

func drawCase(r *rand.Rand) randomCase {
	const year = 366 * 86400
	q := randomCase{
		paid: r.Int64N(1_000_000_00), scale: uint8(r.IntN(5)), percent: r.Int64N(10001),
		start: r.Int64N(3 * year * 40), length: 1 + r.Int64N(2*year),
		places: []uint8{0, 2, 3}[r.IntN(3)], by: refund.Unit(r.IntN(2)), dayUnused: r.IntN(2) == 0, rounding: refund.Rounding(r.IntN(3)),
	}
	if r.IntN(4) == 0 { // whole days make ties likely
		q.start, q.length = q.start/86400*86400, (1+r.Int64N(40))*86400
	}
	if r.IntN(8) == 0 {
		q.refunded = r.Int64N(1_000_000_00)
	}
	q.elapsed = r.Int64N(q.length+2*86400) - 86400
	return q
}

func (q randomCase) formula() refund.Prorated {
	return refund.Prorated{
		Percent: decimal.NewNullDecimal(decimal.New(q.percent, -2)), By: q.by, CancelDayUnused: q.dayUnused, Rounding: q.rounding,
	}
}

func (q randomCase) refundCase(loc *time.Location) refund.Case {
	start := time.Unix(q.start, 0)
	return refund.Case{
		Charges: []refund.Charge{{
			Label: "server", Paid: decimal.New(q.paid, -int32(q.scale)), Refunded: decimal.New(q.refunded, -int32(q.scale)),
			Start: start, End: start.Add(time.Duration(q.length) * time.Second),
		}},
		At: start.Add(time.Duration(q.elapsed) * time.Second), ServiceStart: start, Location: loc, Places: int32(q.places),
	}
}

// expected calculates the refund with math/big and time only, in units of 10^-places.
func (q randomCase) expected(loc *time.Location) *big.Int {
	unused, total := q.length-q.elapsed, q.length
	if q.by == refund.Days {
		date := func(seconds int64) int64 {
			y, m, d := time.Unix(q.start+seconds, 0).In(loc).Date()
			return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
		}
		total = date(q.length) - date(0)
		unused = date(q.length) - date(q.elapsed)
		if !q.dayUnused {
			unused--
		}
	}
	switch {
	case q.elapsed <= 0:
		unused, total = 1, 1
	case q.elapsed >= q.length || unused < 0 || total == 0:
		unused, total = 0, 1
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(q.scale)), nil)
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(q.places)), nil)
	num := big.NewInt(q.paid)
	num.Mul(num, big.NewInt(unused))
	num.Mul(num, big.NewInt(q.percent))
	num.Mul(num, unit)
	den := new(big.Int).Mul(scale, big.NewInt(total*100*100))
	upper := new(big.Int).Mul(big.NewInt(max(0, q.paid-q.refunded)), unit)
	upper.Quo(upper, scale)
	if quotient := divideRounded(num, den, q.rounding); quotient.Cmp(upper) < 0 {
		return quotient
	}
	return upper
}

// divideRounded rounds the quotient of two numbers that are not negative.
func divideRounded(num, den *big.Int, r refund.Rounding) *big.Int {
	quotient, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	half := rest.Lsh(rest, 1).Cmp(den)
	if half > 0 || half == 0 && (r == refund.HalfUp || r == refund.HalfEven && quotient.Bit(0) == 1) {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}

func roundRat(x *big.Rat, r refund.Rounding) *big.Int { return divideRounded(x.Num(), x.Denom(), r) }

func (q randomCase) check(t require.TestingT, loc *time.Location) {
	r, err := q.formula().Refund(q.refundCase(loc))
	if want := q.expected(loc); err != nil || r.Total.Coefficient().Cmp(want) != 0 || r.Total.Exponent() != -int32(q.places) {
		require.Fail(t, "not exact", "%+v in %s: got %s, %v, want %s units", q, loc, r.Total, err, want)
	}
}

// A million random cases give exactly what math/big gives.
func TestAgainstExactRationals(t *testing.T) {
	t.Parallel()
	const shards, each = 4, 250_000
	zones := []*time.Location{time.UTC, loadZone(t, "Europe/Berlin"), loadZone(t, "America/Sao_Paulo"), loadZone(t, "Asia/Kolkata")}
	for shard := range shards {
		t.Run(zones[shard].String(), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(shard), 1))
			for range each {
				drawCase(r).check(t, zones[shard])
			}
		})
	}
}

func FuzzProratedAgainstExactRationals(f *testing.F) {
	loc := loadZone(f, "Europe/Berlin")
	r := rand.New(rand.NewPCG(7, 7))
	for range 16 {
		q := drawCase(r)
		f.Add(q.paid, q.scale, q.refunded, q.percent, q.start, q.length, q.elapsed, q.places, uint8(q.by), q.dayUnused, uint8(q.rounding))
	}
	f.Fuzz(func(
		t *testing.T, paid int64, scale uint8, refunded, percent, start, length, elapsed int64, places, by uint8, dayUnused bool, rounding uint8,
	) {
		const limit, century = int64(1) << 52, int64(100 * 366 * 86400)
		span := 1 + nonNegative(length)%century
		randomCase{
			paid: nonNegative(paid) % limit, scale: scale % 19, refunded: nonNegative(refunded) % limit, percent: nonNegative(percent) % 10001,
			start: start % century, length: span, elapsed: elapsed % (2 * span), places: places % 9,
			by: refund.Unit(by % 2), dayUnused: dayUnused, rounding: refund.Rounding(rounding % 3),
		}.check(t, loc)
	})
}

func nonNegative(n int64) int64 { return n & (1<<62 - 1) }

// Amounts beyond 64 bits use other code, with the same results.
func TestLargeAmountsAreExact(t *testing.T) {
	t.Parallel()
	for _, digits := range []string{
		"123456789012345678.91", "98765432109876543210.987654321", "1e60", "123456789e-30", "9223372036854775807", "9223372036854775808",
	} {
		t.Run(digits, func(t *testing.T) {
			t.Parallel()
			for rounding := range refund.Rounding(3) {
				c := on10th(november(digits))
				r, err := refund.Prorated{Percent: percent("33.3"), Rounding: rounding}.Refund(c)
				require.NoError(t, err)
				x := new(big.Rat).Mul(amount(digits).Rat(), big.NewRat(20*333, 30*1000))
				want := roundRat(x.Mul(x, big.NewRat(100, 1)), rounding)
				assert.Equal(t, want.String(), r.Total.Coefficient().String(), rounding)
				assert.Equal(t, int32(-2), r.Total.Exponent())
			}
		})
	}
}

func TestTiesOfLargeAmounts(t *testing.T) {
	t.Parallel()
	const digits = "1234567890123456789012"
	tests := []struct{ paid, even, up, down string }{ // half of the payment is refunded
		{"2469135780246913578024.91", digits + ".46", digits + ".46", digits + ".45"},
		{"2469135780246913578024.93", digits + ".46", digits + ".47", digits + ".46"},
	}
	for _, tt := range tests {
		t.Run(tt.paid, func(t *testing.T) {
			t.Parallel()
			c := on10th(november(tt.paid))
			c.At = c.Charges[0].Start
			for rounding, want := range []string{tt.even, tt.up, tt.down} {
				checkRefund(t, refund.Prorated{Percent: percent("50"), Rounding: refund.Rounding(rounding)}, c, want)
			}
		})
	}
}

// An expression with the meaning of Prorated gives exactly the same result.
func TestExpressionEqualsProrated(t *testing.T) {
	t.Parallel()
	loc := loadZone(t, "Europe/Berlin")
	r := rand.New(rand.NewPCG(3, 3))
	for range 4_000 {
		q := drawCase(r)
		q.rounding, q.dayUnused = refund.HalfEven, false
		unit := "days"
		if q.by == refund.Seconds {
			unit = "seconds"
		}
		share := fmt.Sprintf("paid * unused_%s / period_%s * %s / 100", unit, unit, decimal.New(q.percent, -2))
		whole := fmt.Sprintf("paid * %s / 100", decimal.New(q.percent, -2))
		e := parse(t, fmt.Sprintf("when(period_days == 0, when(unused_seconds == period_seconds, %s, 0), %s)", whole, share))
		if q.by == refund.Seconds {
			e = parse(t, share)
		}
		c := q.refundCase(loc)
		want, err := q.formula().Refund(c)
		require.NoError(t, err)
		got, err := e.Refund(c)
		require.NoError(t, err)
		require.Equal(t, lineAmounts(want), lineAmounts(got), "%+v", q)
		require.Equal(t, withScale(want.Total), withScale(got.Total), "%+v", q)
	}
}

// FuzzHostileCase gives arbitrary cases to every formula. Each must return a refund within the bounds or an ErrInvalid, and be fast.
func FuzzHostileCase(f *testing.F) {
	f.Add(int64(100), int32(-2), int64(0), int32(0), int64(10), int32(0),
		int64(1793491200), int64(1796083200), int64(1794268800), int32(2), uint8(0))
	f.Add(int64(1), int32(1_000_000_000), int64(1), int32(-1_000_000_000), int64(1), int32(1<<30),
		int64(-1<<63), int64(1<<62), int64(-1), int32(9), uint8(9))
	f.Add(int64(1), int32(64), int64(1), int32(-64), int64(1), int32(-64), int64(0), int64(1), int64(1), int32(8), uint8(1))
	e := parse(f, "max(paid * unused_days / 3, round(paid, places) - service_days)")
	f.Fuzz(func(
		t *testing.T, paid int64, paidExp int32, refunded int64, refundedExp int32, setting int64, settingExp int32,
		start, end, at int64, places int32, kind uint8,
	) {
		amount := decimal.New(setting, settingExp)
		c := refund.Case{
			Charges: []refund.Charge{{
				Kind: refund.Kind(kind), Paid: decimal.New(paid, paidExp), Refunded: decimal.New(refunded, refundedExp),
				Start: time.Unix(start, 0), End: time.Unix(end, 0),
			}},
			At: time.Unix(at, 0), ServiceStart: time.Unix(start, 0), Places: places,
		}
		credit := c.Charges[0]
		credit.Paid = amount.Neg()
		for _, charges := range [][]refund.Charge{c.Charges, {c.Charges[0], credit}, {credit, c.Charges[0], c.Charges[0]}} {
			c.Charges = charges
			checkHostileCase(t, c, amount, e)
		}
	})
}

func checkHostileCase(t *testing.T, c refund.Case, amount decimal.Decimal, e *refund.Expression) {
	t.Helper()
	for _, formula := range []refund.Formula{
		refund.Prorated{Percent: decimal.NewNullDecimal(amount)}, refund.Fee{Amount: amount}, refund.Minimum{Amount: amount},
		refund.Cap{Amount: decimal.NewNullDecimal(amount)}, refund.MoneyBack{Days: 30, Else: refund.ByKind{}}, e,
	} {
		var r refund.Result
		var err error
		checkDuration(t, fmt.Sprintf("%T", formula), func() { r, err = formula.Refund(c) })
		if err != nil {
			require.ErrorIs(t, err, refund.ErrInvalid)
			require.Less(t, len(err.Error()), 500)
			continue
		}
		require.Equal(t, -c.Places, r.Total.Exponent())
		left := decimal.Zero
		for _, charge := range c.Charges {
			left = left.Add(charge.Paid).Sub(charge.Refunded)
		}
		require.False(t, r.Total.IsNegative() || r.Total.GreaterThan(decimal.Max(decimal.Zero, left)))
	}
}
