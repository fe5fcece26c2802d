package metalkeep_test

import (
	"context"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// A client cancels its server for the end of the month. When the month is over the server is free and everyone knows.
func Example() {
	ctx := context.Background()
	now := clock.NewMock()
	now.Set(time.Date(2026, time.November, 3, 9, 0, 0, 0, time.UTC))

	// The parts: servers, their cancellation, and mail about both.
	outbox := &notify.MemoryOutbox{}
	servers := must(dedicated.New(dedicated.Config{
		Store: &dedicated.MemoryStore{Outbox: outbox}, Clock: now,
	}))
	cancellations := must(cancellation.New(cancellation.Config{
		Store: &cancellation.MemoryStore{Outbox: outbox}, Servers: servers, Clock: now,
	}))
	catalog := must(notify.NewCatalog(dedicated.Kinds(), cancellation.Kinds()))
	mail := notify.NotifierFunc(func(_ context.Context, m notify.Message) error {
		fmt.Println("mail:", m.Subject)
		return nil
	})
	dispatcher := must(notify.New(
		notify.Config{Outbox: outbox, Clock: now},
		catalog.Mail("client mail", notify.ToClient, mail),
	))

	// The story: a reseller rents a server out, the client cancels it.
	reseller := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
	client := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller.ResellerID}
	server := must(servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-1"}))
	must(servers.Assign(ctx, reseller, server.ID, dedicated.NewAssignment{ClientID: client.ID, Billing: dedicated.Billing{
		Anchor:   time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC),
		Cycle:    dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Currency: "EUR", Places: 2,
	}}))
	must(dispatcher.Tick(ctx))
	order := must(cancellations.Schedule(ctx, client, cancellation.Order{
		ServerID: server.ID, When: cancellation.When{EndOfPeriod: true},
	}))
	fmt.Println(order.State, "for", order.At.Format(time.DateOnly))
	must(dispatcher.Tick(ctx))

	// The time comes. A real program leaves the ticks to a dedicated.Runner.
	now.Set(order.At)
	must(cancellations.Tick(ctx))
	must(dispatcher.Tick(ctx))
	fmt.Println(must(servers.Server(ctx, reseller, server.ID)).State)

	// Output:
	// mail: Your server web-1 is ready
	// scheduled for 2026-12-01
	// mail: Your server web-1 will be cancelled on 2026-12-01 00:00 UTC
	// mail: Your server web-1 was cancelled
	// clean_up
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
