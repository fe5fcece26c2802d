package refund

import (
	"fmt"
	"math/big"

	"github.com/shopspring/decimal"
)

// Rounding says where the half of a currency's smallest unit goes. Everything else goes to the nearest.
type Rounding uint8

// The roundings. Refunds are never negative, so up is in the client's favour and down in the reseller's.
const (
	HalfEven Rounding = iota // to the even neighbour: over many refunds it favours nobody
	HalfUp
	HalfDown

	floor // down whatever the rest
	ceil  // up whatever the rest
)

// String returns the rounding's name.
func (r Rounding) String() string {
	switch r {
	case HalfEven:
		return "half even"
	case HalfUp:
		return "half up"
	case HalfDown:
		return "half down"
	}
	return fmt.Sprintf("Rounding(%d)", uint8(r))
}

// up decides about a rest between 0 and 1: half compares it with one half, odd is about the integer below.
func (r Rounding) up(half int, odd bool) bool {
	switch r {
	case floor:
		return false
	case ceil:
		return true
	case HalfUp:
		return half >= 0
	case HalfDown:
		return half > 0
	default:
		return half > 0 || half == 0 && odd
	}
}

// units returns x in units of 10^-places, rounded to a whole number of them: the one place where anything is rounded.
// places is 0 to 8.
func (x number) units(places int32, r Rounding) number {
	if x.wide == nil {
		if n, ok := mul64(x.num, pow10[places]); ok {
			return whole(divide(n, x.den, r))
		}
	}
	num, den := x.parts()
	scaled := new(big.Int).Mul(num, big.NewInt(pow10[places]))
	q, rest := scaled.DivMod(scaled, den, new(big.Int))
	if rest.Sign() == 0 {
		return number{wide: &fraction{q, big.NewInt(1)}}
	}
	half := rest.Cmp(new(big.Int).Sub(den, rest))
	if r.up(half, q.Bit(0) == 1) {
		q.Add(q, big.NewInt(1))
	}
	return number{wide: &fraction{q, big.NewInt(1)}}
}

// divide returns n / den for a den above zero.
func divide(n, den int64, r Rounding) int64 {
	q, rest := n/den, n%den
	if rest == 0 {
		return q
	}
	if rest < 0 {
		rest += den
		q--
	}
	if r.up(compare(rest, den-rest), q&1 == 1) {
		q++
	}
	return q
}

// round returns x rounded to places decimals; below zero they are tens, hundreds and so on. places is -8 to 8.
func (x number) round(places int32, r Rounding) number {
	if places < 0 {
		power := whole(pow10[-places])
		return x.quo(power).units(0, r).mul(power)
	}
	return x.units(places, r).quo(whole(pow10[places]))
}

// money returns units of 10^-places as a decimal of exactly that scale.
func (x number) money(places int32) decimal.Decimal {
	if x.wide != nil {
		return decimal.NewFromBigInt(x.wide.num, -places)
	}
	return decimal.New(x.num, -places)
}
