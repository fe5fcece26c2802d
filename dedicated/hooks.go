package dedicated

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/internal/manage"
)

// Hooks are functions of the host that the Manager calls. The zero value has no hooks.
type Hooks struct {
	// Gate functions may refuse a change before it is written, by returning Refuse. They run in order; the first refusal wins
	// and is ErrForbidden, with the message for the actor. Any other error and a panic are ErrHost. s is the server as it would
	// become. Gates run once an operation, each with the deadline Config.CallTimeout, never inside a store call, and for every operation
	// that changes a server. Many goroutines may call them at once.
	Gate []func(ctx context.Context, a Actor, s Server) error
}

func (m *Manager) askGates(ctx context.Context, op Op, a Actor, s Server) error {
	err := manage.Ask(ctx, m.calls, m.hooks.Gate, func(ctx context.Context, gate func(context.Context, Actor, Server) error) error {
		return gate(ctx, a, s)
	})
	if refusal := manage.Refusal(err); refusal != nil {
		return &Error{Op: op, ServerID: s.ID, Err: err,
			Msg: fmt.Sprintf("%s of server %s (%s) was refused: %s", op, s.Name, s.ID, refusal.Message)}
	}
	return err
}
