package tickettest_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
	"github.com/metalkeep/metalkeep/ticket/tickettest"
)

// altered is a store with methods replaced; the others are the good store's.
type altered struct {
	ticket.Store
	ticket   func(context.Context, ticket.Store, uuid.UUID) (ticket.Ticket, error)
	tickets  func(context.Context, ticket.Store, uuid.UUID, ticket.Query) ([]ticket.Ticket, string, error)
	counts   func(context.Context, ticket.Store, uuid.UUID, ticket.Query) (map[ticket.Status]int, error)
	claimDue func(ctx context.Context, s ticket.Store, now, until time.Time, limit int) (ticket.Due, error)
	commit   func(context.Context, ticket.Store, ...ticket.Change) error
}

func (a altered) Ticket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	if a.ticket != nil {
		return a.ticket(ctx, a.Store, id)
	}
	return a.Store.Ticket(ctx, id)
}

func (a altered) Tickets(ctx context.Context, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
	if a.tickets != nil {
		return a.tickets(ctx, a.Store, reseller, q)
	}
	return a.Store.Tickets(ctx, reseller, q)
}

func (a altered) Counts(ctx context.Context, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
	if a.counts != nil {
		return a.counts(ctx, a.Store, reseller, q)
	}
	return a.Store.Counts(ctx, reseller, q)
}

func (a altered) ClaimDue(ctx context.Context, now, until time.Time, limit int) (ticket.Due, error) {
	if a.claimDue != nil {
		return a.claimDue(ctx, a.Store, now, until, limit)
	}
	return a.Store.ClaimDue(ctx, now, until, limit)
}

func (a altered) Commit(ctx context.Context, changes ...ticket.Change) error {
	if a.commit != nil {
		return a.commit(ctx, a.Store, changes...)
	}
	return a.Store.Commit(ctx, changes...)
}

// breaks says which line the suite must fail at when alter has replaced methods of a fresh, good store.
func breaks(line, name string, alter func(a *altered, outbox *notify.Outbox)) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		tickettest.TestStore(t, func(t *testing.T) (ticket.Store, notify.Outbox) {
			store, outbox := open(t)
			a := altered{Store: store}
			alter(&a, &outbox)
			return a, outbox
		})
	}}
}

type (
	read   = func(context.Context, ticket.Store, uuid.UUID) (ticket.Ticket, error)
	list   = func(context.Context, ticket.Store, uuid.UUID, ticket.Query) ([]ticket.Ticket, string, error)
	count  = func(context.Context, ticket.Store, uuid.UUID, ticket.Query) (map[ticket.Status]int, error)
	claim  = func(context.Context, ticket.Store, time.Time, time.Time, int) (ticket.Due, error)
	commit = func(context.Context, ticket.Store, ...ticket.Change) error
)

func reads(line, name string, f read) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.ticket = f })
}

func lists(line, name string, f list) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.tickets = f })
}

func counts(line, name string, f count) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.counts = f })
}

func claims(line, name string, f claim) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.claimDue = f })
}

func commits(line, name string, f commit) storetest.Broken {
	return breaks(line, name, func(a *altered, _ *notify.Outbox) { a.commit = f })
}

// mangled applies change to every ticket that Ticket returns.
func mangled(change func(*ticket.Ticket)) read {
	return func(ctx context.Context, s ticket.Store, id uuid.UUID) (ticket.Ticket, error) {
		t, err := s.Ticket(ctx, id)
		change(&t)
		return t, err
	}
}

// asked applies change to every query.
func asked(change func(*ticket.Query)) list {
	return func(ctx context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
		change(&q)
		return s.Tickets(ctx, reseller, q)
	}
}

// current gives every ticket of the changes the version that is stored, as a store does that checks none.
func current(ctx context.Context, s ticket.Store, changes []ticket.Change) []ticket.Change {
	var all []ticket.Change
	for _, c := range changes {
		own := ticket.Change{Events: c.Events}
		for _, t := range c.Tickets {
			stored, err := s.Ticket(ctx, t.ID)
			t.Version = stored.Version
			if err != nil {
				t.Version = 0
			}
			own.Tickets = append(own.Tickets, t)
		}
		all = append(all, own)
	}
	return all
}

func unchecked(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
	return s.Commit(ctx, current(ctx, s, changes)...)
}

// aliases keeps what Commit was given and hands out the very same.
func aliases() (commit, read) {
	var kept sync.Map
	return func(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
			for _, c := range changes {
				for _, t := range c.Tickets {
					kept.Store(t.ID, t)
				}
			}
			return s.Commit(ctx, changes...)
		}, func(ctx context.Context, s ticket.Store, id uuid.UUID) (ticket.Ticket, error) {
			t, err := s.Ticket(ctx, id)
			if given, ok := kept.Load(id); ok {
				given := given.(ticket.Ticket)
				t.Fields, t.Thread, t.Upstream = given.Fields, given.Thread, given.Upstream
			}
			return t, err
		}
}

// eventAliases is an outbox that hands out the very data that its store was given.
type eventAliases struct {
	notify.Outbox
	data sync.Map
}

func (a *eventAliases) commit(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
	for _, c := range changes {
		for _, e := range c.Events {
			a.data.Store(e.ID, e.Data)
		}
	}
	return s.Commit(ctx, changes...)
}

func (a *eventAliases) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	items, next, err := a.Outbox.Deliveries(ctx, q)
	for i := range items {
		if data, ok := a.data.Load(items[i].Event.ID); ok {
			items[i].Event.Data = data.(json.RawMessage)
		}
	}
	return items, next, err
}
