package ticket

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Servers is the part of the host's inventory that this package needs. *dedicated.Manager fits, and so does a host's own table.
// The Manager always asks as dedicated.System of one reseller, and checks the client and the owner itself. The answer must have
// the server's Name, ResellerID, ClientID, Assignment, State and Owner. Many goroutines call it at once. A Servers that is also a
// dedicated.BulkInventory is asked for many servers at once.
type Servers interface {
	// Server returns one server, or an error that is ErrNotFound. The Manager reads ID, ResellerID, ClientID, Name, Owner, State and
	// Assignment. A server that is not in_use or suspended, or that has another reseller or client, has left the client.
	Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error)
}

var _ Servers = (*dedicated.Manager)(nil)

// The defaults of Config.
const (
	DefaultAutoClose     = 7 * day                 // of Config.AutoClose
	DefaultFirstResponse = day                     // of Config.FirstResponse
	DefaultReopenWithin  = 14 * day                // of Config.ReopenWithin
	DefaultAgingPerDay   = 5                       // of Config.AgingPerDay
	DefaultCallTimeout   = time.Minute             // of Config.CallTimeout
	DefaultWorking       = "We are working on it." // of Config.Working
	// DefaultForwardText is the default of Config.ForwardText.
	DefaultForwardText = "Server: {{.server_name}}\n{{with .reference}}Your reference: {{.}}\n{{end}}Request: {{.kind}}\n" +
		"{{with .text}}\n{{.}}\n{{end}}"
)

// Config is what a Manager works with.
type Config struct {
	Store   Store       // required
	Servers Servers     // required
	Kinds   []KindSpec  // beside the built-in ones; a spec of a built-in Kind replaces it
	Hooks   Hooks       // zero: no gates
	Clock   clock.Clock // nil: real time

	// AutoClose is how long after the reseller's answer a ticket closes by itself, if it is done, rejected or waits for details.
	// 0: DefaultAutoClose; negative: never; less than a microsecond: at once, in the same step, but a question to the client
	// waits for DefaultAutoClose.
	AutoClose time.Duration
	// FirstResponse is the time without an answer after which the reseller is reminded, once: of a new ticket, and of a client's
	// comment on what is done or rejected. 0: DefaultFirstResponse; negative: never.
	FirstResponse time.Duration
	// ReopenWithin is how long a client may reopen a closed ticket. 0: DefaultReopenWithin; negative: never. The reseller may
	// always reopen it.
	ReopenWithin time.Duration
	// AgingPerDay is the priority that a ticket gains in 24 hours of waiting for the reseller. 0: DefaultAgingPerDay; negative: none.
	AgingPerDay int
	// Working is the comment for the client if Forward confirms a ticket. With it a forwarded ticket looks like a confirmed one.
	// Blank: DefaultWorking.
	Working string
	// ForwardText is a text/template for the text that a provider gets. Its variables are those of ProviderRequest; .text holds
	// the reseller's words. Blank: DefaultForwardText.
	ForwardText string
	// CallTimeout is the deadline of each call of the inventory and a gate, in real time. 0: DefaultCallTimeout; negative is ErrInvalid.
	CallTimeout time.Duration
	// Epoch is the epoch that the database of this process holds; it enters the IDs of new events. An operator begins another one
	// after restoring a copy. At most notify.MaxEpoch visible characters of ASCII without spaces. "": that of the Store if it is a
	// dedicated.EpochStore, otherwise the first one. Another one than that of the Store is ErrInvalid.
	Epoch string
}

// Manager keeps tickets. It enforces all rules, permissions and changes of status. It holds no state of its own and is safe for
// concurrent use, in any number of processes over one Store.
//
// A ticket that the actor may not know of is ErrNotFound. Everything is ErrNotFound for Role 0 and for an actor without a
// ResellerID. ErrForbidden is an operation that is not for clients, or that a gate refused. ErrConflict is a ticket in the wrong
// status, or one that changed five times while an operation decided. ErrHost is a Store, an inventory, a gate or a
// Config.ForwardText that failed. If ctx ends, errors.Is finds its error. All errors are *Error; Error.Note or Error.Form has the
// draft that was refused.
//
// Operations that only the reseller may call return the Ticket; its Priority includes the waiting until now. Operations that a
// client may call return the View. A repeat by Note.ID returns the stored ticket.
type Manager struct {
	store   Store
	servers dedicated.Inventory // with deadlines
	calls   *fault.Calls
	hooks   *Hooks
	clock   clock.Clock
	rules   *rules
}

// New returns a Manager, or an ErrInvalid that names what is missing or wrong in the Config.
func New(c Config) (*Manager, error) {
	switch {
	case c.Store == nil:
		return nil, invalid(opNew, "Config.Store", "missing: a MemoryStore will do for a start")
	case c.Servers == nil:
		return nil, invalid(opNew, "Config.Servers", "missing: *dedicated.Manager fits")
	case c.CallTimeout < 0:
		return nil, invalid(opNew, "Config.CallTimeout", "%s is negative", c.CallTimeout)
	}
	kinds, err := newCatalog(c.Kinds)
	if err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = clock.New()
	}
	if strings.TrimSpace(c.Working) == "" {
		c.Working = DefaultWorking
	}
	if err := text.CheckBlock("Working", c.Working, MaxText); err != nil {
		return nil, invalid(opNew, "Config.Working", "%v", err)
	}
	epoch, err := manage.Epoch(c.Store, c.Epoch)
	if err != nil {
		return nil, invalid(opNew, "Config.Epoch", "%v", err)
	}
	forward, err := parseForwardText(c.ForwardText)
	if err != nil {
		return nil, err
	}
	calls := fault.NewCalls(cmp.Or(c.CallTimeout, DefaultCallTimeout), fault.MaxLeft)
	return &Manager{
		store: guardedStore{c.Store}, servers: inventory.Bind(c.Servers, calls), calls: calls, hooks: &c.Hooks, clock: c.Clock,
		rules: &rules{
			kinds:    kinds,
			closing:  orDefault(c.AutoClose, DefaultAutoClose),
			response: orDefault(c.FirstResponse, DefaultFirstResponse),
			reopen:   orDefault(c.ReopenWithin, DefaultReopenWithin),
			aging:    newAging(c.AgingPerDay),
			working:  c.Working,
			template: forward,
			epoch:    epoch,
		},
	}, nil
}

// orDefault returns a duration in whole microseconds, as times are stored; -1 means never.
func orDefault(d, otherwise time.Duration) time.Duration {
	switch {
	case d == 0:
		return otherwise
	case d < 0:
		return -1
	}
	return d.Truncate(time.Microsecond)
}

func (m *Manager) now() time.Time { return zone.Instant(m.clock.Now()) }

// Forms returns the kinds of ticket that the actor may open on the server, for a frontend to draw: the built-in ones, then the
// host's. It leaves out the kinds that a gate refuses. CancelAtProvider is only for a server that a provider owns. A server that
// the actor may not know of is ErrNotFound. For a server that no client uses the result is empty.
func (m *Manager) Forms(ctx context.Context, a dedicated.Actor, server uuid.UUID) ([]KindSpec, error) {
	s, err := m.readServer(ctx, a, opForms, server)
	if err != nil {
		return nil, explain(opForms, uuid.Nil, server, err)
	}
	forms := []KindSpec{}
	for _, kind := range m.rules.kinds.sequence {
		if !s.Used() || checkOffered(opForms, kind, s) != nil {
			continue
		}
		err := m.askGates(ctx, opForms, a, kind, s)
		switch {
		case err == nil:
			forms = append(forms, m.rules.kinds.specs[kind].clone())
		case manage.Refusal(err) == nil:
			return nil, explain(opForms, uuid.Nil, server, err)
		}
	}
	return forms, nil
}

// Open opens a ticket on a server that a client uses. The client is told, and so is the reseller if the client opened it. A repeat
// with the same ID and content returns the stored ticket, also after the server has left the client.
//
// ErrInvalid names everything that is wrong with the form, an unknown kind among it. ErrForbidden is a kind that Forms does not
// return. ErrConflict is a server that no client uses, a second open ticket of a Unique kind, and an ID that another ticket has;
// Error.Existing is the ticket that is in the way.
func (m *Manager) Open(ctx context.Context, a dedicated.Actor, f Form) (View, error) {
	v, err := m.open(ctx, a, f)
	return v, withForm(explain(OpOpen, uuid.Nil, f.ServerID, err), f)
}

func (m *Manager) open(ctx context.Context, a dedicated.Actor, f Form) (View, error) {
	f = f.clone()
	if f.ID == uuid.Nil {
		id, err := uuid.NewRandom()
		if err != nil {
			return View{}, err
		}
		f.ID = id
	}
	now := m.now()
	v, err := manage.Operation[reading, *move]{
		Read: func(ctx context.Context) (reading, error) { return m.readForOpen(ctx, a, f) },
		Decide: func(r reading) (*move, bool, error) {
			v := &move{rules: m.rules, reading: r, op: OpOpen, by: a, now: now}
			write, err := v.open(f)
			return v, write, err
		},
		Gate: func(ctx context.Context, v *move) error { return m.askGates(ctx, OpOpen, a, f.Kind, v.server) },
		Covers: func(asked, later *move) bool {
			return later.server.ClientID == asked.server.ClientID && later.server.Assignment == asked.server.Assignment
		},
		Commit: m.commit,
	}.Run(ctx)
	if err != nil {
		return View{}, err
	}
	return v.after.view(), nil
}

// Comment adds to the thread. A public comment of the client also answers a question of the reseller (needs_details), and reopens
// a closed ticket within Config.ReopenWithin; later it is ErrConflict. On a ticket that is done or rejected it reopens nothing: the
// ticket waits for the reseller, who is reminded once after Config.FirstResponse, and answers, reopens, or calls Dismiss. Only the
// reseller may write internal comments.
//
// A client may write MaxOfClient of the MaxThread public comments; more are ErrConflict. The first MaxClientMails comments, closings
// and reopenings of the client that the reseller has not answered yet send a mail to the reseller each. A Tick tells of all later
// ones together, once a day. The thread has all of them.
func (m *Manager) Comment(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (View, error) {
	return m.changeView(ctx, call{op: OpComment, by: a, id: id, note: n})
}

// Confirm decides to carry out the request. The client is told in the words of the note, which must not be empty.
func (m *Manager) Confirm(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (Ticket, error) {
	return m.change(ctx, call{op: OpConfirm, by: a, id: id, note: n}, nil)
}

// Reject decides not to carry out the request, also after a confirmation. The client is told in the words of the note, which must
// not be empty.
func (m *Manager) Reject(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (Ticket, error) {
	return m.change(ctx, call{op: OpReject, by: a, id: id, note: n}, nil)
}

// AskDetails asks the client a question in the words of the note, which must not be empty. It takes a decision back. The client's
// answer makes the ticket open again.
func (m *Manager) AskDetails(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (Ticket, error) {
	return m.change(ctx, call{op: OpAskDetails, by: a, id: id, note: n}, nil)
}

// Complete records that a confirmed request was carried out. The client is told. The note may be empty.
func (m *Manager) Complete(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (Ticket, error) {
	return m.change(ctx, call{op: OpComplete, by: a, id: id, note: n}, nil)
}

// Close closes a ticket that is not closed yet. The reseller is told if the client closes it, and the client if the reseller does.
// The note may be empty.
func (m *Manager) Close(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (View, error) {
	return m.changeView(ctx, call{op: OpClose, by: a, id: id, note: n})
}

// Reopen makes a ticket open again that is done, rejected or closed. It takes the decision back. A client may reopen a closed
// ticket within Config.ReopenWithin, and only while the thread has less than MaxThread public comments. If another ticket of the
// same Unique kind is open, it is ErrConflict, and Error.Existing is that ticket. The priority begins to rise anew. The note may be
// empty.
func (m *Manager) Reopen(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (View, error) {
	return m.changeView(ctx, call{op: OpReopen, by: a, id: id, note: n})
}

// changeView is change for an operation that a client may call.
func (m *Manager) changeView(ctx context.Context, c call) (View, error) {
	t, err := m.change(ctx, c, nil)
	if err != nil {
		return View{}, err
	}
	return t.view(), nil
}

// Assign assigns the ticket to a member of the reseller's staff; nil: to nobody. No event is recorded.
func (m *Manager) Assign(ctx context.Context, a dedicated.Actor, id, assignee uuid.UUID) (Ticket, error) {
	return m.change(ctx, call{op: OpAssign, by: a, id: id}, func(v *move) (bool, error) {
		v.after.Assignee = assignee
		return assignee != v.before.Assignee, nil
	})
}

// SetPriority sets the priority, LowestPriority to HighestPriority. It rises from there while the reseller is waited for. No event is
// recorded.
func (m *Manager) SetPriority(ctx context.Context, a dedicated.Actor, id uuid.UUID, priority int) (Ticket, error) {
	return m.change(ctx, call{op: OpSetPriority, by: a, id: id}, func(v *move) (bool, error) {
		return true, v.setPriority(priority)
	})
}

// View returns the ticket as its client sees it, to that client and to the reseller. The client may read it also after the server
// has left it.
func (m *Manager) View(ctx context.Context, a dedicated.Actor, id uuid.UUID) (View, error) {
	t, err := m.readVisible(ctx, a, opView, id)
	if err != nil {
		return View{}, explain(opView, id, uuid.Nil, err)
	}
	return t.view(), nil
}

// Views lists tickets as their clients see them. next is the cursor for Query.After, "" at the end. A client gets its own tickets,
// the oldest first. For a client, the status confirmed includes forwarded tickets, and the status forwarded finds nothing. A
// client may not search by Assignee, MinPriority or UrgentBy, and may not sort by urgency: that is ErrForbidden. For the reseller
// the query means the same as in Tickets.
func (m *Manager) Views(ctx context.Context, a dedicated.Actor, q Query) (items []View, next string, err error) {
	tickets, next, err := m.list(ctx, a, opViews, q, m.now())
	for _, t := range tickets {
		items = append(items, t.view())
	}
	return items, next, explain(opViews, uuid.Nil, uuid.Nil, err)
}

// Ticket returns a ticket with everything that the reseller knows of it, to the reseller alone. Its Priority includes the waiting
// until now.
func (m *Manager) Ticket(ctx context.Context, a dedicated.Actor, id uuid.UUID) (Ticket, error) {
	t, err := m.readManaged(ctx, a, opTicket, id)
	if err != nil {
		return Ticket{}, explain(opTicket, id, uuid.Nil, err)
	}
	return m.rules.aging.risen(t, m.now()), nil
}

// Tickets lists the tickets of the actor's reseller by urgency or by age, ties by ID, to the reseller alone. next is the cursor
// for Query.After, "" at the end. Priority and MinPriority include the waiting until now. Tickets that do not wait for the reseller
// come last by urgency, and a MinPriority above 1 does not find them. A cursor that is not one of this list, and everything else
// that is wrong with the Query, is ErrInvalid.
func (m *Manager) Tickets(ctx context.Context, a dedicated.Actor, q Query) (items []Ticket, next string, err error) {
	if !a.Manages(a.ResellerID) {
		return nil, "", actorError(opTickets, a)
	}
	now := m.now()
	items, next, err = m.list(ctx, a, opTickets, q, now)
	for i, t := range items {
		items[i] = m.rules.aging.risen(t, now)
	}
	return items, next, explain(opTickets, uuid.Nil, uuid.Nil, err)
}

// Counts counts the tickets that Tickets lists, on all pages together, by status, to the reseller alone. Limit and After of the
// query are ignored. A status without tickets has no entry.
func (m *Manager) Counts(ctx context.Context, a dedicated.Actor, q Query) (map[Status]int, error) {
	if !a.Manages(a.ResellerID) {
		return nil, actorError(opCounts, a)
	}
	if err := q.check(opCounts); err != nil {
		return nil, err
	}
	counts, err := m.store.Counts(ctx, a.ResellerID, q.asOf(m.rules.aging, m.now()))
	return counts, explain(opCounts, uuid.Nil, uuid.Nil, err)
}

// list returns a page of the tickets that the actor may list.
func (m *Manager) list(ctx context.Context, a dedicated.Actor, op Op, q Query, now time.Time) ([]Ticket, string, error) {
	client := a.IsClient(a.ResellerID, a.ID)
	if !client && !a.Manages(a.ResellerID) {
		return nil, "", actorError(op, a)
	}
	if err := q.check(op); err != nil {
		return nil, "", err
	}
	if !client {
		return m.store.Tickets(ctx, a.ResellerID, q.asOf(m.rules.aging, now))
	}
	q, possible, err := q.forClient(op, a.ID)
	if err != nil || !possible {
		return nil, "", err
	}
	return m.store.Tickets(ctx, a.ResellerID, q)
}
