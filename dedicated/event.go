package dedicated

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records; their subject is the server.
const (
	// KindAssigned tells the client that the server is theirs. Payload: Notice.
	KindAssigned notify.Kind = "dedicated.assigned"
	// KindSuspended tells the client that the reseller holds the server back. Payload: Notice.
	KindSuspended notify.Kind = "dedicated.suspended"
	// KindResumed tells the client that the server is theirs again. Payload: Notice.
	KindResumed notify.Kind = "dedicated.resumed"
	// KindEnded tells the client that the reseller released the server by hand; of one that a cancellation releases, the
	// cancellation tells. Payload: Notice.
	KindEnded notify.Kind = "dedicated.ended"
	// KindReleased tells plug-ins that a client's use of the server has ended. Payload: Released.
	KindReleased notify.Kind = "dedicated.released"
	// KindBillingChanged tells plug-ins that the server's billing periods have changed. Payload: BillingChanged.
	KindBillingChanged notify.Kind = "dedicated.billing_changed"
)

// Notice is the payload of what a client is told about a server.
type Notice struct {
	ServerID   uuid.UUID `json:"server_id"`
	ServerName string    `json:"server_name"`
	Reason     string    `json:"reason"`
}

// BillingChanged is the payload of "dedicated.billing_changed". The times are in UTC.
type BillingChanged struct {
	ServerID   uuid.UUID `json:"server_id"`
	Assignment uuid.UUID `json:"assignment"`
	At         time.Time `json:"at"`
}

// ParseReleased reads the payload of a "dedicated.released" event. Any other event is ErrInvalid.
func ParseReleased(e notify.Event) (Released, error) {
	var d Released
	if e.Kind != KindReleased {
		return d, invalid("ParseReleased", "Kind", "%.64q is not %q", e.Kind, KindReleased)
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return Released{}, invalid("ParseReleased", "Data", "%v", err)
	}
	return d, nil
}

// fact is an event in the making.
type fact struct {
	kind    notify.Kind
	payload any
}

// tell makes a fact that the server's client is told.
func (s Server) tell(kind notify.Kind, reason string) fact {
	return fact{kind, Notice{ServerID: s.ID, ServerName: s.Name, Reason: reason}}
}

// events makes the facts about a server that is about to be stored into events.
func (s Server) events(now time.Time, facts []fact) ([]notify.Event, error) {
	subject := notify.Subject{ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, ID: s.ID, Version: s.Version + 1}
	var events []notify.Event
	for _, f := range facts {
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
	id := uuid.MustParse("3d5f6f0e-58c4-4a43-9d9c-6f9f5e5a7c11")
	at := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	notice := Notice{ServerID: id, ServerName: "web-07", Reason: "the invoice of 1 November is not paid"}
	toClient := func(kind notify.Kind, description, subject, text string) notify.Spec {
		return notify.Spec{
			Kind: kind, Audience: notify.ToClient, Group: "Servers", Description: description, Sample: notice,
			Subject: map[string]string{"en": subject}, Text: map[string]string{"en": text},
		}
	}
	toHost := func(kind notify.Kind, description string, sample any) notify.Spec {
		return notify.Spec{
			Kind: kind, Audience: notify.ToHost, Group: "Servers", Description: description, Sample: sample,
			Subject: map[string]string{"en": string(kind)}, Text: map[string]string{"en": description},
		}
	}
	return []notify.Spec{
		toClient(KindAssigned, "A server was assigned to the client.",
			"Your server {{.server_name}} is ready",
			"Your dedicated server {{.server_name}} ({{.server_id}}) is ready for you.\n"),
		toClient(KindSuspended, "A client's server was put on hold.",
			"Your server {{.server_name}} is on hold",
			"Your dedicated server {{.server_name}} ({{.server_id}}) was put on hold.\n{{with .reason}}\nReason: {{.}}\n{{end}}"),
		toClient(KindResumed, "A client's server is no longer on hold.",
			"Your server {{.server_name}} is back in use",
			"Your dedicated server {{.server_name}} ({{.server_id}}) is no longer on hold.\n"),
		toClient(KindEnded, "A client's server was released by hand.",
			"Your use of the server {{.server_name}} has ended",
			"Your dedicated server {{.server_name}} ({{.server_id}}) is no longer yours.\n{{with .reason}}\nReason: {{.}}\n{{end}}"),
		toHost(KindReleased, "A client's use of a server has ended.", Released{
			ResellerID: id, ServerID: id, ClientID: id, Assignment: id, At: at, Reason: "end of contract",
		}),
		toHost(KindBillingChanged, "A server's billing periods have changed.", BillingChanged{ServerID: id, Assignment: id, At: at}),
	}
}
