package cancellation

import (
	"slices"
	"time"
)

// planned is when the execution is planned: at the planned instant, or when it was postponed to.
func (c Cancellation) planned() time.Time {
	if c.Postponed.After(c.At) {
		return c.Postponed
	}
	return c.At
}

// held is when the execution may be at the earliest: as planned, or later as Settings.MinWarningDays says. Once postponed, it
// is not postponed again.
func (c Cancellation) held(s Settings, now time.Time, loc *time.Location) time.Time {
	if !s.Warn || s.MinWarningDays == 0 || c.planned().After(c.At) {
		return c.planned()
	}
	first, warned := c.firstWarned()
	if !warned {
		if now.Before(c.At) {
			return c.At // it may still be warned of in time
		}
		first = now
	}
	if held := daysBefore(first, -s.MinWarningDays, loc); held.After(c.At) {
		return held
	}
	return c.At
}

// firstWarned is when the first warning for the planned date was recorded.
func (c Cancellation) firstWarned() (first time.Time, warned bool) {
	for _, w := range c.Warned {
		if w.For.Equal(c.At) && (!warned || w.Sent.Before(first)) {
			first, warned = w.Sent, true
		}
	}
	return first, warned
}

// warnedWithin says whether a warning for the planned date was recorded days ahead or later.
func (c Cancellation) warnedWithin(days int) bool {
	return slices.ContainsFunc(c.Warned, func(w Warning) bool { return w.For.Equal(c.At) && w.Days <= days })
}

// leadDue is the nearest lead that is due at now, if no warning as near was recorded.
func (c Cancellation) leadDue(s Settings, now time.Time, loc *time.Location) (days int, due bool) {
	if !s.Warn {
		return 0, false
	}
	for _, lead := range s.DaysAhead {
		if (!due || lead < days) && !now.Before(daysBefore(c.At, lead, loc)) {
			days, due = lead, true
		}
	}
	return days, due && !c.warnedWithin(days)
}

// nextLead is when the next warning will be due, from now on; zero: none will.
func (c Cancellation) nextLead(s Settings, now time.Time, loc *time.Location) (next time.Time) {
	if _, due := c.leadDue(s, now, loc); due {
		return now
	}
	if !s.Warn {
		return next
	}
	for _, lead := range s.DaysAhead {
		at := daysBefore(c.At, lead, loc)
		if at.After(now) && !c.warnedWithin(lead) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// due is when a Manager has to look at the cancellation next: the one place that says so. Zero: never again.
func (c Cancellation) due(s Settings, now time.Time) time.Time {
	switch {
	case !c.State.Active():
		return time.Time{}
	case c.Attempts > 0:
		return c.RetryAt
	case c.State == Executing:
		return now
	}
	// Not held: what waits for a warning must be seen to wait, so somebody has to look at it on the date.
	return earlier(c.nextLead(s, now, c.place()), c.planned())
}

// arm makes the cancellation ready to be stored: due, under no lease.
func (c *Cancellation) arm(s Settings, now time.Time) {
	c.Due, c.LeaseUntil, c.SettingsVersion = c.due(s, now), time.Time{}, s.Saved
}
