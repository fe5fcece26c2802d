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
	"github.com/metalkeep/metalkeep/internal/zone"
)

// step is a part of the execution. run must be safe to repeat, also by another process. calls reports whether it calls a part of the
// host; if not, it is done without running.
type step struct {
	name  string
	run   func(m *Manager, ctx context.Context, c Cancellation) error
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

// An execution commits once before its first call of a host's part, once between two calls and once after the last. Each commit records
// that the call before has returned, and that the next is begun (BegunAt). So a record that is claimed with BegunAt tells that its
// worker died or hangs, and that is counted as a failure.

// errDied is the failure of a call whose process never recorded that it returned.
var errDied = errors.New("the process that executed the step died or hangs")

// execute carries a claimed cancellation through its execution, as far as possible now.
func (m *Manager) execute(ctx context.Context, c Cancellation) error {
	now := m.now()
	if m.left.adopt(c, now) {
		return nil // keepLeft renews its lease
	}
	if c.State == Executing && !c.Abandoned {
		settings, err := m.readSettings(ctx, c.ResellerID)
		if err != nil {
			return m.giveBack(ctx, c, err, now)
		}
		if settings.Paused {
			return m.pauseExecution(ctx, c, now)
		}
	}
	c, begun, err := m.beginCall(ctx, c, now)
	switch {
	case !begun:
		return err
	case c.State == Executing:
		return m.runSteps(ctx, c)
	}
	return m.begin(ctx, c)
}

// beginCall records that a call of a host's part begins. If the worker before died in one, that is a failure, and the call waits as after
// every other failure.
func (m *Manager) beginCall(ctx context.Context, claimed Cancellation, now time.Time) (c Cancellation, begun bool, err error) {
	d := decision{cancellation: claimed}
	if !claimed.BegunAt.IsZero() {
		d = claimed.givenBack(claimed, errDied, claimed.BegunAt)
		if d.cancellation.RetryAt.After(now) {
			return claimed, false, ignoreConflict(m.commit(ctx, now, d))
		}
	}
	d.cancellation.BegunAt = now
	m.extendLease(&d.cancellation, now)
	if stored, err := m.commitOrGiveBack(ctx, claimed, d, now); !stored {
		return claimed, false, err
	}
	d.cancellation.Version++
	return d.cancellation, true, nil
}

// commitOrGiveBack stores what becomes of c, and reports whether it did. If the Store refuses it, c is given back. If another process
// has changed c, it continues there, and that is no error.
func (m *Manager) commitOrGiveBack(ctx context.Context, c Cancellation, d decision, now time.Time) (stored bool, err error) {
	err = m.recordDecision(ctx, now, d)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrConflict):
		return false, nil
	}
	return false, m.giveBack(ctx, c, err, now)
}

// begin begins the execution of a cancellation that is scheduled: it commits what will be done, and then runs the steps.
func (m *Manager) begin(ctx context.Context, c Cancellation) error {
	now := m.now()
	calm := c
	calm.BegunAt = time.Time{}
	due, err := m.readAndDecide(ctx, calm, map[uuid.UUID]Settings{}, m.servers, now)
	if err != nil {
		return m.callFailed(ctx, c, err, m.now())
	}
	if due.action != execute {
		_, err = m.commitOrGiveBack(ctx, c, due.decision, now)
		return err
	}
	next, err := m.prepare(ctx, due)
	if err == nil {
		err = m.askGates(ctx, opExecution, inventory.System(c.ResellerID), next)
	}
	now = m.now()
	if err != nil {
		return m.giveBackRefused(ctx, c, due, err, now)
	}
	next.BegunAt = now
	m.extendLease(&next, now)
	if begun, err := m.commitBegin(ctx, c, due, next, now); !begun {
		return err
	}
	next.Version++
	return m.runSteps(ctx, next)
}

// prepare returns the cancellation as its execution begins, with the steps and the refund that are fixed now.
func (m *Manager) prepare(ctx context.Context, due dueAction) (Cancellation, error) {
	c, err := due.cancellation.move(OpBegin)
	if err != nil {
		return c, err
	}
	owed, err := m.computeRefund(ctx, due.settings, due.server, c.At)
	if err != nil {
		return c, err
	}
	c.Refund, c.Currency, c.Places = owed, due.server.Billing.Currency, due.server.Billing.Decimals()
	for _, s := range steps() {
		c.Steps = append(c.Steps, Step{Name: s.name})
	}
	c.SettingsVersion = due.settings.Saved
	c.record(m.now(), inventory.System(c.ResellerID), entryExecuting, "", c.At, time.Time{})
	return c, nil
}

// giveBackRefused gives back an execution that could not begin. The cancellation stays scheduled. The refusal of a gate is not an
// error.
func (m *Manager) giveBackRefused(ctx context.Context, claimed Cancellation, due dueAction, reason error, now time.Time) error {
	var left *fault.LeftError
	if errors.As(reason, &left) {
		return m.callFailed(ctx, claimed, reason, now)
	}
	if ctx.Err() != nil {
		return m.giveBack(ctx, claimed, reason, now)
	}
	d := claimed.givenBack(due.cancellation, reason, now)
	d.facts = append(due.facts, d.facts...)
	err := ignoreConflict(m.recordDecision(ctx, now, d))
	if errors.Is(reason, ErrForbidden) {
		return err
	}
	return errors.Join(reason, err)
}

// extendLease keeps the record from other processes until the next step is done.
func (m *Manager) extendLease(c *Cancellation, now time.Time) {
	c.PendingUntil = time.Time{}
	c.Due, c.LeaseUntil = c.due(Settings{}, now), now.Add(m.config.Lease)
}

// runSteps runs the steps that are not done, and commits between them. The call of the first one is recorded as begun.
func (m *Manager) runSteps(ctx context.Context, c Cancellation) error {
	if c.Abandoned {
		return m.finishAbandoned(ctx, c)
	}
	for {
		step, ok := m.nextStep(c)
		if !ok {
			return fault.Nonsense("store", errors.New("an execution has no step that is not done"))
		}
		var err error
		c, err = m.runStep(ctx, step, c)
		now := m.now()
		next, facts, goesOn, err := m.afterCall(ctx, c, step.name, err, now)
		switch {
		case errors.Is(err, errAssignmentChanged):
			return m.endAsChanged(ctx, c, err)
		case err != nil:
			return m.callFailed(ctx, c, fmt.Errorf("step %s: %w", step.name, err), now)
		}
		if stored, err := m.commitOrGiveBack(ctx, c, decision{next, facts}, now); !stored || !goesOn {
			return err
		}
		c = next
		c.Version++
	}
}

// nextStep returns the first step that is not done.
func (m *Manager) nextStep(c Cancellation) (step, bool) {
	for _, s := range steps() {
		if !c.stepDone(s.name) {
			return s, true
		}
	}
	return step{}, false
}

// afterCall returns the cancellation after the call of a step returned failure, and whether the next step is to run. After the last step it
// is executed. A step that is pending is called again later; that is no failure.
func (m *Manager) afterCall(
	ctx context.Context, c Cancellation, name string, failure error, now time.Time,
) (next Cancellation, facts []manage.Fact, goesOn bool, err error) {
	var pending *pendingError
	switch {
	case errors.As(failure, &pending):
		return c.pending(pending.at, now), nil, false, nil
	case failure != nil:
		return c, nil, false, failure
	}
	c.finish(name, now)
	c.clearFailures()
	s, ok := m.nextStep(c)
	for ok && !s.calls(m, c) {
		c.finish(s.name, now)
		s, ok = m.nextStep(c)
	}
	if !ok {
		c, err = c.executed(now)
		return c, c.executedFacts(now), false, err
	}
	if ctx.Err() != nil {
		return c.stopped(now), nil, false, nil
	}
	c.BegunAt = now
	m.extendLease(&c, now)
	return c, nil, true, nil
}

// pending returns the cancellation as its current step is called again later.
func (c Cancellation) pending(at, now time.Time) Cancellation {
	c.clearFailures()
	earliest, latest := now.Add(minPending), now.Add(maxPending)
	switch at = zone.Instant(at); {
	case at.Before(earliest):
		at = earliest
	case at.After(latest):
		at = latest
	}
	c.PendingUntil, c.BegunAt, c.LeaseUntil = at, time.Time{}, time.Time{}
	c.Due = c.due(Settings{}, now)
	return c
}

// stopped returns the cancellation as another process continues with it at once, because this one is to end. That is no failure.
func (c Cancellation) stopped(now time.Time) Cancellation {
	c.BegunAt, c.LeaseUntil = time.Time{}, time.Time{}
	c.Due = c.due(Settings{}, now)
	return c
}

// executed returns the cancellation after its last step.
func (c Cancellation) executed(now time.Time) (Cancellation, error) {
	next, err := c.move(OpFinish)
	next.record(now, inventory.System(c.ResellerID), entryExecuted, "", c.At, time.Time{})
	next.Due, next.LeaseUntil, next.BegunAt = time.Time{}, time.Time{}, time.Time{}
	return next, err
}

// errAssignmentChanged: the server is not under the cancellation's assignment any more, or not the reseller's own.
var errAssignmentChanged = errors.New("the server has changed")

// readForStep reads the server right before a step that cannot be undone.
func (m *Manager) readForStep(ctx context.Context, c Cancellation) (dedicated.Server, error) {
	s, found, err := inventory.Server(ctx, m.servers, c.ResellerID, c.ServerID)
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
	return fault.Run(ctx, m.calls, "Servers.Release", func(ctx context.Context) error {
		_, err := m.config.Servers.Release(ctx, inventory.System(c.ResellerID), c.ServerID, c.Assignment, c.ID, c.Reason)
		return err
	})
}

func (m *Manager) deprovisionServer(ctx context.Context, c Cancellation) error {
	s, err := m.readForStep(ctx, c)
	if err != nil {
		return err
	}
	return m.callDeprovision(ctx, c, s)
}

func (m *Manager) pay(ctx context.Context, c Cancellation) error {
	if !c.Refund.Total.IsPositive() {
		return nil
	}
	if m.config.Biller == nil { // the process that fixed the refund has one
		missing := fmt.Errorf("Config.Biller is missing, and the refund is %s %s", c.Refund.Total.StringFixed(c.Places), c.Currency)
		return fault.Nonsense("Config", missing)
	}
	return fault.Run(ctx, m.calls, "Biller.Refund", func(ctx context.Context) error { return m.config.Biller.Refund(ctx, c.refund()) })
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
	return m.callCloseDown(ctx, released)
}

// unlockServer unlocks the server. It succeeds if the server is not locked by the cancellation any more: it may have another client by
// now.
func (m *Manager) unlockServer(ctx context.Context, c Cancellation) error {
	err := fault.Run(ctx, m.calls, "Servers.Unlock", func(ctx context.Context) error {
		_, err := m.config.Servers.Unlock(ctx, inventory.System(c.ResellerID), c.ServerID, c.ID)
		return err
	})
	if cause := hostCause(err); !errors.Is(cause, ErrConflict) && !errors.Is(cause, ErrNotFound) {
		return err
	}
	s, found, readErr := inventory.Server(ctx, m.servers, c.ResellerID, c.ServerID)
	if readErr == nil && (!found || s.LockedBy != c.ID) {
		return nil
	}
	return err
}

// endAsChanged ends an execution whose server has changed. It does nothing to the server, except that it removes the lock of this
// cancellation, which nobody else would remove.
func (m *Manager) endAsChanged(ctx context.Context, c Cancellation, reason error) error {
	s, found, err := inventory.Server(ctx, m.servers, c.ResellerID, c.ServerID)
	if err == nil && found && s.LockedBy == c.ID {
		err = m.unlockServer(ctx, c)
	}
	now := m.now()
	if err != nil {
		return m.callFailed(ctx, c, err, now)
	}
	next, err := c.fail(OpAssignmentChanged, reason.Error(), now)
	if err != nil {
		return err
	}
	_, err = m.commitOrGiveBack(ctx, c, decision{next, next.givenUpFacts()}, now)
	return err
}

// finishAbandoned ends an execution that the reseller has given up: it unlocks the server.
func (m *Manager) finishAbandoned(ctx context.Context, c Cancellation) error {
	err := m.unlockServer(ctx, c)
	now := m.now()
	if err != nil {
		return m.callFailed(ctx, c, fmt.Errorf("abandoning: %w", err), now)
	}
	next, err := c.move(OpAbandon)
	if err != nil {
		return err
	}
	next.RetryAt, next.Due, next.LeaseUntil, next.BegunAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	_, err = m.commitOrGiveBack(ctx, c, decision{next, next.givenUpFacts()}, now)
	return err
}
