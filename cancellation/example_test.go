package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// shop is a reseller's panel with one server, rented to a client since 1 November 2026.
type shop struct {
	clock    *clock.Mock
	servers  *dedicated.Manager
	reseller dedicated.Actor
	client   dedicated.Actor
	server   dedicated.Server
}

func newShop(ctx context.Context) (*shop, error) {
	tenant := uuid.New()
	s := &shop{
		clock:    clock.NewMock(),
		reseller: dedicated.Actor{Role: dedicated.Reseller, ResellerID: tenant},
		client:   dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant},
	}
	november := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s.clock.Set(november)
	var err error
	s.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}, Clock: s.clock})
	if err != nil {
		return nil, err
	}
	added, err := s.servers.Add(ctx, s.reseller, dedicated.NewServer{Name: "web-07"})
	if err != nil {
		return nil, err
	}
	s.server, err = s.servers.Assign(ctx, s.reseller, added.ID, s.client.ID, dedicated.Billing{
		Anchor: november, Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Currency: "EUR", Places: 2,
	})
	return s, err
}

// A client orders the cancellation, is warned seven days ahead, and the server is taken back at the end of the period.
func Example() {
	ctx := context.Background()
	shop, err := newShop(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	outbox := &notify.MemoryOutbox{}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{Outbox: outbox}, Servers: shop.servers, Clock: shop.clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	catalog, err := notify.NewCatalog(cancellation.Kinds())
	if err != nil {
		fmt.Println(err)
		return
	}
	mail, err := notify.New(notify.Config{Outbox: outbox, Clock: shop.clock},
		catalog.Mail("mail to clients", notify.ToClient, notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
			fmt.Println(shop.clock.Now().Format(time.DateOnly), m.Subject)
			return nil
		})))
	if err != nil {
		fmt.Println(err)
		return
	}
	tick := func() {
		for _, ticker := range []dedicated.Ticker{mail, cancellations, mail} {
			if _, err := ticker.Tick(ctx); err != nil {
				fmt.Println(err)
			}
		}
	}
	tick()
	if _, err := cancellations.SaveSettings(ctx, shop.reseller, cancellation.Settings{Warn: true, DaysAhead: []int{7}}); err != nil {
		fmt.Println(err)
		return
	}
	c, err := cancellations.Schedule(ctx, shop.client, cancellation.Order{
		ServerID: shop.server.ID, When: cancellation.When{EndOfPeriod: true},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 31 { // a Runner does this in a host
		tick()
		shop.clock.Set(shop.clock.Now().AddDate(0, 0, 1))
	}
	if c, err = cancellations.Cancellation(ctx, shop.reseller, c.ID); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the cancellation is", c.State)
	// Output:
	// 2026-11-01 Your server web-07 will be cancelled on 2026-12-01 00:00 UTC
	// 2026-11-24 Your server web-07 will be cancelled in 7 days
	// 2026-12-01 Your server web-07 was cancelled
	// the cancellation is executed
}

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
	shop, err := newShop(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	books := &ledger{
		paid: map[uuid.UUID][]refund.Charge{shop.server.ID: {{
			Label: "web-07, November", Paid: decimal.New(6000, -2),
			Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		}}},
		back: map[uuid.UUID]decimal.Decimal{},
	}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{}, Servers: shop.servers, Biller: books, Clock: shop.clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	date := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	if _, err = cancellations.Schedule(ctx, shop.reseller, cancellation.Order{
		ServerID: shop.server.ID, When: cancellation.When{At: date}, Reason: "end of contract",
	}); err != nil {
		fmt.Println(err)
		return
	}
	shop.clock.Set(date.AddDate(0, 0, 3)) // late by three days: the refund is as of the date all the same
	if _, err = cancellations.Tick(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: paid back 20.00 EUR
}

// A quote is what the execution would pay back, line by line.
func ExampleManager_Quote() {
	ctx := context.Background()
	shop, err := newShop(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	start, end := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	books := &ledger{paid: map[uuid.UUID][]refund.Charge{shop.server.ID: {
		{Label: "server", Paid: decimal.New(6000, -2), Start: start, End: end},
		{Label: "set-up", Kind: refund.Setup, Paid: decimal.New(2500, -2)},
	}}}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{}, Servers: shop.servers, Biller: books, Clock: shop.clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	quote, err := cancellations.Quote(ctx, shop.reseller, shop.server.ID, cancellation.When{At: start.AddDate(0, 0, 9)})
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

// A gate holds an execution up while a backup is running. The record says why, and it is tried again.
func ExampleHooks() {
	ctx := context.Background()
	shop, err := newShop(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	running := true
	whileBackupRuns := func(_ context.Context, c cancellation.Cancellation) error {
		if running && c.State == cancellation.Executing {
			return errors.New("a backup is running")
		}
		return nil
	}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{}, Servers: shop.servers, Clock: shop.clock,
		Hooks: cancellation.Hooks{Gate: []func(context.Context, cancellation.Cancellation) error{whileBackupRuns}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := cancellations.Schedule(ctx, shop.reseller, cancellation.Order{
		ServerID: shop.server.ID, When: cancellation.When{At: shop.clock.Now()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		next, err := cancellations.Tick(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		if c, err = cancellations.Cancellation(ctx, shop.reseller, c.ID); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(c.State, c.LastError)
		running = false
		shop.clock.Set(next)
	}
	// Output:
	// scheduled cancellation: Execution of the cancellation of server web-07 was refused: a backup is running
	// executed
}
