package dedicated

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// BulkStore is a Store that can read many servers with one question. It is optional: over any other a Manager reads them
// one by one, with the same outcome. Whoever wraps a Store that is one should be one, too: a struct that embeds a Store has
// its three methods only.
type BulkStore interface {
	Store
	// ServersByID returns those of the servers that there are, of any reseller, each once and in any order. Lines 1, 5, 6
	// and 9 of Store's contract hold for it.
	ServersByID(ctx context.Context, ids []uuid.UUID) ([]Server, error)
}

// Inventory answers for a host's servers one by one; *Manager fits.
type Inventory interface {
	Server(ctx context.Context, a Actor, id uuid.UUID) (Server, error)
}

// BulkInventory is an Inventory that can answer for many servers at once; *Manager fits. It is optional: ticks over any
// other ask for each server by itself.
type BulkInventory interface {
	Inventory
	// ServersByID returns those of the servers that Server would return, each once and in any order.
	ServersByID(ctx context.Context, a Actor, ids []uuid.UUID) ([]Server, error)
}

var _ BulkInventory = (*Manager)(nil)

// ServersByID returns those of the servers that the actor may see, each as Server returns it and once, in any order; what
// the actor may not know of is left out. It costs one question of a BulkStore. An actor for whom everything is ErrNotFound
// gets that.
func (m *Manager) ServersByID(ctx context.Context, a Actor, ids []uuid.UUID) ([]Server, error) {
	const op = "ServersByID"
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return nil, nobody(op, a)
	}
	servers, err := m.stored(ctx, distinct(ids))
	if err != nil {
		return nil, asError(op, uuid.Nil, err)
	}
	var visible []Server
	for _, s := range servers {
		switch {
		case a.Manages(s.ResellerID):
			visible = append(visible, s)
		case a.Uses(s):
			visible = append(visible, s.forClient())
		}
	}
	return visible, nil
}

// distinct are the IDs that there may be a server with, each once.
func distinct(ids []uuid.UUID) []uuid.UUID {
	sorted := slices.SortedFunc(slices.Values(ids), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.DeleteFunc(slices.Compact(sorted), func(id uuid.UUID) bool { return id == uuid.Nil })
}

// stored reads many servers of any reseller.
func (m *Manager) stored(ctx context.Context, ids []uuid.UUID) ([]Server, error) {
	if bulk, ok := m.store.(BulkStore); ok {
		return bulk.ServersByID(ctx, ids)
	}
	var servers []Server
	for _, id := range ids {
		s, err := m.store.Server(ctx, id)
		switch {
		case err == nil:
			servers = append(servers, s)
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return servers, nil
}

// ReadAhead is for ticks that will ask for many servers, as those of packages backup and cancellation do: it reads those of
// each reseller with one question, as System, and returns an Inventory that answers for them, as they were then, when asked
// as System of that reseller. Everything else it leaves to from, which tells by itself what is wrong: all servers where from
// is no BulkInventory, those that a question that failed or panicked was about, and those that were not found. The result is
// for one goroutine at a time, and for a batch of work, not to be kept.
func ReadAhead(ctx context.Context, from Inventory, wanted map[uuid.UUID][]uuid.UUID) Inventory {
	bulk, ok := from.(BulkInventory)
	if !ok {
		return from
	}
	read := &readAhead{Inventory: from, servers: map[holding]Server{}}
	for reseller, ids := range wanted {
		system := Actor{Role: System, ResellerID: reseller}
		_ = fault.Guard("Servers", func() error { // what failed is asked for again
			servers, err := bulk.ServersByID(ctx, system, ids)
			if err != nil {
				return err
			}
			for _, s := range servers {
				read.servers[holding{system, s.ID}] = s
			}
			return nil
		})
	}
	return read
}

// holding is a server as an actor sees it.
type holding struct {
	actor Actor
	id    uuid.UUID
}

type readAhead struct {
	Inventory
	servers map[holding]Server
}

// Server implements Inventory.
func (r *readAhead) Server(ctx context.Context, a Actor, id uuid.UUID) (Server, error) {
	if s, ok := r.servers[holding{a, id}]; ok {
		return s, ctx.Err()
	}
	return r.Inventory.Server(ctx, a, id)
}
