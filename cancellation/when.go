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

// same reports whether both mean the same, whatever the zones of their times are.
func (w When) same(other When) bool {
	return w.EndOfPeriod == other.EndOfPeriod && w.At.Equal(other.At)
}

const lastYear = 9999

// normalize returns the When as it is stored.
func (w When) normalize(op Op) (When, error) {
	w.At = zone.Instant(w.At)
	switch {
	case w.EndOfPeriod && !w.At.IsZero():
		return w, invalid(op, "When", "At and EndOfPeriod are both set: want one of them")
	case !w.EndOfPeriod && w.At.IsZero():
		return w, invalid(op, "When", "missing: want At or EndOfPeriod")
	case w.At.Year() > lastYear:
		return w, invalid(op, "When.At", "year %d: want %d at the most", w.At.Year(), lastYear)
	}
	return w, nil
}

// resolve returns the instant that w means. The end of the period is that of the period which contains asked, or of the first
// period if asked is before the Anchor. No period is an error, never now.
func (w When) resolve(asked time.Time, b dedicated.Billing) (time.Time, error) {
	if !w.EndOfPeriod {
		return w.At, nil
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

// resolveDate returns the planned instant under the server's present billing. If the end of the period is not after the change
// of billing, the cancellation is due as of the change; but if it was due before the change, the date stays. asOf is the
// instant of the change if the inventory does not know it.
func (c Cancellation) resolveDate(s dedicated.Server, asOf time.Time) (time.Time, error) {
	at, err := c.When.resolve(c.Asked, s.Billing)
	if !s.BilledAt.IsZero() {
		asOf = zone.Instant(s.BilledAt)
	}
	switch {
	case err != nil:
		return at, billingError(err)
	case !c.When.EndOfPeriod || at.After(asOf):
		return at, nil
	case c.At.After(asOf):
		return asOf, nil
	}
	return c.At, nil
}

// daysBefore returns the instant with the same local time n calendar days before t, or after t if n is negative.
func daysBefore(t time.Time, n int, loc *time.Location) time.Time {
	return zone.Instant(zone.WallOf(t, loc).AddDays(-n).In(loc))
}

// daysLeft counts the calendar days from the date of now to the date of t.
func daysLeft(now, t time.Time, loc *time.Location) int {
	from, to := zone.WallOf(now, loc), zone.WallOf(t, loc)
	return int(zone.Days(to.Year, to.Month, to.Day) - zone.Days(from.Year, from.Month, from.Day))
}

// earliestEnd returns the first end of a billing period that is at least n days after now.
func earliestEnd(now time.Time, n int, b dedicated.Billing, loc *time.Location) (time.Time, error) {
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
		if !now.After(daysBefore(p.End, n, loc)) {
			return zone.Instant(p.End), nil
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
