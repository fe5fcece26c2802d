package backup

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
)

// CloseServer ends everything that is bound to a departure's assignment: pending tasks are cancelled with its reason, their
// series end, and the client is told once. What belongs to another assignment of the server stays, so that it may come late
// and more than once. It fits cancellation's Hooks.CloseDown. A departure without a reseller, a server or an assignment is
// ErrInvalid.
//
// Trusted: it asks no actor and no gate.
func (m *Manager) CloseServer(ctx context.Context, d dedicated.Released) error {
	const op = "CloseServer"
	if d.ResellerID == uuid.Nil || d.ServerID == uuid.Nil || d.Assignment == uuid.Nil {
		return invalid(op, "Released", "it wants a ResellerID, a ServerID and an Assignment")
	}
	return asError(op, m.close(ctx, d, m.now()))
}

// close is CloseServer. Tick calls it for the client of a request too, in case the host's servers have no assignments.
func (m *Manager) close(ctx context.Context, d dedicated.Released, now time.Time) error {
	d.Reason = cmp.Or(text.Clean(d.Reason, MaxReason), "the use of the server has ended")
	return fault.Retry(ctx, func() error {
		c, err := m.closing(ctx, d, now)
		if err != nil || len(c.Requests) == 0 {
			return err
		}
		return m.conf.Store.Commit(ctx, c)
	})
}

// departure is what Tick makes of a server that it finds gone.
func departure(r Request, now time.Time) dedicated.Released {
	return dedicated.Released{
		ResellerID: r.ResellerID, ServerID: r.ServerID, ClientID: r.ClientID, Assignment: r.Assignment, At: now,
	}
}

// closing is the one change that ends what is bound to an assignment; empty if nothing is.
func (m *Manager) closing(ctx context.Context, d dedicated.Released, now time.Time) (Change, error) {
	ids, err := m.bound(ctx, d)
	if err != nil {
		return Change{}, err
	}
	until := now // nothing was missed after the client had left
	if !d.At.IsZero() && d.At.Before(now) {
		until = zone.Instant(d.At)
	}
	var c Change
	var notice EndNotice
	for _, id := range ids {
		r, err := m.conf.Store.Request(ctx, id)
		if err != nil {
			return Change{}, err
		}
		s, err := m.load(ctx, r, until, false)
		if err != nil {
			return Change{}, err
		}
		if !s.r.Live() && len(s.pending()) == 0 {
			continue // it has ended since it was listed
		}
		tasks, err := s.stop("CloseServer", now, Closed, d.Reason)
		if err != nil {
			return Change{}, err
		}
		one, err := s.change(now)
		if err != nil {
			return Change{}, err
		}
		c.Requests, c.Tasks = append(c.Requests, one.Requests...), append(c.Tasks, one.Tasks...)
		notice.ServerName = r.ServerName
		notice.Tasks = append(notice.Tasks, s.endTasks(tasks)...)
	}
	if len(c.Requests) == 0 {
		return c, nil
	}
	notice.ServerID, notice.Reason = d.ServerID, d.Reason
	e, err := fact{kind: KindClosed, request: &c.Requests[0], payload: notice}.event(now)
	c.Events = []notify.Event{e}
	return c, err
}

// bound are the requests of an assignment that are live or have a pending task, in the order of their IDs.
func (m *Manager) bound(ctx context.Context, d dedicated.Released) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	q := RequestQuery{ServerID: d.ServerID, Live: true}
	for {
		requests, next, err := m.conf.Store.Requests(ctx, d.ResellerID, q)
		if err != nil {
			return nil, err
		}
		for _, r := range requests {
			if departs(d, r.Assignment, r.ClientID) {
				ids = append(ids, r.ID)
			}
		}
		if q.After = next; next == "" {
			break
		}
	}
	pending := TaskQuery{ServerID: d.ServerID, States: []State{Pending}}
	err := m.each(ctx, d.ResellerID, pending, func(t Task) {
		if departs(d, t.Assignment, t.ClientID) {
			ids = append(ids, t.RequestID)
		}
	})
	return distinct(ids), err
}

// departs says whether what is bound to an assignment to a client ends with a departure.
func departs(d dedicated.Released, assignment, client uuid.UUID) bool {
	return d.Assignment == assignment && (d.ClientID == uuid.Nil || d.ClientID == client)
}

// distinct sorts IDs and leaves each there once.
func distinct(ids []uuid.UUID) []uuid.UUID {
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// Subscriber ends a server's backups when the server leaves its client, however it was released: on the event
// "dedicated.released". It may stand beside CloseServer in cancellation's hooks; whichever comes second finds nothing.
func (m *Manager) Subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name:  "backup",
		Kinds: []notify.Kind{dedicated.KindReleased},
		Handle: func(ctx context.Context, e notify.Event) error {
			d, err := dedicated.ParseReleased(e)
			if err != nil {
				return notify.Permanent(err)
			}
			return m.CloseServer(ctx, d)
		},
	}
}
