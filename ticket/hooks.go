package ticket

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// Hooks are functions of the host that the Manager calls. The zero value has no hooks.
type Hooks struct {
	// Gate functions may refuse to open a ticket of a kind, by returning dedicated.Refuse. They run in order; the first refusal
	// wins and is ErrForbidden, with the message for the actor. Any other error and a panic are ErrHost. s is the server as the
	// reseller sees it, with its owner; a message to a client must not repeat that.
	//
	// Open asks the gates once, before a new ticket is written. Forms asks them for each kind, and leaves out the kinds that they
	// refuse. Tickets that are open already are not affected. Gates run each with the deadline Config.CallTimeout, never inside a
	// store call. Many goroutines may call them at once.
	Gate []func(ctx context.Context, a dedicated.Actor, k Kind, s dedicated.Server) error
}

func (m *Manager) askGates(ctx context.Context, op Op, a dedicated.Actor, k Kind, s dedicated.Server) error {
	type gate = func(context.Context, dedicated.Actor, Kind, dedicated.Server) error
	err := manage.Ask(ctx, m.calls, m.hooks.Gate, func(ctx context.Context, g gate) error { return g(ctx, a, k, s) })
	if refusal := manage.Refusal(err); refusal != nil {
		return &Error{Op: op, ServerID: s.ID, Field: "Kind", Err: err,
			Msg: fmt.Sprintf("a ticket of the kind %s was refused: %s", k, refusal.Message)}
	}
	return err
}
