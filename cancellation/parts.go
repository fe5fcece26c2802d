package cancellation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// record writes what a call has done. It goes on after the end of ctx, because what was done and is not recorded is done again. If it
// fails then, the error is that of ctx.
func (m *Manager) record(ctx context.Context, write func(context.Context) error) error {
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.config.StepTimeout)
	defer cancel()
	err := write(recording)
	var host *fault.HostError
	if errors.As(err, &host) && host.Answer == nil {
		host.Ended = ctx.Err()
	}
	return err
}

// recordDecision is record for a decision.
func (m *Manager) recordDecision(ctx context.Context, now time.Time, d decision) error {
	return m.record(ctx, func(ctx context.Context) error { return m.commit(ctx, now, d) })
}

// pendingError is what Pending returns.
type pendingError struct{ at time.Time }

// Error says until when.
func (e *pendingError) Error() string { return "pending until " + e.at.Format(time.RFC3339) }

// refusePending turns Pending into an error of a part that may not answer it, because it is only asked.
func refusePending(part string, err error) error {
	var pending *pendingError
	if errors.As(err, &pending) {
		return fault.Nonsense(part, fmt.Errorf("it is %s: want an answer", pending.Error()))
	}
	return err
}

// Pending is what a step returns that has begun something which lasts, such as wiping disks: nothing failed, and the step is called
// again at that instant, but after maxPending at the latest and not before a second has passed. Steps are Servers.Release and
// Unlock, Biller.Refund and the functions of Hooks.Deprovision and Hooks.CloseDown. Everywhere else it is an error like any other.
func Pending(at time.Time) error { return &pendingError{at} }

// The bounds of Pending.
const (
	minPending = time.Second
	maxPending = 24 * time.Hour
)
