package ticket

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/notify"
)

// CloseServer closes the tickets of the use that has ended, and tells the reseller of each that was still asking for
// something. What the client is told of its server's end is not the tickets' to say. It fits cancellation's
// Hooks.CloseDown. It may be repeated: what is closed stays as it is. A Departure without IDs is ErrInvalid; its Reason is
// made one line of at most dedicated.MaxReason bytes.
func (m *Manager) CloseServer(ctx context.Context, d dedicated.Released) error {
	const op = "CloseServer"
	if d.ResellerID == uuid.Nil || d.ServerID == uuid.Nil || d.Assignment == uuid.Nil {
		return invalid(op, "Released", "ResellerID, ServerID and Assignment are wanted")
	}
	now, reason := m.now(), text.Clean(d.Reason, dedicated.MaxReason)
	q := Query{ServerID: d.ServerID, States: []Status{Open, NeedsDetails, Confirmed, Forwarded, Done, Rejected}, Sort: "age"}
	err := m.each(ctx, d.ResellerID, q, func(t Ticket) error {
		if t.Assignment != d.Assignment {
			return nil
		}
		return m.depart(ctx, t.ID, reason, now)
	})
	return asError(op, uuid.Nil, err)
}

// depart closes one ticket whose server has left its client.
func (m *Manager) depart(ctx context.Context, id uuid.UUID, reason string, now time.Time) error {
	return fault.Retry(ctx, func() error {
		t, err := m.store.Ticket(ctx, id)
		if err != nil || t.Status == Closed {
			return err
		}
		return m.commit(ctx, m.departed(t, reason, now))
	})
}

// departed is the step that closes a ticket whose server has left its client.
func (m *Manager) departed(t Ticket, reason string, now time.Time) step {
	s := m.closed("CloseServer", t, now)
	if t.Status.working() {
		s.facts = []fact{{KindServerLeft, m.report(s.after, nil, reason)}}
	}
	return s
}

// closed is a step of the library itself that closes a ticket and tells nobody yet.
func (m *Manager) closed(op string, t Ticket, now time.Time) step {
	s := step{op: op, by: dedicated.Actor{Role: dedicated.System, ResellerID: t.ResellerID}, now: now, before: t, after: t.clone()}
	s.after.Status, s.after.UniqueKey = Closed, ""
	m.schedule(&s)
	m.plan(&s.after, now)
	return s
}

// Subscriber closes the tickets of servers that were released, whoever released them. Tick finds those of which no event
// came.
func (m *Manager) Subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name:  "ticket",
		Kinds: []notify.Kind{dedicated.KindReleased},
		Handle: func(ctx context.Context, e notify.Event) error {
			d, err := dedicated.ParseReleased(e)
			if err != nil {
				return notify.Permanent(err)
			}
			err = m.CloseServer(ctx, d)
			if errors.Is(err, ErrInvalid) {
				return notify.Permanent(err)
			}
			return err
		},
	}
}
