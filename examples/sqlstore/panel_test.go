package sqlstore_test

import (
	"context"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/ticket"
)

// stores holds all stores of a panel.
type stores struct {
	servers       dedicated.Store
	backups       backup.Store
	tickets       ticket.Store
	cancellations cancellation.Store
	outbox        notify.Outbox
}

func storesOf(db *sqlstore.DB) stores {
	return stores{db.Servers(), db.Backups(), db.Tickets(), db.Cancellations(), db.Outbox()}
}

func storesInMemory() stores {
	outbox := &notify.MemoryOutbox{}
	return stores{
		&dedicated.MemoryStore{Outbox: outbox}, &backup.MemoryStore{Outbox: outbox}, &ticket.MemoryStore{Outbox: outbox},
		&cancellation.MemoryStore{Outbox: outbox}, outbox,
	}
}

// panel connects the parts of the library.
type panel struct {
	stores
	clock         clock.Clock
	reseller      dedicated.Actor
	servers       *dedicated.Manager
	backups       *backup.Manager
	tickets       *ticket.Manager
	cancellations *cancellation.Manager
	dispatcher    *notify.Dispatcher
}

// host holds the parts of a panel that the library does not provide, other than its stores.
type host struct {
	clock     clock.Clock
	biller    cancellation.Biller
	performer backup.Performer                                // nil: people make the backups
	mail      func(ctx context.Context, e notify.Event) error // receives every event
	lease     time.Duration                                   // of a step of a cancellation
	deadline  time.Duration                                   // of a backup by the performer
	parallel  int
	wipe      []func(context.Context, cancellation.Cancellation, dedicated.Server) error // empty: nothing is wiped
}

func newPanel(s stores, h host) (*panel, error) {
	p := &panel{stores: s, clock: h.clock, reseller: dedicated.Actor{Role: dedicated.Reseller, ID: named("staff"), ResellerID: named("reseller")}}
	var err error
	if p.servers, err = dedicated.New(dedicated.Config{Store: s.servers, Clock: h.clock}); err != nil {
		return nil, err
	}
	if p.tickets, err = ticket.New(ticket.Config{Store: s.tickets, Servers: p.servers, Clock: h.clock}); err != nil {
		return nil, err
	}
	p.backups, err = backup.New(backup.Config{
		Store: s.backups, Servers: p.servers, Clock: h.clock, Performer: h.performer, Parallel: h.parallel, Deadline: h.deadline,
		Ends: func(ctx context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
			return p.cancellations.Ends(ctx, servers)
		},
	})
	if err != nil {
		return nil, err
	}
	p.cancellations, err = cancellation.New(cancellation.Config{
		Store: s.cancellations, Servers: p.servers, Clock: h.clock, Biller: h.biller, Lease: h.lease, MaxExecutions: -1,
		Hooks: cancellation.Hooks{
			Deprovision: h.wipe,
			CloseDown:   []func(context.Context, dedicated.Released) error{p.backups.CloseServer, p.tickets.CloseServer},
		},
	})
	if err != nil {
		return nil, err
	}
	p.dispatcher, err = notify.New(notify.Config{Outbox: s.outbox, Clock: h.clock, Parallel: h.parallel},
		p.backups.Subscriber(), p.tickets.Subscriber(), p.cancellations.Subscriber(),
		notify.Subscriber{Name: "mail", Handle: h.mail})
	return p, err
}

// tickers lists the parts whose Tick must be called regularly.
func (p *panel) tickers() []dedicated.Ticker {
	return []dedicated.Ticker{p.cancellations, p.backups, p.tickets, p.dispatcher}
}

func (p *panel) client(name string) dedicated.Actor {
	return dedicated.Actor{Role: dedicated.Client, ID: named(name), ResellerID: p.reseller.ResellerID}
}

// named derives an ID from a name, so that it is the same in every run.
func named(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)) }

func monthly() dedicated.Billing {
	return dedicated.Billing{Anchor: day(0), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Zone: "Europe/Berlin", Currency: "EUR", Places: 2}
}

// monthlyBiller is a Biller. Every client has paid 79.10 for the current period.
type monthlyBiller struct {
	refund func(ctx context.Context, r cancellation.Refund) error
}

func (monthlyBiller) Paid(_ context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error) {
	return []refund.Charge{{Label: "rent", Paid: decimal.RequireFromString("79.10"), Start: p.Start, End: p.End}}, nil
}

func (m monthlyBiller) Refund(ctx context.Context, r cancellation.Refund) error {
	return m.refund(ctx, r)
}
