package ticket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Forms are the kinds that the actor may open on the server, for a frontend to draw: the built-in ones, then the host's,
// without those that a gate refuses. CancelAtProvider is for a provider's server alone. A server that the actor may not
// know of is ErrNotFound; for one that nobody uses there are none.
func (m *Manager) Forms(ctx context.Context, a dedicated.Actor, server uuid.UUID) ([]KindSpec, error) {
	const op = "Forms"
	s, err := m.reachable(ctx, a, op, server)
	if err != nil {
		return nil, asError(op, uuid.Nil, err)
	}
	forms := []KindSpec{}
	for _, kind := range m.kinds.order {
		if s.Used() && m.offered(ctx, a, kind, s) == nil {
			forms = append(forms, m.kinds.specs[kind].clone())
		}
	}
	return forms, nil
}

// reachable asks for a server on which the actor may open tickets.
func (m *Manager) reachable(ctx context.Context, a dedicated.Actor, op string, id uuid.UUID) (dedicated.Server, error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) || id == uuid.Nil {
		return dedicated.Server{}, noServer(op, id)
	}
	s, found, err := m.server(ctx, a.ResellerID, id)
	if err == nil && (!found || !a.Manages(s.ResellerID) && !a.Uses(s)) {
		return s, noServer(op, id)
	}
	return s, err
}

// offered refuses a kind that the server does not take, and what a gate refuses.
func (m *Manager) offered(ctx context.Context, a dedicated.Actor, k Kind, s dedicated.Server) error {
	if k == CancelAtProvider && s.Owner.Own() {
		return &Error{Op: "Open", ServerID: s.ID, Field: "Kind", Err: ErrForbidden,
			Msg: fmt.Sprintf("server %s needs no ticket of the kind %s: schedule its cancellation", s.ID, k)}
	}
	return m.hooks.ask(ctx, a, k, s)
}

// Open opens a ticket on a server that a client uses. Everything that is wrong with the form is named at once. A second one
// of a Unique kind is ErrConflict while one is open, and Error.OpenID names that one; an ID that is taken by another ticket
// is ErrConflict; a kind that Forms does not offer is ErrForbidden, an unknown one ErrInvalid.
func (m *Manager) Open(ctx context.Context, a dedicated.Actor, f Form) (View, error) {
	v, err := m.open(ctx, a, f)
	return v, withForm("Open", err, f)
}

func (m *Manager) open(ctx context.Context, a dedicated.Actor, f Form) (View, error) {
	const op = "Open"
	now := m.now()
	s, err := m.reachable(ctx, a, op, f.ServerID)
	if err != nil {
		return View{}, err
	}
	t, err := m.fill(op, f)
	if err != nil {
		return View{}, err
	}
	t.ResellerID, t.ServerID, t.ServerName = s.ResellerID, s.ID, text.Clean(s.Name, dedicated.MaxName)
	t.ClientID, t.Assignment, t.OpenedAt = s.ClientID, s.Assignment, now
	t.UrgentAt = m.aging.urgentAt(t.Priority, now)
	if strings.TrimSpace(f.Text) != "" {
		t.Thread = []Comment{{ID: uuid.NewSHA1(t.ID, []byte(op)), By: a, At: now, Op: op, Text: f.Text}}
	}
	var stored Ticket
	asked := false
	err = fault.Retry(ctx, func() (err error) {
		stored, err = m.create(ctx, a, t, s, &asked)
		return err
	})
	if err != nil {
		return View{}, err
	}
	return stored.view(), nil
}

// fill makes a ticket of a form.
func (m *Manager) fill(op string, f Form) (Ticket, error) {
	spec, ok := m.kinds.specs[f.Kind]
	if !ok {
		return Ticket{}, invalid(op, "Kind", "%.64q is not one of the kinds that Forms offers", f.Kind)
	}
	values, found := spec.check(f.Fields)
	subject := f.Subject
	if strings.TrimSpace(subject) == "" {
		subject = spec.Label
	}
	if err := text.Line("Subject", subject, MaxSubject); err != nil {
		found = append([]FieldError{{"Subject", err.Error()}}, found...)
	}
	if err := text.Block("Text", f.Text, MaxText); err != nil {
		found = append(found, FieldError{"Text", err.Error()})
	}
	if e := wrong(op, found); e != nil {
		return Ticket{}, e
	}
	id, err := f.ID, error(nil)
	if id == uuid.Nil {
		id, err = uuid.NewRandom()
	}
	return Ticket{
		ID: id, Ref: refOf(id), Kind: f.Kind, Fields: values, Subject: subject, Status: Open, Priority: DefaultPriority,
	}, err
}

// create stores a new ticket, or finds that it is there. The gates are asked the first time.
func (m *Manager) create(ctx context.Context, a dedicated.Actor, t Ticket, server dedicated.Server, asked *bool) (Ticket, error) {
	stored, err := m.store.Ticket(ctx, t.ID)
	switch {
	case err == nil && stored.openedLike(t):
		return stored, nil
	case err == nil:
		return Ticket{}, &Error{Op: "Open", TicketID: t.ID, Field: "ID", Err: ErrConflict,
			Msg: fmt.Sprintf("the ID %s is taken by another ticket", t.ID)}
	case !errors.Is(err, ErrNotFound):
		return Ticket{}, err
	}
	if !server.Used() {
		return Ticket{}, &Error{Op: "Open", ServerID: server.ID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is %s: a ticket is for one that a client uses", t.ServerName, server.ID, server.State)}
	}
	if !*asked {
		if err := m.offered(ctx, a, t.Kind, server); err != nil {
			return Ticket{}, err
		}
		*asked = true
	}
	s := step{op: "Open", by: a, now: t.OpenedAt, after: t}
	if err := m.keepUnique(ctx, &s); err != nil {
		return Ticket{}, err
	}
	m.opened(&s)
	if err := m.commit(ctx, s); err != nil {
		return Ticket{}, err
	}
	s.after.Version++
	return s.after, nil
}

// opened plans a new ticket and says who is told of it: the client, and the reseller if it did not open it itself.
func (m *Manager) opened(s *step) {
	said := lastPublic(s.after.Thread)
	s.facts = []fact{{KindOpened, m.notice(s.after.view(), said)}}
	if s.by.Role == dedicated.Client {
		s.facts = append(s.facts, fact{KindReceived, m.report(s.after, said, "")})
	} else {
		s.after.AnsweredAt = s.now
	}
	m.plan(&s.after, s.now)
}

// openedLike says whether the stored ticket was opened by the same form for the same use of the server.
func (t Ticket) openedLike(other Ticket) bool {
	return t.ResellerID == other.ResellerID && t.ClientID == other.ClientID && t.ServerID == other.ServerID &&
		t.Assignment == other.Assignment && t.Kind == other.Kind && t.Subject == other.Subject &&
		opening(t) == opening(other) && maps.EqualFunc(t.Fields, other.Fields, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// opening is the text that a ticket was opened with.
func opening(t Ticket) string {
	if len(t.Thread) > 0 && t.Thread[0].Op == "Open" {
		return t.Thread[0].Text
	}
	return ""
}
