package cancellation

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

// Subscriber follows the events of package dedicated. When the billing of a server changes, the end of the period moves at
// once. When a server leaves its client, its scheduled cancellation is discarded at once. It is optional: without it, a Tick
// finds the same when it looks at the cancellation. That is once a day for ends of periods, and otherwise when something is due.
func (m *Manager) Subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name:   "cancellation",
		Kinds:  []notify.Kind{dedicated.KindBillingChanged, dedicated.KindReleased},
		Handle: m.handleEvent,
	}
}

func (m *Manager) handleEvent(ctx context.Context, e notify.Event) error {
	now := m.now()
	switch e.Kind {
	case dedicated.KindBillingChanged:
		var b dedicated.BillingChanged
		if err := json.Unmarshal(e.Data, &b); err != nil {
			return notify.Permanent(err)
		}
		return m.follow(ctx, e.ResellerID, b.ServerID, b.Assignment, now, func(r reading) (decision, bool, error) {
			return r.followBilling(b.At, now)
		})
	case dedicated.KindReleased:
		released, err := dedicated.ParseReleased(e)
		if err != nil {
			return notify.Permanent(err)
		}
		return m.follow(ctx, e.ResellerID, released.ServerID, released.Assignment, now, func(r reading) (decision, bool, error) {
			d, err := r.cancellation.discardAsLeft(now)
			return d, true, err
		})
	}
	return nil
}

// follow decides on the scheduled cancellation of an assignment after an event. If there is none, it does nothing.
func (m *Manager) follow(
	ctx context.Context, reseller, server, assignment uuid.UUID, now time.Time,
	decide func(reading) (d decision, write bool, err error),
) error {
	_, err := manage.Operation[reading, decision]{
		Read: func(ctx context.Context) (r reading, err error) {
			if r.active, err = m.store.Active(ctx, []uuid.UUID{server}); err != nil {
				return r, err
			}
			r.server, r.found, err = inventory.Server(ctx, m.servers, reseller, server)
			return r, err
		},
		Decide: func(r reading) (d decision, write bool, err error) {
			for _, c := range r.active {
				if c.ResellerID == reseller && c.Assignment == assignment && c.State == Scheduled && c.Epoch == m.config.Epoch {
					r.cancellation = c
					return decide(r)
				}
			}
			return d, false, nil
		},
		Commit: func(ctx context.Context, d decision) error { return m.commit(ctx, now, d) },
	}.Run(ctx)
	return report(opSubscriber, uuid.Nil, server, err)
}

// followBilling moves the end of the period to its date under the present billing, which changed at asOf.
func (r reading) followBilling(asOf, now time.Time) (d decision, write bool, err error) {
	c := r.cancellation
	if !r.found || !c.holds(r.server) {
		return d, false, nil // the server has left its client: a Tick finds that
	}
	at, err := c.resolveDate(r.server, asOf)
	if err != nil || at.Equal(c.At) {
		return d, false, err
	}
	by := inventory.System(c.ResellerID)
	next := c
	next.moveTo(by, entryMoved, at, r.server, now)
	return decision{next, next.moveFacts(now, c.At, by)}, true, nil
}
