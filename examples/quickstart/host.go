package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
	"github.com/metalkeep/metalkeep/ticket"
)

// host is a reseller's panel: it connects the parts of the library. A real panel does the same, with a mail server instead
// of the collector and real time instead of the mock clock.
type host struct {
	stores        stores
	clock         *clock.Mock
	reseller      dedicated.Actor
	servers       *dedicated.Manager
	backups       *backup.Manager
	tickets       *ticket.Manager
	cancellations *cancellation.Manager
	dispatcher    *notify.Dispatcher
	biller        *biller
	people        directory
	sent          collector[notify.Message] // received by the mail server
	notified      collector[notify.Event]   // received by a plug-in
}

// newHost makes a panel on empty stores and adds the servers of an inventory. Each server is assigned at its anchor.
func newHost(ctx context.Context, inv inventory, s stores) (*host, error) {
	now := clock.NewMock()
	h := &host{
		stores:   s,
		clock:    now,
		biller:   newBiller(now),
		people:   newDirectory(inv),
		reseller: staff(),
	}
	if err := h.makeManagers(); err != nil {
		return nil, err
	}
	if err := h.importServers(ctx, inv); err != nil {
		return nil, err
	}
	h.clock.Set(inv.begin())
	return h, errors.Join(h.biller.markCharged(), h.makeDispatcher())
}

func (h *host) makeManagers() (err error) {
	h.servers, err = dedicated.New(dedicated.Config{
		Store: h.stores.servers,
		Clock: h.clock,
	})
	if err != nil {
		return err
	}
	h.tickets, err = ticket.New(ticket.Config{
		Store:         h.stores.tickets,
		Servers:       h.servers,
		Clock:         h.clock,
		AutoClose:     7 * 24 * time.Hour,
		FirstResponse: 24 * time.Hour,
	})
	if err != nil {
		return err
	}
	h.backups, err = backup.New(backup.Config{
		Store:   h.stores.backups,
		Servers: h.servers,
		Clock:   h.clock,
		Grace:   24 * time.Hour,
		// Packages backup and cancellation know nothing of each other. The host tells backup when servers will be cancelled.
		Ends: func(ctx context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
			return h.cancellations.Ends(ctx, servers)
		},
	})
	if err != nil {
		return err
	}
	h.cancellations, err = cancellation.New(cancellation.Config{
		Store:         h.stores.cancellations,
		Servers:       h.servers,
		Clock:         h.clock,
		Biller:        h.biller,
		RefundFormula: refund.MoneyBack{Days: 14, Else: refund.Prorated{}},
		Hooks: cancellation.Hooks{
			CloseDown: []func(context.Context, dedicated.Released) error{h.backups.CloseServer, h.tickets.CloseServer},
		},
	})
	if err != nil {
		return err
	}
	h.biller.shouldRenew = h.cancellations.ShouldRenew
	return nil
}

// makeDispatcher makes the dispatcher. A subscriber receives the events since its registration, so the imported assignments
// send no mail.
func (h *host) makeDispatcher() error {
	catalog, err := notify.NewCatalog(dedicated.Kinds(), backup.Kinds(), ticket.Kinds(), cancellation.Kinds())
	if err != nil {
		return err
	}
	catalog.Directory = h.people
	mail := notify.NotifierFunc(func(_ context.Context, m notify.Message) error { return h.sent.add(m) })
	h.dispatcher, err = notify.New(
		notify.Config{Outbox: h.stores.outbox, Clock: h.clock},
		catalog.Mail("mail to clients", notify.ToClient, mail),
		catalog.Mail("mail to the reseller", notify.ToReseller, mail),
		catalog.Mail("mail to providers", notify.ToProvider, mail),
		h.backups.Subscriber(), h.tickets.Subscriber(), h.cancellations.Subscriber(), h.biller.subscriber(),
		notify.Subscriber{Name: "plug-in", Handle: func(_ context.Context, e notify.Event) error { return h.notified.add(e) }},
	)
	return err
}

// importServers adds the servers of the inventory in order of their anchors, each at its anchor.
func (h *host) importServers(ctx context.Context, inv inventory) error {
	for _, l := range inv.byAnchor() {
		if !l.billing.Anchor.IsZero() && !l.billing.Anchor.Equal(h.clock.Now()) {
			h.clock.Set(l.billing.Anchor)
		}
		s, err := h.servers.Add(ctx, h.reseller, dedicated.NewServer{ID: l.id(), Name: l.name, Owner: l.owner})
		if err == nil && !l.inStock() {
			s, err = h.servers.Assign(ctx, h.reseller, l.id(), dedicated.NewAssignment{ClientID: l.client.id(), Billing: l.billing})
		}
		if err == nil && !l.inStock() {
			h.biller.open(s, l.price)
		}
		if err != nil {
			return fmt.Errorf("importing %s: %w", l.name, err)
		}
	}
	return nil
}

func (h *host) client(p person) dedicated.Actor {
	return dedicated.Actor{Role: dedicated.Client, ID: p.id(), ResellerID: h.reseller.ResellerID}
}

// staff is the employee who acts for the reseller.
func staff() dedicated.Actor {
	return dedicated.Actor{Role: dedicated.Reseller, ID: idOf("staff", "Robin"), ResellerID: idOf("reseller", resellerName)}
}

const resellerName = "Keep & Rack Hosting"

// directory holds the name and address of every recipient.
type directory map[notify.Recipient]notify.Person

var _ notify.Directory = directory{}

func newDirectory(inv inventory) directory {
	d := directory{
		{Audience: notify.ToReseller, ID: idOf("reseller", resellerName)}: {Name: resellerName, Address: "desk@keep-and-rack.example"},
	}
	for _, p := range inv.clients() {
		d[notify.Recipient{Audience: notify.ToClient, ID: p.id()}] = notify.Person{Name: p.name, Address: p.email}
	}
	for _, l := range inv.servers {
		if l.owner.Own() {
			continue
		}
		address := "support@" + strings.Join(strings.FieldsFunc(strings.ToLower(l.owner.Provider), func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9')
		}), "-") + ".example"
		d[notify.Recipient{Audience: notify.ToProvider, Name: l.owner.Provider}] = notify.Person{Name: l.owner.Provider, Address: address}
	}
	return d
}

// Person implements notify.Directory.
func (d directory) Person(_ context.Context, _ uuid.UUID, to notify.Recipient) (notify.Person, error) {
	p, ok := d[to]
	if !ok {
		return p, fmt.Errorf("%s %s: %w", to.Audience, to.ID, notify.ErrNotFound)
	}
	return p, nil
}

// collector holds items that goroutines add, until they are taken.
type collector[T any] struct {
	mu    sync.Mutex
	items []T
}

func (c *collector[T]) add(item T) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items = append(c.items, item)
	return nil
}

func (c *collector[T]) take() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := c.items
	c.items = nil
	return items
}
