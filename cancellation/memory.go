package cancellation

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
)

// MemoryStore keeps cancellations in memory: for tests and small hosts. The zero value is empty and ready to use. It is safe for
// concurrent use and must not be copied after its first use. A page of a list costs as much as the reseller has
// cancellations; a claim costs as much as it claims.
type MemoryStore struct {
	// Outbox receives the events of every Commit, in the same step. nil: they are dropped, and nobody is told.
	Outbox *notify.MemoryOutbox

	mu   sync.Mutex
	data *memoryState // nil: empty
}

var _ Store = (*MemoryStore)(nil)

type memoryState struct {
	cancellations *memory.Table[Cancellation]
	settings      *memory.Table[Settings]
	active        map[uuid.UUID]map[uuid.UUID]struct{} // by server
}

// state returns the tables; mu must be held.
func (m *MemoryStore) state() *memoryState {
	if m.data == nil {
		m.data = &memoryState{
			cancellations: memory.NewTable(memory.Spec[Cancellation]{
				Name:    "cancellation",
				Clone:   Cancellation.clone,
				ID:      func(c *Cancellation) uuid.UUID { return c.ID },
				Version: func(c *Cancellation) *int64 { return &c.Version },
				Group:   func(c *Cancellation) uuid.UUID { return c.ResellerID },
				Due:     func(c *Cancellation) (time.Time, *time.Time) { return c.Due, &c.LeaseUntil },
				Unique:  uniqueAssignment,
				Key:     func(c *Cancellation) page.Key { return page.Key{Sort: page.SortTime(c.At), ID: c.ID} },
			}),
			settings: memory.NewTable(memory.Spec[Settings]{
				Name:    "settings",
				Clone:   Settings.clone,
				ID:      func(s *Settings) uuid.UUID { return s.ResellerID },
				Version: func(s *Settings) *int64 { return &s.Version },
				Due:     func(s *Settings) (time.Time, *time.Time) { return s.Due, &s.LeaseUntil },
			}),
			active: map[uuid.UUID]map[uuid.UUID]struct{}{},
		}
	}
	return m.data
}

func uniqueAssignment(c *Cancellation) []string {
	if !c.State.Active() || c.Assignment == uuid.Nil {
		return nil
	}
	return []string{"the active cancellation of assignment " + c.Assignment.String()}
}

// Cancellation implements Store.
func (m *MemoryStore) Cancellation(ctx context.Context, id uuid.UUID) (Cancellation, error) {
	return memory.Locked(ctx, &m.mu, func() (Cancellation, error) { return m.state().cancellations.Get(id) })
}

// Cancellations implements Store.
func (m *MemoryStore) Cancellations(ctx context.Context, reseller uuid.UUID, q Query) (items []Cancellation, next string, err error) {
	return memory.LockedPage(ctx, &m.mu, func() ([]Cancellation, string, error) {
		return m.state().cancellations.Page("cancellations", reseller, q.matches, q.Limit, q.After)
	})
}

// Active implements Store.
func (m *MemoryStore) Active(ctx context.Context, servers []uuid.UUID) ([]Cancellation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	state := m.state()
	var found []Cancellation
	listed := map[uuid.UUID]struct{}{}
	for _, server := range servers {
		if _, twice := listed[server]; twice {
			continue
		}
		listed[server] = struct{}{}
		for id := range state.active[server] {
			c, err := state.cancellations.Get(id)
			if err != nil {
				return nil, err
			}
			found = append(found, c)
		}
	}
	return found, nil
}

// Settings implements Store.
func (m *MemoryStore) Settings(ctx context.Context, reseller uuid.UUID) (Settings, error) {
	return memory.Locked(ctx, &m.mu, func() (Settings, error) { return m.state().settings.Get(reseller) })
}

// ClaimDue implements Store.
func (m *MemoryStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (Due, error) {
	return memory.Locked(ctx, &m.mu, func() (due Due, err error) {
		var next time.Time
		if due.Cancellations, due.Next, err = m.state().cancellations.Claim(now, until, limit); err != nil {
			return due, err
		}
		due.Settings, next, err = m.state().settings.Claim(now, until, limit)
		due.Next = zone.Earlier(due.Next, next)
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
	state := m.state()
	cancellations, settings := state.cancellations.Begin(), state.settings.Begin()
	for _, c := range changes {
		if err := cancellations.Put(c.Cancellations...); err != nil {
			return err
		}
		if err := settings.Put(c.Settings...); err != nil {
			return err
		}
	}
	if m.Outbox != nil {
		for _, c := range changes {
			m.Outbox.Append(c.Events...)
		}
	}
	cancellations.Apply()
	settings.Apply()
	for _, c := range changes {
		state.index(c.Cancellations)
	}
	return nil
}

// index keeps the active cancellations of each server up to date.
func (s *memoryState) index(written []Cancellation) {
	for _, c := range written {
		if !c.State.Active() {
			delete(s.active[c.ServerID], c.ID)
			if len(s.active[c.ServerID]) == 0 {
				delete(s.active, c.ServerID)
			}
			continue
		}
		if s.active[c.ServerID] == nil {
			s.active[c.ServerID] = map[uuid.UUID]struct{}{}
		}
		s.active[c.ServerID][c.ID] = struct{}{}
	}
}
