package ticket

import (
	"context"
	"fmt"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Hooks are the host's say in what happens. The zero value says nothing.
type Hooks struct {
	// Gate functions may refuse to open a ticket of a kind, in order; the first refusal wins. They are asked before a new
	// ticket is written, once an operation, and by Forms, which leaves out what they refuse; tickets that are open finish.
	// s is the server as the reseller sees it, its owner included. They run in the caller's goroutine, never inside a store
	// call, and may be called by many goroutines at once. What a gate returns is found by errors.Is, beside ErrForbidden, and
	// the actor reads it: it must not tell a client what a client may not know. A panic counts as a refusal, of which the
	// actor reads no more than that.
	Gate []func(ctx context.Context, a dedicated.Actor, k Kind, s dedicated.Server) error
}

func (h Hooks) ask(ctx context.Context, a dedicated.Actor, k Kind, s dedicated.Server) error {
	for n, gate := range h.Gate {
		err := fault.Guard(fmt.Sprintf("gate %d", n+1), func() error { return gate(ctx, a, k, s) })
		if err != nil {
			return &Error{
				Op: "Open", ServerID: s.ID, Field: "Kind", Msg: fmt.Sprintf("a ticket of the kind %s was refused: %s", k, fault.Reason(err)),
				Err: fmt.Errorf("%w: %w", ErrForbidden, err),
			}
		}
	}
	return nil
}
