package ticket

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records; their subject is the ticket.
const (
	KindOpened           notify.Kind = "ticket.opened"             // to the client; payload Notice
	KindCommented        notify.Kind = "ticket.commented"          // to the client; payload Notice
	KindDetailsWanted    notify.Kind = "ticket.details_wanted"     // to the client; payload Notice
	KindConfirmed        notify.Kind = "ticket.confirmed"          // to the client; payload Notice
	KindRejected         notify.Kind = "ticket.rejected"           // to the client; payload Notice
	KindDone             notify.Kind = "ticket.done"               // to the client; payload Notice
	KindClosed           notify.Kind = "ticket.closed"             // to the client; payload Notice
	KindReopened         notify.Kind = "ticket.reopened"           // to the client; payload Notice
	KindReceived         notify.Kind = "ticket.received"           // to the reseller; payload Report
	KindReplied          notify.Kind = "ticket.replied"            // to the reseller; payload Report
	KindClosedByClient   notify.Kind = "ticket.closed_by_client"   // to the reseller; payload Report
	KindReopenedByClient notify.Kind = "ticket.reopened_by_client" // to the reseller; payload Report
	KindUnanswered       notify.Kind = "ticket.unanswered"         // to the reseller; payload Report
	KindServerLeft       notify.Kind = "ticket.server_left"        // to the reseller; payload Report
	KindProviderReplied  notify.Kind = "ticket.provider_replied"   // to the reseller; payload Report
	KindForwarded        notify.Kind = "ticket.forwarded"          // to the provider; payload ProviderRequest
)

// Notice is the payload of what a client is told: nothing that its View does not show.
type Notice struct {
	TicketID    uuid.UUID    `json:"ticket_id"`
	Ref         string       `json:"ref"`
	ServerID    uuid.UUID    `json:"server_id"`
	ServerName  string       `json:"server_name"`
	Kind        string       `json:"kind"` // for people
	Subject     string       `json:"subject"`
	Status      Status       `json:"status"`
	Text        string       `json:"text"` // what was said; "" where nothing was
	Attachments []Attachment `json:"attachments"`
}

// Report is the payload of what the reseller is told.
type Report struct {
	Notice
	ClientID uuid.UUID `json:"client_id"`
	Provider string    `json:"provider"` // "": never forwarded
	Reason   string    `json:"reason"`   // why the server left; "" otherwise
}

// ProviderRequest is the payload of what a provider is told: the server as the provider knows it and what the reseller wrote.
// Nothing of the client is in it. Its JSON names but "text" are the variables of Config.ForwardText too.
type ProviderRequest struct {
	Provider    string       `json:"provider"`
	Ref         string       `json:"ref"` // to be quoted in an answer
	Reference   string       `json:"reference"`
	ServerName  string       `json:"server_name"`
	Kind        string       `json:"kind"` // for people
	Text        string       `json:"text"` // as Config.ForwardText made it of the reseller's words
	Attachments []Attachment `json:"attachments"`
}

// fact is an event in the making.
type fact struct {
	kind    notify.Kind
	payload any
}

// notice is what a client is told about a ticket; said is nil where nothing was said.
func (m *Manager) notice(v View, said *Comment) Notice {
	n := Notice{
		TicketID: v.ID, Ref: v.Ref, ServerID: v.ServerID, ServerName: v.ServerName, Kind: m.kinds.label(v.Kind),
		Subject: v.Subject, Status: v.Status, Attachments: []Attachment{},
	}
	if said != nil {
		n.Text = said.Text
		n.Attachments = append(n.Attachments, said.Attachments...)
	}
	return n
}

func (m *Manager) report(t Ticket, said *Comment, reason string) Report {
	r := Report{Notice: m.notice(t.view(), said), ClientID: t.ClientID, Reason: reason}
	r.Status = t.Status
	if t.Upstream != nil {
		r.Provider = t.Upstream.Provider
	}
	return r
}

func (m *Manager) errand(t Ticket, said Comment) ProviderRequest {
	e := m.blankErrand(t)
	e.Text = said.Text
	e.Attachments = append(e.Attachments, said.Attachments...)
	return e
}

func (m *Manager) blankErrand(t Ticket) ProviderRequest {
	return ProviderRequest{
		Provider: t.Upstream.Provider, Ref: t.Upstream.Ref, Reference: t.Upstream.Reference,
		ServerName: t.ServerName, Kind: m.kinds.label(t.Kind), Attachments: []Attachment{},
	}
}

// tellClient finds out what the client is to be told from the two things it may know: its view before and after.
func (m *Manager) tellClient(before, after Ticket) []fact {
	was, is := before.view(), after.view()
	var said *Comment
	if len(is.Thread) > len(was.Thread) {
		said = &is.Thread[len(is.Thread)-1]
	}
	kind := KindCommented
	switch {
	case is.Status != was.Status:
		kind = kindOf(is.Status)
	case said == nil:
		return nil
	}
	return []fact{{kind, m.notice(is, said)}}
}

// kindOf is what a client is told when its ticket has come to a status.
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

// events makes the facts about a ticket that is about to be stored into events.
func (t Ticket) events(now time.Time, facts []fact) ([]notify.Event, error) {
	var events []notify.Event
	for _, f := range facts {
		subject := notify.Subject{
			ResellerID: t.ResellerID, ClientID: t.ClientID, ServerID: t.ServerID, ID: t.ID, Version: t.Version + 1,
		}
		if f.kind == KindForwarded {
			subject.ClientID = uuid.Nil
		}
		e, err := subject.Event(f.kind, now, f.payload)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// Kinds are this package's events, for notify.NewCatalog, with texts in English and German.
func Kinds() []notify.Spec {
	return notify.WithHTML(notify.Translate(notify.Explain(kinds(), meanings()), "de", german()))
}

func kinds() []notify.Spec {
	return slices.Concat(toClient(), toReseller(), toProvider())
}

func sampleNotice() Notice {
	id := uuid.MustParse("5f0c6a2e-7d0b-4a57-9f33-0a7d8f4b6c21")
	return Notice{
		TicketID: id, Ref: refOf(id), ServerID: uuid.MustParse("3d5f6f0e-58c4-4a43-9d9c-6f9f5e5a7c11"), ServerName: "web-07",
		Kind: "Reboot", Subject: "Please reboot", Status: Open, Text: "It does not answer any more.",
		Attachments: []Attachment{{Name: "screen.png", MediaType: "image/png", Key: "f/1", Bytes: 20480}},
	}
}

const (
	about  = "Your request {{.ref}} for the server {{.server_name}}: {{.subject}}\n"
	said   = "{{with .text}}\n{{.}}\n{{end}}"
	report = "{{.ref}}: {{.subject}}\nKind: {{.kind}}\nServer: {{.server_name}} ({{.server_id}})\nClient: {{.client_id}}\n"
)

func spec(kind notify.Kind, to notify.Audience, sample any, description, subject, text string) notify.Spec {
	return notify.Spec{
		Kind: kind, Audience: to, Group: "Tickets", Description: description, Sample: sample,
		Subject: map[string]string{"en": subject}, Text: map[string]string{"en": text},
	}
}

func toClient() []notify.Spec {
	tell := func(kind notify.Kind, description, subject, text string) notify.Spec {
		return spec(kind, notify.ToClient, sampleNotice(), description, "[{{.ref}}] "+subject, about+text+said)
	}
	return []notify.Spec{
		tell(KindOpened, "A ticket was opened by or for the client.", "We have your request: {{.subject}}",
			"\nWe have received it and will answer.\n"),
		tell(KindCommented, "The reseller wrote to the client.", "News on your request: {{.subject}}", ""),
		tell(KindDetailsWanted, "The reseller asks the client for details.", "We need to know more: {{.subject}}",
			"\nPlease answer so that we can go on.\n"),
		tell(KindConfirmed, "A ticket was confirmed: it is being worked on.", "We are working on it: {{.subject}}", ""),
		tell(KindRejected, "A ticket was rejected.", "We cannot do this: {{.subject}}", ""),
		tell(KindDone, "What a ticket asked for is done.", "Done: {{.subject}}", ""),
		tell(KindClosed, "A ticket was closed, by the reseller or by itself.", "Closed: {{.subject}}", "\nIt is closed now.\n"),
		tell(KindReopened, "The reseller opened a ticket again.", "Open again: {{.subject}}", "\nWe look at it again.\n"),
	}
}

func toReseller() []notify.Spec {
	sample := Report{
		Notice: sampleNotice(), ClientID: uuid.MustParse("0d2b7f5c-1f6e-4d55-8a43-6b1f2f0e9a77"),
		Provider: "Upstream Ltd", Reason: "released",
	}
	tell := func(kind notify.Kind, description, subject, text string) notify.Spec {
		return spec(kind, notify.ToReseller, sample, description, "[{{.ref}}] "+subject, report+text)
	}
	return []notify.Spec{
		tell(KindReceived, "A client opened a ticket.", "{{.kind}} for {{.server_name}}: {{.subject}}", said),
		tell(KindReplied, "A client wrote.", "The client wrote: {{.subject}}", said),
		tell(KindClosedByClient, "A client closed its ticket.", "Closed by the client: {{.subject}}", said),
		tell(KindReopenedByClient, "A client opened its ticket again.", "Open again: {{.subject}}", said),
		tell(KindUnanswered, "A ticket has waited too long for its first answer.", "Still unanswered: {{.subject}}",
			"\nThe client has had no answer yet.\n"),
		tell(KindServerLeft, "The server of an open ticket has left its client.", "{{.server_name}} has left its client: {{.subject}}",
			"\nThe ticket was closed.\n{{with .reason}}\nReason: {{.}}\n{{end}}"),
		tell(KindProviderReplied, "The provider answered what was forwarded.", "{{.provider}} answered: {{.subject}}", said),
	}
}

func toProvider() []notify.Spec {
	sample := ProviderRequest{
		Provider: "Upstream Ltd", Ref: "U-7F3K9QXM2RTVWYZ4", Reference: "srv-42", ServerName: "web-07", Kind: "Reboot",
		Text: "Server: web-07\nYour reference: srv-42\nRequest: Reboot\n\nPlease press the button.", Attachments: sampleNotice().Attachments,
	}
	return []notify.Spec{spec(KindForwarded, notify.ToProvider, sample, "The reseller forwarded a ticket to the provider.",
		"[{{.ref}}] {{.kind}}: {{with .reference}}{{.}}{{else}}{{.server_name}}{{end}}",
		"{{.text}}\n\nPlease keep [{{.ref}}] in the subject of your answer.\n")}
}
