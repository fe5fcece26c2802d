package cancellation

import (
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// When says when a server is cancelled: at a fixed instant, or at the end of the current billing period. The latter is kept
// as intent and follows the period when the server is billed otherwise; a fixed instant does not move. Exactly one of the
// two is set.
type When struct {
	At          time.Time // to the microsecond
	EndOfPeriod bool
}

// same says whether both mean the same, in whatever zone their dates are written.
func (w When) same(other When) bool {
	return w.EndOfPeriod == other.EndOfPeriod && w.At.Equal(other.At)
}

const lastYear = 9999

// normal is the When as it is stored.
func (w When) normal(op string) (When, error) {
	w.At = zone.Instant(w.At)
	switch {
	case w.EndOfPeriod && !w.At.IsZero():
		return w, invalid(op, "When", "a date and the end of the period exclude each other")
	case !w.EndOfPeriod && w.At.IsZero():
		return w, invalid(op, "When", "missing: a date or the end of the period is wanted")
	case w.At.Year() > lastYear:
		return w, invalid(op, "When.At", "year %d: dates up to year %d are possible", w.At.Year(), lastYear)
	}
	return w, nil
}

// resolve is the instant that w means: for the end of the period, of the one at asked, or the first where asked is before
// the Anchor. No period is an error, never now.
func (w When) resolve(asked time.Time, b dedicated.Billing) (time.Time, error) {
	if !w.EndOfPeriod {
		return w.At, nil
	}
	p, err := periodAt(asked, b)
	return zone.Instant(p.End), err
}

// periodAt is the billing period at t, or the first one where t is before it.
func periodAt(t time.Time, b dedicated.Billing) (dedicated.Period, error) {
	if t.Before(b.Anchor) {
		t = b.Anchor
	}
	return b.PeriodAt(t)
}

// follow returns the planned instant under the server's present billing. An end of period that lies before the
// re-billing means due as of that, unless the plan was due before: then it stays. asOf is for an inventory that does not
// say since when the billing holds.
func (c Cancellation) follow(s dedicated.Server, asOf time.Time) (time.Time, error) {
	at, err := c.When.resolve(c.Asked, s.Billing)
	if !s.BilledAt.IsZero() {
		asOf = zone.Instant(s.BilledAt)
	}
	switch {
	case err != nil || !c.When.EndOfPeriod || at.After(asOf):
		return at, err
	case c.At.After(asOf):
		return asOf, nil
	}
	return c.At, nil
}

// daysBefore is the instant with the same local time n calendar days before t; a negative n is after it.
func daysBefore(t time.Time, n int, loc *time.Location) time.Time {
	return zone.Instant(zone.WallOf(t, loc).AddDays(-n).In(loc))
}

// daysLeft counts the calendar days from the date of now to the date of t.
func daysLeft(now, t time.Time, loc *time.Location) int {
	from, to := zone.WallOf(now, loc), zone.WallOf(t, loc)
	return int(zone.Days(to.Year, to.Month, to.Day) - zone.Days(from.Year, from.Month, from.Day))
}

// earliestEnd is the first end of a billing period that is at least n days after now.
func earliestEnd(now time.Time, n int, b dedicated.Billing, loc *time.Location) (time.Time, error) {
	p, err := periodAt(daysBefore(now, -n, loc), b)
	if err != nil {
		return time.Time{}, err
	}
	// A change of clocks between the two may make the period before do as well.
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

// clientMay says whether the rules for clients allow an order for the end of the period at: not within the notice period,
// not within the days that are locked.
func (s Settings) clientMay(op string, at, now time.Time, b dedicated.Billing) error {
	loc, err := zone.Load(b.Zone)
	if err != nil {
		return err
	}
	if s.NoticeDays > 0 && now.After(daysBefore(at, s.NoticeDays, loc)) {
		earliest, err := earliestEnd(now, s.NoticeDays, b, loc)
		if err != nil {
			return err
		}
		return &Error{
			Op: op, Field: "Settings.NoticeDays", Earliest: earliest, PeriodEnd: at, Err: ErrForbidden,
			Msg: fmt.Sprintf("the billing period ends at %s, and a cancellation takes %d days' notice: the earliest end that will do is %s",
				date(at, loc), s.NoticeDays, date(earliest, loc)),
		}
	}
	return s.unlocked(op, at, now, loc)
}

// unlocked refuses a client's change in the last days before at.
func (s Settings) unlocked(op string, at, now time.Time, loc *time.Location) error {
	if s.LockDays == 0 || !now.After(daysBefore(at, s.LockDays, loc)) {
		return nil
	}
	return &Error{
		Op: op, Field: "Settings.LockDays", PeriodEnd: at, Err: ErrForbidden,
		Msg: fmt.Sprintf("in the last %d days before %s a client may change nothing: ask the reseller", s.LockDays, date(at, loc)),
	}
}

// localDate writes an instant for a person who looks at the clock on the wall.
func localDate(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("2006-01-02 15:04 MST")
}

// date writes an instant with the offset of its zone: RFC 3339.
func date(t time.Time, loc *time.Location) string { return t.In(loc).Format(time.RFC3339) }
