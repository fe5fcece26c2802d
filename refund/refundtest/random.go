package refundtest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/refund"
)

const day = 24 * time.Hour

// zones returns time zones in which formulas are likely to fail: nil, which means UTC, offsets with half hours, clocks set back
// over midnight, and a skipped date. It leaves out zones that the machine does not know.
func zones() []*time.Location {
	all := []*time.Location{nil, time.UTC, time.FixedZone("UTC-11", -11*60*60)}
	for _, name := range []string{
		"Europe/Berlin", "America/Sao_Paulo", "America/St_Johns", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe",
	} {
		if loc, err := time.LoadLocation(name); err == nil {
			all = append(all, loc)
		}
	}
	return all
}

// randomTrial returns a valid case with charges of all kinds. The cancellation is within the period of most charges, and sometimes
// exactly at the start or the end of one.
func randomTrial(r *rand.Rand, o Options) trial {
	t := trial{}
	t.Location = pick(r, o.zones)
	t.Places = pick(r, o.Places)
	base := time.Date(2000+r.IntN(40), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, t.zone())
	for range pick(r, []int{0, 1, 1, 1, 2, 3, 5}) {
		t.Charges = append(t.Charges, randomCharge(r, o, t.Places, base))
	}
	if r.IntN(3) == 0 {
		addCredits(r, &t)
	}
	t.ServiceStart = base.Add(-time.Duration(r.IntN(60)) * day)
	t.At = base.Add(time.Duration(r.Int64N(int64(40*day))) - 2*day)
	if len(t.Charges) > 0 && r.IntN(3) == 0 {
		edge := pick(r, t.Charges)
		t.At = pick(r, []time.Time{edge.Start, edge.End}).Add(pick(r, []time.Duration{-day, -1, 0, 1, day}))
	}
	t.later = t.At.Add(pick(r, []time.Duration{1, time.Second, time.Hour, day, time.Duration(r.Int64N(int64(90 * day)))}))
	return t
}

func randomCharge(r *rand.Rand, o Options, places int32, base time.Time) refund.Charge {
	c := refund.Charge{Label: pick(r, o.Labels), Paid: randomAmount(r, places)}
	c.Kind = pick(r, []refund.Kind{refund.Recurring, refund.Recurring, refund.Recurring, refund.Flat, refund.Setup, refund.Usage})
	c.Start = base.Add(pick(r, []time.Duration{0, 0, 9*time.Hour + 30*time.Minute, -40 * day, 20 * day}))
	c.End = c.Start.AddDate(0, 1, 0)
	switch r.IntN(6) {
	case 0:
		c.End = c.Start.AddDate(1, 0, 0)
	case 1:
		c.End = c.Start.AddDate(0, 0, 1+r.IntN(10))
	case 2:
		c.End = c.Start.AddDate(0, 0, 1).Add(time.Duration(r.Int64N(int64(3 * day))))
	case 3:
		if o.ShortPeriods {
			c.End = c.Start.Add(1 + time.Duration(r.Int64N(int64(day))))
		}
	}
	if r.IntN(4) == 0 {
		c.Refunded = randomAmount(r, places)
	}
	return c
}

// addCredits makes some charges credits, and adds one to the period of another charge.
func addCredits(r *rand.Rand, t *trial) {
	for i := range t.Charges {
		if r.IntN(4) == 0 {
			makeCredit(r, &t.Charges[i], t.Places)
		}
	}
	if len(t.Charges) > 0 {
		credit := pick(r, t.Charges)
		makeCredit(r, &credit, t.Places)
		t.Charges = slices.Insert(t.Charges, r.IntN(len(t.Charges)+1), credit)
	}
}

func makeCredit(r *rand.Rand, c *refund.Charge, places int32) {
	c.Paid = pick(r, []decimal.Decimal{randomAmount(r, places), c.Paid.Abs()}).Neg()
	c.Refunded = pick(r, []decimal.Decimal{decimal.Zero, decimal.Zero, decimal.Zero, c.Paid, randomAmount(r, places)})
}

// randomAmount returns an amount. Some amounts have more decimals than the currency, as after a discount.
func randomAmount(r *rand.Rand, places int32) decimal.Decimal {
	units := pick(r, []int64{0, 1, 5, 99, 100, 3000, r.Int64N(1000), r.Int64N(1_000_000), r.Int64N(1_000_000_000_000)})
	if r.IntN(8) == 0 {
		places += 2
	}
	return decimal.New(units, -places)
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
