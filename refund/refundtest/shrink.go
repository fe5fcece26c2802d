package refundtest

import (
	"math/bits"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/refund"
)

// shrink makes a trial simpler as long as it still breaks the promise. It ends because every step lowers the cost.
func shrink(t trial, o Options, broken func(trial) bool) trial {
	for {
		candidates := simpler(t, o)
		i := slices.IndexFunc(candidates, func(s trial) bool { return cost(s) < cost(t) && s.fits(o) && broken(s) })
		if i < 0 {
			return t
		}
		t = candidates[i]
	}
}

// usualPlaces are those that a reader expects.
const usualPlaces = 2

// fits tells whether the trial is one that the options ask for.
func (t trial) fits(o Options) bool {
	for _, c := range t.Charges {
		if !o.ShortPeriods && c.Start.In(t.zone()).Format(time.DateOnly) == c.End.In(t.zone()).Format(time.DateOnly) {
			return false
		}
	}
	return t.Validate() == nil
}

// cost tells how hard a trial is to read.
func cost(t trial) int {
	const charge = 1000
	n := odd(t.At) + odd(t.later) + odd(t.ServiceStart) + apart(t.At, t.later) + apart(t.ServiceStart, t.At)
	if t.Location != time.UTC {
		n += 20
	}
	if t.Places != usualPlaces {
		n++
	}
	for _, c := range t.Charges {
		n += charge + int(c.Kind) + 2*odd(c.Start) + odd(c.End) + apart(c.Start, c.End) + apart(c.Start, t.At)
		n += digits(c.Paid) + 2*digits(c.Refunded)
	}
	return n
}

// odd tells how far an instant is from a plain one: midnight near the beginning of 2026.
func odd(t time.Time) int {
	n := 0
	for _, unit := range []time.Duration{day, time.Hour, time.Minute, time.Second} {
		if !t.Equal(t.Truncate(unit)) {
			n += 4
		}
	}
	return n + apart(t, newYear())
}

func newYear() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// apart grows with the logarithm of the days and hours between.
func apart(a, b time.Time) int {
	d := b.Sub(a).Abs()
	return bits.Len64(uint64(d/day)) + bits.Len64(uint64(d%day/time.Hour))
}

func digits(d decimal.Decimal) int {
	if d.IsZero() {
		return 0
	}
	return 1 + len(d.String())
}

// simpler lists trials that may be simpler, the boldest first.
func simpler(t trial, o Options) []trial {
	var all []trial
	try := func(change func(*trial)) {
		s := t
		s.Charges = slices.Clone(t.Charges)
		change(&s)
		all = append(all, s)
	}
	for i := range t.Charges {
		try(func(s *trial) { s.Charges = slices.Delete(s.Charges, i, i+1) })
	}
	try(func(s *trial) { s.Location = time.UTC })
	if slices.Contains(o.Places, usualPlaces) {
		try(func(s *trial) { s.Places = usualPlaces })
	}
	if len(t.Charges) > 0 {
		try(func(s *trial) { s.move(newYear().Sub(s.Charges[0].Start)) })
	}
	try(func(s *trial) { s.move(newYear().Sub(s.At)) })
	for i := range t.Charges {
		for _, change := range plainer(t.Charges[i]) {
			try(func(s *trial) { change(&s.Charges[i]) })
		}
		try(func(s *trial) { s.ServiceStart = s.Charges[i].Start })
		try(func(s *trial) { s.At = s.Charges[i].Start })
		try(func(s *trial) { s.At = s.Charges[i].End })
		try(func(s *trial) {
			s.At = s.Charges[i].Start
			s.move(newYear().Sub(s.At))
		})
	}
	for _, d := range []time.Duration{day, time.Hour, time.Second} {
		try(func(s *trial) { s.At = s.At.Truncate(d) })
		try(func(s *trial) { s.later = s.later.Truncate(d) })
		try(func(s *trial) { s.later = s.At.Add(d) })
		try(func(s *trial) { s.ServiceStart = s.ServiceStart.Truncate(d) })
	}
	try(func(s *trial) { s.later = s.At.Add(s.later.Sub(s.At) / 2) })
	return slices.DeleteFunc(all, func(s trial) bool { return s.later.Before(s.At) })
}

// plainer lists changes that may make a charge plainer.
func plainer(c refund.Charge) []func(*refund.Charge) {
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
	}
	for _, days := range []int{1, 2, 3, 10, 30} {
		changes = append(changes, func(c *refund.Charge) { c.End = c.Start.AddDate(0, 0, days) })
	}
	return changes
}

// move shifts all instants.
func (t *trial) move(by time.Duration) {
	t.At, t.later, t.ServiceStart = t.At.Add(by), t.later.Add(by), t.ServiceStart.Add(by)
	for i := range t.Charges {
		t.Charges[i].Start, t.Charges[i].End = t.Charges[i].Start.Add(by), t.Charges[i].End.Add(by)
	}
}
