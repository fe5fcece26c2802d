//go:build !race

package refund_test

import "time"

// slow is what no source and no case may take.
const slow = 10 * time.Millisecond
