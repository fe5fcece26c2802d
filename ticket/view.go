package ticket

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// View is what a client sees of a ticket. It is made by copying field by field, so that a field that is added to Ticket stays
// hidden until it is copied here as well. It has no internal comments, upstream thread, provider, assignee or priority. Of the
// reseller's staff it shows the role alone. A forwarded ticket is shown as a confirmed one.
type View struct {
	ID, ServerID    uuid.UUID
	Ref, ServerName string
	Kind            Kind
	Fields          map[string]json.RawMessage
	Subject         string
	Status          Status // never Forwarded
	Decision        Status
	Thread          []Comment // the public comments
	OpenedAt        time.Time
}

func (t Ticket) view() View {
	return View{
		ID:         t.ID,
		ServerID:   t.ServerID,
		Ref:        t.Ref,
		ServerName: t.ServerName,
		Kind:       t.Kind,
		Fields:     cloneFields(t.Fields),
		Subject:    t.Subject,
		Status:     t.Status.public(),
		Decision:   t.Decision,
		Thread:     publicThread(t.Thread),
		OpenedAt:   t.OpenedAt,
	}
}

// viewFor returns the view of the ticket, or nil if the actor may not know of the ticket.
func (t Ticket) viewFor(a dedicated.Actor) *View {
	if !t.visibleTo(a) {
		return nil
	}
	v := t.view()
	return &v
}

// visibleTo reports whether the actor may know of the ticket.
func (t Ticket) visibleTo(a dedicated.Actor) bool {
	return a.Manages(t.ResellerID) || a.IsClient(t.ResellerID, t.ClientID)
}

func publicThread(thread []Comment) []Comment {
	var public []Comment
	for _, c := range thread {
		if c.Internal {
			continue
		}
		public = append(public, Comment{
			ID:          c.ID,
			By:          publicActor(c.By),
			At:          c.At,
			Text:        c.Text,
			Attachments: slices.Clone(c.Attachments),
		})
	}
	return public
}

// publicActor returns a client as it is, and the role alone of everybody else.
func publicActor(a dedicated.Actor) dedicated.Actor {
	if a.Role != dedicated.Client {
		return dedicated.Actor{Role: dedicated.Reseller, ResellerID: a.ResellerID}
	}
	return a
}

// public returns the status as a client sees it.
func (s Status) public() Status {
	if s == Forwarded {
		return Confirmed
	}
	return s
}

// statusesFor returns the statuses as the actor sees them, each once.
func statusesFor(a dedicated.Actor, statuses ...Status) []Status {
	var visible []Status
	for _, s := range statuses {
		if a.Role == dedicated.Client {
			s = s.public()
		}
		if !slices.Contains(visible, s) {
			visible = append(visible, s)
		}
	}
	return visible
}
