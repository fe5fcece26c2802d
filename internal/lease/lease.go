// Package lease has the rule by which a lease ends that a process with a wrong clock has set.
package lease

import "time"

const (
	slack     = time.Hour                  // how much the clocks of two processes may differ
	maxLength = 100 * 365 * 24 * time.Hour // keeps the arithmetic of time.Duration from overflowing
)

// Limit returns the latest end that a lease can have at now: an hour plus twice its length from now. A lease that ends later was set
// by a process whose clock was ahead, and counts as ended. A negative length counts as 0, and one above 100 years as 100 years.
func Limit(now time.Time, length time.Duration) time.Time {
	length = min(max(length, 0), maxLength)
	return now.Add(slack).Add(2 * length)
}

// Held reports whether a lease until the given instant is still held at now. length is how long leases of its kind last. At until
// itself the lease has ended. See Limit.
func Held(now, until time.Time, length time.Duration) bool {
	return until.After(now) && !until.After(Limit(now, length))
}
