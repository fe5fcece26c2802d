package cancellation

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Every call of a host's part has the deadline Config.StepTimeout, in real time, and runs in a goroutine of its own: see fault.Do. What it
// returns is passed on as it is; the callers make an ErrHost of it by fault.Host.

// boundServers is the host's inventory, with deadlines.
type boundServers struct {
	servers Servers
	calls   *fault.Calls
}

// boundBulkServers is boundServers for an inventory that answers for many servers at once.
type boundBulkServers struct {
	boundServers
	bulk dedicated.BulkInventory
}

// bindServers returns the inventory with deadlines.
func bindServers(s Servers, calls *fault.Calls) Servers {
	bound := boundServers{s, calls}
	if bulk, ok := s.(dedicated.BulkInventory); ok {
		return boundBulkServers{bound, bulk}
	}
	return bound
}

func (b boundServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	return fault.Do(ctx, b.calls, "Servers.Server", func(ctx context.Context) (dedicated.Server, error) {
		return b.servers.Server(ctx, a, id)
	})
}

func (b boundServers) Release(
	ctx context.Context, a dedicated.Actor, id, assignment, lockedBy uuid.UUID, reason string,
) (dedicated.Server, error) {
	return fault.Do(ctx, b.calls, "Servers.Release", func(ctx context.Context) (dedicated.Server, error) {
		return b.servers.Release(ctx, a, id, assignment, lockedBy, reason)
	})
}

func (b boundServers) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	return fault.Do(ctx, b.calls, "Servers.Unlock", func(ctx context.Context) (dedicated.Server, error) {
		return b.servers.Unlock(ctx, a, id, key)
	})
}

func (b boundBulkServers) ServersByID(ctx context.Context, a dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	return fault.Do(ctx, b.calls, "Servers.ServersByID", func(ctx context.Context) ([]dedicated.Server, error) {
		return b.bulk.ServersByID(ctx, a, ids)
	})
}

// callPart calls a part of the host and returns what goes wrong as ErrHost.
func callPart[T any](ctx context.Context, m *Manager, part string, call func(context.Context) (T, error)) (value T, err error) {
	err = fault.Host(ctx, part, func() (err error) {
		value, err = fault.Do(ctx, m.calls, part, call)
		return err
	})
	return value, err
}

// runPart is callPart for a call that returns only an error.
func (m *Manager) runPart(ctx context.Context, part string, call func(context.Context) error) error {
	_, err := callPart(ctx, m, part, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

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

// Pending is what a step returns that has begun something which lasts, such as wiping disks: nothing failed, and the step is called
// again at that instant, but after maxPending at the latest and not before a second has passed. Steps are Servers.Release and
// Unlock, Biller.Refund and the functions of Hooks.Deprovision and Hooks.CloseDown. Everywhere else it is an error like any other.
func Pending(at time.Time) error { return &pendingError{at} }

// The bounds of Pending.
const (
	minPending = time.Second
	maxPending = 24 * time.Hour
)
