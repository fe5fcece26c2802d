package cancellation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/refund"
)

// A quote is the refund of the execution, line by line.
func ExampleManager_Quote() {
	ctx := context.Background()
	panel, err := newPanel(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	start, end := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	biller := &ledger{paid: map[uuid.UUID][]refund.Charge{panel.server.ID: {
		{Label: "server", Paid: decimal.New(6000, -2), Start: start, End: end},
		{Label: "set-up", Kind: refund.Setup, Paid: decimal.New(2500, -2)},
	}}}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{}, Servers: panel.servers, Biller: biller, Clock: panel.clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	quote, err := cancellations.Quote(ctx, panel.reseller, panel.server.ID, cancellation.When{At: start.AddDate(0, 0, 9)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(quote)
	// Output:
	// server: 40.00 of 60.00, 20 of 30 unused
	// set-up: 0.00 of 25.00 (set-up is not given back)
	// total: 40.00
}
