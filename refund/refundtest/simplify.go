package refundtest

import (
	"math/bits"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/refund"
)

// simplify replaces a trial by simpler trials while they still violate the promise. It ends because every step reduces the cost.
func simplify(t trial, o Options, violates func(trial) bool) trial {
	for {
		candidates := simplerTrials(t, o)
		i := slices.IndexFunc(candidates, func(s trial) bool { return cost(s) < cost(t) && s.matches(o) && violates(s) })
		if i < 0 {
			return t
		}
		t = candidates[i]
	}
}

// usualPlaces is the number of decimals of most currencies.
const usualPlaces = 2

// matches reports whether the trial is valid and the options permit it.
func (t trial) matches(o Options) bool {
	for _, c := range t.Charges {
		if !o.ShortPeriods && c.Start.In(t.zone()).Format(time.DateOnly) == c.End.In(t.zone()).Format(time.DateOnly) {
			return false
		}
	}
	return t.Validate() == nil
}

// cost estimates how hard a trial is to read.
func cost(t trial) int {
	const chargeCost = 1000
	n := timeCost(t.At) + timeCost(t.later) + timeCost(t.ServiceStart) + distanceCost(t.At, t.later) + distanceCost(t.ServiceStart, t.At)
	if t.Location != time.UTC {
		n += 20
	}
	if t.Places != usualPlaces {
		n++
	}
	for _, c := range t.Charges {
		n += chargeCost + int(c.Kind) + 2*timeCost(c.Start) + timeCost(c.End) + distanceCost(c.Start, c.End) + distanceCost(c.Start, t.At)
		n += amountCost(c.Paid) + 2*amountCost(c.Refunded)
	}
	return n
}

// timeCost is lowest for midnight at the start of 2026.
func timeCost(t time.Time) int {
	n := 0
	for _, unit := range []time.Duration{day, time.Hour, time.Minute, time.Second} {
		if !t.Equal(t.Truncate(unit)) {
			n += 4
		}
	}
	return n + distanceCost(t, newYear())
}

func newYear() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// distanceCost grows with the logarithm of the days and hours between two instants.
func distanceCost(a, b time.Time) int {
	d := b.Sub(a).Abs()
	return bits.Len64(uint64(d/day)) + bits.Len64(uint64(d%day/time.Hour))
}

// amountCost grows with the length of the written amount.
func amountCost(d decimal.Decimal) int {
	if d.IsZero() {
		return 0
	}
	return 1 + len(d.String())
}

// simplerTrials returns variants of t that may be simpler, those with the largest changes first.
func simplerTrials(t trial, o Options) []trial {
	var all []trial
	add := func(change func(*trial)) {
		s := t
		s.Charges = slices.Clone(t.Charges)
		change(&s)
		all = append(all, s)
	}
	for i := range t.Charges {
		add(func(s *trial) { s.Charges = slices.Delete(s.Charges, i, i+1) })
	}
	add(func(s *trial) { s.Location = time.UTC })
	if slices.Contains(o.Places, usualPlaces) {
		add(func(s *trial) { s.Places = usualPlaces })
	}
	if len(t.Charges) > 0 {
		add(func(s *trial) { s.shift(newYear().Sub(s.Charges[0].Start)) })
	}
	add(func(s *trial) { s.shift(newYear().Sub(s.At)) })
	for i := range t.Charges {
		for _, change := range simplerCharges(t.Charges[i]) {
			add(func(s *trial) { change(&s.Charges[i]) })
		}
		add(func(s *trial) { s.ServiceStart = s.Charges[i].Start })
		add(func(s *trial) { s.At = s.Charges[i].Start })
		add(func(s *trial) { s.At = s.Charges[i].End })
		add(func(s *trial) {
			s.At = s.Charges[i].Start
			s.shift(newYear().Sub(s.At))
		})
	}
	for _, d := range []time.Duration{day, time.Hour, time.Second} {
		add(func(s *trial) { s.At = s.At.Truncate(d) })
		add(func(s *trial) { s.later = s.later.Truncate(d) })
		add(func(s *trial) { s.later = s.At.Add(d) })
		add(func(s *trial) { s.ServiceStart = s.ServiceStart.Truncate(d) })
	}
	add(func(s *trial) { s.later = s.At.Add(s.later.Sub(s.At) / 2) })
	return slices.DeleteFunc(all, func(s trial) bool { return s.later.Before(s.At) })
}

// simplerCharges returns changes that may simplify a charge.
func simplerCharges(c refund.Charge) []func(*refund.Charge) {
	changes := []func(*refund.Charge){
		func(c *refund.Charge) { c.Refunded = decimal.Zero },
		func(c *refund.Charge) { c.Kind = refund.Recurring },
		func(c *refund.Charge) { c.Start = c.Start.Truncate(day) },
		func(c *refund.Charge) { c.End = c.End.Truncate(day) },
		func(c *refund.Charge) { c.End = c.Start.Add(time.Hour) },
		func(c *refund.Charge) { c.Paid = c.Paid.Truncate(0) },
		func(c *refund.Charge) { c.Paid = c.Paid.Truncate(2) },
		func(c *refund.Charge) { c.Refunded = c.Refunded.Truncate(0) },
	}
	for _, paid := range []int64{0, 1, 2, 3, 5, 7, 10, 30, 100, 1000} {
		changes = append(changes, func(c *refund.Charge) { c.Paid = decimal.New(paid, 0) })
		changes = append(changes, func(c *refund.Charge) { c.Paid = decimal.New(paid, -2) })
		changes = append(changes, func(c *refund.Charge) { c.Refunded = decimal.New(paid, 0) })
		if c.Paid.IsNegative() {
			changes = append(changes, func(c *refund.Charge) { c.Paid = decimal.New(-paid, 0) })
		}
	}
	for _, days := range []int{1, 2, 3, 10, 30} {
		changes = append(changes, func(c *refund.Charge) { c.End = c.Start.AddDate(0, 0, days) })
	}
	return changes
}

// shift moves all instants by the same duration.
func (t *trial) shift(by time.Duration) {
	t.At, t.later, t.ServiceStart = t.At.Add(by), t.later.Add(by), t.ServiceStart.Add(by)
	for i := range t.Charges {
		t.Charges[i].Start, t.Charges[i].End = t.Charges[i].Start.Add(by), t.Charges[i].End.Add(by)
	}
}
