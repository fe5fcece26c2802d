package backup

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// ahead is what was read for many requests at once, after they were claimed: so what it misses of a change to one of them
// makes the commit fail.
type ahead struct {
	servers Servers              // answers for them all
	tasks   map[uuid.UUID][]Task // the open tasks by request; who is not there is read by itself
}

// readAhead reads the servers and the open tasks of claimed requests.
func (m *Manager) readAhead(ctx context.Context, claimed []Request) ahead {
	servers := map[uuid.UUID][]uuid.UUID{}
	for _, r := range claimed {
		if r.ServerID != uuid.Nil {
			servers[r.ResellerID] = append(servers[r.ResellerID], r.ServerID)
		}
	}
	return ahead{dedicated.ReadAhead(ctx, m.conf.Servers, servers), m.openOf(ctx, claimed)}
}

// openOf is open for many requests. It leaves out those whose tasks it could not read as open would: reading them one by one
// tells why.
func (m *Manager) openOf(ctx context.Context, claimed []Request) map[uuid.UUID][]Task {
	bulk, ok := m.conf.Store.(BulkStore)
	if !ok {
		return nil
	}
	var requests, skipped []uuid.UUID
	for _, r := range claimed {
		requests = append(requests, r.ID)
		if r.Skipped != uuid.Nil {
			skipped = append(skipped, r.Skipped)
		}
	}
	tasks, err := bulk.OpenTasks(ctx, requests, skipped)
	if err != nil {
		return nil
	}
	slices.SortFunc(tasks, func(a, b Task) int { return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.ID[:], b.ID[:])) }) // as Tasks
	pending, others := map[uuid.UUID][]Task{}, map[uuid.UUID]Task{}
	for _, t := range tasks {
		if t.State == Pending {
			pending[t.RequestID] = append(pending[t.RequestID], t)
		} else {
			others[t.ID] = t
		}
	}
	open := map[uuid.UUID][]Task{}
	for _, r := range claimed {
		tasks := pending[r.ID]
		if r.Skipped != uuid.Nil {
			t, ok := others[r.Skipped]
			if !ok {
				continue
			}
			tasks = append(tasks, t)
		}
		open[r.ID] = tasks
	}
	return open
}
