package metalkeep_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// A client cancels its server for the end of the month. At the end of the month the server is free, and the client is notified.
func Example() {
	ctx := context.Background()
	now := clock.NewMock()
	now.Set(time.Date(2026, time.November, 3, 9, 0, 0, 0, time.UTC))

	// The parts of the library: servers, cancellations, and mail about both.
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
		cancellations.Subscriber(), // follows the billing and the release of servers
	))

	// A reseller assigns a server to a client, and the client cancels it.
	reseller := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
	client := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller.ResellerID}
	server := must(servers.Add(ctx, reseller, dedicated.NewServer{Name: "web-1"}))
	must(servers.Assign(ctx, reseller, server.ID, dedicated.NewAssignment{ClientID: client.ID, Billing: dedicated.Billing{
		Anchor:   time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC),
		Cycle:    dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Currency: "EUR",
	}}))
	must(dispatcher.Tick(ctx))
	order := must(cancellations.Schedule(ctx, client, cancellation.Order{
		ServerID: server.ID, When: cancellation.When{EndOfPeriod: true},
	}))
	fmt.Println(order.State, "for", order.At.Format(time.DateOnly))
	must(dispatcher.Tick(ctx))

	// The date of the cancellation is reached. In a real program a dedicated.Runner calls Tick.
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

// A gate refuses by dedicated.Refuse, with a message for the actor. Any other error of a part of the host is ErrHost, and its text is
// for the log.
func Example_errors() {
	gate := func(_ context.Context, _ dedicated.Actor, s dedicated.Server) error {
		switch s.Name {
		case "db-1":
			return dedicated.Refuse("database servers need an approval")
		case "db-2":
			return errors.New("dial tcp 10.0.0.7:5432: connection refused")
		}
		return nil
	}
	servers := must(dedicated.New(dedicated.Config{
		Store: &dedicated.MemoryStore{Outbox: &notify.MemoryOutbox{}},
		Hooks: dedicated.Hooks{Gate: []func(context.Context, dedicated.Actor, dedicated.Server) error{gate}},
	}))
	reseller := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
	for _, name := range []string{"db-1", "db-2"} {
		id := uuid.NewSHA1(uuid.NameSpaceDNS, []byte(name))
		_, err := servers.Add(context.Background(), reseller, dedicated.NewServer{ID: id, Name: name})
		switch {
		case errors.Is(err, dedicated.ErrForbidden):
			fmt.Println("403:", err)
		case errors.Is(err, dedicated.ErrHost):
			fmt.Println("503:", err)
			var e *dedicated.Error
			if errors.As(err, &e) {
				fmt.Println("log:", e.Err)
			}
		}
	}

	// Output:
	// 403: dedicated: Add of server db-1 (0dc3a83f-4e35-59f2-9add-b49a5058ba9f) was refused: database servers need an approval
	// 503: dedicated: Add: gate 1 failed; nothing was changed
	// log: gate 1 failed: dial tcp 10.0.0.7:5432: connection refused
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
