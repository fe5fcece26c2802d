package refund

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/shopspring/decimal"
)

const (
	maxExponent   = 64   // of a decimal in a case or a result, positive or negative
	maxBits       = 256  // of the coefficient of a decimal in a case: 77 digits
	maxResultBits = 1024 // of a numerator, a denominator, or the coefficient of a decimal in a result: 308 digits
)

// pow10 holds the powers of ten that an int64 can hold.
var pow10 = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// number is an exact fraction. Money and days fit into two int64, which need no allocation. Larger fractions use wide. A
// division only multiplies the denominator, so nothing is rounded before units or round. Denominators are above zero.
type number struct {
	num, den int64
	wide     *fraction // if not nil, it replaces num and den
}

// fraction is immutable once it is part of a number.
type fraction struct{ num, den *big.Int }

// whole returns the number n.
func whole(n int64) number { return number{num: n, den: 1} }

// withinBounds reports whether the exponent of d is small and its coefficient has at most width bits. It takes the same short
// time for every d: an exponent of a billion is expensive only when its zeros are written.
func withinBounds(d decimal.Decimal, width uint) bool {
	e := d.Exponent()
	if e < -maxExponent || e > maxExponent {
		return false
	}
	if _, ok := smallCoefficient(d); ok {
		return true
	}
	limit := decimal.NewFromBigInt(new(big.Int).Lsh(big.NewInt(1), width), e)
	return d.Cmp(limit) < 0 && d.Cmp(limit.Neg()) > 0
}

// boundsProblem describes a decimal that is not within bounds, as the end of the sentence "the amount …".
func boundsProblem(width uint) string {
	const bits, digits = 1000, 301 // every number of 301 digits fits into 1000 bits
	return fmt.Sprintf("has more than %d digits or an exponent outside -%[2]d to %[2]d", width*digits/bits, maxExponent)
}

// smallCoefficient returns the coefficient of d if an int64 can hold it. It compares two decimals of one exponent, which needs
// no allocation.
func smallCoefficient(d decimal.Decimal) (int64, bool) {
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

// fromDecimal returns the exact value of d, which must be within bounds.
func fromDecimal(d decimal.Decimal) number {
	e := int64(d.Exponent())
	if c, ok := smallCoefficient(d); ok && -e < int64(len(pow10)) && e < int64(len(pow10)) {
		if e <= 0 {
			return number{num: c, den: pow10[-e]}
		}
		if n, ok := mul64(c, pow10[e]); ok {
			return whole(n)
		}
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(e, -e)), nil)
	if e < 0 {
		return newWide(d.Coefficient(), scale)
	}
	return newWide(scale.Mul(scale, d.Coefficient()), big.NewInt(1))
}

// newWide takes over num and den, and may change them. It reduces the fraction to lowest terms once it is large.
func newWide(num, den *big.Int) number {
	if den.Sign() < 0 {
		num.Neg(num)
		den.Neg(den)
	}
	if num.BitLen() > maxResultBits || den.BitLen() > maxResultBits {
		common := new(big.Int).GCD(nil, nil, new(big.Int).Abs(num), den)
		num.Quo(num, common)
		den.Quo(den, common)
	}
	return number{wide: &fraction{num, den}}
}

// tooLong reports whether x has more digits than a value of an expression may have.
func (x number) tooLong() bool {
	return x.wide != nil && (x.wide.num.BitLen() > maxResultBits || x.wide.den.BitLen() > maxResultBits)
}

// parts returns the numerator and the denominator. The caller must not change them.
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
	return newWide(new(big.Int).Mul(a, c), new(big.Int).Mul(b, d))
}

// quo returns x / y. y must not be zero.
func (x number) quo(y number) number {
	if y.wide != nil {
		// newWide may change its arguments, so it gets copies.
		return x.mul(newWide(new(big.Int).Set(y.wide.den), new(big.Int).Set(y.wide.num)))
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
	return newWide(left.Add(left, right), new(big.Int).Mul(b, d))
}

// addSmall adds two numbers that are not wide. It returns false if the sum does not fit.
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

// cmp returns -1 if x is below y, 0 if they are equal, and 1 if x is above y.
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

// mul64 returns a * b, or false if the product lies outside ±(2^63 - 1). So the negative of every product fits as well.
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

// magnitude returns the absolute value of a.
func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// add64 returns a + b, or false if the sum lies outside ±(2^63 - 1).
func add64(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0) && sum != math.MinInt64
}
