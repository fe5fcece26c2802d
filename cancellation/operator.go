package cancellation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Retry makes what is stuck due at once. One that is not stuck, is over, or is being tried at the moment is ErrConflict.
// Clients are refused: ErrForbidden.
func (m *Manager) Retry(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Cancellation, error) {
	const op = "Retry"
	return m.change(ctx, a, op, id, func(c Cancellation, now time.Time) (*outcome, error) {
		if err := c.operable(op, a, now); err != nil {
			return nil, err
		}
		next := c
		next.RetryAt, next.LeaseUntil = now, time.Time{}
		next.Due = next.due(Settings{}, now)
		next.record(now, a, didRetry, "", time.Time{}, time.Time{})
		return &outcome{before: c, after: next}, nil
	})
}

// Abandon ends a stuck execution as failed: it lifts LockedBy by Servers.Unlock (the server stays in clean_up), keeps the steps
// done and the refund as recorded, and issues no further refund. The reason is one line of at most dedicated.MaxReason
// bytes, or "". Where Unlock fails, the error is returned and ticks go on trying to lift LockedBy; nothing else is done any more.
//
// One that is not stuck, is over, or is being tried at the moment is ErrConflict, as is one that is still scheduled: that is
// discarded. Clients are refused: ErrForbidden.
func (m *Manager) Abandon(ctx context.Context, a dedicated.Actor, id uuid.UUID, reason string) (Cancellation, error) {
	const op = "Abandon"
	c, err := m.change(ctx, a, op, id, func(c Cancellation, now time.Time) (*outcome, error) {
		if err := c.operable(op, a, now); err != nil {
			return nil, err
		}
		if err := checkReason(op, "reason", reason); err != nil {
			return nil, err
		}
		next := c
		next.Abandoned = true
		next.record(now, a, didAbandon, reason, time.Time{}, time.Time{})
		m.lease(&next, now)
		return &outcome{before: c, after: next}, nil
	})
	if err != nil {
		return c, err
	}
	if err := m.giveUp(ctx, c); err != nil {
		return Cancellation{}, c.about(op, err)
	}
	return m.Cancellation(ctx, a, id)
}

// giveUp finishes what Abandon has begun.
func (m *Manager) giveUp(ctx context.Context, c Cancellation) error {
	err := fault.Guard("Servers.Unlock", func() error { return m.unlock(ctx, c) })
	now := m.now()
	if err != nil {
		return m.stumble(ctx, c, fmt.Errorf("abandoning: %w", err), now)
	}
	next, err := c.moved("Abandon")
	if err != nil {
		return err
	}
	next.RetryAt, next.Due, next.LeaseUntil = time.Time{}, time.Time{}, time.Time{}
	return unlessLost(m.commit(ctx, now, next, next.complain(KindFailed)))
}

// operable says whether an operator may act: the reseller, on what is stuck and rests. An execution under no lease is stuck
// without a failure too: whoever was at it died, or hangs.
func (c Cancellation) operable(op string, a dedicated.Actor, now time.Time) error {
	refuse := &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, State: c.State}
	if !a.Manages(c.ResellerID) {
		refuse.Err, refuse.Msg = ErrForbidden, op+" is the reseller's, not a client's"
		return refuse
	}
	if _, err := c.moved(op); err != nil {
		return err
	}
	refuse.Err = ErrConflict
	switch {
	case c.Attempts == 0 && c.State == Scheduled:
		refuse.Msg = fmt.Sprintf("the cancellation of server %s (%s) is not stuck: nothing has failed", c.ServerName, c.ID)
		return refuse
	case c.LeaseUntil.After(now):
		refuse.Msg = fmt.Sprintf("the cancellation of server %s (%s) is being tried at the moment, until %s at the latest: wait for that",
			c.ServerName, c.ID, date(c.LeaseUntil, c.place()))
		return refuse
	}
	return nil
}
