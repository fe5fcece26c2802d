package backup

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Servers is all that this package needs of the host's inventory; *dedicated.Manager fits, and so does a host's own table.
// It is asked as Actor{Role: System, ResellerID: …} and returns everything that it knows of the server, with its
// ResellerID, ClientID, Assignment, State and Owner, or an error that is ErrNotFound. Many goroutines call it at once. One
// that is a dedicated.BulkInventory besides is asked for many servers at once.
type Servers interface {
	Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error)
}

// Hooks are the host's say in what happens. The zero value says nothing.
type Hooks struct {
	// Gate functions may refuse a new or a revised request before anything is written, in order; the first refusal wins. r is
	// the request as it would become; its Version is 0 only for a new one. They run once an operation, in the caller's
	// goroutine and never inside a store call. What a gate returns is found by errors.Is, beside ErrForbidden, and the
	// actor reads it: it must not tell a client what a client may not know. A panic counts as a refusal, of which the actor
	// reads no more than that. They may be called by many goroutines at once.
	Gate []func(ctx context.Context, a dedicated.Actor, r Request) error
}

func (h *Hooks) ask(ctx context.Context, op string, a dedicated.Actor, r Request) error {
	for n, gate := range h.Gate {
		err := fault.Guard(fmt.Sprintf("gate %d", n+1), func() error { return gate(ctx, a, r.clone()) })
		if err != nil {
			return &Error{
				Op: op, RequestID: r.ID, ServerID: r.ServerID,
				Msg: fmt.Sprintf("%s of backups of %s was refused: %s", op, r.ServerName, fault.Reason(err)),
				Err: fmt.Errorf("%w: %w", ErrForbidden, err),
			}
		}
	}
	return nil
}
