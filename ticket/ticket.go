package ticket

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Bounds of what people write.
const (
	MaxSubject     = 200       // bytes of UTF-8 in a subject, characters in a field of type text
	MaxText        = 16 * 1024 // bytes in a comment, characters in a field of type long_text
	MaxThread      = 500       // public comments of a ticket, internal ones, moves without words, and entries upstream
	MaxAttachments = 20        // of one comment
	MaxSearch      = 200       // bytes in Query.Text
	MaxFileName    = 255       // bytes in an attachment's name
	MaxMediaType   = 255       // bytes in an attachment's media type; RFC 6838 allows 127 for each half
	MaxKey         = 512       // bytes in an attachment's key
)

// Ticket is a request and everything said about it, as the reseller sees it; View is what a client sees. It belongs to
// one use of a server, its Assignment. All times are in UTC, to the microsecond.
type Ticket struct {
	ID, ResellerID, ClientID, ServerID, Assignment uuid.UUID

	Ref        string // for people: "T-7F3K9Q"; derived from the ID, short, not unique
	ServerName string // as it was when the ticket was opened
	Kind       Kind
	Fields     map[string]json.RawMessage // by name, as the kind's spec said when the ticket was opened
	Subject    string
	Status     Status
	Decision   Status    // "", Confirmed or Rejected; kept through done and closed
	Reminded   time.Time // when the reseller was reminded of its first answer; zero: not
	AnsweredAt time.Time // the reseller's first answer; zero: none yet
	Thread     []Comment
	Upstream   *Upstream // nil: never forwarded
	Assignee   uuid.UUID // who of the reseller's staff has it; nil: nobody
	Priority   int       // 1 to 99. In a Store as it was set; what a Manager returns has risen with waiting since
	UrgentAt   time.Time // when waiting has raised it to 99: the sort key
	UniqueKey  string    // what no two tickets may have at a time; "": nothing
	OpenedAt   time.Time
	ClosesAt   time.Time // when it closes by itself; zero: it does not
	ClosedAt   time.Time // zero: it is not closed
	Due        time.Time // when Tick next looks at it; zero: never
	LeaseUntil time.Time
	Version    int64 // 0: not stored yet
}

// Comment is one entry of a thread.
type Comment struct {
	ID          uuid.UUID
	By          dedicated.Actor // in an upstream thread Role 0 is the provider
	At          time.Time
	Op          string // the Manager's method that it came with: "Comment", "Confirm"; blank in a View
	Internal    bool   // for the reseller alone
	Text        string
	Attachments []Attachment
}

// Attachment refers to a file that the host keeps. The library stores and hands out the reference, never the file. Clients
// send references too: whether a Key is theirs to show is the host's to check, before the note comes here.
type Attachment struct {
	Name      string `json:"name"`       // one line
	MediaType string `json:"media_type"` // RFC 6838, such as image/png; "": unknown
	Key       string `json:"key"`        // how the host finds it; opaque, one line
	Bytes     int64  `json:"bytes"`
}

// Upstream is the linked thread to the provider: never shown to a client, never naming one.
type Upstream struct {
	Ref       string    // what the provider's answers quote: unique, not to be guessed
	Provider  string    // the provider's name
	Reference string    // the provider's name for the server
	Thread    []Comment // all Internal; By with Role 0: the provider's
}

// WaitingOn says who is to act next: the Client, the Reseller, or 0, nobody here. A forwarded ticket waits for the
// provider until it has answered, then for the reseller; one that is done or rejected waits for the reseller while the
// client has the last word.
func (t Ticket) WaitingOn() dedicated.Role {
	switch t.Status {
	case NeedsDetails:
		return dedicated.Client
	case Open, Confirmed:
		return dedicated.Reseller
	case Forwarded:
		if last := t.Upstream.last(); last != nil && last.By.Role == 0 {
			return dedicated.Reseller
		}
	case Done, Rejected:
		if last := lastPublic(t.Thread); last != nil && last.By.Role == dedicated.Client {
			return dedicated.Reseller
		}
	}
	return 0
}

func (u *Upstream) last() *Comment {
	if u == nil || len(u.Thread) == 0 {
		return nil
	}
	return &u.Thread[len(u.Thread)-1]
}

func lastPublic(thread []Comment) *Comment {
	for i := len(thread) - 1; i >= 0; i-- {
		if !thread[i].Internal {
			return &thread[i]
		}
	}
	return nil
}

func (t Ticket) clone() Ticket {
	t.Fields = cloneFields(t.Fields)
	t.Thread = cloneThread(t.Thread)
	if t.Upstream != nil {
		u := *t.Upstream
		u.Thread = cloneThread(u.Thread)
		t.Upstream = &u
	}
	return t
}

func cloneFields(fields map[string]json.RawMessage) map[string]json.RawMessage {
	fields = maps.Clone(fields)
	for name, value := range fields {
		fields[name] = slices.Clone(value)
	}
	return fields
}

func cloneThread(thread []Comment) []Comment {
	thread = slices.Clone(thread)
	for i := range thread {
		thread[i].Attachments = slices.Clone(thread[i].Attachments)
	}
	return thread
}

// Form is a ticket to open.
type Form struct {
	ID       uuid.UUID // optional; a repeat with the same ID and content returns what is stored
	ServerID uuid.UUID
	Kind     Kind
	Subject  string                     // one line of at most MaxSubject bytes; blank: the kind's label
	Text     string                     // the first comment, at most MaxText bytes; blank: none
	Fields   map[string]json.RawMessage // what the kind's spec asks for, by name
}

func (f Form) clone() Form {
	f.Fields = cloneFields(f.Fields)
	return f
}

// Note is what is said along with a move.
type Note struct {
	ID          uuid.UUID // optional; a repeat with the same ID and content changes nothing
	Text        string    // at most MaxText bytes
	Internal    bool      // for the reseller alone; never from a client, nor where the client must hear it
	Attachments []Attachment
}

func (n Note) clone() Note {
	n.Attachments = slices.Clone(n.Attachments)
	return n
}

// faults is everything that is wrong with what the note holds.
func (n Note) faults() []FieldError {
	var found []FieldError
	add := func(field string, err error) {
		if err != nil {
			found = append(found, FieldError{field, err.Error()})
		}
	}
	add("Text", text.Block("Text", n.Text, MaxText))
	if len(n.Attachments) > MaxAttachments {
		return append(found, FieldError{"Attachments", fmt.Sprintf("%d of them, at most %d are allowed", len(n.Attachments), MaxAttachments)})
	}
	for i, file := range n.Attachments {
		at := fmt.Sprintf("Attachments[%d]", i)
		add(at+".Name", text.Filled("the name", file.Name, MaxFileName))
		add(at+".MediaType", text.Line("the media type", file.MediaType, MaxMediaType))
		add(at+".Key", text.Filled("the key", file.Key, MaxKey))
		if file.Bytes < 0 {
			found = append(found, FieldError{at + ".Bytes", "a size is not negative"})
		}
	}
	return found
}
