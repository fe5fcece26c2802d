package ticket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
)

// What the fields of Config are where they are zero.
const (
	DefaultAutoClose     = 7 * day
	DefaultFirstResponse = day
	DefaultReopenWithin  = 14 * day
	DefaultAgingPerDay   = 5
	DefaultWorking       = "We are working on it."
	DefaultForwardText   = "Server: {{.server_name}}\n{{with .reference}}Your reference: {{.}}\n{{end}}Request: {{.kind}}\n" +
		"{{with .text}}\n{{.}}\n{{end}}"
)

// Servers is all that this package needs of the host's inventory; *dedicated.Manager fits. A Manager always asks as
// Actor{Role: System, ResellerID: …} and checks ClientID and Owner itself: what a Client gets has a blank Owner, never to be
// read as "own". An unknown server is ErrNotFound. It may be called by many goroutines at once.
type Servers interface {
	Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error)
}

var _ Servers = (*dedicated.Manager)(nil)

// Config is what a Manager works with.
type Config struct {
	Store   Store       // required
	Servers Servers     // required
	Kinds   []KindSpec  // beside the built-in ones; one of a built-in Kind takes its place
	Hooks   Hooks       // zero: nobody is asked
	Clock   clock.Clock // nil: real time

	// AutoClose is how long after the reseller's answer a ticket closes that is done, rejected or waits for details. 0:
	// DefaultAutoClose; negative: never; below a microsecond: at once, in the same step, but a question to the client waits
	// for DefaultAutoClose.
	AutoClose time.Duration
	// FirstResponse is after how long without an answer the reseller is reminded, once. 0: DefaultFirstResponse; negative:
	// never.
	FirstResponse time.Duration
	// ReopenWithin is how long a client may reopen what is closed. 0: DefaultReopenWithin; negative: never. The reseller
	// always may.
	ReopenWithin time.Duration
	// AgingPerDay is the priority gained in 24 hours of waiting. 0: DefaultAgingPerDay; negative: none.
	AgingPerDay int
	// Working is the comment that a client reads when a ticket is forwarded that was not confirmed before, so that nothing
	// tells a forwarded ticket from a confirmed one. Blank: DefaultWorking.
	Working string
	// ForwardText is a text/template for what a provider is written, over the variables of ProviderRequest, text being the reseller's
	// words. Blank: DefaultForwardText.
	ForwardText string
}

// Manager keeps tickets: all rules, permissions and changes of status are here. It holds no state of its own and is safe
// for concurrent use, in any number of processes over one Store.
//
// A ticket that the actor may not know of is ErrNotFound; so is everything for Role 0 and for an actor without a
// ResellerID. What a client may see but not do is ErrForbidden, as is what a gate refuses and what is not offered on the
// server. A ticket in the wrong status is ErrConflict, as is one that kept changing meanwhile. All errors are *Error; those
// of ctx, the Store and Servers are wrapped in one. What was refused is in Error.Note or Error.Form.
type Manager struct{ *core }

// core keeps a Manager comparable.
type core struct {
	store    Store
	servers  Servers
	kinds    *catalog
	hooks    Hooks
	clock    clock.Clock
	closing  time.Duration // negative: never; 0: at once
	response time.Duration // negative: never
	reopen   time.Duration // negative: never
	aging    aging
	working  string
	forward  *template.Template
}

// New returns a Manager, or an ErrInvalid that names what is missing or wrong in the Config.
func New(c Config) (*Manager, error) {
	const op = "New"
	switch {
	case c.Store == nil:
		return nil, invalid(op, "Config.Store", "missing: a MemoryStore will do for a start")
	case c.Servers == nil:
		return nil, invalid(op, "Config.Servers", "missing: a *dedicated.Manager fits")
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
	if err := text.Block("Working", c.Working, MaxText); err != nil {
		return nil, invalid(op, "Config.Working", "%v", err)
	}
	forward, err := parseForwardText(c.ForwardText)
	if err != nil {
		return nil, err
	}
	return &Manager{&core{
		store: c.Store, servers: c.Servers, kinds: kinds, hooks: c.Hooks, clock: c.Clock,
		closing:  orDefault(c.AutoClose, DefaultAutoClose),
		response: orDefault(c.FirstResponse, DefaultFirstResponse),
		reopen:   orDefault(c.ReopenWithin, DefaultReopenWithin),
		aging:    newAging(c.AgingPerDay), working: c.Working, forward: forward,
	}}, nil
}

// orDefault is in whole microseconds, as times are stored; -1 means never.
func orDefault(d, otherwise time.Duration) time.Duration {
	switch {
	case d == 0:
		return otherwise
	case d < 0:
		return -1
	}
	return d.Truncate(time.Microsecond)
}

// step is one operation on one ticket, decided on but not yet committed.
type step struct {
	op     string
	by     dedicated.Actor
	now    time.Time
	note   Note
	fresh  uuid.UUID // of what is said without an ID
	before Ticket
	after  Ticket
	facts  []fact
}

// errUnchanged ends a step that has nothing to write.
var errUnchanged = errors.New("unchanged")

// work is what an operation does beside what all of them do. It may change after, the note and the facts.
type work func(ctx context.Context, s *step) error

// do runs an operation on a ticket: it reads, decides and commits, and after a conflict reads and decides again. The draft
// comes back in the error.
func (m *Manager) do(ctx context.Context, a dedicated.Actor, op string, id uuid.UUID, n Note, w work) error {
	now := m.now()
	fresh, err := uuid.NewRandom()
	if err == nil {
		err = fault.Retry(ctx, func() error {
			s := step{op: op, by: a, now: now, note: n.clone(), fresh: fresh}
			if err := m.decide(ctx, &s, id, w); err != nil {
				return err
			}
			return m.commit(ctx, s)
		})
	}
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return withNote(op, id, err, n)
}

// decide fills in the step: who may, whether it was said before, what becomes of the ticket.
func (m *Manager) decide(ctx context.Context, s *step, id uuid.UUID, w work) error {
	rule := operations[s.op]
	t, err := m.seen(ctx, s.by, s.op, id)
	if err != nil {
		return err
	}
	if !s.by.Manages(t.ResellerID) && !rule.client {
		return &Error{Op: s.op, TicketID: id, Err: ErrForbidden,
			Msg: fmt.Sprintf("a client may see ticket %s (%s), %s is the reseller's", t.Ref, id, s.op)}
	}
	s.before, s.after = t, t.clone()
	if err := m.repeated(s); err != nil {
		return err
	}
	if rule.service || s.by.Role == dedicated.Client {
		if err := m.stillUsed(ctx, s); err != nil {
			return err
		}
	}
	if err := s.checkNote(rule); err != nil {
		return err
	}
	to, err := t.to(s.op, s.by)
	if err != nil {
		return err
	}
	if err := m.mayReopen(s, to); err != nil {
		return err
	}
	s.after.Status, s.after.Decision = to, t.decided(to)
	if w != nil {
		if err := w(ctx, s); err != nil {
			return err
		}
	}
	if err := s.append(); err != nil {
		return err
	}
	return m.settle(ctx, s)
}

// commit writes what was decided, with what is to be told.
func (m *Manager) commit(ctx context.Context, s step) error {
	events, err := s.after.events(s.now, s.facts)
	if err != nil {
		return err
	}
	return m.store.Commit(ctx, Change{Tickets: []Ticket{s.after}, Events: events})
}

// seen reads a ticket that the actor may know of.
func (m *Manager) seen(ctx context.Context, a dedicated.Actor, op string, id uuid.UUID) (Ticket, error) {
	if id == uuid.Nil {
		return Ticket{}, notFound(op, id)
	}
	t, err := m.store.Ticket(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !a.Manages(t.ResellerID) && !a.IsClient(t.ResellerID, t.ClientID) {
		return Ticket{}, notFound(op, id)
	}
	return t, err
}

// server asks the inventory as System; found is false where it has no such server.
func (m *Manager) server(ctx context.Context, reseller, id uuid.UUID) (s dedicated.Server, found bool, err error) {
	err = fault.Guard("Config.Servers", func() (err error) {
		s, err = m.servers.Server(ctx, dedicated.Actor{Role: dedicated.System, ResellerID: reseller}, id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return dedicated.Server{}, false, nil
	}
	return s, err == nil && s.ResellerID == reseller && s.ID == id, err
}

// holds says whether the server is still in the use that the ticket belongs to.
func (t Ticket) holds(s dedicated.Server) bool {
	return s.Used() && s.ClientID == t.ClientID && s.Assignment == t.Assignment
}

// stillUsed refuses what serves a client that has the server no longer.
func (m *Manager) stillUsed(ctx context.Context, s *step) error {
	t := s.before
	server, found, err := m.server(ctx, t.ResellerID, t.ServerID)
	if err != nil || found && t.holds(server) {
		return err
	}
	sentinel := ErrConflict
	if s.by.Role == dedicated.Client {
		sentinel = ErrForbidden
	}
	return &Error{Op: s.op, TicketID: t.ID, ServerID: t.ServerID, Err: sentinel,
		Msg: fmt.Sprintf("server %s (%s) has left the client of ticket %s: its thread can only be read", t.ServerName, t.ServerID, t.Ref)}
}

// mayReopen refuses a client that comes back too late.
func (m *Manager) mayReopen(s *step, to Status) error {
	t := s.before
	if t.Status != Closed || to == Closed || s.by.Role != dedicated.Client {
		return nil
	}
	if m.reopen >= 0 && !s.now.After(t.ClosedAt.Add(m.reopen)) {
		return nil
	}
	return &Error{Op: s.op, TicketID: t.ID, Status: t.Status, Err: ErrConflict,
		Msg: fmt.Sprintf("ticket %s (%s) is closed for too long to be opened again: open a new one", t.Ref, t.ID)}
}
