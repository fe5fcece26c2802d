package ticket

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
	"github.com/metalkeep/metalkeep/notify"
)

// MemoryStore keeps tickets in memory: for tests, and for trying the library. The zero value is empty and ready to use; it
// is safe for concurrent use and must not be copied afterwards. A list's page and a count cost as much as the reseller has
// tickets; claiming costs what is due.
type MemoryStore struct {
	// Outbox gets the events of every Commit, in the same step. nil: they are dropped, and nobody is told.
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
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.table().Get(id)
}

// Tickets implements Store.
func (m *MemoryStore) Tickets(ctx context.Context, reseller uuid.UUID, q Query) (items []Ticket, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	list, at, err := q.order()
	if err != nil {
		return nil, "", err
	}
	key := func(t *Ticket) page.Key { return page.Key{Sort: page.SortTime(at(t)), ID: t.ID} }
	m.mu.Lock()
	defer m.mu.Unlock()
	rows, next, err := page.Of(list, m.table().Select(reseller, q.matcher()), key, q.Limit, q.After)
	return m.table().Copy(rows), next, err
}

// Counts implements Store.
func (m *MemoryStore) Counts(ctx context.Context, reseller uuid.UUID, q Query) (map[Status]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[Status]int{}
	for _, t := range m.table().Select(reseller, q.matcher()) {
		counts[t.Status]++
	}
	return counts, nil
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

// order says in which list the query's pages lie, and by which time it is sorted.
func (q Query) order() (list string, at func(*Ticket) time.Time, err error) {
	switch q.Sort {
	case "", "urgency":
		return "tickets by urgency", func(t *Ticket) time.Time { return t.UrgentAt }, nil
	case "age":
		return "tickets by age", func(t *Ticket) time.Time { return t.OpenedAt }, nil
	}
	return "", nil, invalid("Tickets", "Sort", `%.20q is none of "", "urgency", "age"`, q.Sort)
}

// matcher says which tickets the query wants; the text, which costs most, is looked for last.
func (q Query) matcher() func(*Ticket) bool {
	words := q.Words()
	return func(t *Ticket) bool {
		return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, t.Kind)) &&
			(len(q.States) == 0 || slices.Contains(q.States, t.Status)) &&
			(q.ClientID == uuid.Nil || q.ClientID == t.ClientID) &&
			(q.ServerID == uuid.Nil || q.ServerID == t.ServerID) &&
			(q.Assignee == uuid.Nil || q.Assignee == t.Assignee) &&
			t.Priority >= q.MinPriority &&
			(q.UrgentBy.IsZero() || !t.UrgentAt.After(q.UrgentBy)) &&
			(q.WaitingOn == 0 || q.WaitingOn == t.WaitingOn()) &&
			(len(words) == 0 || holdsAll(t.SearchText(q.Public), words))
	}
}

func holdsAll(s string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(s, word) {
			return false
		}
	}
	return true
}
