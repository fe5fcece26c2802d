package cancellation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/refund"
)

// ledger is a Biller in memory: the charges of each server, and the refund of each key.
type ledger struct {
	paid     map[uuid.UUID][]refund.Charge // by server
	refunded map[uuid.UUID]decimal.Decimal // by key
}

// Paid returns every charge of the server's present assignment. This ledger holds no others.
func (l *ledger) Paid(_ context.Context, s dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	return l.paid[s.ID], nil
}

// Refund pays once per key, however often it is called. A database would have a unique index on the key.
func (l *ledger) Refund(_ context.Context, r cancellation.Refund) error {
	if _, done := l.refunded[r.Key]; !done {
		l.refunded[r.Key] = r.Amount
		fmt.Println("paid back", r.Amount.StringFixed(2), r.Currency)
	}
	return nil
}

// A Biller returns the charges that were paid, and pays a refund once per key.
func ExampleBiller() {
	ctx := context.Background()
	panel, err := newPanel(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	biller := &ledger{
		paid: map[uuid.UUID][]refund.Charge{panel.server.ID: {{
			Label: "web-07, November", Paid: decimal.New(6000, -2),
			Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		}}},
		refunded: map[uuid.UUID]decimal.Decimal{},
	}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{}, Servers: panel.servers, Biller: biller, Clock: panel.clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	date := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	if _, err = cancellations.Schedule(ctx, panel.reseller, cancellation.Order{
		ServerID: panel.server.ID, When: cancellation.When{At: date}, Reason: "end of contract",
	}); err != nil {
		fmt.Println(err)
		return
	}
	panel.clock.Set(date.AddDate(0, 0, 3)) // three days late: the refund is for the planned date
	if _, err = cancellations.Tick(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: paid back 20.00 EUR
}
