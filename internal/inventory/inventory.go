// Package inventory asks a host's inventory of servers for the packages whose records belong to a server.
package inventory

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// part is the name of the inventory in errors.
const part = "Servers.Server"

// System is the actor as which the library asks for a reseller's servers.
func System(reseller uuid.UUID) dedicated.Actor {
	return dedicated.Actor{Role: dedicated.System, ResellerID: reseller}
}

// Server asks for a server as System. found is false if the inventory has no such server, or has it for another reseller.
// Every other error, a panic and another server than the one asked for are a *fault.HostError.
func Server(ctx context.Context, from dedicated.Inventory, reseller, id uuid.UUID) (s dedicated.Server, found bool, err error) {
	if id == uuid.Nil {
		return dedicated.Server{}, false, nil
	}
	err = fault.Host(ctx, part, func() (err error) {
		s, err = from.Server(ctx, System(reseller), id)
		return err
	})
	var host *fault.HostError
	switch {
	case errors.As(err, &host) && host.Ended == nil && host.Caused(fault.ErrNotFound):
		return dedicated.Server{}, false, nil
	case err != nil:
		return dedicated.Server{}, false, err
	case s.ID != id:
		return dedicated.Server{}, false, fault.Nonsense(part, fmt.Errorf("it was asked for server %s and answered with %s", id, s.ID))
	case s.ResellerID != reseller:
		return dedicated.Server{}, false, nil
	}
	return s, true, nil
}

// Prefetch reads the servers of many due records at once. For each reseller it asks once, as System. The result answers for
// those servers as they were then, to System of that reseller. For all others it asks from: for every server if from is
// not a dedicated.BulkInventory, for the servers that were not found, and for the servers of a question that failed. The
// result is for one goroutine at a time and for one batch of records.
func Prefetch(ctx context.Context, from dedicated.Inventory, wanted map[uuid.UUID][]uuid.UUID) dedicated.Inventory {
	bulk, ok := from.(dedicated.BulkInventory)
	if !ok {
		return from
	}
	p := &prefetched{Inventory: from, servers: map[key]dedicated.Server{}}
	for reseller, ids := range wanted {
		var servers []dedicated.Server
		err := fault.Host(ctx, part, func() (err error) {
			servers, err = bulk.ServersByID(ctx, System(reseller), ids)
			return err
		})
		if err != nil {
			continue // Server asks for each of them by itself, and returns the error
		}
		for _, s := range servers {
			p.servers[key{System(reseller), s.ID}] = s
		}
	}
	return p
}

// key is a server as an actor may see it.
type key struct {
	actor dedicated.Actor
	id    uuid.UUID
}

type prefetched struct {
	dedicated.Inventory
	servers map[key]dedicated.Server
}

// Server implements dedicated.Inventory.
func (p *prefetched) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if s, ok := p.servers[key{a, id}]; ok {
		return s, ctx.Err()
	}
	return p.Inventory.Server(ctx, a, id)
}
