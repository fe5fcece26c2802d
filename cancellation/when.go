package cancellation

import (
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// When says when a server is cancelled: at a fixed instant, now, at the end of the current billing period, or at the first end of
// a billing period that notice and lock leave. Exactly one of the four is set. Ends of periods are kept as an intent: they follow
// the period when the server's billing changes. A fixed instant does not move.
type When struct {
	At           time.Time // to the microsecond
	EndOfPeriod  bool
	FirstAllowed bool
	Now          bool
}

// isEnd reports whether w means the end of a billing period, which follows the server's billing.
func (w When) isEnd() bool { return w.EndOfPeriod || w.FirstAllowed }

// same reports whether both mean the same, whatever the zones of their times are.
func (w When) same(other When) bool {
	at := w.At.Equal(other.At)
	w.At, other.At = time.Time{}, time.Time{}
	return at && w == other
}

const lastYear = 9999

// normalize returns the When as it is stored.
func (w When) normalize(op Op) (When, error) {
	w.At = zone.Instant(w.At)
	set := 0
	for _, is := range []bool{!w.At.IsZero(), w.EndOfPeriod, w.FirstAllowed, w.Now} {
		if is {
			set++
		}
	}
	switch {
	case set == 0:
		return w, invalid(op, "When", "missing: want one of At, EndOfPeriod, FirstAllowed and Now")
	case set > 1:
		return w, invalid(op, "When", "%d of At, EndOfPeriod, FirstAllowed and Now are set: want one of them", set)
	case w.At.Year() > lastYear:
		return w, invalid(op, "When.At", "year %d: want %d at the most", w.At.Year(), lastYear)
	}
	return w, nil
}

// resolveEnd returns the end of a billing period that w means. EndOfPeriod is that of the period which contains asked, or of the
// first period if asked is before the Anchor. FirstAllowed is the first one after asked that leaves so many days. No period is an
// error, never now.
func (w When) resolveEnd(asked time.Time, days int, b dedicated.Billing) (time.Time, error) {
	if w.FirstAllowed && days > 0 {
		return firstEnd(asked, days, b)
	}
	p, err := periodAt(asked, b)
	return zone.Instant(p.End), err
}

// periodAt returns the billing period that contains t, or the first one if t is before the Anchor.
func periodAt(t time.Time, b dedicated.Billing) (dedicated.Period, error) {
	if t.Before(b.Anchor) {
		t = b.Anchor
	}
	return b.PeriodAt(t)
}

// resolveDate returns the planned instant under the server's present billing. asOf is the instant of the change of billing if the
// inventory does not know it. A fixed date stays. The end of a period follows the billing, except that:
//
//   - New terms that begin at the planned instant or after it do not move it, and neither does billing that holds only from then on.
//   - If the end is not after the change of billing, the cancellation is due as of the change.
//   - A client's order moves to a later date only if the billing keeps the cycle under which the client ordered it. Otherwise
//     a reseller could keep a client by other billing.
func (c Cancellation) resolveDate(s dedicated.Server, asOf time.Time) (time.Time, error) {
	if !c.When.isEnd() {
		return c.At, nil
	}
	if !s.BilledAt.IsZero() {
		asOf = zone.Instant(s.BilledAt)
	}
	if !s.Billing.Anchor.Before(c.At) || !asOf.Before(c.At) {
		return c.At, nil
	}
	at, err := c.When.resolveEnd(c.Asked, c.leadDays(), s.Billing)
	switch {
	case err != nil:
		return at, billingError(err)
	case !at.After(asOf):
		return asOf, nil
	case at.After(c.At) && c.By.Role == dedicated.Client && !c.extendedBy(s.Billing, at):
		return c.At, nil
	}
	return at, nil
}

// extendedBy reports whether a later end under other billing extends the cycle of a client's order. A cycle that the order did not have
// takes it to no later date than the one that was ordered.
func (c Cancellation) extendedBy(b dedicated.Billing, at time.Time) bool {
	same := func(cycle dedicated.Cycle) bool { return cycle == dedicated.Cycle{} || cycle == b.Cycle }
	return same(c.Cycle) && (same(c.OrderedCycle) || !at.After(c.Ordered))
}

// leadDays is how many days the end of a period must leave to be the first allowed one.
func (c Cancellation) leadDays() int { return max(c.NoticeDays, c.LockDays) }

// daysBefore returns the instant with the same local time n calendar days before t, or after t if n is negative.
func daysBefore(t time.Time, n int, loc *time.Location) time.Time {
	return zone.Instant(zone.WallOf(t, loc).AddDays(-n).In(loc))
}

// daysLeft counts the calendar days from the date of now to the date of t.
func daysLeft(now, t time.Time, loc *time.Location) int {
	from, to := zone.WallOf(now, loc), zone.WallOf(t, loc)
	return int(zone.Days(to.Year, to.Month, to.Day) - zone.Days(from.Year, from.Month, from.Day))
}

// leaves reports whether t is at least n calendar days after now.
func leaves(now, t time.Time, n int, loc *time.Location) bool {
	return !now.After(daysBefore(t, n, loc))
}

// firstEnd returns the first end of a billing period after now that is at least n days after now.
func firstEnd(now time.Time, n int, b dedicated.Billing) (time.Time, error) {
	loc, err := zone.Load(b.Zone)
	if err != nil {
		return time.Time{}, err
	}
	p, err := periodAt(daysBefore(now, -n, loc), b)
	if err != nil {
		return time.Time{}, err
	}
	// If the clocks change in between, the period before may do as well.
	for index := max(p.Index-1, 0); ; index++ {
		p, err = b.Period(index)
		if err != nil {
			return time.Time{}, err
		}
		if end := zone.Instant(p.End); end.After(now) && leaves(now, end, n, loc) {
			return end, nil
		}
	}
}

// localDate writes an instant as the wall clock shows it, for people.
func localDate(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("2006-01-02 15:04 MST")
}

// date writes an instant with the offset of its zone, by RFC 3339.
func date(t time.Time, loc *time.Location) string { return t.In(loc).Format(time.RFC3339) }

// location returns the zone to show dates in. An unknown zone, which a store or an inventory may hold, is UTC: it must not stop
// a cancellation.
func location(name string) *time.Location {
	loc, err := zone.Load(name)
	if err != nil {
		return time.UTC
	}
	return loc
}
