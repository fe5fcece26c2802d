package refund

import (
	"fmt"
	"math/big"

	"github.com/shopspring/decimal"
)

// Rounding decides how an amount exactly between two units of the currency is rounded. All other amounts are rounded to the
// nearest unit.
type Rounding uint8

// The roundings. Refunds are never negative, so rounding up favours the client and rounding down the reseller.
const (
	HalfEven Rounding = iota // to the even unit; over many refunds it favours neither
	HalfUp                   // to the larger unit
	HalfDown                 // to the smaller unit

	floor // rounds every fraction down
	ceil  // rounds every fraction up
)

// String returns the rounding's name in lower case.
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

// roundsUp decides about a fraction between 0 and 1. half is the comparison of the fraction with one half: -1, 0 or 1. odd tells
// whether the integer below the fraction is odd.
func (r Rounding) roundsUp(half int, odd bool) bool {
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

// units returns x in units of 10^-places, rounded to a whole number of them. places is 0 to 8. All rounding in this package
// happens here.
func (x number) units(places int32, r Rounding) number {
	if x.wide == nil {
		if n, ok := mul64(x.num, pow10[places]); ok {
			return whole(divideRounded(n, x.den, r))
		}
	}
	num, den := x.parts()
	scaled := new(big.Int).Mul(num, big.NewInt(pow10[places]))
	q, rest := scaled.DivMod(scaled, den, new(big.Int))
	if rest.Sign() == 0 {
		return number{wide: &fraction{q, big.NewInt(1)}}
	}
	half := rest.Cmp(new(big.Int).Sub(den, rest))
	if r.roundsUp(half, q.Bit(0) == 1) {
		q.Add(q, big.NewInt(1))
	}
	return number{wide: &fraction{q, big.NewInt(1)}}
}

// divideRounded returns n / den. den must be above zero.
func divideRounded(n, den int64, r Rounding) int64 {
	q, rest := n/den, n%den
	if rest == 0 {
		return q
	}
	if rest < 0 {
		rest += den
		q--
	}
	if r.roundsUp(compare(rest, den-rest), q&1 == 1) {
		q++
	}
	return q
}

// round returns x rounded to places decimals, or to tens, hundreds and so on for negative places. places is -8 to 8.
func (x number) round(places int32, r Rounding) number {
	if places < 0 {
		power := whole(pow10[-places])
		return x.quo(power).units(0, r).mul(power)
	}
	return x.units(places, r).quo(whole(pow10[places]))
}

// decimal converts a whole number of units of 10^-places to a decimal with exactly that scale.
func (x number) decimal(places int32) decimal.Decimal {
	if x.wide != nil {
		return decimal.NewFromBigInt(x.wide.num, -places)
	}
	return decimal.New(x.num, -places)
}
