package ticket

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Forward passes the request on to the provider that owns the server. The provider gets the text of Config.ForwardText with the
// server's name, the provider's reference for it and the note's text. It holds nothing of the client, unless the note does. The
// first Forward starts the upstream thread, under a reference of its own that the provider's answers quote; later ones add to the
// thread. After the server has moved to another provider, Forward starts a new thread, and the old one becomes one of
// Ticket.Former. If the ticket was not confirmed before, the client sees it as confirmed and reads Config.Working. The client
// learns nothing else. The note may be empty. Draft shows the text without sending it.
//
// ErrForbidden is a server of the reseller's own: it has no provider. ErrConflict is a server for which the provider's reference is
// missing, unless Note.WithoutReference is set, and one that has moved more than MaxFormer times.
func (m *Manager) Forward(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (Ticket, error) {
	return m.change(ctx, call{op: OpForward, by: a, id: id, note: n}, (*move).forward)
}

func (v *move) forward() (changed bool, err error) {
	if err := v.startUpstream(); err != nil {
		return false, err
	}
	u := v.after.Upstream
	if err := v.checkReference(u); err != nil {
		return false, err
	}
	sent, err := v.upstreamComment(u)
	if err != nil {
		return false, err
	}
	if err := v.appendUpstream(u, sent, MaxThread+MaxMoves); err != nil {
		return false, err
	}
	v.facts = append(v.facts, v.after.providerFact(v.providerRequest(u, sent)))
	// The provider reads the note. The client reads that the ticket is confirmed, if it was not confirmed before.
	v.note = Note{}
	if v.before.Status.public() != Confirmed {
		v.note = Note{ID: v.ids.working, Text: v.working}
	}
	return true, nil
}

// startUpstream starts the upstream thread to the server's provider if there is none yet. A thread that began without the
// provider's reference for the server gets it as soon as there is one.
func (v *move) startUpstream() error {
	if err := v.checkProvider(); err != nil {
		return err
	}
	t, owner := &v.after, v.server.Owner
	provider := text.Clean(owner.Provider, dedicated.MaxName)
	reference := strings.TrimSpace(text.Clean(owner.Reference, dedicated.MaxName))
	if u := t.Upstream; u != nil {
		if u.Provider == provider {
			u.Reference = cmp.Or(strings.TrimSpace(u.Reference), reference)
			return nil
		}
		if len(t.Former) >= MaxFormer {
			return &Error{Op: v.op, TicketID: t.ID, ServerID: t.ServerID, Err: ErrConflict,
				Msg: fmt.Sprintf("ticket %s (%s) was forwarded to %d providers already: open a new ticket", t.Ref, t.ID, MaxFormer+1)}
		}
		t.Former = append(t.Former, *u)
	}
	t.Upstream = &Upstream{Ref: v.ids.upstream, Provider: provider, Reference: reference}
	return nil
}

// checkReference refuses to forward without the provider's reference for the server, unless the reseller says so.
func (v *move) checkReference(u *Upstream) error {
	t := v.before
	if u.Reference != "" || v.note.WithoutReference {
		return nil
	}
	return &Error{Op: v.op, TicketID: t.ID, ServerID: t.ServerID, Field: "Reference", Err: ErrConflict,
		Msg: fmt.Sprintf("the reference that %s has for server %s (%s) is missing: add it to the server, or set Note.WithoutReference",
			u.Provider, t.ServerName, t.ServerID)}
}

// checkProvider refuses a server that no provider owns.
func (v *move) checkProvider() error {
	t := v.before
	switch {
	case !v.found:
		return &Error{Op: v.op, TicketID: t.ID, ServerID: t.ServerID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) no longer exists", t.ServerName, t.ServerID)}
	case v.server.Owner.Own():
		return &Error{Op: v.op, TicketID: t.ID, ServerID: t.ServerID, Err: ErrForbidden,
			Msg: fmt.Sprintf("server %s (%s) is the reseller's own: it has no provider", t.ServerName, t.ServerID)}
	}
	return nil
}

// upstreamComment returns the note as an entry of the upstream thread: a forwarded note with the text of the template, a
// provider's answer as it came.
func (v *move) upstreamComment(u *Upstream) (Comment, error) {
	c := v.comment()
	c.Internal = true
	var err error
	switch v.op {
	case OpForward:
		c.Text, err = v.forwardText(u, v.note.Text)
	case OpProviderReplied:
		c.By = dedicated.Actor{}
	}
	return c, err
}

// appendUpstream adds to an upstream thread that has less than bound entries. A provider's answers leave room for forwards.
func (v *move) appendUpstream(u *Upstream, c Comment, bound int) error {
	if len(u.Thread) >= bound {
		return &Error{Op: v.op, TicketID: v.before.ID, Field: "Text", Err: ErrConflict,
			Msg: fmt.Sprintf("the upstream thread of ticket %s is full: it has %d comments", v.before.Ref, len(u.Thread))}
	}
	u.Thread = append(u.Thread, c)
	return nil
}

// ProviderReplied adds a provider's answer to the ticket that was forwarded under upstreamRef, in any status. The reseller is
// told. The client learns nothing before Relay. upstreamRef is the reference alone, in any case of letters, with or without
// brackets; an unknown one is ErrNotFound. An answer of a provider that the server has left since is added to its thread in
// Ticket.Former, and Report.Former says so; the ticket does not wait for the reseller because of it.
//
// The note must not be empty; its Internal is ignored. Each control character in the text becomes a space. ErrInvalid is a text of
// more than MaxText bytes, and an attachment with control characters. If a mail quotes all earlier mails, pass only its new
// part.
func (m *Manager) ProviderReplied(ctx context.Context, a dedicated.Actor, upstreamRef string, n Note) (Ticket, error) {
	cleaned := n
	cleaned.Internal, cleaned.Text = true, text.CleanBlock(n.Text)
	t, err := m.change(ctx, call{op: OpProviderReplied, by: a, upstreamRef: upstreamRef, note: cleaned}, (*move).providerReplied)
	return t, withNote(err, n)
}

func (v *move) providerReplied() (changed bool, err error) {
	u, former := v.after.upstreamOf(v.ref)
	answer, err := v.upstreamComment(u)
	if err != nil {
		return false, err
	}
	if err := v.appendUpstream(u, answer, MaxThread); err != nil {
		return false, err
	}
	r := v.report(&answer, "")
	r.Provider, r.Former = u.Provider, former
	v.facts = append(v.facts, v.after.fact(KindProviderReplied, r))
	v.note = Note{}
	return true, nil
}

// readByUpstreamRef reads the ticket that was forwarded under a reference.
func (m *Manager) readByUpstreamRef(ctx context.Context, a dedicated.Actor, op Op, quoted string) (Ticket, error) {
	if !a.Manages(a.ResellerID) {
		return Ticket{}, actorError(op, a)
	}
	if reference := parseUpstreamReference(quoted); reference != "" {
		for t, err := range m.tickets(ctx, a.ResellerID, Query{Text: reference, Sort: "age"}) {
			if err != nil {
				return t, err
			}
			if u, _ := t.upstreamOf(reference); u != nil {
				return t, nil
			}
		}
	}
	return Ticket{}, &Error{Op: op, Field: "upstreamRef", Err: ErrNotFound,
		Msg: fmt.Sprintf("upstreamRef: no ticket was forwarded under the reference %.40q", quoted)}
}

// Relay passes a provider's answer on to the client, in the reseller's words: the note must not be empty. The client sees it as a
// comment of the reseller. ErrConflict is a ticket that was never forwarded; on a server of the reseller's own that is
// ErrForbidden.
func (m *Manager) Relay(ctx context.Context, a dedicated.Actor, id uuid.UUID, n Note) (Ticket, error) {
	return m.change(ctx, call{op: OpRelay, by: a, id: id, note: n}, (*move).relay)
}

func (v *move) relay() (changed bool, err error) {
	t := v.before
	if t.Upstream != nil {
		return true, nil
	}
	if err := v.checkProvider(); err != nil {
		return false, err
	}
	return false, &Error{Op: v.op, TicketID: t.ID, Err: ErrConflict,
		Msg: fmt.Sprintf("ticket %s (%s) was never forwarded: there is no answer to pass on", t.Ref, t.ID)}
}

// Draft returns the text that Forward would send to the provider with these words. It sends and stores nothing. Before the first
// Forward to a provider the upstream reference in it is a sample. A missing reference of the provider for the server is no error
// here.
func (m *Manager) Draft(ctx context.Context, a dedicated.Actor, id uuid.UUID, words string) (string, error) {
	draft, err := m.draft(ctx, a, id, words)
	return draft, explain(opDraft, id, uuid.Nil, err)
}

func (m *Manager) draft(ctx context.Context, a dedicated.Actor, id uuid.UUID, words string) (string, error) {
	t, err := m.readManaged(ctx, a, opDraft, id)
	if err != nil {
		return "", err
	}
	v := &move{rules: m.rules, reading: reading{before: t}, op: opDraft, by: a, after: t.clone()}
	if v.ids.upstream, err = newUpstreamReference(); err != nil {
		return "", err
	}
	if v.server, v.found, err = inventory.Server(ctx, m.servers, t.ResellerID, t.ServerID); err != nil {
		return "", err
	}
	if err := v.startUpstream(); err != nil {
		return "", err
	}
	return v.forwardText(v.after.Upstream, words)
}

// forwardText puts the reseller's words into the template.
func (v *move) forwardText(u *Upstream, words string) (string, error) {
	request := v.providerRequest(u, Comment{Text: words})
	out, err := render(v.template, request)
	if err != nil {
		return "", fault.Nonsense("Config.ForwardText", err)
	}
	if err := text.CheckBlock("the forwarded text", out, 2*MaxText); err != nil {
		return "", invalid(v.op, "Text", "%v", err)
	}
	return out, nil
}

// render executes the template. Its variables are the JSON names of a ProviderRequest.
func render(tmpl *template.Template, request ProviderRequest) (string, error) {
	data, err := json.Marshal(request)
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

// parseForwardText parses Config.ForwardText and tries it with a sample.
func parseForwardText(source string) (*template.Template, error) {
	if strings.TrimSpace(source) == "" {
		source = DefaultForwardText
	}
	tmpl, err := template.New("ForwardText").Option("missingkey=error").Parse(source)
	if err == nil {
		_, err = render(tmpl, ProviderRequest{
			Provider: "p", Ref: "r", Reference: "x", ServerName: "s", Kind: "k", Text: "t", Attachments: []Attachment{},
		})
	}
	if err != nil {
		return nil, invalid(opNew, "Config.ForwardText", "%v", err)
	}
	return tmpl, nil
}
