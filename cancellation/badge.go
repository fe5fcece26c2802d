package cancellation

import (
	"context"
	"slices"
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

// Badges returns the badges of those of the servers that have an active cancellation of their present assignment, with the date under
// their present billing. A reseller gets those of its servers, a client those of the servers that it uses. While an
// execution runs, its server in clean_up has a badge. If the inventory answers for one server with a Billing that has no period to
// end, that server's badge has the date as it was planned last.
func (m *Manager) Badges(ctx context.Context, a dedicated.Actor, servers []uuid.UUID) (map[uuid.UUID]Badge, error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return nil, actorError(opBadges, a)
	}
	present, err := m.readPresent(ctx, servers, func(c Cancellation) bool { return c.visibleTo(a) })
	if err != nil {
		return nil, explain(opBadges, uuid.Nil, uuid.Nil, err)
	}
	badges := map[uuid.UUID]Badge{}
	for server, c := range present {
		badges[server] = c.badge()
	}
	return badges, nil
}

// Ends returns the planned dates of those of the servers that have an active cancellation of their present assignment, under their
// present billing, as Badges does. It fits backup.Config.Ends. It is trusted: it takes no actor.
func (m *Manager) Ends(ctx context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
	present, err := m.readPresent(ctx, servers, func(Cancellation) bool { return true })
	if err != nil {
		return nil, report(opEnds, uuid.Nil, uuid.Nil, err)
	}
	ends := map[uuid.UUID]time.Time{}
	for server, c := range present {
		ends[server] = c.At
	}
	return ends, nil
}

// ShouldRenew tells the host's invoicing whether to charge the billing period that starts at start. It is false if the server is
// to be cancelled at start or before. It is trusted: it takes no actor. If the inventory answers with a Billing that has no period to
// end, it is ErrHost.
//
// Cancelling comes before renewing. So call ShouldRenew first, then read the server, and charge only if it is still in use
// under the same assignment: one of the two finds a cancellation that is executed in between.
func (m *Manager) ShouldRenew(ctx context.Context, server uuid.UUID, start time.Time) (bool, error) {
	present, err := m.readPresent(ctx, []uuid.UUID{server}, func(Cancellation) bool { return true })
	if err != nil {
		return false, report(opShouldRenew, uuid.Nil, server, err)
	}
	c, ends := present[server]
	if c.unresolved != nil {
		return false, report(opShouldRenew, c.ID, server, c.unresolved)
	}
	return !ends || c.At.After(start), nil
}

// presentCancellation is an active cancellation of the present assignment, with its date under the present billing. If that date cannot
// be computed, unresolved says why, and the date is the one that was planned last.
type presentCancellation struct {
	Cancellation
	unresolved error
}

// readPresent returns the active cancellation of the present assignment of each server that has one, with its date under the present
// billing. A record of an assignment that is over counts for nothing.
func (m *Manager) readPresent(
	ctx context.Context, servers []uuid.UUID, include func(Cancellation) bool,
) (map[uuid.UUID]presentCancellation, error) {
	now := m.now()
	active, err := m.store.Active(ctx, servers)
	if err != nil {
		return nil, err
	}
	active = slices.DeleteFunc(active, func(c Cancellation) bool { return !include(c) })
	wanted := map[uuid.UUID][]uuid.UUID{}
	for _, c := range active {
		wanted[c.ResellerID] = append(wanted[c.ResellerID], c.ServerID)
	}
	from := inventory.Prefetch(ctx, m.servers, wanted)
	present := map[uuid.UUID]presentCancellation{}
	for _, c := range active {
		s, found, err := inventory.Server(ctx, from, c.ResellerID, c.ServerID)
		switch {
		case err != nil:
			return nil, err
		case !found:
			continue
		}
		if p, counts := c.present(s, now); counts {
			present[c.ServerID] = p
		}
	}
	return present, nil
}

// present returns the cancellation as it stands for the server. counts is false if nothing will happen to the server: it has left its
// client, or belongs to a provider.
func (c Cancellation) present(s dedicated.Server, now time.Time) (p presentCancellation, counts bool) {
	switch {
	case !c.holds(s):
		return p, false
	case c.State == Executing:
		return presentCancellation{Cancellation: c}, true
	case !s.Used() || !s.Owner.Own():
		return p, false
	}
	at, err := c.resolveDate(s, now)
	if err == nil {
		c.At = at
	}
	return presentCancellation{c, err}, true
}
