package ticket

import (
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
)

// The range of priorities, and the priority of a new ticket.
const (
	LowestPriority  = 1
	DefaultPriority = 50
	HighestPriority = 99
)

// aging is how long a ticket waits until its priority has risen by one. It is in whole microseconds, so that all sums below are
// exact.
type aging time.Duration

const day = 24 * time.Hour

// newAging returns the aging for a number of points a day; 0 is DefaultAgingPerDay. A negative number stands for one point in ten
// years instead of none, so that tickets are still sorted by priority and then by age.
func newAging(perDay int) aging {
	switch {
	case perDay == 0:
		perDay = DefaultAgingPerDay
	case perDay < 0:
		return aging(3650 * day)
	}
	return aging(max((day / time.Duration(perDay)).Truncate(time.Microsecond), time.Microsecond))
}

// urgentAt returns the instant at which a priority that was set at since will have risen to the highest.
func (g aging) urgentAt(priority int, since time.Time) time.Time {
	for ; priority < HighestPriority; priority++ {
		since = since.Add(time.Duration(g)) // the sum may be longer than a Duration can be
	}
	return since
}

// at returns the priority at now of a ticket that was given a priority and has this UrgentAt.
func (g aging) at(priority int, urgentAt, now time.Time) int {
	risen := HighestPriority
	for ; risen > priority && now.Before(urgentAt); risen-- {
		urgentAt = urgentAt.Add(-time.Duration(g))
	}
	return risen
}

// risen returns the ticket with its priority as it stands at now. During a pause that is the priority at its begin.
func (g aging) risen(t Ticket, now time.Time) Ticket {
	if t.PausedAt.IsZero() {
		t.Priority = g.at(t.Priority, t.UrgentAt, now)
	} else {
		t.Priority = g.at(t.Priority, t.UrgentAt.AddDate(-pauseYears, 0, 0), t.PausedAt)
	}
	return t
}

// pauseYears is how far ahead a pause puts UrgentAt: behind all tickets that the reseller is waited for. The calendar repeats every
// 400 years, so that the way back is exact.
const pauseYears = 2000

// paced begins or ends the pause of a ticket, so that its priority rises only while the reseller is waited for. The rest of the
// time until UrgentAt is kept during the pause.
func paced(t Ticket, now time.Time) Ticket {
	waits := t.WaitingOn() == dedicated.Reseller
	switch {
	case !waits && t.PausedAt.IsZero():
		t.PausedAt, t.UrgentAt = now, t.UrgentAt.AddDate(pauseYears, 0, 0)
	case waits && !t.PausedAt.IsZero():
		t.UrgentAt = t.UrgentAt.AddDate(-pauseYears, 0, 0).Add(max(now.Sub(t.PausedAt), 0))
		t.PausedAt = time.Time{}
	}
	return t
}

// restarted returns the ticket with a priority that begins to rise anew at now.
func (g aging) restarted(t Ticket, now time.Time) Ticket {
	t.UrgentAt, t.PausedAt = g.urgentAt(t.Priority, now), time.Time{}
	return t
}
