// Package inventory asks a host's inventory of servers for the packages whose records belong to a server.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

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
	case !slices.Contains(dedicated.States(), s.State):
		return dedicated.Server{}, false, fault.Nonsense(part, fmt.Errorf("server %s has the state %.20q, which does not exist", id, s.State))
	}
	return s, true, nil
}

// Bind returns the inventory with a deadline for each call: see fault.Do. If from is a dedicated.BulkInventory, so is the result.
func Bind(from dedicated.Inventory, calls *fault.Calls) dedicated.Inventory {
	if bulk, ok := from.(dedicated.BulkInventory); ok {
		return boundBulk{bound{from, calls}, bulk}
	}
	return bound{from, calls}
}

type bound struct {
	from  dedicated.Inventory
	calls *fault.Calls
}

// Server implements dedicated.Inventory.
func (b bound) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	return fault.Do(ctx, b.calls, part, func(ctx context.Context) (dedicated.Server, error) { return b.from.Server(ctx, a, id) })
}

type boundBulk struct {
	bound
	bulk dedicated.BulkInventory
}

// ServersByID implements dedicated.BulkInventory.
func (b boundBulk) ServersByID(ctx context.Context, a dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	return fault.Do(ctx, b.calls, "Servers.ServersByID", func(ctx context.Context) ([]dedicated.Server, error) {
		return b.bulk.ServersByID(ctx, a, ids)
	})
}

// atOnce is how many servers Prefetch asks for at once: all of a batch, so that slow answers for some of them delay none of the others.
const atOnce = 100

// Prefetch reads the servers of many due records at once. For each reseller it asks once, as System, if from is a
// dedicated.BulkInventory. It asks for each of the other servers by itself, all at once, so that a slow answer for one of them
// holds up no other. The result answers for those servers as they were then, and with the error that from
// returned; for all others it asks from. The result is for one goroutine at a time and for one batch of records.
func Prefetch(ctx context.Context, from dedicated.Inventory, wanted map[uuid.UUID][]uuid.UUID) dedicated.Inventory {
	p := &prefetched{Inventory: from, servers: map[key]answer{}}
	if bulk, ok := from.(dedicated.BulkInventory); ok {
		for reseller, ids := range wanted {
			p.askForMany(ctx, bulk, reseller, ids)
		}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for _, k := range p.missing(wanted) {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			a := answer{err: ctx.Err()}
			if a.err == nil { // else its time was used up by the servers before it
				a.err = fault.Guard(part, func() (err error) {
					a.server, err = from.Server(ctx, k.actor, k.id)
					return err
				})
			}
			mu.Lock()
			defer mu.Unlock()
			p.servers[k] = a
		})
	}
	all.Wait()
	return p
}

// askForMany asks for the servers of one reseller. After an error they are missing.
func (p *prefetched) askForMany(ctx context.Context, bulk dedicated.BulkInventory, reseller uuid.UUID, ids []uuid.UUID) {
	var servers []dedicated.Server
	err := fault.Guard(part, func() (err error) {
		servers, err = bulk.ServersByID(ctx, System(reseller), ids)
		return err
	})
	if err != nil {
		return
	}
	for _, s := range servers {
		p.servers[key{System(reseller), s.ID}] = answer{server: s}
	}
}

// missing returns the wanted servers that have no answer, each once.
func (p *prefetched) missing(wanted map[uuid.UUID][]uuid.UUID) (missing []key) {
	seen := map[key]bool{}
	for reseller, ids := range wanted {
		for _, id := range ids {
			k := key{System(reseller), id}
			if _, known := p.servers[k]; !known && !seen[k] && id != uuid.Nil {
				seen[k] = true
				missing = append(missing, k)
			}
		}
	}
	return missing
}

// key is a server as an actor may see it.
type key struct {
	actor dedicated.Actor
	id    uuid.UUID
}

// answer is what the inventory answered for a server.
type answer struct {
	server dedicated.Server
	err    error
}

type prefetched struct {
	dedicated.Inventory
	servers map[key]answer
}

// Server implements dedicated.Inventory.
func (p *prefetched) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	known, ok := p.servers[key{a, id}]
	switch {
	case !ok:
		return p.Inventory.Server(ctx, a, id)
	case known.err == nil:
		return known.server, ctx.Err()
	}
	return dedicated.Server{}, known.err
}
