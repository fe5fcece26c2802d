package ticket

import (
	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records. Their subject is the ticket.
const (
	// KindOpened tells the client that its ticket was opened. Payload: Notice.
	KindOpened notify.Kind = "ticket.opened"
	// KindCommented tells the client of a public comment of the reseller. Payload: Notice.
	KindCommented notify.Kind = "ticket.commented"
	// KindDetailsWanted asks the client for details. Payload: Notice.
	KindDetailsWanted notify.Kind = "ticket.details_wanted"
	// KindConfirmed tells the client that the reseller will carry out the request. Payload: Notice.
	KindConfirmed notify.Kind = "ticket.confirmed"
	// KindRejected tells the client that the reseller will not carry out the request. Payload: Notice.
	KindRejected notify.Kind = "ticket.rejected"
	// KindDone tells the client that the request was carried out. Payload: Notice.
	KindDone notify.Kind = "ticket.done"
	// KindClosed tells the client that the reseller closed the ticket, or that it closed by itself. Payload: Notice.
	KindClosed notify.Kind = "ticket.closed"
	// KindReopened tells the client that the reseller reopened the ticket. Payload: Notice.
	KindReopened notify.Kind = "ticket.reopened"
	// KindReceived tells the reseller that a client opened a ticket. Payload: Report.
	KindReceived notify.Kind = "ticket.received"
	// KindReplied tells the reseller of a client's comment. Payload: Report.
	KindReplied notify.Kind = "ticket.replied"
	// KindClosedByClient tells the reseller that the client closed its ticket. Payload: Report.
	KindClosedByClient notify.Kind = "ticket.closed_by_client"
	// KindReopenedByClient tells the reseller that the client reopened its ticket. Payload: Report.
	KindReopenedByClient notify.Kind = "ticket.reopened_by_client"
	// KindMoreFromClient tells the reseller, at most once a day, that the client wrote, closed or reopened again after MaxClientMails
	// mails without an answer. Its text is the client's newest comment. Payload: Report.
	KindMoreFromClient notify.Kind = "ticket.more_from_client"
	// KindUnanswered reminds the reseller, once, of a ticket without an answer, or of a client's comment on one that is done or
	// rejected. Payload: Report.
	KindUnanswered notify.Kind = "ticket.unanswered"
	// KindServerLeft tells the reseller that an open ticket was closed because its server has left the client. Payload: Report.
	KindServerLeft notify.Kind = "ticket.server_left"
	// KindProviderReplied tells the reseller of a provider's answer. Payload: Report.
	KindProviderReplied notify.Kind = "ticket.provider_replied"
	// KindForwarded passes a request on to the provider. Payload: ProviderRequest.
	KindForwarded notify.Kind = "ticket.forwarded"
)

// Notice is the payload of the events to a client. It holds nothing that the client's View does not show.
type Notice struct {
	TicketID    uuid.UUID    `json:"ticket_id"`
	Ref         string       `json:"ref"`
	ServerID    uuid.UUID    `json:"server_id"`
	ServerName  string       `json:"server_name"`
	Kind        string       `json:"kind"` // the kind's label, for people
	Subject     string       `json:"subject"`
	Status      Status       `json:"status"`
	Text        string       `json:"text"`        // of the comment; "": there is none
	Attachments []Attachment `json:"attachments"` // of the comment
}

// Report is the payload of the events to the reseller.
type Report struct {
	Notice
	ClientID uuid.UUID `json:"client_id"`
	Provider string    `json:"provider"` // "": never forwarded
	Former   bool      `json:"former"`   // the Provider answers, and the request was forwarded to another provider since
	Reason   string    `json:"reason"`   // why the server has left its client; "" in all other events
}

// ProviderRequest is the payload of the events to a provider: the server as the provider knows it, and the reseller's words. It
// holds nothing of the client. Its JSON names are also the variables of Config.ForwardText, where text is the reseller's words.
type ProviderRequest struct {
	Provider    string       `json:"provider"`
	Ref         string       `json:"ref"`       // the upstream reference, for the provider's answer to quote
	Reference   string       `json:"reference"` // the provider's name for the server; "": unknown
	ServerName  string       `json:"server_name"`
	Kind        string       `json:"kind"` // the kind's label, for people
	Text        string       `json:"text"` // the reseller's words in Config.ForwardText
	Attachments []Attachment `json:"attachments"`
}

// change returns the decision as a change of the Store.
func (v *move) change() (Change, error) {
	events, err := manage.Events(v.epoch, v.now, v.facts)
	return Change{Tickets: []Ticket{v.after}, Events: events}, err
}

// subject is the ticket in events about the change that is about to be stored.
func (t Ticket) subject() notify.Subject {
	return notify.Subject{ResellerID: t.ResellerID, ClientID: t.ClientID, ServerID: t.ServerID, ID: t.ID, Version: t.Version + 1}
}

// fact makes a fact for the client or the reseller.
func (t Ticket) fact(kind notify.Kind, payload any) manage.Fact {
	return manage.Fact{Kind: kind, Subject: t.subject(), Payload: payload}
}

// providerFact makes a fact for the provider. It has no client.
func (t Ticket) providerFact(request ProviderRequest) manage.Fact {
	subject := t.subject()
	subject.ClientID = uuid.Nil
	return manage.Fact{Kind: KindForwarded, Subject: subject, Payload: request}
}

// notice makes the payload for a client. c is the comment that the client is told of, or nil.
func (r *rules) notice(v View, c *Comment) Notice {
	n := Notice{
		TicketID: v.ID, Ref: v.Ref, ServerID: v.ServerID, ServerName: v.ServerName, Kind: r.kinds.label(v.Kind),
		Subject: v.Subject, Status: v.Status, Attachments: []Attachment{},
	}
	if c != nil {
		n.Text = c.Text
		n.Attachments = append(n.Attachments, c.Attachments...)
	}
	return n
}

// report makes the payload for the reseller. c is the comment that the reseller is told of, or nil.
func (v *move) report(c *Comment, reason string) Report {
	t := v.after
	r := Report{Notice: v.notice(t.view(), c), ClientID: t.ClientID, Reason: reason}
	r.Status = t.Status
	if t.Upstream != nil {
		r.Provider = t.Upstream.Provider
	}
	return r
}

// providerRequest makes the payload for the provider of an upstream thread.
func (v *move) providerRequest(u *Upstream, c Comment) ProviderRequest {
	t := v.after
	return ProviderRequest{
		Provider: u.Provider, Ref: u.Ref, Reference: u.Reference, ServerName: t.ServerName,
		Kind: v.kinds.label(t.Kind), Text: c.Text, Attachments: append([]Attachment{}, c.Attachments...),
	}
}

// conclusionFacts makes the facts of a decided move: for the reseller if the client moved, otherwise for the client. After
// MaxClientMails without an answer the client's moves make none, and a Tick tells the reseller of them together.
func (v *move) conclusionFacts() []manage.Fact {
	if v.by.Role != dedicated.Client {
		return v.clientFacts()
	}
	if !v.takeMail() {
		return nil
	}
	kind := KindReplied
	switch v.op {
	case OpClose:
		kind = KindClosedByClient
	case OpReopen:
		kind = KindReopenedByClient
	}
	return []manage.Fact{v.after.fact(kind, v.report(v.newPublicComment(), ""))}
}

// clientFacts makes the fact for the client. It depends only on the View before and after the move.
func (v *move) clientFacts() []manage.Fact {
	before, after := v.before.view(), v.after.view()
	var added *Comment
	if len(after.Thread) > len(before.Thread) {
		added = &after.Thread[len(after.Thread)-1]
	}
	kind := KindCommented
	switch {
	case after.Status != before.Status:
		kind = kindOf(after.Status)
	case added == nil:
		return nil
	}
	return []manage.Fact{v.after.fact(kind, v.notice(after, added))}
}

// kindOf returns the kind of event that tells a client of a new status.
func kindOf(s Status) notify.Kind {
	switch s {
	case NeedsDetails:
		return KindDetailsWanted
	case Confirmed:
		return KindConfirmed
	case Rejected:
		return KindRejected
	case Done:
		return KindDone
	case Closed:
		return KindClosed
	}
	return KindReopened
}
