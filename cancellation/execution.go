package cancellation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// An execution commits once before its first call of a host's part, once between two calls and once after the last. Each commit records
// that the call before has returned, and that the next is begun (BegunAt). So a record that is claimed with BegunAt tells that its
// worker died or hangs, and that is counted as a failure. What is only asked (the server, the bill, the formula, the gates) shares
// the commit of what it is asked for: before the execution it shares one deadline as well, so that the lease outlasts it.

// errDied is the failure of a call whose process never recorded that it returned.
var errDied = errors.New("the process that executed the step died or hangs")

// execute carries a claimed cancellation through its execution, as far as possible now.
func (m *Manager) execute(ctx context.Context, c Cancellation) error {
	now := m.now()
	if m.left.adopt(c, now) {
		return nil // keepLeft renews its lease
	}
	if c.State == Executing && !c.Abandoned {
		if paused, err := m.pauseIfAsked(ctx, c); paused || err != nil {
			return err
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
	asking, cancel := fault.Within(ctx, m.config.StepTimeout)
	defer cancel()
	due, err := m.readAndDecide(asking, calm, map[uuid.UUID]Settings{}, m.servers, now)
	if err != nil {
		return m.callFailed(ctx, c, err, m.now())
	}
	if due.action != execute {
		_, err = m.commitOrGiveBack(ctx, c, due.decision, now)
		return err
	}
	next, err := m.prepare(asking, due)
	if err == nil {
		err = m.askGates(asking, opExecution, inventory.System(c.ResellerID), next)
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
	c.addSteps()
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
	c.addSteps()
	for {
		step, ok := m.nextStep(c)
		if !ok {
			return fault.Nonsense("store", errors.New("an execution has no step that is not done"))
		}
		failure := step.run(m, ctx, &c)
		now := m.now()
		next, facts, goesOn, err := m.afterCall(ctx, c, step.name, failure, now)
		switch {
		case errors.Is(err, errLost):
			return nil // another process continues
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
		idle := c
		idle.BegunAt = time.Time{}
		if paused, err := m.pauseIfAsked(ctx, idle); paused || err != nil {
			return err
		}
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
	c.RetryAt = time.Time{} // the failures before it still count: only a step that succeeds clears them
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
	next.neverDue()
	return next, err
}
