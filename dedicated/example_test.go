package dedicated_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

func Example() {
	ctx := context.Background()
	servers, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant, client := uuid.New(), uuid.New()
	reseller := dedicated.Actor{Role: dedicated.Reseller, ResellerID: tenant}

	s, err := servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-07"})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err = servers.Assign(ctx, reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: dedicated.Billing{
		Anchor:   time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		Cycle:    dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Currency: "EUR",
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Name, "is", s.State)

	period, err := s.Billing.PeriodAt(time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("paid until", period.End.Format(time.DateOnly))
	// Output:
	// web-07 is in_use
	// paid until 2026-02-28
}

func ExampleBilling_PeriodAt() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	b := dedicated.Billing{
		Anchor: time.Date(2026, 1, 31, 0, 0, 0, 0, berlin),
		Cycle:  dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Zone:   "Europe/Berlin", Currency: "EUR",
	}
	for _, month := range []time.Month{time.February, time.March, time.April} {
		p, err := b.PeriodAt(time.Date(2026, month, 15, 0, 0, 0, 0, berlin))
		fmt.Println(p.Index, p.Start.Format(time.RFC3339), p.End.Format(time.RFC3339), err)
	}
	_, err = b.PeriodAt(time.Date(2025, 12, 24, 0, 0, 0, 0, berlin))
	fmt.Println(err)
	// Output:
	// 0 2026-01-31T00:00:00+01:00 2026-02-28T00:00:00+01:00 <nil>
	// 1 2026-02-28T00:00:00+01:00 2026-03-31T00:00:00+02:00 <nil>
	// 2 2026-03-31T00:00:00+02:00 2026-04-30T00:00:00+02:00 <nil>
	// dedicated: 2025-12-24T00:00:00+01:00 is before the first billing period, which begins at 2026-01-31T00:00:00+01:00
}

// A gate keeps a client from getting more servers than the host allows.
func ExampleHooks() {
	servers, err := dedicated.New(dedicated.Config{
		Store: &dedicated.MemoryStore{},
		Hooks: dedicated.Hooks{Gate: []func(context.Context, dedicated.Actor, dedicated.Server) error{
			func(_ context.Context, _ dedicated.Actor, s dedicated.Server) error {
				if s.State == dedicated.InUse {
					return dedicated.Refuse("this client has two servers already")
				}
				return nil
			},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, reseller := context.Background(), dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	s, err := servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-07"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = servers.Assign(ctx, reseller, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: dedicated.Billing{
		Anchor: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Currency: "EUR",
	}})
	fmt.Println(errors.Is(err, dedicated.ErrForbidden), strings.Contains(err.Error(), "this client has two servers already"))
	// Output: true true
}

// countdown is a Ticker that ends the context after a number of ticks.
type countdown struct {
	left int
	done context.CancelFunc
}

func (c *countdown) Tick(context.Context) (time.Time, error) {
	c.left--
	if c.left == 0 {
		c.done()
	}
	return time.Now(), nil
}

func ExampleRunner() {
	ctx, cancel := context.WithCancel(context.Background())
	ticker := &countdown{left: 3, done: cancel}
	runner := &dedicated.Runner{
		Tickers: []dedicated.Ticker{ticker},
		OnError: func(_ dedicated.Ticker, err error) { fmt.Println(err) },
	}
	fmt.Println(runner.Run(ctx), ticker.left)
	// Output: context canceled 0
}
