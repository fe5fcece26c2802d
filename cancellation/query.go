package cancellation

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Cancellation returns a cancellation that the actor may see. A client sees those of its own use of a server, also after
// that has ended, without the work behind them.
func (m *Manager) Cancellation(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Cancellation, error) {
	c, err := m.seen(ctx, a, "Cancellation", id)
	if err != nil {
		return Cancellation{}, asError("Cancellation", id, uuid.Nil, err)
	}
	return c.view(a), nil
}

// Cancellations lists the actor's reseller's cancellations by planned date, ties by ID; next is the cursor for
// Query.After, "" at the end. A client gets its own, and may not ask what is stuck: that is ErrForbidden. A cursor that is
// not this list's, a negative limit and a To before From are ErrInvalid.
func (m *Manager) Cancellations(ctx context.Context, a dedicated.Actor, q Query) (items []Cancellation, next string, err error) {
	const op = "Cancellations"
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return nil, "", nobody(op, a)
	}
	q.From, q.To = zone.Instant(q.From), zone.Instant(q.To)
	if !q.To.IsZero() && q.To.Before(q.From) {
		return nil, "", invalid(op, "To", "%s is before From, %s", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	}
	if a.Role == dedicated.Client {
		if q.Stuck {
			return nil, "", &Error{Op: op, Field: "Stuck", Err: ErrForbidden, Msg: "what is stuck is the reseller's to know"}
		}
		if q.ClientID != uuid.Nil && q.ClientID != a.ID {
			return nil, "", nil
		}
		q.ClientID = a.ID
	}
	items, next, err = m.config.Store.Cancellations(ctx, a.ResellerID, q)
	for i := range items {
		items[i] = items[i].view(a)
	}
	return items, next, asError(op, uuid.Nil, uuid.Nil, err)
}

// Badge is what a list of servers shows beside a name.
type Badge struct {
	CancellationID uuid.UUID
	At             time.Time // the planned date
	By             dedicated.Role
	State          State // Scheduled or Executing
}

func (c Cancellation) sign() Badge {
	return Badge{CancellationID: c.ID, At: c.At, By: c.By.Role, State: c.State}
}

// Badges returns the badges of those of the servers that are going to be cancelled, as far as the actor may see them: a
// reseller those of its servers, a client those of its own use.
func (m *Manager) Badges(ctx context.Context, a dedicated.Actor, servers []uuid.UUID) (map[uuid.UUID]Badge, error) {
	const op = "Badges"
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return nil, nobody(op, a)
	}
	active, err := m.active(ctx, servers, func(c Cancellation) bool {
		return a.Manages(c.ResellerID) || a.IsClient(c.ResellerID, c.ClientID)
	})
	if err != nil {
		return nil, asError(op, uuid.Nil, uuid.Nil, err)
	}
	signs := map[uuid.UUID]Badge{}
	for server, c := range active {
		signs[server] = c.sign()
	}
	return signs, nil
}

// Ends returns when those of the servers that are going to be cancelled end. It is trusted: it knows no actor. It fits
// backup.Config.Ends.
func (m *Manager) Ends(ctx context.Context, servers []uuid.UUID) (map[uuid.UUID]time.Time, error) {
	active, err := m.active(ctx, servers, func(Cancellation) bool { return true })
	if err != nil {
		return nil, asError("Ends", uuid.Nil, uuid.Nil, err)
	}
	ends := map[uuid.UUID]time.Time{}
	for server, c := range active {
		ends[server] = c.At
	}
	return ends, nil
}

// active is the active cancellation of each server that has one; of several, of which one must be of a use that has
// ended, that which was asked for last.
func (m *Manager) active(ctx context.Context, servers []uuid.UUID, keep func(Cancellation) bool) (map[uuid.UUID]Cancellation, error) {
	all, err := m.config.Store.Active(ctx, servers)
	if err != nil {
		return nil, err
	}
	active := map[uuid.UUID]Cancellation{}
	for _, c := range all {
		if other, ok := active[c.ServerID]; keep(c) && (!ok || c.Asked.After(other.Asked)) {
			active[c.ServerID] = c
		}
	}
	return active, nil
}

// ShouldRenew tells the host's invoicing whether the billing period that starts at start is to be charged: not if the server is
// going to be cancelled at start or before. It is trusted: it knows no actor.
//
// Cancelling comes before renewing. So ask ShouldRenew first, then read the server, and charge only what is still in use under
// the same assignment: a cancellation that is executed in between is caught by the one or by the other.
func (m *Manager) ShouldRenew(ctx context.Context, server uuid.UUID, start time.Time) (bool, error) {
	const op = "ShouldRenew"
	now := m.now()
	all, err := m.config.Store.Active(ctx, []uuid.UUID{server})
	if err != nil {
		return false, asError(op, uuid.Nil, server, err)
	}
	for _, c := range all {
		at, err := m.present(ctx, c, now)
		if err != nil {
			return false, c.about(op, err)
		}
		if !at.IsZero() && !at.After(start) {
			return false, nil
		}
	}
	return true, nil
}

// present is the planned instant under the server's present billing; zero: the server has left its client or become a
// provider's, nothing will happen.
func (m *Manager) present(ctx context.Context, c Cancellation, now time.Time) (time.Time, error) {
	s, err := m.config.Servers.Server(ctx, system(c.ResellerID), c.ServerID)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && !c.holds(s):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	case c.State == Executing:
		return c.At, nil
	case !s.Used() || !s.Owner.Own():
		return time.Time{}, nil
	}
	return c.follow(s, now)
}
