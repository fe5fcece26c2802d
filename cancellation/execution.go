package cancellation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// step is a part of the execution. run must be safe to repeat, also by another process at the same time.
type step struct {
	name string
	run  func(m *Manager, ctx context.Context, c Cancellation) error
}

// steps returns the parts of the execution, in order.
func steps() []step {
	return []step{
		{StepRelease, (*Manager).releaseServer},
		{StepDeprovision, (*Manager).deprovisionServer},
		{StepRefund, (*Manager).pay},
		{StepCloseDown, (*Manager).closeDown},
		{StepDone, (*Manager).unlockServer},
	}
}

// continueExecution continues an execution that has begun, also after the death of its worker.
func (m *Manager) continueExecution(ctx context.Context, c Cancellation, now time.Time) error {
	// The record may have waited for others of its batch. The step must have enough of the lease left.
	short := c.LeaseUntil.Before(now.Add(m.config.Lease / 2))
	crashed := c.Attempts == 0 && !c.Abandoned // otherwise the lease would not have ended
	if crashed {
		c.Attempts, c.LastError, c.RetryAt = 1, "the process that executed the step died or hangs", now
	}
	if short || crashed {
		next := c
		m.extendLease(&next, now)
		if stored, err := m.commitOrGiveBack(ctx, c, decision{cancellation: next}, now); !stored {
			return err
		}
		c = next
		c.Version++
	}
	return m.runSteps(ctx, c)
}

// commitOrGiveBack stores what becomes of c, and reports whether it did. If the Store refuses it, c is given back. If another process
// has changed c, it continues there, and that is no error.
func (m *Manager) commitOrGiveBack(ctx context.Context, c Cancellation, d decision, now time.Time) (stored bool, err error) {
	err = m.commit(ctx, now, d)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrConflict):
		return false, nil
	case ctx.Err() != nil:
		return false, err // the lease ends by itself
	}
	return false, m.giveBack(ctx, c, err, now)
}

// begin begins the execution of a claimed cancellation: it commits what will be done, and then runs the steps.
func (m *Manager) begin(ctx context.Context, claimed Cancellation, due dueAction, now time.Time) error {
	c, err := m.prepare(ctx, due, now)
	if err == nil {
		err = m.config.Hooks.ask(ctx, opExecution, c)
	}
	if err != nil {
		return m.giveBackRefused(ctx, claimed, due, err, now)
	}
	if stored, err := m.commitOrGiveBack(ctx, claimed, decision{c, due.facts}, now); !stored {
		return err
	}
	c.Version++
	return m.runSteps(ctx, c)
}

// prepare returns the cancellation as its execution begins, with the steps and the refund that are fixed now.
func (m *Manager) prepare(ctx context.Context, due dueAction, now time.Time) (Cancellation, error) {
	c, err := due.cancellation.move(OpBegin)
	if err != nil {
		return c, err
	}
	owed, err := m.computeRefund(ctx, due.settings, due.server, c.At)
	if err != nil {
		return c, err
	}
	c.Refund, c.Currency, c.Places = owed, due.server.Billing.Currency, due.server.Billing.Places
	for _, s := range steps() {
		c.Steps = append(c.Steps, Step{Name: s.name})
	}
	c.SettingsVersion = due.settings.Saved
	c.record(now, inventory.System(c.ResellerID), entryExecuting, "", c.At, time.Time{})
	m.extendLease(&c, now)
	return c, nil
}

// giveBackRefused gives back an execution that could not begin. The cancellation stays scheduled. The refusal of a gate is not an
// error.
func (m *Manager) giveBackRefused(ctx context.Context, claimed Cancellation, due dueAction, reason error, now time.Time) error {
	d := claimed.givenBack(due.cancellation, reason, now)
	d.facts = append(due.facts, d.facts...)
	err := ignoreConflict(m.commit(ctx, now, d))
	if errors.Is(reason, ErrForbidden) {
		return err
	}
	return errors.Join(reason, err)
}

// extendLease keeps the record from other processes until the next step is done.
func (m *Manager) extendLease(c *Cancellation, now time.Time) {
	c.Due, c.LeaseUntil = c.due(Settings{}, now), now.Add(m.config.Lease)
}

// runSteps runs the steps that are not done, and commits each when it is done.
func (m *Manager) runSteps(ctx context.Context, c Cancellation) error {
	if c.Abandoned {
		return m.finishAbandoned(ctx, c)
	}
	for _, step := range steps() {
		if c.stepDone(step.name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err // no step begins that could not be recorded; the lease ends by itself
		}
		err := step.run(m, ctx, c)
		if errors.Is(err, errAssignmentChanged) {
			return m.endAsChanged(ctx, c, err)
		}
		now := m.now()
		if err != nil {
			return m.giveBack(ctx, c, fmt.Errorf("step %s: %w", step.name, err), now)
		}
		next, facts, err := m.afterStep(c, step.name, now)
		if err != nil {
			return err
		}
		if stored, err := m.commitOrGiveBack(ctx, c, decision{next, facts}, now); !stored {
			return err
		}
		c = next
		c.Version++
	}
	return nil
}

// afterStep returns the cancellation after a step that succeeded. After the last step it is executed.
func (m *Manager) afterStep(c Cancellation, name string, now time.Time) (Cancellation, []manage.Fact, error) {
	c.finish(name, now)
	c.clearFailures()
	if name != StepDone {
		m.extendLease(&c, now)
		return c, nil, nil
	}
	c, err := c.move(OpFinish)
	if err != nil {
		return c, nil, err
	}
	c.record(now, inventory.System(c.ResellerID), entryExecuted, "", c.At, time.Time{})
	c.Due, c.LeaseUntil = time.Time{}, time.Time{}
	return c, c.executedFacts(now), nil
}

// errAssignmentChanged: the server is not under the cancellation's assignment any more, or not the reseller's own.
var errAssignmentChanged = errors.New("the server has changed")

// readForStep reads the server right before a step that cannot be undone.
func (m *Manager) readForStep(ctx context.Context, c Cancellation) (dedicated.Server, error) {
	s, found, err := inventory.Server(ctx, m.config.Servers, c.ResellerID, c.ServerID)
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

func (m *Manager) releaseServer(ctx context.Context, c Cancellation) error {
	if _, err := m.readForStep(ctx, c); err != nil {
		return err
	}
	return fault.Host(ctx, "Servers.Release", func() error {
		_, err := m.config.Servers.Release(ctx, inventory.System(c.ResellerID), c.ServerID, c.Assignment, c.ID, c.Reason)
		return err
	})
}

func (m *Manager) deprovisionServer(ctx context.Context, c Cancellation) error {
	s, err := m.readForStep(ctx, c)
	if err != nil {
		return err
	}
	return m.config.Hooks.deprovision(ctx, c, s)
}

func (m *Manager) pay(ctx context.Context, c Cancellation) error {
	if !c.Refund.Total.IsPositive() {
		return nil
	}
	if m.config.Biller == nil { // the process that fixed the refund has one
		missing := fmt.Errorf("Config.Biller is missing, and the refund is %s %s", c.Refund.Total.StringFixed(c.Places), c.Currency)
		return fault.Nonsense("Config", missing)
	}
	return fault.Host(ctx, "Biller.Refund", func() error { return m.config.Biller.Refund(ctx, c.refund()) })
}

func (m *Manager) closeDown(ctx context.Context, c Cancellation) error {
	released := dedicated.Released{
		ResellerID: c.ResellerID, ServerID: c.ServerID, ClientID: c.ClientID, Assignment: c.Assignment,
		CancellationID: c.ID, Reason: c.Reason,
	}
	for _, s := range c.Steps {
		if s.Name == StepRelease {
			released.At = s.Done
		}
	}
	return m.config.Hooks.closeDown(ctx, released)
}

// unlockServer unlocks the server. It succeeds if the server is not locked by the cancellation any more: it may have another client by
// now.
func (m *Manager) unlockServer(ctx context.Context, c Cancellation) error {
	err := fault.Host(ctx, "Servers.Unlock", func() error {
		_, err := m.config.Servers.Unlock(ctx, inventory.System(c.ResellerID), c.ServerID, c.ID)
		return err
	})
	if cause := hostCause(err); !errors.Is(cause, ErrConflict) && !errors.Is(cause, ErrNotFound) {
		return err
	}
	s, found, readErr := inventory.Server(ctx, m.config.Servers, c.ResellerID, c.ServerID)
	if readErr == nil && (!found || s.LockedBy != c.ID) {
		return nil
	}
	return err
}

// endAsChanged ends an execution whose server has changed. It does nothing to the server, except that it removes the lock of this
// cancellation, which nobody else would remove.
func (m *Manager) endAsChanged(ctx context.Context, c Cancellation, reason error) error {
	s, found, err := inventory.Server(ctx, m.config.Servers, c.ResellerID, c.ServerID)
	if err == nil && found && s.LockedBy == c.ID {
		err = m.unlockServer(ctx, c)
	}
	now := m.now()
	if err != nil {
		return m.giveBack(ctx, c, err, now)
	}
	next, err := c.fail(OpAssignmentChanged, reason.Error(), now)
	if err != nil {
		return err
	}
	_, err = m.commitOrGiveBack(ctx, c, decision{next, []manage.Fact{next.failureNotice(KindFailed)}}, now)
	return err
}

// finishAbandoned ends an execution that the reseller has given up: it unlocks the server.
func (m *Manager) finishAbandoned(ctx context.Context, c Cancellation) error {
	err := m.unlockServer(ctx, c)
	now := m.now()
	if err != nil {
		return m.giveBack(ctx, c, fmt.Errorf("abandoning: %w", err), now)
	}
	next, err := c.move(OpAbandon)
	if err != nil {
		return err
	}
	next.RetryAt, next.Due, next.LeaseUntil = time.Time{}, time.Time{}, time.Time{}
	_, err = m.commitOrGiveBack(ctx, c, decision{next, []manage.Fact{next.failureNotice(KindFailed)}}, now)
	return err
}
