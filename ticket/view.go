package ticket

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// View is what a client sees of a ticket. It is made by copying, field by field, what a client may see; a field added to
// Ticket is hidden until somebody copies it here. It has no internal comments, upstream thread, provider, assignee and
// priority; staff appears by its role alone, and a forwarded ticket is a confirmed one: it is being worked on.
type View struct {
	ID, ServerID    uuid.UUID
	Ref, ServerName string
	Kind            Kind
	Fields          map[string]json.RawMessage
	Subject         string
	Status          Status // never Forwarded
	Decision        Status
	Thread          []Comment // the public ones
	OpenedAt        time.Time
}

// view copies.
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

// publicActor names a client, and of everybody else the role.
func publicActor(a dedicated.Actor) dedicated.Actor {
	if a.Role != dedicated.Client {
		return dedicated.Actor{Role: dedicated.Reseller, ResellerID: a.ResellerID}
	}
	return a
}

// public is the status as a client sees it.
func (s Status) public() Status {
	if s == Forwarded {
		return Confirmed
	}
	return s
}

// seenBy is the statuses as the actor sees them, each once.
func seenBy(a dedicated.Actor, statuses ...Status) []Status {
	var seen []Status
	for _, s := range statuses {
		if a.Role == dedicated.Client {
			s = s.public()
		}
		if !slices.Contains(seen, s) {
			seen = append(seen, s)
		}
	}
	return seen
}
