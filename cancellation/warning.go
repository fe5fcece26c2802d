package cancellation

import (
	"slices"
	"time"

	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// plannedExecution returns the instant for which the execution is planned: the planned date, or the one to which it was
// postponed.
func (c Cancellation) plannedExecution() time.Time {
	if c.Postponed.After(c.At) {
		return c.Postponed
	}
	return c.At
}

// earliestExecution returns the earliest instant of the execution: as planned, or later because of Settings.MinWarningDays. An
// execution is postponed once, and only if it was ordered long enough ahead.
func (c Cancellation) earliestExecution(s Settings, now time.Time) time.Time {
	if !s.Warn || s.MinWarningDays == 0 || c.plannedExecution().After(c.At) || !c.orderedAhead(s.MinWarningDays) {
		return c.plannedExecution()
	}
	first, warned := c.firstWarning()
	if !warned {
		if now.Before(c.At) {
			return c.At // a warning may still come in time
		}
		first = now
	}
	if earliest := daysBefore(first, -s.MinWarningDays, c.location()); earliest.After(c.At) {
		return earliest
	}
	return c.At
}

// orderedAhead reports whether the cancellation was ordered at least n calendar days ahead, so that there was time for a warning. A
// date that has moved with the billing counts as ordered so far ahead as the date that was ordered, or as the present one if
// that is later: other billing may make a cancellation due at once, and then the client must not lose its server unwarned.
func (c Cancellation) orderedAhead(n int) bool {
	date := c.At
	if c.Ordered.After(date) {
		date = c.Ordered
	}
	return leaves(c.Asked, date, n, c.location())
}

// firstWarning returns when the first warning of the planned date was recorded.
func (c Cancellation) firstWarning() (first time.Time, warned bool) {
	for _, w := range c.Warned {
		if w.For.Equal(c.At) && (!warned || w.Sent.Before(first)) {
			first, warned = w.Sent, true
		}
	}
	return first, warned
}

// warnedWithin reports whether a warning of the planned date was recorded so many days ahead, or fewer.
func (c Cancellation) warnedWithin(days int) bool {
	return slices.ContainsFunc(c.Warned, func(w Warning) bool { return w.For.Equal(c.At) && w.Days <= days })
}

// dueWarning returns the days ahead of the warning that is due at now. If several are overdue, only the nearest is due. None is
// due if one as near was recorded, and none of a date that was past when it was ordered.
func (c Cancellation) dueWarning(s Settings, now time.Time) (days int, due bool) {
	if !c.warns(s) {
		return 0, false
	}
	for _, ahead := range s.DaysAhead {
		if (!due || ahead < days) && !now.Before(daysBefore(c.At, ahead, c.location())) {
			days, due = ahead, true
		}
	}
	return days, due && !c.warnedWithin(days)
}

// warns reports whether there are warnings: they are on, and the date was not set back when it was ordered.
func (c Cancellation) warns(s Settings) bool { return s.Warn && !c.At.Before(c.Asked) }

// nextWarning returns the instant of the next warning, from now on; zero: there will be none.
func (c Cancellation) nextWarning(s Settings, now time.Time) (next time.Time) {
	if _, due := c.dueWarning(s, now); due {
		return now
	}
	if !c.warns(s) {
		return next
	}
	for _, ahead := range s.DaysAhead {
		at := daysBefore(c.At, ahead, c.location())
		if at.After(now) && !c.warnedWithin(ahead) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// warn records the warning that is due, and the postponement of the execution if it must wait for the warning.
func (c *Cancellation) warn(s Settings, now time.Time) []manage.Fact {
	var facts []manage.Fact
	days, due := c.dueWarning(s, now)
	if due {
		c.recordWarning(days, now)
	}
	if earliest := c.earliestExecution(s, now); earliest.After(c.At) && !earliest.Equal(c.Postponed) {
		c.Postponed = earliest
		c.record(now, inventory.System(c.ResellerID), entryPostponed, "", c.At, earliest)
		facts = append(facts, c.moveNotice(KindPostponed, now, c.At))
	}
	if due {
		facts = append(facts, c.notice(KindWarning, now, c.Reason))
	}
	return facts
}

// due returns the instant at which a Tick must look at the cancellation next; zero: never again.
func (c Cancellation) due(s Settings, now time.Time) time.Time {
	switch {
	case !c.State.Active() || c.Held:
		return time.Time{}
	case !c.PendingUntil.IsZero():
		return c.PendingUntil
	case c.Attempts > 0:
		return c.RetryAt
	case c.State == Executing:
		return now
	}
	next := c.nextWarning(s, now)
	if !s.Paused {
		// Not earliestExecution: a Tick must look at the date itself to record the postponement.
		next = zone.Earlier(next, c.plannedExecution())
	}
	if c.When.isEnd() {
		next = zone.Earlier(next, now.Add(lookAgain))
	}
	return next
}

// lookAgain is how long the end of a period may follow other billing of its server late, if no Subscriber tells of it.
const lookAgain = 24 * time.Hour

// plan makes a scheduled cancellation ready to be stored: due under the settings, and under no lease.
func (c *Cancellation) plan(s Settings, now time.Time) {
	c.Due, c.LeaseUntil, c.BegunAt, c.SettingsVersion = c.due(s, now), time.Time{}, time.Time{}, s.Saved
}

// planned returns the cancellation, planned under other settings.
func (c Cancellation) planned(s Settings, now time.Time) Cancellation {
	c.plan(s, now)
	return c
}
