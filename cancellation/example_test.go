package cancellation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// examplePanel is a reseller's panel with one server, which a client uses since 1 November 2026.
type examplePanel struct {
	clock    *fixedClock
	outbox   *notify.MemoryOutbox
	servers  *dedicated.Manager
	reseller dedicated.Actor
	client   dedicated.Actor
	server   dedicated.Server
}

func newPanel(ctx context.Context) (*examplePanel, error) {
	tenant := uuid.New()
	p := &examplePanel{
		outbox:   &notify.MemoryOutbox{},
		clock:    &fixedClock{},
		reseller: dedicated.Actor{Role: dedicated.Reseller, ResellerID: tenant},
		client:   dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant},
	}
	november := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	p.clock.Set(november)
	var err error
	p.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: p.outbox}, Clock: p.clock})
	if err != nil {
		return nil, err
	}
	added, err := p.servers.Add(ctx, p.reseller, dedicated.NewServer{Name: "web-07"})
	if err != nil {
		return nil, err
	}
	p.server, err = p.servers.Assign(ctx, p.reseller, added.ID, dedicated.NewAssignment{ClientID: p.client.ID, Billing: dedicated.Billing{
		Anchor: november, Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Currency: "EUR",
	}})
	return p, err
}

// A client orders the cancellation, is warned seven days ahead, and loses the server at the end of the period.
func Example() {
	ctx := context.Background()
	panel, err := newPanel(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	cancellations, err := cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{Outbox: panel.outbox}, Servers: panel.servers, Clock: panel.clock,
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
	mail, err := notify.New(notify.Config{Outbox: panel.outbox, Clock: panel.clock},
		cancellations.Subscriber(), // follows the billing and the release of servers
		catalog.Mail("mail to clients", notify.ToClient, notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
			fmt.Println(panel.clock.Now().Format(time.DateOnly), m.Subject)
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
	if _, err := cancellations.SaveSettings(ctx, panel.reseller, cancellation.Settings{Warn: true, DaysAhead: []int{7}}); err != nil {
		fmt.Println(err)
		return
	}
	c, err := cancellations.Schedule(ctx, panel.client, cancellation.Order{
		ServerID: panel.server.ID, When: cancellation.When{EndOfPeriod: true},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 31 { // in a host, a Runner does this
		tick()
		panel.clock.Set(panel.clock.Now().AddDate(0, 0, 1))
	}
	if c, err = cancellations.Cancellation(ctx, panel.reseller, c.ID); err != nil {
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
