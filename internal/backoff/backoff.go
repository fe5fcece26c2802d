// Package backoff says how long to wait before a failed thing is tried again.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Policy doubles the wait from First at each failure, up to Max. Both must be positive.
type Policy struct{ First, Max time.Duration }

// Delay is the wait after the n-th failure in a row, n from 1: a random time between half the policy's wait and all of
// it, so that what failed together does not come back together.
func (p Policy) Delay(n int) time.Duration {
	wait := min(p.First, p.Max)
	for ; n > 1 && wait < p.Max; n-- {
		wait += min(wait, p.Max-wait) // twice as much may be more than a Duration holds
	}
	return wait - time.Duration(rand.Int64N(int64(wait)/2+1))
}
