package ticket

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/notify"
)

// Subscriber closes the tickets of a server that leaves its client: on the event "dedicated.released", however the server was
// released. It is optional: without it, a Tick finds the same. It may be used together with CloseServer in cancellation's hooks:
// the second of the two finds nothing to do.
func (m *Manager) Subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name:  "ticket",
		Kinds: []notify.Kind{dedicated.KindReleased},
		Handle: func(ctx context.Context, e notify.Event) error {
			released, err := dedicated.ParseReleased(e)
			if err != nil {
				return notify.Permanent(err)
			}
			err = m.CloseServer(ctx, released)
			if errors.Is(err, ErrInvalid) {
				return notify.Permanent(err)
			}
			return err
		},
	}
}

// CloseServer closes all tickets of an assignment that has ended. The reseller is told of each that was not done, rejected or
// closed yet. The client is not told: others tell it of the end of its server. Tickets of another assignment of the server stay.
// It may be called late and repeatedly. It fits cancellation's Hooks.CloseDown. If one ticket fails, CloseServer goes on with the
// others and joins the errors. ErrInvalid is a release without a reseller, a server or an assignment. The Reason is made one line
// of at most dedicated.MaxReason bytes.
//
// It is trusted: it takes no actor and asks no gate. Its error is for the log: it repeats what the host's parts said.
func (m *Manager) CloseServer(ctx context.Context, released dedicated.Released) error {
	if released.ResellerID == uuid.Nil || released.ServerID == uuid.Nil || released.Assignment == uuid.Nil {
		return invalid(OpCloseServer, "Released", "it needs a ResellerID, a ServerID and an Assignment")
	}
	now, reason := m.now(), text.Clean(released.Reason, dedicated.MaxReason)
	var errs []error
	for t, err := range m.tickets(ctx, released.ResellerID, Query{ServerID: released.ServerID, States: unfinishedStatuses(), Sort: "age"}) {
		if err == nil && t.Assignment == released.Assignment {
			err = m.closeAsLeft(ctx, t.ID, reason, now)
		}
		if err != nil {
			errs = append(errs, report(OpCloseServer, t.ID, released.ServerID, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// closeAsLeft closes one ticket whose server has left its client. A closed ticket stays as it is.
func (m *Manager) closeAsLeft(ctx context.Context, id uuid.UUID, reason string, now time.Time) error {
	_, err := manage.Operation[Ticket, *move]{
		Read: func(ctx context.Context) (Ticket, error) { return m.store.Ticket(ctx, id) },
		Decide: func(t Ticket) (*move, bool, error) {
			v := m.rules.bySystem(OpCloseServer, reading{before: t}, now)
			if t.Status == Closed {
				return v, false, nil
			}
			return v, true, v.closeAsLeft(reason)
		},
		Commit: m.commit,
	}.Run(ctx)
	return err
}
