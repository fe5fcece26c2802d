//go:build race

package refund_test

import "time"

// maxDuration is ten times longer with the race detector, because the race detector slows the code down by about that factor.
const maxDuration = 100 * time.Millisecond
