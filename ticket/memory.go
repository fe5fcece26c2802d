package ticket

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
	"github.com/metalkeep/metalkeep/notify"
)

// MemoryStore keeps tickets in memory: for tests and small hosts. The zero value is empty and ready to use. It is safe for
// concurrent use and must not be copied after its first use. A page holds 100 tickets by default and 1000 at most. A page and a
// count cost as much as the reseller has tickets; the cost of a claim follows what is due.
type MemoryStore struct {
	// Outbox receives the events of every Commit, in the same step. nil: they are dropped, and nobody is told.
	Outbox *notify.MemoryOutbox

	mu      sync.Mutex
	tickets *memory.Table[Ticket]
}

var _ Store = (*MemoryStore)(nil)

// table returns the tickets; mu must be held.
func (m *MemoryStore) table() *memory.Table[Ticket] {
	if m.tickets == nil {
		m.tickets = memory.NewTable(memory.Spec[Ticket]{
			Name:    "ticket",
			Clone:   Ticket.clone,
			ID:      func(t *Ticket) uuid.UUID { return t.ID },
			Version: func(t *Ticket) *int64 { return &t.Version },
			Group:   func(t *Ticket) uuid.UUID { return t.ResellerID },
			Due:     func(t *Ticket) (time.Time, *time.Time) { return t.Due, &t.LeaseUntil },
			Unique: func(t *Ticket) []string {
				if t.UniqueKey == "" {
					return nil
				}
				return []string{t.UniqueKey}
			},
		})
	}
	return m.tickets
}

// Ticket implements Store.
func (m *MemoryStore) Ticket(ctx context.Context, id uuid.UUID) (Ticket, error) {
	return memory.Locked(ctx, &m.mu, func() (Ticket, error) { return m.table().Get(id) })
}

// Tickets implements Store.
func (m *MemoryStore) Tickets(ctx context.Context, reseller uuid.UUID, q Query) (items []Ticket, next string, err error) {
	list, sortTime := q.sort()
	key := func(t *Ticket) page.Key { return page.Key{Sort: page.SortTime(sortTime(t)), ID: t.ID} }
	return memory.LockedPage(ctx, &m.mu, func() ([]Ticket, string, error) {
		rows, next, err := page.Cut(list, m.table().Select(reseller, q.matcher()), key, q.Limit, q.After)
		return m.table().Copy(rows), next, err
	})
}

// Counts implements Store.
func (m *MemoryStore) Counts(ctx context.Context, reseller uuid.UUID, q Query) (map[Status]int, error) {
	return memory.Locked(ctx, &m.mu, func() (map[Status]int, error) {
		counts := map[Status]int{}
		for _, t := range m.table().Select(reseller, q.matcher()) {
			counts[t.Status]++
		}
		return counts, nil
	})
}

// ClaimDue implements Store.
func (m *MemoryStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error) {
	return memory.Locked(ctx, &m.mu, func() (due Due, err error) {
		due.Tickets, due.Next, err = m.table().Claim(now, until, limit)
		return due, err
	})
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
		if err := tx.Put(c.Tickets...); err != nil {
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
