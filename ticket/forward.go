package ticket

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Forward passes the request to the provider that owns the server: the words of the note, put into Config.ForwardText with
// the server's name and the provider's reference for it. Nothing of the client is in it but what the note repeats. The
// first time starts the upstream thread, under a reference of its own that the provider's answers quote; later ones add to
// it. A ticket that was not confirmed is by this, in the words of Config.Working; the client is told no more. The reseller's
// own server is ErrForbidden: there is nobody to forward to. The note may be empty; Draft shows what would be sent.
func (m *Manager) Forward(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Forward", id, n, m.forwardIt)
}

func (m *Manager) forwardIt(ctx context.Context, s *step) error {
	if err := m.openUpstream(ctx, s); err != nil {
		return err
	}
	said, err := m.upstreamComment(s)
	if err != nil {
		return err
	}
	if err := s.appendUpstream(said); err != nil {
		return err
	}
	s.facts = append(s.facts, fact{KindForwarded, m.errand(s.after, said)})
	// What the note says is the provider's to read. The client reads that the ticket is confirmed, if it was not.
	s.note = Note{}
	if s.before.Status.public() != Confirmed {
		s.note.Text = m.working
		s.fresh, err = uuid.NewRandom() // an ID like any other comment's
	}
	return err
}

// openUpstream starts the upstream thread where there is none.
func (m *Manager) openUpstream(ctx context.Context, s *step) error {
	server, err := m.provided(ctx, s.op, s.before)
	if err != nil || s.after.Upstream != nil {
		return err
	}
	ref, err := newUpstreamRef()
	if err != nil {
		return err
	}
	s.after.Upstream = &Upstream{
		Ref: ref, Provider: text.Clean(server.Owner.Provider, dedicated.MaxName),
		Reference: text.Clean(server.Owner.Reference, dedicated.MaxName),
	}
	return nil
}

// provided returns the ticket's server if a provider owns it.
func (m *Manager) provided(ctx context.Context, op string, t Ticket) (dedicated.Server, error) {
	s, found, err := m.server(ctx, t.ResellerID, t.ServerID)
	switch {
	case err != nil:
		return s, err
	case !found:
		return s, &Error{Op: op, TicketID: t.ID, ServerID: t.ServerID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is not there any more", t.ServerName, t.ServerID)}
	case s.Owner.Own():
		return s, &Error{Op: op, TicketID: t.ID, ServerID: t.ServerID, Err: ErrForbidden,
			Msg: fmt.Sprintf("server %s (%s) is the reseller's own: there is nobody to forward to", t.ServerName, t.ServerID)}
	}
	return s, nil
}

// upstreamComment is the note as an entry of the upstream thread: forwarded, in the words of the template; a provider's
// answer, as it came.
func (m *Manager) upstreamComment(s *step) (Comment, error) {
	c := s.comment()
	c.Internal = true
	if s.op == "Forward" && s.after.Upstream != nil {
		words, err := m.forwardText(s.after, s.note.Text)
		c.Text = words
		return c, err
	}
	if s.op == "ProviderReplied" {
		c.By, c.Text = dedicated.Actor{}, text.CleanBlock(c.Text)
	}
	return c, nil
}

func (s *step) appendUpstream(c Comment) error {
	u := s.after.Upstream
	if len(u.Thread) >= MaxThread {
		return &Error{Op: s.op, TicketID: s.before.ID, Field: "Text", Err: ErrConflict,
			Msg: fmt.Sprintf("the upstream thread of ticket %s has %d comments, the most there may be", s.before.Ref, MaxThread)}
	}
	u.Thread = append(u.Thread, c)
	return nil
}

// ProviderReplied adds a provider's answer to the ticket that was forwarded under upstreamRef, in whatever status it is,
// and tells the reseller; the client learns nothing of it before Relay. The note must say something; its text is kept as it
// came, with control characters blanked, and Internal is not looked at. What is over a bound, such as a text of more than
// MaxText bytes, and attachments with such characters are ErrInvalid, with the note in the error: cut a mail that quotes all
// before it. An unknown reference is ErrNotFound; upstreamRef is the reference alone, in any case of letters, in brackets or
// not.
func (m *Manager) ProviderReplied(ctx context.Context, a dedicated.Actor, upstreamRef string, n Note) error {
	const op = "ProviderReplied"
	id, err := m.byUpstreamRef(ctx, a, op, upstreamRef)
	if err != nil {
		return withNote(op, uuid.Nil, err, n)
	}
	draft := n
	n.Internal = true
	n.Text = text.CleanBlock(n.Text)
	err = m.do(ctx, a, op, id, n, func(_ context.Context, s *step) error {
		said, err := m.upstreamComment(s)
		if err != nil {
			return err
		}
		if err := s.appendUpstream(said); err != nil {
			return err
		}
		s.facts = append(s.facts, fact{KindProviderReplied, m.report(s.after, &said, "")})
		s.note = Note{}
		return nil
	})
	return withNote(op, id, err, draft)
}

// byUpstreamRef finds the one ticket that was forwarded under a reference.
func (m *Manager) byUpstreamRef(ctx context.Context, a dedicated.Actor, op, quoted string) (uuid.UUID, error) {
	if !a.Manages(a.ResellerID) {
		return uuid.Nil, nobody(op, a)
	}
	ref, id := parseUpstreamRef(quoted), uuid.Nil
	if ref != "" {
		err := m.each(ctx, a.ResellerID, Query{Text: ref, Sort: "age"}, func(t Ticket) error {
			if t.Upstream == nil || t.Upstream.Ref != ref {
				return nil
			}
			id = t.ID
			return errStop
		})
		if err != nil {
			return uuid.Nil, err
		}
	}
	if id == uuid.Nil {
		return uuid.Nil, &Error{Op: op, Field: "upstreamRef", Err: ErrNotFound,
			Msg: fmt.Sprintf("nothing was forwarded under the reference %.40q", quoted)}
	}
	return id, nil
}

// Relay passes a provider's answer on to the client, in the reseller's words: the note, which must say something. For the
// client it is a comment of the reseller. A ticket that was never forwarded is ErrConflict, the reseller's own server
// ErrForbidden.
func (m *Manager) Relay(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) error {
	return m.do(ctx, a, "Relay", id, n, func(ctx context.Context, s *step) error {
		if s.before.Upstream != nil {
			return nil
		}
		if _, err := m.provided(ctx, s.op, s.before); err != nil {
			return err
		}
		return &Error{Op: s.op, TicketID: id, Err: ErrConflict,
			Msg: fmt.Sprintf("ticket %s (%s) was never forwarded: there is no answer to pass on", s.before.Ref, id)}
	})
}

// Draft is the text that Forward would send to the provider with these words. Nothing is sent or stored; before the first
// Forward the reference is a sample.
func (m *Manager) Draft(ctx context.Context, a dedicated.Actor, id uuid.UUID, words string) (string, error) {
	const op = "Draft"
	t, err := m.seen(ctx, a, op, id)
	if err != nil {
		return "", asError(op, id, err)
	}
	if !a.Manages(t.ResellerID) {
		return "", nobody(op, a)
	}
	s := step{op: op, by: a, before: t, after: t.clone()}
	if err := m.openUpstream(ctx, &s); err != nil {
		return "", asError(op, id, err)
	}
	draft, err := m.forwardText(s.after, words)
	return draft, asError(op, id, err)
}

// forwardText puts the reseller's words into the template.
func (m *Manager) forwardText(t Ticket, words string) (string, error) {
	e := m.blankErrand(t)
	e.Text = words
	out, err := render(m.forward, e)
	if err != nil {
		return "", fmt.Errorf("Config.ForwardText: %w", err)
	}
	if err := text.Block("the forwarded text", out, 2*MaxText); err != nil {
		return "", invalid("Forward", "Text", "%v", err)
	}
	return out, nil
}

// render executes the template with the errand's JSON names as its variables.
func render(tmpl *template.Template, e ProviderRequest) (string, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	var variables map[string]any
	if err := json.Unmarshal(data, &variables); err != nil {
		return "", err
	}
	var out strings.Builder
	err = fault.Guard("the template", func() error { return tmpl.Execute(&out, variables) })
	return strings.TrimRight(out.String(), " \r\n\t"), err
}

func parseForwardText(source string) (*template.Template, error) {
	if strings.TrimSpace(source) == "" {
		source = DefaultForwardText
	}
	tmpl, err := template.New("ForwardText").Option("missingkey=error").Parse(source)
	if err == nil {
		_, err = render(tmpl, ProviderRequest{Provider: "p", Ref: "r", Reference: "x", ServerName: "s", Kind: "k", Text: "t", Attachments: []Attachment{}})
	}
	if err != nil {
		return nil, invalid("New", "Config.ForwardText", "%v", err)
	}
	return tmpl, nil
}
