package dedicated

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
	"github.com/metalkeep/metalkeep/notify"
)

// MemoryStore keeps servers in memory: for tests and small hosts. The zero value is empty and ready to use. It is safe for
// concurrent use and must not be copied after its first use. A page holds 100 servers by default and 1000 at most; it costs as
// much as the reseller has servers.
type MemoryStore struct {
	// Outbox receives the events of every Commit, in the same step. nil: they are dropped, and nobody is told.
	Outbox *notify.MemoryOutbox

	mu      sync.Mutex
	servers *memory.Table[Server]
}

var _ BulkStore = (*MemoryStore)(nil)

// table returns the servers; mu must be held.
func (m *MemoryStore) table() *memory.Table[Server] {
	if m.servers == nil {
		m.servers = memory.NewTable(memory.Spec[Server]{
			Name:    "server",
			Clone:   func(s Server) Server { return s },
			ID:      func(s *Server) uuid.UUID { return s.ID },
			Version: func(s *Server) *int64 { return &s.Version },
			Group:   func(s *Server) uuid.UUID { return s.ResellerID },
			Key:     func(s *Server) page.Key { return page.Key{Sort: s.Name, ID: s.ID} },
		})
	}
	return m.servers
}

// Server implements Store.
func (m *MemoryStore) Server(ctx context.Context, id uuid.UUID) (Server, error) {
	return memory.Locked(ctx, &m.mu, func() (Server, error) { return m.table().Get(id) })
}

// Servers implements Store.
func (m *MemoryStore) Servers(ctx context.Context, reseller uuid.UUID, q Query) (items []Server, next string, err error) {
	return memory.LockedPage(ctx, &m.mu, func() ([]Server, string, error) {
		return m.table().Page("servers", reseller, q.matches, q.Limit, q.After)
	})
}

// ServersByID implements BulkStore.
func (m *MemoryStore) ServersByID(ctx context.Context, ids []uuid.UUID) ([]Server, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.table().Several(ids), nil
}

// Commit implements Store.
func (m *MemoryStore) Commit(ctx context.Context, changes ...Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	tx := m.table().Begin()
	for _, c := range changes {
		if err := tx.Put(c.Servers...); err != nil {
			return err
		}
	}
	if m.Outbox != nil {
		for _, c := range changes {
			m.Outbox.Append(c.Events...)
		}
	}
	tx.Apply()
	return nil
}
