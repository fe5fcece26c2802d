//go:build !race

package refund_test

import "time"

// maxDuration is the longest time that any source and any case may take.
const maxDuration = 10 * time.Millisecond
