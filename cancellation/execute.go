package cancellation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// step is a part of the execution. run must be safe to repeat, also by another process at the same time.
type step struct {
	name string
	run  func(m *Manager, ctx context.Context, c Cancellation) error
}

// steps are the execution, in order.
func steps() []step {
	return []step{
		{StepRelease, (*Manager).release},
		{StepDeprovision, (*Manager).deprovision},
		{StepRefund, (*Manager).pay},
		{StepCloseDown, (*Manager).closeDown},
		{StepDone, (*Manager).unlock},
	}
}

// goOn goes on with an execution that has begun.
func (m *Manager) goOn(ctx context.Context, c Cancellation, now time.Time) error {
	// What was claimed with many others may have waited for them: whoever has it now must have it long enough.
	late := c.LeaseUntil.Before(now.Add(m.config.Lease / 2))
	died := c.Attempts == 0 && !c.Abandoned // else a lease would not have ended
	if died {
		c.Attempts, c.LastError, c.RetryAt = 1, "whoever was at it did not finish: it died, or hangs", now
	}
	if late || died {
		m.lease(&c, now)
		if err := m.commit(ctx, now, c); err != nil {
			return unlessLost(err)
		}
		c.Version++
	}
	return m.resume(ctx, c)
}

// begin begins an execution.
func (m *Manager) begin(ctx context.Context, e execution, now time.Time) error {
	c, err := m.prepare(ctx, e, now)
	if err != nil {
		return m.refused(ctx, e, err, now)
	}
	if err := m.commit(ctx, now, c, e.facts...); err != nil {
		return unlessLost(err)
	}
	c.Version++
	return m.resume(ctx, c)
}

// prepare fixes what the execution will do, refund included, and asks the gates.
func (m *Manager) prepare(ctx context.Context, e execution, now time.Time) (Cancellation, error) {
	c := e.after
	owed, err := m.owed(ctx, e.settings, e.server, c.At)
	if err != nil {
		return c, err
	}
	c.Refund, c.Currency, c.Places = owed, e.server.Billing.Currency, e.server.Billing.Places
	for _, s := range steps() {
		c.Steps = append(c.Steps, Step{Name: s.name})
	}
	c.SettingsVersion = e.settings.Saved
	c.record(now, system(c.ResellerID), didBegin, "", c.At, time.Time{})
	m.lease(&c, now)
	return c, m.config.Hooks.ask(ctx, "Execution", c)
}

// refused gives back an execution that could not begin: it stays scheduled. A gate's refusal is not an error.
func (m *Manager) refused(ctx context.Context, e execution, reason error, now time.Time) error {
	c := e.after
	c.State = e.before.State
	o := e.stumbled(c, reason, now)
	err := unlessLost(m.commit(ctx, now, o.after, o.facts...))
	if refusal := new(Error); errors.As(reason, &refusal) && errors.Is(refusal, ErrForbidden) {
		return err
	}
	return errors.Join(reason, err)
}

// lease keeps the record from others until the next step is done.
func (m *Manager) lease(c *Cancellation, now time.Time) {
	c.Due, c.LeaseUntil = c.due(Settings{}, now), now.Add(m.config.Lease)
}

// unlessLost drops the error of who has lost its lease: somebody else goes on.
func unlessLost(err error) error {
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// resume runs the steps that are not done, and commits each when it is.
func (m *Manager) resume(ctx context.Context, c Cancellation) error {
	if c.Abandoned {
		return m.giveUp(ctx, c)
	}
	for _, step := range steps() {
		if c.stepDone(step.name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err // nothing is begun that could not be recorded; the lease ends by itself
		}
		err := fault.Guard("step "+step.name, func() error { return step.run(m, ctx, c) })
		if errors.Is(err, errLost) {
			return m.lose(ctx, c, err)
		}
		now := m.now()
		if err != nil {
			return m.stumble(ctx, c, fmt.Errorf("step %s: %w", step.name, err), now)
		}
		c.finish(step.name, now)
		c.recovered()
		if step.name == StepDone {
			return m.conclude(ctx, c, now)
		}
		m.lease(&c, now)
		if err := m.commit(ctx, now, c); err != nil {
			return unlessLost(err)
		}
		c.Version++
	}
	return nil
}

// conclude commits the end together with everything that is told of it.
func (m *Manager) conclude(ctx context.Context, c Cancellation, now time.Time) error {
	c, err := c.moved(opFinish)
	if err != nil {
		return err
	}
	c.record(now, system(c.ResellerID), didExecute, "", c.At, time.Time{})
	c.Due, c.LeaseUntil = time.Time{}, time.Time{}
	return unlessLost(m.commit(ctx, now, c, c.closing(now)...))
}

// stumble gives back what has failed: a step of an execution, or the look before it.
func (m *Manager) stumble(ctx context.Context, c Cancellation, failure error, now time.Time) error {
	o := outcome{before: c}.stumbled(c, failure, now)
	return errors.Join(failure, unlessLost(m.commit(ctx, now, o.after, o.facts...)))
}

// errLost: the server is not what the cancellation was meant for any more.
var errLost = errors.New("the server is not what it was")

// verified reads the server, right before something is done to it that cannot be undone.
func (m *Manager) verified(ctx context.Context, c Cancellation) (dedicated.Server, error) {
	s, err := m.config.Servers.Server(ctx, system(c.ResellerID), c.ServerID)
	switch {
	case errors.Is(err, ErrNotFound):
		return s, fmt.Errorf("%w: there is none with its ID", errLost)
	case err != nil:
		return s, err
	case !c.holds(s) || !s.Used() && s.State != dedicated.CleanUp:
		return s, fmt.Errorf("%w: it is %s, no longer under assignment %s", errLost, s.State, c.Assignment)
	case s.LockedBy != c.ID && s.LockedBy != uuid.Nil:
		return s, fmt.Errorf("%w: it is busy with cancellation %s", errLost, s.LockedBy)
	case !s.Owner.Own():
		return s, fmt.Errorf("%w: it is a provider's by now", errLost)
	}
	return s, nil
}

func (m *Manager) release(ctx context.Context, c Cancellation) error {
	if _, err := m.verified(ctx, c); err != nil {
		return err
	}
	_, err := m.config.Servers.Release(ctx, system(c.ResellerID), c.ServerID, c.Assignment, c.ID, c.Reason)
	return err
}

func (m *Manager) deprovision(ctx context.Context, c Cancellation) error {
	s, err := m.verified(ctx, c)
	if err != nil {
		return err
	}
	return m.config.Hooks.deprovision(ctx, c, s)
}

func (m *Manager) pay(ctx context.Context, c Cancellation) error {
	if !c.Refund.Total.IsPositive() {
		return nil
	}
	if m.config.Biller == nil { // whoever fixed it has one
		return fmt.Errorf("%w: %s %s are owed, and Config.Biller is missing", ErrInvalid, c.Refund.Total.StringFixed(c.Places), c.Currency)
	}
	return m.config.Biller.Refund(ctx, c.refund())
}

func (m *Manager) closeDown(ctx context.Context, c Cancellation) error {
	d := dedicated.Released{
		ResellerID: c.ResellerID, ServerID: c.ServerID, ClientID: c.ClientID, Assignment: c.Assignment,
		CancellationID: c.ID, Reason: c.Reason,
	}
	for _, s := range c.Steps {
		if s.Name == StepRelease {
			d.At = s.Done
		}
	}
	return m.config.Hooks.closeDown(ctx, d)
}

// unlock lifts the mark. It may have been lifted before, and the server given to somebody else since.
func (m *Manager) unlock(ctx context.Context, c Cancellation) error {
	_, err := m.config.Servers.Unlock(ctx, system(c.ResellerID), c.ServerID, c.ID)
	if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound) {
		return err
	}
	s, readErr := m.config.Servers.Server(ctx, system(c.ResellerID), c.ServerID)
	if errors.Is(readErr, ErrNotFound) || readErr == nil && s.LockedBy != c.ID {
		return nil
	}
	return err
}

// lose ends an execution whose server is not what it was. Nothing is done to the server, but that a mark of this
// cancellation, which nobody else would lift, is lifted.
func (m *Manager) lose(ctx context.Context, c Cancellation, reason error) error {
	err := fault.Guard("Servers", func() error {
		s, err := m.config.Servers.Server(ctx, system(c.ResellerID), c.ServerID)
		if err == nil && s.LockedBy == c.ID {
			err = m.unlock(ctx, c)
		}
		return err
	})
	now := m.now()
	if err != nil && !errors.Is(err, ErrNotFound) {
		return m.stumble(ctx, c, err, now)
	}
	next, err := c.failed(opLost, reason.Error(), now)
	if err != nil {
		return err
	}
	return unlessLost(m.commit(ctx, now, next, next.complain(KindFailed)))
}
