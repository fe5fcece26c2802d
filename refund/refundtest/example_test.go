package refundtest_test

import (
	"fmt"

	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/refund/refundtest"
)

// A reseller who rents out servers by the hour types a formula. The panel checks it and shows the first violation.
func ExampleCheck() {
	formula, err := refund.Parse("paid * unused_days / period_days")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(refundtest.Check(formula, refundtest.Options{ShortPeriods: true}))
	// Output:
	// broken promise: returns a result for every valid case
	// it fails: refund: charge 0 ("server"): line 1, column 22: found "period_days", which is 0, expected a divisor other than 0
	// the simplest case that was found:
	//   recurring charge "server" from 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z: paid 0, refunded before 0
	//   at 2026-01-01T00:00:00Z, service since 2026-01-01T00:00:00Z, days of UTC, 2 places
}
