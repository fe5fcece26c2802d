package ticket

import "time"

// The range of priorities, and what a ticket is opened with.
const (
	LowestPriority  = 1
	DefaultPriority = 50
	HighestPriority = 99
)

// aging is how long a ticket waits until its priority has risen by one. It is whole microseconds, so that all sums below
// are exact.
type aging time.Duration

const day = 24 * time.Hour

// newAging: 0 is DefaultAgingPerDay. A negative rate, or priorities would tie for ever, is one in ten years: the order is by
// priority, then by age.
func newAging(perDay int) aging {
	switch {
	case perDay == 0:
		perDay = DefaultAgingPerDay
	case perDay < 0:
		return aging(3650 * day)
	}
	return aging(max((day / time.Duration(perDay)).Truncate(time.Microsecond), time.Microsecond))
}

// urgentAt is when waiting will have raised a priority that was set at since to the highest.
func (g aging) urgentAt(priority int, since time.Time) time.Time {
	for ; priority < HighestPriority; priority++ {
		since = since.Add(time.Duration(g)) // the sum may be longer than a Duration holds
	}
	return since
}

// at is what the priority has risen to by now.
func (g aging) at(priority int, urgentAt, now time.Time) int {
	risen := HighestPriority
	for ; risen > priority && now.Before(urgentAt); risen-- {
		urgentAt = urgentAt.Add(-time.Duration(g))
	}
	return risen
}

// reaches is the latest UrgentAt of a ticket whose priority is at least this by now.
func (g aging) reaches(priority int, now time.Time) time.Time {
	return g.urgentAt(priority, now)
}
