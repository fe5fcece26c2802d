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

// ledger is a host's money, in memory: what was paid for each server, and what was paid back under which key.
type ledger struct {
	paid map[uuid.UUID][]refund.Charge
	back map[uuid.UUID]decimal.Decimal
}

// Paid returns every charge of the present assignment: this ledger is closed with each.
func (l *ledger) Paid(_ context.Context, s dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	return l.paid[s.ID], nil
}

// Refund pays once per key, however often it is called. A database would have the key as a unique one.
func (l *ledger) Refund(_ context.Context, r cancellation.Refund) error {
	if _, done := l.back[r.Key]; !done {
		l.back[r.Key] = r.Amount
		fmt.Println("paid back", r.Amount.StringFixed(2), r.Currency)
	}
	return nil
}

// A Biller says what was paid and pays back, once per key.
func ExampleBiller() {
	ctx := context.Background()
	panel, err := newPanel(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	books := &ledger{
		paid: map[uuid.UUID][]refund.Charge{panel.server.ID: {{
			Label: "web-07, November", Paid: decimal.New(6000, -2),
			Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		}}},
		back: map[uuid.UUID]decimal.Decimal{},
	}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{}, Servers: panel.servers, Biller: books, Clock: panel.clock,
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
	panel.clock.Set(date.AddDate(0, 0, 3)) // late by three days: the refund is as of the date all the same
	if _, err = cancellations.Tick(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: paid back 20.00 EUR
}
