package refund

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// limitedResult is the result of a formula together with an amount that limits it. Its numbers are whole units of the currency.
type limitedResult struct {
	places int32
	result Result
	lines  []number // the amounts of result.Lines
	total  number
	limit  number
}

// askWithLimit validates the limit, then asks the formula. A nil formula means Prorated{}.
func askWithLimit(field string, limit decimal.Decimal, of Formula, c Case) (limitedResult, error) {
	units, problem := c.unitsOf(limit)
	if problem != "" {
		return limitedResult{}, settingError(field, problem, fmt.Sprintf("0 or more with at most %d decimals", c.Places))
	}
	r, err := askFormula(of, Prorated{}, c)
	if err != nil {
		return limitedResult{}, err
	}
	l := limitedResult{places: c.Places, result: r, limit: units}
	l.setAmounts(&c) // askFormula has checked the amounts
	return l, nil
}

// setAmounts sets lines and total from the amounts of the result. It returns false if one is invalid.
func (l *limitedResult) setAmounts(c *Case) bool {
	l.lines, l.total = make([]number, len(l.result.Lines)), whole(0)
	for i := range l.result.Lines {
		units, problem := c.unitsOf(l.result.Lines[i].Amount)
		if problem != "" {
			return false
		}
		l.lines[i], l.total = units, l.total.add(units)
	}
	return true
}

// deduct allocates a deduction of at most the total to the lines. It calls annotate for each line that it reduces.
func (l limitedResult) deduct(deduction number, annotate func(line *Line, deducted decimal.Decimal)) Result {
	if deduction.sign() == 0 {
		return l.result
	}
	lines := slices.Clone(l.result.Lines)
	for i, part := range allocate(deduction, l.lines, l.total) {
		if part.sign() == 0 {
			continue
		}
		lines[i].Amount = l.lines[i].sub(part).decimal(l.places)
		annotate(&lines[i], part.decimal(l.places))
	}
	return Result{Total: l.total.sub(deduction).decimal(l.places), Lines: lines}
}

// allocate divides amount in proportion to the shares, by the largest remainder method: each share gets its part rounded down,
// then the units left over go one each to the largest remainders. Of equal remainders the earlier one goes first.
//
// sum is the sum of the shares and must be above 0. amount must lie between 0 and sum, so no part exceeds its share.
func allocate(amount number, shares []number, sum number) []number {
	parts, remainders, byRemainder := make([]number, len(shares)), make([]number, len(shares)), make([]int, len(shares))
	left := amount
	for i, share := range shares {
		exact := amount.mul(share).quo(sum)
		parts[i] = exact.units(0, floor)
		remainders[i] = exact.sub(parts[i])
		byRemainder[i] = i
		left = left.sub(parts[i])
	}
	slices.SortStableFunc(byRemainder, func(a, b int) int { return remainders[b].cmp(remainders[a]) })
	for _, i := range byRemainder {
		if left.sign() == 0 {
			break
		}
		parts[i] = parts[i].add(whole(1))
		left = left.sub(whole(1))
	}
	return parts
}
