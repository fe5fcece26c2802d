package dedicated

import (
	"context"

	"github.com/google/uuid"
)

// Inventory is a host's list of servers, as the other packages of the library read it. *Manager is one. A server that it does
// not have is an error that is ErrNotFound. Many goroutines may call it at once.
type Inventory interface {
	// Server returns one server as the actor may see it, or ErrNotFound.
	Server(ctx context.Context, a Actor, id uuid.UUID) (Server, error)
}

// BulkInventory is an Inventory that answers for many servers at once. *Manager is one. It is optional: with any other
// Inventory a Tick asks for each server by itself.
type BulkInventory interface {
	Inventory
	// ServersByID returns those of the servers that Server would return, each once and in any order.
	ServersByID(ctx context.Context, a Actor, ids []uuid.UUID) ([]Server, error)
}

var _ BulkInventory = (*Manager)(nil)
