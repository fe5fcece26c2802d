package main

import (
	"context"
	"errors"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/examples/sqlstore"
	"github.com/metalkeep/metalkeep/notify"
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

func inMemory() stores {
	outbox := &notify.MemoryOutbox{}
	return stores{
		servers:       &dedicated.MemoryStore{Outbox: outbox},
		backups:       &backup.MemoryStore{Outbox: outbox},
		tickets:       &ticket.MemoryStore{Outbox: outbox},
		cancellations: &cancellation.MemoryStore{Outbox: outbox},
		outbox:        outbox,
	}
}

// openStores opens an empty database, or makes stores in memory if dsn is empty. closeStores closes the database.
func openStores(ctx context.Context, dsn string) (s stores, closeStores func() error, err error) {
	if dsn == "" {
		return inMemory(), func() error { return nil }, nil
	}
	db, err := sqlstore.Open(ctx, dsn)
	if err != nil {
		return stores{}, nil, err
	}
	s = stores{
		servers:       db.Servers(),
		backups:       db.Backups(),
		tickets:       db.Tickets(),
		cancellations: db.Cancellations(),
		outbox:        db.Outbox(),
	}
	if err := s.checkEmpty(ctx); err != nil {
		return stores{}, nil, errors.Join(err, db.Close())
	}
	return s, db.Close, nil
}

// checkEmpty returns an error if the database is in use, by another simulation or by a real panel. The simulation would
// deliver the real panel's pending events. And its IDs are the same in every run.
func (s stores) checkEmpty(ctx context.Context) error {
	servers, _, err := s.servers.Servers(ctx, staff().ResellerID, dedicated.Query{Limit: 1})
	if err != nil {
		return err
	}
	deliveries, _, err := s.outbox.Deliveries(ctx, notify.DeliveryQuery{Limit: 1})
	if err != nil {
		return err
	}
	if len(servers)+len(deliveries) > 0 {
		return errors.New("the database is in use: found servers or events, expected an empty database; name another file, or create another database")
	}
	return nil
}
