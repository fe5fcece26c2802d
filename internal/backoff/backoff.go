// Package backoff calculates how long to wait before a failed operation is tried again.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Policy is an exponential backoff: the wait is First after the first failure and doubles with each further failure, up to Max.
// First and Max must be positive.
type Policy struct{ First, Max time.Duration }

// Delay returns the wait after n consecutive failures; an n below 1 counts as 1. The wait is a random duration between half of
// the policy's wait and all of it, so operations that failed together are not tried again together. It is safe for concurrent
// use.
func (p Policy) Delay(n int) time.Duration {
	wait := min(p.First, p.Max)
	for ; n > 1 && wait < p.Max; n-- {
		wait += min(wait, p.Max-wait) // doubling may overflow a Duration
	}
	return wait - time.Duration(rand.Int64N(int64(wait)/2+1))
}
