package backup

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// Hooks are functions of the host that the Manager calls. The zero value has no hooks.
type Hooks struct {
	// Gate functions may refuse a new or a revised request before it is written, by returning dedicated.Refuse. They run in
	// order; the first refusal wins and is ErrForbidden, with the message for the actor. Any other error and a panic are
	// ErrHost. r is the request as it would become; its Version is 0 only if it is new. Gates run once an operation, each with the
	// deadline Config.CallTimeout, never inside a store call. Many goroutines may call them at once.
	Gate []func(ctx context.Context, a dedicated.Actor, r Request) error
}

func (m *Manager) askGates(ctx context.Context, op Op, a dedicated.Actor, r Request) error {
	type gate = func(context.Context, dedicated.Actor, Request) error
	err := manage.Ask(ctx, m.calls, m.config.Hooks.Gate, func(ctx context.Context, g gate) error { return g(ctx, a, r.clone()) })
	if refusal := manage.Refusal(err); refusal != nil {
		return &Error{Op: op, RequestID: r.ID, ServerID: r.ServerID, Err: err,
			Msg: fmt.Sprintf("%s of backups of server %s was refused: %s", op, r.ServerName, refusal.Message)}
	}
	return err
}
