package dedicated

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// Hooks are the host's say in what happens. The zero value says nothing.
type Hooks struct {
	// Gate functions may refuse a change before anything is written, in order; the first refusal wins. s is the server as
	// it would become. They run once an operation, in the caller's goroutine and never inside a store call, on every path
	// that changes a server. What a gate returns is found by errors.Is, beside ErrForbidden; a panic counts as a refusal.
	// They may be called by many goroutines at once.
	Gate []func(ctx context.Context, a Actor, s Server) error
}

func (h *Hooks) ask(ctx context.Context, op string, a Actor, s Server) error {
	for n, gate := range h.Gate {
		err := fault.Guard(fmt.Sprintf("gate %d", n+1), func() error { return gate(ctx, a, s) })
		if err != nil {
			return &Error{
				Op: op, ServerID: s.ID, Msg: fmt.Sprintf("%s of server %s (%s) was refused: %s", op, s.Name, s.ID, fault.Reason(err)),
				Err: fmt.Errorf("%w: %w", ErrForbidden, err),
			}
		}
	}
	return nil
}
