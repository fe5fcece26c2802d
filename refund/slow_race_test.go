//go:build race

package refund_test

import "time"

// slow is ten times what it is without the race detector, which costs about that much.
const slow = 100 * time.Millisecond
