package cancellation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/inventory"
)

// Badge is what a list of servers shows beside a server's name.
type Badge struct {
	CancellationID uuid.UUID
	At             time.Time // the planned date
	By             dedicated.Role
	State          State // Scheduled or Executing
}

func (c Cancellation) badge() Badge {
	return Badge{CancellationID: c.ID, At: c.At, By: c.By.Role, State: c.State}
}

// Badges returns the badges of those of the servers that have an active cancellation. A reseller gets those of its servers, a
// client those of the servers that it uses.
func (m *Manager) Badges(ctx context.Context, a dedicated.Actor, servers []uuid.UUID) (map[uuid.UUID]Badge, error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return nil, actorError(opBadges, a)
	}
	active, err := m.readActive(ctx, servers, func(c Cancellation) bool { return c.visibleTo(a) })
	if err != nil {
		return nil, explain(opBadges, uuid.Nil, uuid.Nil, err)
	}
	badges := map[uuid.UUID]Badge{}
	for server, c := range active {
		badges[server] = c.badge()
	}
	return badges, nil
}

// Ends returns the planned dates of those of the servers that have an active cancellation. It fits backup.Config.Ends. It is
// trusted: it takes no actor.
func (m *Manager) Ends(ctx context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
	active, err := m.readActive(ctx, servers, func(Cancellation) bool { return true })
	if err != nil {
		return nil, report(opEnds, uuid.Nil, uuid.Nil, err)
	}
	ends := map[uuid.UUID]time.Time{}
	for server, c := range active {
		ends[server] = c.At
	}
	return ends, nil
}

// readActive returns the active cancellation of each server that has one. If a server has several, all but one belong to
// assignments that are over: the one that was ordered last is returned.
func (m *Manager) readActive(
	ctx context.Context, servers []uuid.UUID, include func(Cancellation) bool,
) (map[uuid.UUID]Cancellation, error) {
	all, err := m.store.Active(ctx, servers)
	if err != nil {
		return nil, err
	}
	active := map[uuid.UUID]Cancellation{}
	for _, c := range all {
		if other, ok := active[c.ServerID]; include(c) && (!ok || c.Asked.After(other.Asked)) {
			active[c.ServerID] = c
		}
	}
	return active, nil
}

// ShouldRenew tells the host's invoicing whether to charge the billing period that starts at start. It is false if the server is
// to be cancelled at start or before. It is trusted: it takes no actor.
//
// Cancelling comes before renewing. So call ShouldRenew first, then read the server, and charge only if it is still in use
// under the same assignment: one of the two finds a cancellation that is executed in between.
func (m *Manager) ShouldRenew(ctx context.Context, server uuid.UUID, start time.Time) (bool, error) {
	now := m.now()
	all, err := m.store.Active(ctx, []uuid.UUID{server})
	if err != nil {
		return false, report(opShouldRenew, uuid.Nil, server, err)
	}
	for _, c := range all {
		at, err := m.readPresentDate(ctx, c, now)
		if err != nil {
			return false, report(opShouldRenew, c.ID, server, err)
		}
		if !at.IsZero() && !at.After(start) {
			return false, nil
		}
	}
	return true, nil
}

// readPresentDate returns the planned instant under the server's present billing. It is zero if nothing will happen: the server
// has left its client, or belongs to a provider.
func (m *Manager) readPresentDate(ctx context.Context, c Cancellation, now time.Time) (time.Time, error) {
	s, found, err := inventory.Server(ctx, m.servers, c.ResellerID, c.ServerID)
	switch {
	case err != nil:
		return time.Time{}, err
	case !found || !c.holds(s):
		return time.Time{}, nil
	case c.State == Executing:
		return c.At, nil
	case !s.Used() || !s.Owner.Own():
		return time.Time{}, nil
	}
	return c.resolveDate(s, now)
}
