package cancellation

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/notify"
)

// Subscriber follows dedicated's events: of a server that is billed otherwise, the end of the period moves at once; of one
// that leaves its client, the cancellation is discarded at once. It is a convenience: where a host does not wire it, each
// Tick finds the same when it looks at what is due.
func (m *Manager) Subscriber() notify.Subscriber {
	return notify.Subscriber{
		Name:   "cancellation",
		Kinds:  []notify.Kind{dedicated.KindBillingChanged, dedicated.KindReleased},
		Handle: m.handle,
	}
}

func (m *Manager) handle(ctx context.Context, e notify.Event) error {
	switch e.Kind {
	case dedicated.KindBillingChanged:
		var r dedicated.BillingChanged
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return notify.Permanent(err)
		}
		return m.each(ctx, e.ResellerID, r.ServerID, r.Assignment, func(c Cancellation, now time.Time) (*outcome, error) {
			return m.rebilled(ctx, c, r.At, now)
		})
	case dedicated.KindReleased:
		d, err := dedicated.ParseReleased(e)
		if err != nil {
			return notify.Permanent(err)
		}
		return m.each(ctx, e.ResellerID, d.ServerID, d.Assignment, func(c Cancellation, now time.Time) (*outcome, error) {
			o, err := c.left(now)
			return &o, err
		})
	}
	return nil
}

// each lets do decide about the scheduled cancellation of an assignment, if there is one, and commits.
func (m *Manager) each(
	ctx context.Context, reseller, server, assignment uuid.UUID, do func(Cancellation, time.Time) (*outcome, error),
) error {
	now := m.now()
	return fault.Retry(ctx, func() error {
		active, err := m.config.Store.Active(ctx, []uuid.UUID{server})
		if err != nil {
			return err
		}
		for _, c := range active {
			if c.ResellerID != reseller || c.Assignment != assignment || c.State != Scheduled {
				continue
			}
			o, err := do(c, now)
			if err != nil || o == nil {
				return err
			}
			return m.commit(ctx, now, o.after, o.facts...)
		}
		return nil
	})
}

// rebilled moves the end of the period to where it lies under the present billing, as it was changed at asOf.
func (m *Manager) rebilled(ctx context.Context, c Cancellation, asOf, now time.Time) (*outcome, error) {
	by := system(c.ResellerID)
	s, err := m.config.Servers.Server(ctx, by, c.ServerID)
	if errors.Is(err, ErrNotFound) || err == nil && !c.holds(s) {
		return nil, nil // it has left: a Tick will find that
	}
	if err != nil {
		return nil, err
	}
	at, err := c.follow(s, asOf)
	if err != nil || at.Equal(c.At) {
		return nil, err
	}
	next := c
	next.move(by, didMove, at, s, now)
	return &outcome{before: c, after: next, facts: next.correction(now, c.At, by)}, nil
}
