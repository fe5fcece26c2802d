package ticket

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// The bounds of texts and threads.
const (
	MaxSubject     = 200       // bytes of UTF-8 in a subject; characters in a field of type text
	MaxText        = 16 * 1024 // bytes of UTF-8 in a comment; characters in a field of type long_text
	MaxThread      = 500       // entries each: public comments, internal comments, empty notes, and an upstream thread
	MaxOfClient    = 250       // of the public comments may be the client's
	MaxMoves       = 50        // more entries than MaxThread for the notes of the reseller's moves, and for forwards in an upstream thread
	MaxClientMails = 5         // mails to the reseller about a client's moves until the reseller answers; then one a day
	MaxFormer      = 20        // upstream threads to former providers of the server
	MaxAttachments = 20        // of one comment
	MaxSearch      = 200       // bytes in Query.Text
	MaxFileName    = 255       // bytes in an attachment's name
	MaxMediaType   = 255       // bytes in an attachment's media type; RFC 6838 allows 127 for each half
	MaxKey         = 512       // bytes in an attachment's key
)

// Ticket is a request and its thread, as the reseller sees it; a client sees a View. It belongs to one use of a server, its
// Assignment. All times are in UTC, to the microsecond.
type Ticket struct {
	ID, ResellerID, ClientID, ServerID, Assignment uuid.UUID

	Ref        string // for people: "T-7F3K9Q"; derived from the ID, short, not unique
	ServerName string // the name when the ticket was opened
	Kind       Kind
	Fields     map[string]json.RawMessage // by name, as the kind's spec declared them when the ticket was opened
	Subject    string
	Status     Status
	Decision   Status    // "", Confirmed or Rejected; done and closed keep it
	Reminded   time.Time // when the reseller was last reminded to answer; zero: not reminded of what waits now
	AnsweredAt time.Time // when the reseller first answered; zero: not yet
	// UnansweredSince is when the client wrote the first comment on a ticket that is done or rejected which the reseller has neither
	// answered nor dismissed; zero: no comment waits. Meanwhile the ticket waits for the reseller and does not close
	// by itself.
	UnansweredSince time.Time
	// ClientMails counts the mails to the reseller about the client's comments, closings and reopenings since the reseller's last
	// answer, at most MaxClientMails.
	ClientMails int
	TellAt      time.Time // when a Tick tells the reseller of the client's moves that no mail told of; zero: there are none
	Thread      []Comment
	Upstream    *Upstream  // the thread to the provider; nil: never forwarded
	Former      []Upstream // the threads to providers that the server had before, the oldest first, at most MaxFormer
	Assignee    uuid.UUID  // the member of the reseller's staff that it is assigned to; nil: nobody
	Priority    int        // 1 to 99. A Store keeps it as it was set; a Manager adds the waiting since then
	// UrgentAt is when waiting will have raised the priority to 99: the sort key. While the reseller is not waited for it is 2000
	// years later than the rest of the time alone would have it, so that the ticket comes after all that the reseller is waited for.
	UrgentAt   time.Time
	PausedAt   time.Time // since when the reseller is not waited for; zero: it is waited for
	UniqueKey  string    // at most one ticket has it at a time; "": no key
	OpenedAt   time.Time
	LastAt     time.Time // the last change by a person, and the closing
	ClosesAt   time.Time // when it closes by itself; zero: it does not
	ClosedAt   time.Time // zero: it is not closed
	Due        time.Time // when a Tick next looks at it; zero: never
	LeaseUntil time.Time
	Version    int64 // 0: not stored yet
}

// Comment is one entry of a thread.
type Comment struct {
	ID          uuid.UUID
	By          dedicated.Actor // in an upstream thread Role 0 is the provider
	At          time.Time
	Op          Op   // the operation that it came with: OpComment, OpConfirm; "" in a View
	Internal    bool // for the reseller alone
	Text        string
	Attachments []Attachment
}

// Attachment refers to a file that the host keeps. The library stores and returns the reference and never touches the file.
// Clients send references, too: before it passes on a Note, the host must check that the client may use the Key.
type Attachment struct {
	Name      string `json:"name"`       // one line, not blank
	MediaType string `json:"media_type"` // RFC 6838, such as image/png; "": unknown
	Key       string `json:"key"`        // by which the host finds the file; opaque, one line, not blank
	Bytes     int64  `json:"bytes"`      // the size of the file
}

// Upstream is the linked thread to the provider. A client never sees it, and nothing in it names the client.
type Upstream struct {
	Ref       string    // the reference that the provider's answers quote: unique, and it cannot be guessed
	Provider  string    // the provider's name
	Reference string    // the provider's name for the server; "": unknown
	Thread    []Comment // all Internal; By has Role 0 in the provider's answers
}

// WaitingOn returns the role that has to act next: dedicated.Client, dedicated.Reseller, or 0 for neither. A forwarded ticket
// waits for the provider until the provider has answered, and then for the reseller. A ticket that is done or rejected waits for
// the reseller if the client has commented on that, until the reseller answers or dismisses it.
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
		if !t.UnansweredSince.IsZero() {
			return dedicated.Reseller
		}
	}
	return 0
}

// upstreams returns the upstream threads, the present one first, then those to former providers.
func (t *Ticket) upstreams() iter.Seq2[*Upstream, bool] {
	return func(yield func(u *Upstream, former bool) bool) {
		if t.Upstream != nil && !yield(t.Upstream, false) {
			return
		}
		for i := range t.Former {
			if !yield(&t.Former[i], true) {
				return
			}
		}
	}
}

// upstreamOf returns the upstream thread that has a reference, and whether it is one to a former provider; nil if no thread has it.
func (t *Ticket) upstreamOf(ref string) (found *Upstream, former bool) {
	for u, former := range t.upstreams() {
		if u.Ref == ref {
			return u, former
		}
	}
	return nil, false
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

// lastOfClient returns the client's newest public comment, or nil.
func lastOfClient(thread []Comment) *Comment {
	for i := len(thread) - 1; i >= 0; i-- {
		if thread[i].By.Role == dedicated.Client && !thread[i].Internal {
			return &thread[i]
		}
	}
	return nil
}

// isOf reports whether the server is still in the use that the ticket belongs to.
func (t Ticket) isOf(s dedicated.Server) bool {
	return s.Used() && s.ClientID == t.ClientID && s.Assignment == t.Assignment
}

func (t Ticket) clone() Ticket {
	t.Fields = cloneFields(t.Fields)
	t.Thread = cloneThread(t.Thread)
	if t.Upstream != nil {
		u := *t.Upstream
		u.Thread = cloneThread(u.Thread)
		t.Upstream = &u
	}
	t.Former = slices.Clone(t.Former)
	for i := range t.Former {
		t.Former[i].Thread = cloneThread(t.Former[i].Thread)
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
	ID       uuid.UUID // optional; a repeat with the same ID and content returns the stored ticket
	ServerID uuid.UUID
	Kind     Kind
	Subject  string                     // one line of at most MaxSubject bytes; blank: the kind's label
	Text     string                     // the first comment, at most MaxText bytes; blank: no comment
	Fields   map[string]json.RawMessage // the fields of the kind's spec, by name
}

func (f Form) clone() Form {
	f.Fields = cloneFields(f.Fields)
	return f
}

// Note is a comment that comes with an operation.
type Note struct {
	ID          uuid.UUID // optional; a repeat with the same ID and content changes nothing
	Text        string    // at most MaxText bytes
	Internal    bool      // for the reseller alone. ErrForbidden from a client, ErrInvalid if the operation answers the client
	Attachments []Attachment
	// WithoutReference lets Forward send a request although the provider has no reference for the server. ErrInvalid in other
	// operations.
	WithoutReference bool
}

func (n Note) clone() Note {
	n.Attachments = slices.Clone(n.Attachments)
	return n
}
