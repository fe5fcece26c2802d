package cancellation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
)

// step is a part of the execution. run must be safe to repeat, also by another process. It may
// record in c what it learns. calls reports whether it calls a part of the
// host; if not, it is done without running.
type step struct {
	name  string
	run   func(m *Manager, ctx context.Context, c *Cancellation) error
	calls func(m *Manager, c Cancellation) bool
}

// steps returns the parts of the execution, in order.
func steps() []step {
	always := func(*Manager, Cancellation) bool { return true }
	return []step{
		{StepRelease, (*Manager).releaseServer, always},
		{StepDeprovision, (*Manager).deprovisionServer, func(m *Manager, _ Cancellation) bool { return len(m.config.Hooks.Deprovision) > 0 }},
		{StepRefund, (*Manager).pay, func(m *Manager, c Cancellation) bool { return c.Refund.Total.IsPositive() || m.remembersRefunds() }},
		{StepCloseDown, (*Manager).closeDown, func(m *Manager, _ Cancellation) bool { return len(m.config.Hooks.CloseDown) > 0 }},
		{StepDone, (*Manager).unlockServer, always},
	}
}

// errAssignmentChanged: the server is not under the cancellation's assignment any more, or not the reseller's own.
var errAssignmentChanged = errors.New("the server has changed")

// errLost: another process has changed the record in the middle of a step, and continues there.
var errLost = errors.New("another process has changed the cancellation")

// renew records, between two calls of one step, that the one has returned and the other is begun. So the lease outlasts each call.
func (m *Manager) renew(ctx context.Context, c *Cancellation) error {
	now := m.now()
	next := *c
	next.BegunAt = now
	m.extendLease(&next, now)
	err := m.recordDecision(ctx, now, decision{cancellation: next})
	if errors.Is(err, ErrConflict) {
		return errLost
	}
	if err == nil {
		*c = next
		c.Version++
	}
	return err
}

// addSteps adds the steps that the record lacks, in order.
func (c *Cancellation) addSteps() {
	var all []Step
	for _, s := range steps() {
		step := Step{Name: s.name}
		if i := slices.IndexFunc(c.Steps, func(has Step) bool { return has.Name == s.name }); i >= 0 {
			step = c.Steps[i]
		}
		all = append(all, step)
	}
	c.Steps = all
}

// look reads the server. It may not answer Pending, which is for calls that have begun something.
func (m *Manager) look(ctx context.Context, c Cancellation) (s dedicated.Server, found bool, err error) {
	s, found, err = inventory.Server(ctx, m.servers, c.ResellerID, c.ServerID)
	return s, found, refusePending("Servers.Server", err)
}

// readForStep reads the server right before a step that cannot be undone.
func (m *Manager) readForStep(ctx context.Context, c Cancellation) (dedicated.Server, error) {
	s, found, err := m.look(ctx, c)
	switch {
	case err != nil:
		return s, err
	case !found:
		return s, fmt.Errorf("%w: it does not exist any more", errAssignmentChanged)
	case !c.holds(s) || !s.Used() && s.State != dedicated.CleanUp:
		return s, fmt.Errorf("%w: it is %s, and not under assignment %s any more", errAssignmentChanged, s.State, c.Assignment)
	case s.LockedBy != c.ID && s.LockedBy != uuid.Nil:
		return s, fmt.Errorf("%w: it is locked by cancellation %s", errAssignmentChanged, s.LockedBy)
	case !s.Owner.Own():
		return s, fmt.Errorf("%w: it belongs to a provider now", errAssignmentChanged)
	}
	return s, nil
}

func (m *Manager) releaseServer(ctx context.Context, c *Cancellation) error {
	if _, err := m.readForStep(ctx, *c); err != nil {
		return err
	}
	return m.lockServer(ctx, *c)
}

// lockServer releases the server and locks it, also if it is released already.
func (m *Manager) lockServer(ctx context.Context, c Cancellation) error {
	return fault.Run(ctx, m.calls, "Servers.Release", func(ctx context.Context) error {
		_, err := m.config.Servers.Release(ctx, inventory.System(c.ResellerID), c.ServerID, c.Assignment, c.ID, c.Reason)
		return err
	})
}

func (m *Manager) deprovisionServer(ctx context.Context, c *Cancellation) error {
	s, err := m.readForStep(ctx, *c)
	if err == nil && s.LockedBy != c.ID { // somebody has unlocked it by hand: it could get its next client during the wipe
		if err = m.lockServer(ctx, *c); err == nil {
			s, err = m.readForStep(ctx, *c)
		}
		if err == nil {
			err = m.renew(ctx, c)
		}
	}
	if err != nil {
		return err
	}
	return m.callDeprovision(ctx, c, s)
}

func (m *Manager) pay(ctx context.Context, c *Cancellation) error {
	booked, found, err := m.bookedBefore(ctx, *c)
	if err != nil {
		return err
	}
	if found {
		c.Refund = booked
	}
	if !c.Refund.Total.IsPositive() {
		return nil
	}
	if m.config.Biller == nil { // the process that fixed the refund has one
		missing := fmt.Errorf("Config.Biller is missing, and the refund is %s %s", c.Refund.Total.StringFixed(c.Places), c.Currency)
		return fault.Nonsense("Config", missing)
	}
	return fault.Run(ctx, m.calls, "Biller.Refund", func(ctx context.Context) error { return m.config.Biller.Refund(ctx, c.refund()) })
}

func (m *Manager) closeDown(ctx context.Context, c *Cancellation) error {
	released := dedicated.Released{
		ResellerID: c.ResellerID, ServerID: c.ServerID, ClientID: c.ClientID, Assignment: c.Assignment,
		CancellationID: c.ID, Reason: c.Reason,
	}
	for _, s := range c.Steps {
		if s.Name == StepRelease {
			released.At = s.Done
		}
	}
	return m.callCloseDown(ctx, c, released)
}

// unlockServer unlocks the server. It succeeds if the server is not locked by the cancellation any more: it may have another client by
// now.
func (m *Manager) unlockServer(ctx context.Context, c *Cancellation) error {
	err := fault.Run(ctx, m.calls, "Servers.Unlock", func(ctx context.Context) error {
		_, err := m.config.Servers.Unlock(ctx, inventory.System(c.ResellerID), c.ServerID, c.ID)
		return err
	})
	var host *fault.HostError
	if !errors.As(err, &host) || !host.Caused(ErrConflict) && !host.Caused(ErrNotFound) {
		return err
	}
	s, found, readErr := m.look(ctx, *c)
	if readErr == nil && (!found || s.LockedBy != c.ID) {
		return nil
	}
	return err
}

// endAsChanged ends an execution whose server has changed. It does nothing to the server, except that it removes the lock of this
// cancellation, which nobody else would remove.
func (m *Manager) endAsChanged(ctx context.Context, c Cancellation, reason error) error {
	s, found, err := m.look(ctx, c)
	if err == nil && found && s.LockedBy == c.ID {
		err = m.unlockServer(ctx, &c)
	}
	now := m.now()
	if err != nil {
		return m.callFailed(ctx, c, err, now)
	}
	next, err := c.fail(OpAssignmentChanged, reason.Error(), now)
	if err != nil {
		return err
	}
	_, err = m.commitOrGiveBack(ctx, c, decision{next, next.givenUpFacts(c.taken(s, found))}, now)
	return err
}

// taken reports whether the client of the execution has lost its server. The answer of a Release may have been lost.
func (c Cancellation) taken(s dedicated.Server, found bool) bool {
	return c.stepDone(StepRelease) || !found || !c.holds(s) || !s.Used()
}

// finishAbandoned ends an execution that the reseller has given up: it unlocks the server.
func (m *Manager) finishAbandoned(ctx context.Context, c Cancellation) error {
	err := m.unlockServer(ctx, &c)
	var s dedicated.Server
	found := false
	if err == nil && !c.stepDone(StepRelease) {
		s, found, err = m.look(ctx, c)
	}
	now := m.now()
	var pending *pendingError
	switch {
	case errors.As(err, &pending):
		_, err = m.commitOrGiveBack(ctx, c, decision{cancellation: c.pending(pending.at, now)}, now)
		return err
	case err != nil:
		return m.callFailed(ctx, c, fmt.Errorf("abandoning: %w", err), now)
	}
	next, err := c.move(OpAbandon)
	if err != nil {
		return err
	}
	next.RetryAt = time.Time{}
	next.neverDue()
	_, err = m.commitOrGiveBack(ctx, c, decision{next, next.givenUpFacts(c.taken(s, found))}, now)
	return err
}
