package ticket

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
)

// empty reports whether the note has neither a text nor a file.
func (n Note) empty() bool { return isEmpty(n.Text, n.Attachments) }

func isEmpty(text string, files []Attachment) bool {
	return strings.TrimSpace(text) == "" && len(files) == 0
}

// faults returns everything that is wrong with the content of the note.
func (n Note) faults() []FieldError {
	var found []FieldError
	add := func(field string, err error) {
		if err != nil {
			found = append(found, FieldError{field, err.Error()})
		}
	}
	add("Text", text.CheckBlock("Text", n.Text, MaxText))
	if len(n.Attachments) > MaxAttachments {
		return append(found, FieldError{"Attachments", fmt.Sprintf("%d attachments, at most %d are allowed", len(n.Attachments), MaxAttachments)})
	}
	for i, file := range n.Attachments {
		at := fmt.Sprintf("Attachments[%d]", i)
		add(at+".Name", text.CheckFilled("the name", file.Name, MaxFileName))
		add(at+".MediaType", text.CheckLine("the media type", file.MediaType, MaxMediaType))
		add(at+".Key", text.CheckFilled("the key", file.Key, MaxKey))
		if file.Bytes < 0 {
			found = append(found, FieldError{at + ".Bytes", fmt.Sprintf("%d is negative", file.Bytes)})
		}
	}
	return found
}

// checkNote refuses a note that the operation does not take. The error names everything that is wrong.
func (v *move) checkNote(required requirement) error {
	if v.note.Internal && v.by.Role == dedicated.Client {
		return &Error{Op: v.op, TicketID: v.before.ID, Field: "Internal", Err: ErrForbidden,
			Msg: "Internal: a client writes no internal comments"}
	}
	found := v.note.faults()
	if required.words && v.note.empty() {
		found = append(found, FieldError{"Text", fmt.Sprintf("missing: %s needs a text or an attachment", v.op)})
	}
	if required.public && v.note.Internal {
		found = append(found, FieldError{"Internal", fmt.Sprintf("%s takes no internal comment, because others read it", v.op)})
	}
	if v.note.WithoutReference && v.op != OpForward {
		found = append(found, FieldError{"WithoutReference", fmt.Sprintf("only Forward takes it, not %s", v.op)})
	}
	if e := invalidFields(v.op, found); e != nil {
		e.TicketID = v.before.ID
		return e
	}
	return nil
}

// bound is the part of a thread that has a bound of its own.
type bound uint8

const (
	publicComments bound = iota
	internalComments
	emptyMoves
)

// bound returns the bound that the comment counts against. Internal comments do not take the room of a client's comments, and
// empty notes do not take the room of either.
func (c Comment) bound() bound {
	switch {
	case !c.Internal:
		return publicComments
	case isEmpty(c.Text, c.Attachments):
		return emptyMoves
	}
	return internalComments
}

// comment returns the note as an entry of the thread. An empty note is internal: it records the move.
func (v *move) comment() Comment {
	return Comment{
		ID: cmp.Or(v.note.ID, v.ids.comment), By: v.by, At: v.now, Op: v.op, Internal: v.note.Internal || v.note.empty(),
		Text: v.note.Text, Attachments: slices.Clone(v.note.Attachments),
	}
}

// appendNote adds the note to the thread. An empty note is added only if it has an ID, which identifies a repeat, and if there is
// room.
func (v *move) appendNote() error {
	if v.note.empty() && v.note.ID == uuid.Nil {
		return nil
	}
	added, count, ofClient := v.comment(), 0, 0
	for _, c := range v.after.Thread {
		if c.bound() == added.bound() {
			count++
			if c.By.Role == dedicated.Client {
				ofClient++
			}
		}
	}
	client := v.by.Role == dedicated.Client
	switch {
	case v.note.empty() && count >= v.threadBound(added):
		return nil
	case client && !v.note.empty() && ofClient >= MaxOfClient:
		return v.full("it has %d comments of the client", MaxOfClient)
	case count >= v.threadBound(added):
		return v.full("it has %d comments", count)
	}
	v.after.Thread = append(v.after.Thread, added)
	return nil
}

// threadBound returns how many entries the part of the thread may have that a comment is added to. The last part of the public
// comments, and of the empty notes, is kept for the reseller's moves, so that neither the client nor a long conversation takes them.
func (v *move) threadBound(added Comment) int {
	if added.bound() != internalComments && v.by.Role != dedicated.Client && v.op != OpComment {
		return MaxThread + MaxMoves
	}
	return MaxThread
}

func (v *move) full(format string, args ...any) error {
	return &Error{Op: v.op, TicketID: v.before.ID, Field: "Text", Err: ErrConflict,
		Msg: fmt.Sprintf("the thread of ticket %s is full: "+format+"; open a new ticket", append([]any{v.before.Ref}, args...)...)}
}

// checkRoom refuses a client that reopens a ticket whose public comments are at their bound. The rest is kept for the reseller,
// who would have to use it up.
func (v *move) checkRoom(to Status) error {
	if v.by.Role != dedicated.Client || !to.active() || v.before.Status.active() {
		return nil
	}
	count := 0
	for _, c := range v.before.Thread {
		if c.bound() == publicComments {
			count++
		}
	}
	if count >= MaxThread {
		return v.full("it has %d comments", count)
	}
	return nil
}

// find returns the comment that has an ID, and the upstream thread in which it is; nil if it is in the ticket's own thread. The
// comment is nil if no thread has it.
func (t Ticket) find(id uuid.UUID) (*Comment, *Upstream) {
	if id == uuid.Nil {
		return nil, nil
	}
	has := func(c Comment) bool { return c.ID == id }
	if i := slices.IndexFunc(t.Thread, has); i >= 0 {
		return &t.Thread[i], nil
	}
	for u := range t.upstreams() {
		if i := slices.IndexFunc(u.Thread, has); i >= 0 {
			return &u.Thread[i], u
		}
	}
	return nil, nil
}

// isRepeat reports whether the note is stored already, by the same operation. Another comment with its ID is ErrConflict.
func (v *move) isRepeat() (bool, error) {
	stored, upstream := v.before.find(v.note.ID)
	if stored == nil {
		return false, nil
	}
	if upstream == nil {
		if stored.equals(v.comment()) {
			return true, nil
		}
		return false, v.otherComment()
	}
	unnamed := *upstream // the reference may have been added since
	unnamed.Reference = ""
	for _, u := range []*Upstream{upstream, &unnamed} {
		again, err := v.upstreamComment(u)
		if err != nil {
			return false, err
		}
		if stored.equals(again) {
			return true, nil
		}
	}
	return false, v.otherComment()
}

// equals reports whether two comments have the same content, by the same actor with the same operation.
func (c Comment) equals(other Comment) bool {
	return c.Op == other.Op && c.By == other.By && c.Internal == other.Internal && c.Text == other.Text &&
		slices.Equal(c.Attachments, other.Attachments)
}

func (v *move) otherComment() error {
	return &Error{Op: v.op, TicketID: v.before.ID, Field: "ID", Err: ErrConflict,
		Msg: fmt.Sprintf("another comment has the ID %s", v.note.ID)}
}
