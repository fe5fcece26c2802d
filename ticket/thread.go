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
	added, count := v.comment(), 0
	for _, c := range v.after.Thread {
		if c.bound() == added.bound() {
			count++
		}
	}
	switch {
	case count < MaxThread:
		v.after.Thread = append(v.after.Thread, added)
	case !v.note.empty():
		return &Error{Op: v.op, TicketID: v.before.ID, Field: "Text", Err: ErrConflict,
			Msg: fmt.Sprintf("the thread of ticket %s is full: it has %d comments; open a new ticket", v.before.Ref, MaxThread)}
	}
	return nil
}

// find returns the comment of the thread, or of the upstream thread, that has an ID; nil if none has it.
func (t Ticket) find(id uuid.UUID) (found *Comment, upstream bool) {
	if id == uuid.Nil {
		return nil, false
	}
	for i := range t.Thread {
		if t.Thread[i].ID == id {
			return &t.Thread[i], false
		}
	}
	if t.Upstream != nil {
		for i := range t.Upstream.Thread {
			if t.Upstream.Thread[i].ID == id {
				return &t.Upstream.Thread[i], true
			}
		}
	}
	return nil, false
}

// isRepeat reports whether the note is stored already, by the same operation. Another comment with its ID is ErrConflict.
func (v *move) isRepeat() (bool, error) {
	stored, upstream := v.before.find(v.note.ID)
	if stored == nil {
		return false, nil
	}
	again := v.comment()
	if upstream {
		var err error
		if again, err = v.upstreamComment(); err != nil {
			return false, err
		}
	}
	if stored.Op == again.Op && stored.By == again.By && stored.Internal == again.Internal && stored.Text == again.Text &&
		slices.Equal(stored.Attachments, again.Attachments) {
		return true, nil
	}
	return false, &Error{Op: v.op, TicketID: v.before.ID, Field: "ID", Err: ErrConflict,
		Msg: fmt.Sprintf("another comment has the ID %s", v.note.ID)}
}
