package ticket

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// silent says that the note says nothing.
func (n Note) silent() bool { return silent(n.Text, n.Attachments) }

func silent(text string, files []Attachment) bool {
	return strings.TrimSpace(text) == "" && len(files) == 0
}

// counted is the bound that an entry counts against: public comments, internal ones, and records of moves that said
// nothing, so that neither what a client cannot see nor what says nothing takes the room of words.
func (c Comment) counted() string {
	switch {
	case !c.Internal:
		return "public"
	case silent(c.Text, c.Attachments):
		return "silent"
	}
	return "internal"
}

// checkNote refuses a note that its operation cannot take, naming everything that is wrong.
func (s *step) checkNote(rule operation) error {
	if s.note.Internal && s.by.Role == dedicated.Client {
		return &Error{Op: s.op, TicketID: s.before.ID, Field: "Internal", Err: ErrForbidden,
			Msg: "a client writes no internal comments: Internal must be false"}
	}
	found := s.note.faults()
	if rule.words && s.note.silent() {
		found = append(found, FieldError{"Text", "missing: " + s.op + " needs a comment"})
	}
	if rule.public && s.note.Internal {
		found = append(found, FieldError{"Internal", s.op + " is for others to read: it takes no internal comment"})
	}
	if e := wrong(s.op, found); e != nil {
		e.TicketID = s.before.ID
		return e
	}
	return nil
}

// comment is the note as an entry of a thread. One that says nothing is the reseller's alone: it records the move.
func (s *step) comment() Comment {
	return Comment{
		ID: cmp.Or(s.note.ID, s.fresh), By: s.by, At: s.now, Op: s.op, Internal: s.note.Internal || s.note.silent(),
		Text: s.note.Text, Attachments: slices.Clone(s.note.Attachments),
	}
}

// append puts what was said at the end of the thread. A note that says nothing leaves an entry only if it has an ID, by which
// a repeat is known, and while there is room.
func (s *step) append() error {
	if s.note.silent() && s.note.ID == uuid.Nil {
		return nil
	}
	said, alike := s.comment(), 0
	for _, c := range s.after.Thread {
		if c.counted() == said.counted() {
			alike++
		}
	}
	switch {
	case alike < MaxThread:
		s.after.Thread = append(s.after.Thread, said)
	case !s.note.silent():
		return &Error{Op: s.op, TicketID: s.before.ID, Field: "Text", Err: ErrConflict,
			Msg: fmt.Sprintf("the thread of ticket %s has %d comments, the most there may be: open a new one", s.before.Ref, MaxThread)}
	}
	return nil
}

// repeated finds out whether the note was said before: errUnchanged where it was by a step like this one, ErrConflict
// where its ID is another's.
func (m *Manager) repeated(s *step) error {
	t := s.before
	if s.note.ID == uuid.Nil {
		return nil
	}
	said := slices.IndexFunc(t.Thread, func(c Comment) bool { return c.ID == s.note.ID })
	if said >= 0 {
		return s.sameAs(t.Thread[said], s.comment())
	}
	if t.Upstream == nil {
		return nil
	}
	said = slices.IndexFunc(t.Upstream.Thread, func(c Comment) bool { return c.ID == s.note.ID })
	if said < 0 {
		return nil
	}
	again, err := m.upstreamComment(s)
	if err != nil {
		return err
	}
	return s.sameAs(t.Upstream.Thread[said], again)
}

func (s *step) sameAs(stored, again Comment) error {
	if stored.Op == again.Op && stored.By == again.By && stored.Internal == again.Internal && stored.Text == again.Text &&
		slices.Equal(stored.Attachments, again.Attachments) {
		return errUnchanged
	}
	return &Error{Op: s.op, TicketID: s.before.ID, Field: "ID", Err: ErrConflict,
		Msg: fmt.Sprintf("the ID %s is taken by another comment", s.note.ID)}
}

// Comment adds to the thread; a client's public words also answer a question (needs_details) and reopen what is closed,
// within Config.ReopenWithin; later is ErrConflict. Internal comments are the reseller's alone.
func (m *Manager) Comment(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Comment", id, n, nil)
}

// Confirm decides to do what is asked for; the client is told in the words of the note, which must say something.
func (m *Manager) Confirm(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Confirm", id, n, nil)
}

// Reject decides not to do it, also after a confirmation; the client is told in the words of the note, which must say
// something.
func (m *Manager) Reject(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Reject", id, n, nil)
}

// AskDetails asks the client, in the words of the note, which must say something. The ticket is undecided then, and open
// again with the client's answer.
func (m *Manager) AskDetails(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "AskDetails", id, n, nil)
}

// Complete says that what was confirmed is done. The note may be empty.
func (m *Manager) Complete(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Complete", id, n, nil)
}

// Close ends a ticket, in whatever status it is. The note may be empty.
func (m *Manager) Close(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Close", id, n, nil)
}

// Reopen takes up again what is done, rejected or closed: it is undecided then. A client may reopen what is closed within
// Config.ReopenWithin. Where a ticket of the same unique kind is open meanwhile, it is ErrConflict. The note may be empty.
func (m *Manager) Reopen(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Reopen", id, n, nil)
}

// Assign gives the ticket to one of the reseller's staff; nil: to nobody. Nobody is told.
func (m *Manager) Assign(ctx context.Context, a dedicated.Actor, id, assignee uuid.UUID) error {
	return m.do(ctx, a, "Assign", id, Note{}, func(_ context.Context, s *step) error {
		if s.before.Assignee == assignee {
			return errUnchanged
		}
		s.after.Assignee = assignee
		return nil
	})
}

// SetPriority sets the priority, 1 to 99, as of now; it rises from there with waiting. Nobody is told.
func (m *Manager) SetPriority(ctx context.Context, a dedicated.Actor, id uuid.UUID, priority int) error {
	return m.do(ctx, a, "SetPriority", id, Note{}, func(_ context.Context, s *step) error {
		if priority < LowestPriority || priority > HighestPriority {
			return invalid(s.op, "priority", "%d: %d to %d is wanted", priority, LowestPriority, HighestPriority)
		}
		s.after.Priority = priority
		s.after.UrgentAt = m.aging.urgentAt(priority, s.now)
		return nil
	})
}
