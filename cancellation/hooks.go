package cancellation

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// Hooks are functions of the host that the Manager calls. The zero value has no hooks. The functions of one field
// run in order, each with the deadline Config.StepTimeout and never inside a store call. To join several plug-ins, append their
// functions. Many goroutines may call them at once.
type Hooks struct {
	// Gate functions may refuse an operation before anything is written, by returning dedicated.Refuse. The first refusal wins and
	// is ErrForbidden, with the message for the actor. Any other error and a panic are ErrHost. Gates run once an operation.
	//
	// op is "Schedule", "Reschedule", "Discard", "Retry", or "Execution" before an execution begins. a is the actor of the
	// operation, for "Execution" System. c is the cancellation as it would become. A new one has Version 0. One that is about to be
	// executed has the state executing and its refund. A gate that switches cancelling off refuses only Version 0, so that
	// open ones finish. A refused execution stays scheduled, with the reason in LastError, and is tried again later. Abandon, Confirm
	// and what Tick does by itself are not gated.
	Gate []func(ctx context.Context, a dedicated.Actor, op string, c Cancellation) error
	// Deprovision functions are a step of the execution: they wipe the disks and take the addresses back. s is the server; the
	// Manager has just checked that it is still under the cancellation's assignment. If one of them fails, all of them run again
	// later, until all succeed in the same attempt. So they must be idempotent by c.ID. A function that takes longer than
	// Config.StepTimeout should begin its work, return Pending, and ask how far it is when it is called again.
	Deprovision []func(ctx context.Context, c Cancellation, s dedicated.Server) error
	// CloseDown functions are the step after the refund: they end what other packages keep for the server. They run again as
	// those of Deprovision do. backup.Manager.CloseServer and ticket.Manager.CloseServer fit. Package backup wants this
	// Manager's Ends: create the backup Manager first, and let its Config.Ends be a function that reads a variable which you
	// set afterwards.
	CloseDown []func(ctx context.Context, d dedicated.Released) error
}

// gate is a function of Hooks.Gate.
type gate = func(context.Context, dedicated.Actor, string, Cancellation) error

// askGates asks the gates. op names the operation.
func (m *Manager) askGates(ctx context.Context, op Op, a dedicated.Actor, c Cancellation) error {
	err := manage.Ask(ctx, m.calls, m.config.Hooks.Gate, func(ctx context.Context, ask gate) error {
		return ask(ctx, a, string(op), c.clone())
	})
	if refusal := manage.Refusal(err); refusal != nil {
		return &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, Err: err,
			Msg: fmt.Sprintf("%s of the cancellation of server %s was refused: %s", op, c.ServerName, refusal.Message)}
	}
	return err
}

// callDeprovision calls the functions of the step in order, with a commit between two of them.
func (m *Manager) callDeprovision(ctx context.Context, c *Cancellation, s dedicated.Server) error {
	for i, hook := range m.config.Hooks.Deprovision {
		part := fmt.Sprintf("deprovision hook %d", i+1)
		if i > 0 {
			if err := m.renew(ctx, c); err != nil {
				return err
			}
		}
		if err := fault.Run(ctx, m.calls, part, func(ctx context.Context) error { return hook(ctx, c.clone(), s) }); err != nil {
			return err
		}
	}
	return nil
}

// callCloseDown is callDeprovision for the other step with functions.
func (m *Manager) callCloseDown(ctx context.Context, c *Cancellation, d dedicated.Released) error {
	for i, hook := range m.config.Hooks.CloseDown {
		part := fmt.Sprintf("close-down hook %d", i+1)
		if i > 0 {
			if err := m.renew(ctx, c); err != nil {
				return err
			}
		}
		if err := fault.Run(ctx, m.calls, part, func(ctx context.Context) error { return hook(ctx, d) }); err != nil {
			return err
		}
	}
	return nil
}
