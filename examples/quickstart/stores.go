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

// stores are where a panel keeps everything.
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

// openStores opens an empty database, or makes stores in memory where none is named. done closes it.
func openStores(ctx context.Context, dsn string) (s stores, done func() error, err error) {
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
	if err := s.mustBeEmpty(ctx); err != nil {
		return stores{}, nil, errors.Join(err, db.Close())
	}
	return s, db.Close, nil
}

// mustBeEmpty refuses to play where a story was played, or where a real panel works: what waits to be told there would be
// told here. All IDs of the story are the same each time.
func (s stores) mustBeEmpty(ctx context.Context) error {
	servers, _, err := s.servers.Servers(ctx, robin().ResellerID, dedicated.Query{Limit: 1})
	if err != nil {
		return err
	}
	told, _, err := s.outbox.Deliveries(ctx, notify.DeliveryQuery{Limit: 1})
	if err != nil {
		return err
	}
	if len(servers)+len(told) > 0 {
		return errors.New("the database is in use: found servers or events, expected none; name another file, or make another database")
	}
	return nil
}
