package cancellation

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Hooks are the host's say and the host's part in a cancellation. The zero value says and does nothing. Functions of one
// kind run in order, in the caller's goroutine and never inside a store call; several plug-ins are joined by appending
// them. They may be called by many goroutines at once. A panic in one is its error.
type Hooks struct {
	// Gate functions may refuse to schedule, to reschedule and to begin an execution, before anything is written; the
	// first refusal wins. c is the cancellation as it would become: Version 0 for a new one, State executing, with the
	// refund, for one about to be executed. A gate that switches cancelling off refuses only Version 0, so that open ones
	// finish. They run once an operation; a refused execution stays scheduled, with the reason in LastError, and is tried
	// again later. What a gate returns is found by errors.Is, beside ErrForbidden.
	Gate []func(ctx context.Context, c Cancellation) error
	// Deprovision functions are a step of the execution: wipe the disks, take the addresses back. s is the server, which
	// is checked to be still under the cancellation's assignment right before. All of them run again until all have
	// succeeded once in the same try: they must be idempotent, by c.ID.
	Deprovision []func(ctx context.Context, c Cancellation, s dedicated.Server) error
	// CloseDown functions are a step too, after the refund: what other packages keep for the server ends. Like those of
	// Deprovision they run again until they succeed. Package backup wants this Manager's Ends, and this one its CloseServer:
	// make the backups first, and let their Config.Ends be a function that asks a variable which is set afterwards.
	CloseDown []func(ctx context.Context, d dedicated.Released) error
}

func (h Hooks) ask(ctx context.Context, op string, c Cancellation) error {
	for n, gate := range h.Gate {
		err := fault.Guard(fmt.Sprintf("gate %d", n+1), func() error { return gate(ctx, c.clone()) })
		if err != nil {
			return &Error{
				Op: op, CancellationID: c.ID, ServerID: c.ServerID,
				Msg: fmt.Sprintf("%s of the cancellation of server %s was refused: %s", op, c.ServerName, fault.Reason(err)),
				Err: fmt.Errorf("%w: %w", ErrForbidden, err),
			}
		}
	}
	return nil
}

func (h Hooks) deprovision(ctx context.Context, c Cancellation, s dedicated.Server) error {
	for n, hook := range h.Deprovision {
		err := fault.Guard(fmt.Sprintf("deprovision hook %d", n+1), func() error { return hook(ctx, c.clone(), s) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (h Hooks) closeDown(ctx context.Context, d dedicated.Released) error {
	for n, hook := range h.CloseDown {
		err := fault.Guard(fmt.Sprintf("close-down hook %d", n+1), func() error { return hook(ctx, d) })
		if err != nil {
			return err
		}
	}
	return nil
}
