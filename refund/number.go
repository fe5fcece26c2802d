package refund

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/shopspring/decimal"
)

const (
	mostExponent = 64   // of a decimal from outside, either way
	mostBits     = 256  // of its coefficient: 77 digits
	mostWideBits = 1024 // of a numerator, a denominator or an answer's coefficient: 308 digits
)

// pow10 holds the powers of ten that fit.
var pow10 = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// number is an exact fraction. Money and days fit two int64, which costs no memory; what does not fit is wide. A
// division only multiplies the denominator, so nothing is rounded before round is asked to. Denominators are above zero.
type number struct {
	num, den int64
	wide     *fraction // in place of num and den
}

// fraction's parts are never changed once they are in a number.
type fraction struct{ num, den *big.Int }

func whole(n int64) number { return number{num: n, den: 1} }

// bounded tells whether d's exponent is small and its coefficient has most bits at most. It takes the same short time for
// every d: an exponent of a billion costs nothing until somebody writes its zeros.
func bounded(d decimal.Decimal, most uint) bool {
	e := d.Exponent()
	if e < -mostExponent || e > mostExponent {
		return false
	}
	if _, ok := coefficient(d); ok {
		return true
	}
	limit := decimal.NewFromBigInt(new(big.Int).Lsh(big.NewInt(1), most), e)
	return d.Cmp(limit) < 0 && d.Cmp(limit.Neg()) > 0
}

// tooLong says that a decimal is not bounded.
func tooLong(most uint) string {
	const bits, digits = 1000, 301 // 2^1000 has 302
	return fmt.Sprintf("has more than %d digits or an exponent beyond %d", most*digits/bits, mostExponent)
}

// coefficient returns d's coefficient where it fits. Two decimals of one exponent are compared without an allocation.
func coefficient(d decimal.Decimal) (int64, bool) {
	limit, beyond := int64(math.MaxInt64), 1
	switch d.Sign() {
	case 0:
		return 0, true
	case -1:
		limit, beyond = -math.MaxInt64, -1
	}
	if d.Cmp(decimal.New(limit, d.Exponent())) == beyond {
		return 0, false
	}
	return d.CoefficientInt64(), true
}

// exactly returns the value of d, which must be bounded.
func exactly(d decimal.Decimal) number {
	e := int64(d.Exponent())
	if c, ok := coefficient(d); ok && -e < int64(len(pow10)) && e < int64(len(pow10)) {
		if e <= 0 {
			return number{num: c, den: pow10[-e]}
		}
		if n, ok := mul64(c, pow10[e]); ok {
			return whole(n)
		}
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(e, -e)), nil)
	if e < 0 {
		return wide(d.Coefficient(), scale)
	}
	return wide(scale.Mul(scale, d.Coefficient()), big.NewInt(1))
}

// wide keeps num and den, and brings them to lowest terms when they grow large.
func wide(num, den *big.Int) number {
	if den.Sign() < 0 {
		num.Neg(num)
		den.Neg(den)
	}
	if num.BitLen() > mostWideBits || den.BitLen() > mostWideBits {
		common := new(big.Int).GCD(nil, nil, new(big.Int).Abs(num), den)
		num.Quo(num, common)
		den.Quo(den, common)
	}
	return number{wide: &fraction{num, den}}
}

// large tells whether x needs more digits than an expression may use.
func (x number) large() bool {
	return x.wide != nil && (x.wide.num.BitLen() > mostWideBits || x.wide.den.BitLen() > mostWideBits)
}

// parts returns the numerator and the denominator, which the caller may read but not change.
func (x number) parts() (num, den *big.Int) {
	if x.wide != nil {
		return x.wide.num, x.wide.den
	}
	return big.NewInt(x.num), big.NewInt(x.den)
}

func (x number) sign() int {
	switch {
	case x.wide != nil:
		return x.wide.num.Sign()
	case x.num < 0:
		return -1
	case x.num > 0:
		return 1
	}
	return 0
}

func (x number) neg() number {
	if x.wide != nil {
		return number{wide: &fraction{new(big.Int).Neg(x.wide.num), x.wide.den}}
	}
	return number{num: -x.num, den: x.den}
}

func (x number) mul(y number) number {
	if x.wide == nil && y.wide == nil {
		n, ok := mul64(x.num, y.num)
		d, fits := mul64(x.den, y.den)
		if ok && fits {
			return number{num: n, den: d}
		}
	}
	a, b := x.parts()
	c, d := y.parts()
	return wide(new(big.Int).Mul(a, c), new(big.Int).Mul(b, d))
}

// quo returns x / y. y must not be zero.
func (x number) quo(y number) number {
	if y.wide != nil {
		// Fresh copies: wide may turn the signs of what it is given.
		return x.mul(wide(new(big.Int).Set(y.wide.den), new(big.Int).Set(y.wide.num)))
	}
	if y.num < 0 {
		return x.mul(number{num: -y.den, den: -y.num})
	}
	return x.mul(number{num: y.den, den: y.num})
}

func (x number) add(y number) number {
	if x.wide == nil && y.wide == nil {
		if sum, ok := addSmall(x, y); ok {
			return sum
		}
	}
	a, b := x.parts()
	c, d := y.parts()
	left, right := new(big.Int).Mul(a, d), new(big.Int).Mul(c, b)
	return wide(left.Add(left, right), new(big.Int).Mul(b, d))
}

func addSmall(x, y number) (number, bool) {
	if x.den == y.den {
		n, ok := add64(x.num, y.num)
		return number{num: n, den: x.den}, ok
	}
	left, ok1 := mul64(x.num, y.den)
	right, ok2 := mul64(y.num, x.den)
	den, ok3 := mul64(x.den, y.den)
	num, ok4 := add64(left, right)
	return number{num: num, den: den}, ok1 && ok2 && ok3 && ok4
}

func (x number) sub(y number) number { return x.add(y.neg()) }

// cmp returns -1, 0 or 1 as x is below, equal to or above y.
func (x number) cmp(y number) int {
	if x.wide == nil && y.wide == nil {
		left, ok1 := mul64(x.num, y.den)
		right, ok2 := mul64(y.num, x.den)
		if ok1 && ok2 {
			return compare(left, right)
		}
	}
	a, b := x.parts()
	c, d := y.parts()
	return new(big.Int).Mul(a, d).Cmp(new(big.Int).Mul(c, b))
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mul64 multiplies unless the product is beyond ±(2^63 - 1), so that every result has a negative.
func mul64(a, b int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if high != 0 || low > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(low), true
	}
	return int64(low), true
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

func add64(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0) && sum != math.MinInt64
}
