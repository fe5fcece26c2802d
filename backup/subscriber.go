package backup

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
)

// Subscriber ends a server's backups when the server leaves its client: on the event "dedicated.released", however the server
// was released. It may be used together with CloseServer in cancellation's hooks: the second of the two finds nothing to do.
func (m *Manager) Subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name:  "backup",
		Kinds: []notify.Kind{dedicated.KindReleased},
		Handle: func(ctx context.Context, e notify.Event) error {
			released, err := dedicated.ParseReleased(e)
			if err != nil {
				return notify.Permanent(err)
			}
			return m.CloseServer(ctx, released)
		},
	}
}

// CloseServer ends everything that is bound to an assignment: it cancels the pending tasks with the reason of the release, and
// ends their requests. The client is told once. Requests of another assignment of the server stay. It may be called late and
// repeatedly. It fits cancellation's Hooks.CloseDown. ErrInvalid is a release without a reseller, a server or an
// assignment.
//
// It is trusted: it takes no actor and asks no gate. Its error is for the log: it repeats what the host's parts said.
func (m *Manager) CloseServer(ctx context.Context, released dedicated.Released) error {
	if released.ResellerID == uuid.Nil || released.ServerID == uuid.Nil || released.Assignment == uuid.Nil {
		return invalid(OpCloseServer, "Released", "it needs a ResellerID, a ServerID and an Assignment")
	}
	return report(OpCloseServer, ids{server: released.ServerID}, m.closeAssignment(ctx, released, m.now()))
}

// releaseOf is the release that a Tick assumes if the server of a request has left its client.
func releaseOf(r Request, now time.Time) dedicated.Released {
	return dedicated.Released{
		ResellerID: r.ResellerID, ServerID: r.ServerID, ClientID: r.ClientID, Assignment: r.Assignment, At: now,
	}
}

// closeAssignment ends everything that is bound to an assignment, in one change. A release with a client ends only what
// belongs to this client: the host's servers may have no assignments.
func (m *Manager) closeAssignment(ctx context.Context, released dedicated.Released, now time.Time) error {
	until := now // nothing was missed after the client had left
	if !released.At.IsZero() && released.At.Before(now) {
		until = zone.Instant(released.At)
	}
	_, err := manage.Operation[[]reading, Change]{
		Read: func(ctx context.Context) ([]reading, error) { return m.readBound(ctx, released, until) },
		Decide: func(bound []reading) (Change, bool, error) {
			c, err := m.closed(bound, released.Reason, until, now)
			return c, len(c.Requests) > 0, err
		},
		Commit: func(ctx context.Context, c Change) error { return m.store.Commit(ctx, c) },
	}.Run(ctx)
	return err
}

// readBound reads the requests of an assignment that are live or have a pending task, in the order of their IDs.
func (m *Manager) readBound(ctx context.Context, released dedicated.Released, until time.Time) ([]reading, error) {
	var found []uuid.UUID
	bound := func(assignment, client uuid.UUID) bool {
		return assignment == released.Assignment && (released.ClientID == uuid.Nil || client == released.ClientID)
	}
	for r, err := range m.requests(ctx, released.ResellerID, RequestQuery{ServerID: released.ServerID, Live: true}) {
		if err != nil {
			return nil, err
		}
		if bound(r.Assignment, r.ClientID) {
			found = append(found, r.ID)
		}
	}
	for t, err := range m.tasks(ctx, released.ResellerID, TaskQuery{ServerID: released.ServerID, States: []State{Pending}}) {
		if err != nil {
			return nil, err
		}
		if bound(t.Assignment, t.ClientID) {
			found = append(found, t.RequestID)
		}
	}
	var readings []reading
	for _, id := range manage.Distinct(found) {
		request, err := m.store.Request(ctx, id)
		if err != nil {
			return nil, nonsense(err)
		}
		r := reading{request: request}
		if err := m.readTasks(ctx, &r, until, false); err != nil {
			return nil, err
		}
		readings = append(readings, r)
	}
	return readings, nil
}

// closed returns the change that ends the requests of an assignment. It is empty if all have ended already.
func (m *Manager) closed(bound []reading, reason string, until, now time.Time) (Change, error) {
	reason = cmp.Or(text.Clean(reason, MaxReason), "the use of the server has ended")
	var c Change
	var first *series
	notice := EndNotice{Reason: reason}
	for _, r := range bound {
		s := r.series(m.config, until)
		if !s.request.Live() && len(s.pending()) == 0 {
			continue // it has ended since it was listed
		}
		tasks, err := s.cancelAll(OpCloseServer, now, Closed, reason)
		if err != nil {
			return Change{}, err
		}
		own, err := s.change(now)
		if err != nil {
			return Change{}, err
		}
		c.Requests, c.Tasks = append(c.Requests, own.Requests...), append(c.Tasks, own.Tasks...)
		notice.Tasks = append(notice.Tasks, s.endTasks(tasks)...)
		notice.ServerID, notice.ServerName = s.request.ServerID, s.request.ServerName
		if first == nil {
			first = s
		}
	}
	if first == nil {
		return Change{}, nil
	}
	events, err := manage.Events(m.config.Epoch, now, []manage.Fact{first.endFact(KindClosed, notice)})
	c.Events = events
	return c, err
}
