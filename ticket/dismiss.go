package ticket

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// Dismiss says that the client's comment on a ticket that is done or rejected needs no answer, such as a word of thanks. The ticket
// no longer waits for the reseller, and closes by itself Config.AutoClose from now on. Nobody is told.
//
// seen is the ID of the client's newest public comment. If the client has written another one since, that is ErrConflict: read it
// first. A comment that was answered or dismissed already changes nothing. ErrInvalid is a nil seen.
func (m *Manager) Dismiss(ctx context.Context, a dedicated.Actor, id uuid.UUID, seen uuid.UUID) (Ticket, error) {
	return m.change(ctx, call{op: OpDismiss, by: a, id: id}, func(v *move) (bool, error) { return v.dismiss(seen) })
}

func (v *move) dismiss(seen uuid.UUID) (changed bool, err error) {
	t := v.before
	if seen == uuid.Nil {
		return false, invalid(v.op, "seen", "missing: the ID of the client's newest comment")
	}
	last := lastOfClient(t.Thread)
	switch {
	case last == nil:
		return false, &Error{Op: v.op, TicketID: t.ID, Field: "seen", Err: ErrConflict,
			Msg: fmt.Sprintf("the client has not commented on ticket %s (%s): there is nothing to dismiss", t.Ref, t.ID)}
	case last.ID != seen:
		return false, &Error{Op: v.op, TicketID: t.ID, Field: "seen", Err: ErrConflict,
			Msg: fmt.Sprintf("the client's newest comment on ticket %s (%s) is %s, not %s: read it first", t.Ref, t.ID, last.ID, seen)}
	}
	// An older Store may have a ticket that stopped closing by itself because of a comment, without UnansweredSince.
	return !t.UnansweredSince.IsZero() || t.ClosesAt.IsZero() && v.closing >= 0, nil
}
