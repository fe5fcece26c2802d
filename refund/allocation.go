package refund

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// limit is the answer of a formula beside an amount to hold it to, all in the currency's smallest unit.
type limit struct {
	places        int32
	result        Result
	lines         []number
	total, amount number
}

// limited checks the amount and asks the formula, Prorated{} where it is nil.
func limited(field string, amount decimal.Decimal, of Formula, c Case) (limit, error) {
	if err := c.Validate(); err != nil {
		return limit{}, err
	}
	units, found := c.units(amount)
	if found != "" {
		return limit{}, setting(field, found, fmt.Sprintf("0 or more with at most %d decimals", c.Places))
	}
	r, err := ask(of, Prorated{}, c)
	if err != nil {
		return limit{}, err
	}
	l := limit{places: c.Places, result: r, amount: units, lines: make([]number, len(r.Lines)), total: whole(0)}
	for i := range r.Lines {
		l.lines[i], _ = c.units(r.Lines[i].Amount) // ask has looked at them
		l.total = l.total.add(l.lines[i])
	}
	return l, nil
}

// deduct spreads a deduction of at most the total over the lines and has each line that loses something remarked on.
func (l limit) deduct(deduction number, remark func(line *Line, taken decimal.Decimal)) Result {
	if deduction.sign() == 0 {
		return l.result
	}
	lines := l.result.Lines // of ask, which has made them anew
	for i, taken := range spread(deduction, l.lines, l.total) {
		if taken.sign() == 0 {
			continue
		}
		lines[i].Amount = l.lines[i].sub(taken).money(l.places)
		remark(&lines[i], taken.money(l.places))
	}
	return Result{Total: l.total.sub(deduction).money(l.places), Lines: lines}
}

// spread divides amount over shares in proportion to them: each gets its part rounded down, and the units left over go
// one each to the largest remainders, the earlier first of equal ones. amount is between 0 and sum, the sum of the
// shares, which is above 0: so no part is larger than its share.
func spread(amount number, shares []number, sum number) []number {
	parts, rests, order := make([]number, len(shares)), make([]number, len(shares)), make([]int, len(shares))
	left := amount
	for i, share := range shares {
		exact := amount.mul(share).quo(sum)
		parts[i] = exact.units(0, floor)
		rests[i] = exact.sub(parts[i])
		order[i] = i
		left = left.sub(parts[i])
	}
	slices.SortStableFunc(order, func(a, b int) int { return rests[b].cmp(rests[a]) })
	for _, i := range order {
		if left.sign() == 0 {
			break
		}
		parts[i] = parts[i].add(whole(1))
		left = left.sub(whole(1))
	}
	return parts
}
