package refund_test

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/refund"
)

// statement is a random bill with credits, in cents.
type statement struct {
	kinds          []refund.Kind
	periods        []int // 0: October, 1: November
	paid, refunded []int64
	elapsed        int64 // seconds since 1 October
}

func drawStatement(r *rand.Rand) statement {
	b := statement{elapsed: r.Int64N(70*86400) - 3*86400}
	size := []int64{10, 1000, 1_000_000, 1 << 50}[r.IntN(4)]
	for range 1 + r.IntN(7) {
		paid, refunded := r.Int64N(size), int64(0)
		if r.IntN(3) == 0 {
			paid = -paid
		}
		if r.IntN(4) == 0 {
			refunded = r.Int64N(size)
			if paid < 0 && r.IntN(2) == 0 {
				refunded = -refunded % (1 - paid)
			}
		}
		b.kinds = append(b.kinds, []refund.Kind{refund.Recurring, refund.Recurring, refund.Flat, refund.Setup, refund.Usage}[r.IntN(5)])
		b.periods = append(b.periods, r.IntN(2))
		b.paid, b.refunded = append(b.paid, paid), append(b.refunded, refunded)
	}
	return b
}

func (b statement) refundCase() refund.Case {
	c := refund.Case{Places: 2, ServiceStart: day(2026, time.October, 1)}
	c.At = c.ServiceStart.Add(time.Duration(b.elapsed) * time.Second)
	for i := range b.paid {
		charge := []refund.Charge{october("0"), november("0")}[b.periods[i]]
		charge.Kind, charge.Paid, charge.Refunded = b.kinds[i], decimal.New(b.paid[i], -2), decimal.New(b.refunded[i], -2)
		c.Charges = append(c.Charges, charge)
	}
	return c
}

// takeOff lowers the amounts above 0 by the amounts below 0 among those for which member is true, as Calculate documents it.
func takeOff(amounts []*big.Int, member func(i int) bool) {
	credit, sum := new(big.Int), new(big.Int)
	for i, a := range amounts {
		switch {
		case member(i) && a.Sign() < 0:
			credit.Sub(credit, a)
		case member(i):
			sum.Add(sum, a)
		}
	}
	if credit.Cmp(sum) > 0 {
		credit.Set(sum)
	}
	lower(amounts, credit, sum, func(i int) bool { return member(i) && amounts[i].Sign() > 0 })
	for i, a := range amounts {
		if member(i) && a.Sign() < 0 {
			part := new(big.Int).Neg(a)
			if part.Cmp(credit) > 0 {
				part.Set(credit)
			}
			a.Add(a, part)
			credit.Sub(credit, part)
		}
	}
}

// lower takes an amount off the members, in proportion. Each unit that is left over goes to the member that lacks the largest part
// of a unit.
func lower(amounts []*big.Int, by, sum *big.Int, member func(i int) bool) {
	if by.Sign() == 0 {
		return
	}
	left, lacking := new(big.Int).Set(by), make([]*big.Rat, len(amounts))
	for i, a := range amounts {
		if !member(i) {
			continue
		}
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(by, a), sum)
		part := new(big.Int).Quo(exact.Num(), exact.Denom())
		lacking[i] = exact.Sub(exact, new(big.Rat).SetInt(part))
		a.Sub(a, part)
		left.Sub(left, part)
	}
	for ; left.Sign() > 0; left.Sub(left, big.NewInt(1)) {
		most := -1
		for i := range amounts {
			if lacking[i] != nil && (most < 0 || lacking[i].Cmp(lacking[most]) > 0) {
				most = i
			}
		}
		amounts[most].Sub(amounts[most], big.NewInt(1))
		lacking[most] = new(big.Rat).SetInt64(-1)
	}
}

// expected calculates the lines of Prorated{} and of MoneyBack in cents, with math/big only.
func (b statement) expected(moneyBack bool) []*big.Int {
	integers := func(cents []int64, use func(i int) bool) []*big.Int {
		all := make([]*big.Int, len(cents))
		for i, n := range cents {
			all[i] = new(big.Int)
			if use(i) {
				all[i].SetInt64(n)
			}
		}
		return all
	}
	paid := integers(b.paid, func(int) bool { return true })
	refunded := integers(b.refunded, func(i int) bool { return b.paid[i] >= 0 || b.refunded[i] < 0 })
	for _, amounts := range [][]*big.Int{paid, refunded} {
		for kind := range refund.Usage + 1 {
			for period := range 2 {
				takeOff(amounts, func(i int) bool { return b.kinds[i] == kind && b.periods[i] == period })
			}
			takeOff(amounts, func(i int) bool { return b.kinds[i] == kind })
		}
	}
	for i := range paid {
		if least := big.NewInt(b.refunded[i] - b.paid[i]); refunded[i].Cmp(least.Add(least, paid[i])) < 0 {
			refunded[i] = least
		}
	}
	lines, total, left := make([]*big.Int, len(paid)), new(big.Int), new(big.Int)
	for i := range paid {
		left.Add(left, big.NewInt(b.paid[i]-b.refunded[i]))
		lines[i] = b.line(i, paid[i], moneyBack)
		if rest := new(big.Int).Sub(paid[i], refunded[i]); b.paid[i] < 0 || rest.Sign() < 0 {
			lines[i] = new(big.Int)
		} else if lines[i].Cmp(rest) > 0 {
			lines[i] = rest
		}
		total.Add(total, lines[i])
	}
	if left.Sign() < 0 {
		left.SetInt64(0)
	}
	if total.Cmp(left) > 0 {
		lower(lines, new(big.Int).Sub(total, left), total, func(int) bool { return true })
	}
	return lines
}

// line calculates one line before it is limited.
func (b statement) line(i int, paid *big.Int, moneyBack bool) *big.Int {
	start, days := int64(0), int64(31)
	if b.periods[i] == 1 {
		start, days = 31, 30
	}
	const secondsPerDay = 86400
	before, over := b.elapsed <= start*secondsPerDay, b.elapsed >= (start+days)*secondsPerDay
	switch kind := b.kinds[i]; {
	case kind == refund.Setup || kind == refund.Usage || !moneyBack && over:
		return new(big.Int)
	case moneyBack || kind == refund.Flat || before:
		return new(big.Int).Set(paid)
	}
	used := b.elapsed/secondsPerDay - start + 1
	return divideRounded(new(big.Int).Mul(paid, big.NewInt(days-used)), big.NewInt(days), refund.HalfEven)
}

func (b statement) check(t require.TestingT) {
	c := b.refundCase()
	for _, f := range []refund.Formula{refund.Prorated{}, refund.MoneyBack{Days: 10_000}} {
		_, moneyBack := f.(refund.MoneyBack)
		r, err := f.Refund(c)
		require.NoError(t, err)
		want, total := b.expected(moneyBack), new(big.Int)
		for i, l := range r.Lines {
			require.Equal(t, want[i].String(), l.Amount.Shift(2).String(), "line %d of %T for %+v", i, f, b)
			require.Equal(t, int32(-2), l.Amount.Exponent())
			total.Add(total, want[i])
		}
		require.Equal(t, total.String(), r.Total.Shift(2).String(), "%T for %+v", f, b)
	}
}

func TestCreditsAgainstExactRationals(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(19, 1))
	for range 50_000 {
		drawStatement(r).check(t)
	}
}

func FuzzCreditsAgainstExactRationals(f *testing.F) {
	f.Add(int64(10), []byte{0, 1, 200, 0, 1, 129})
	f.Add(int64(40*86400), []byte{0, 1, 5, 4, 0, 130, 9, 1, 255, 1, 0, 100})
	f.Fuzz(func(t *testing.T, elapsed int64, raw []byte) {
		b := statement{elapsed: elapsed % (100 * 86400)}
		for ; len(raw) >= 3 && len(b.paid) < 12; raw = raw[3:] {
			paid := int64(int8(raw[2])) * int64(1+int(raw[1])*int(raw[1]))
			refunded := int64(raw[1]>>4) * 100
			if paid < 0 && raw[0]&64 > 0 {
				refunded = -refunded % (1 - paid)
			}
			b.kinds = append(b.kinds, refund.Kind(raw[0]%4))
			b.periods = append(b.periods, int(raw[0]/4%2))
			b.paid, b.refunded = append(b.paid, paid), append(b.refunded, refunded)
		}
		b.check(t)
	})
}
