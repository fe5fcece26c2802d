package dedicated

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records. Their subject is the server.
const (
	// KindAssigned tells the client that the server is theirs. Payload: Notice.
	KindAssigned notify.Kind = "dedicated.assigned"
	// KindSuspended tells the client that the reseller has suspended the server. Payload: Notice.
	KindSuspended notify.Kind = "dedicated.suspended"
	// KindResumed tells the client that the suspension has ended. Payload: Notice.
	KindResumed notify.Kind = "dedicated.resumed"
	// KindEnded tells the client that the reseller released the server by hand. If a cancellation releases the server, the
	// cancellation tells the client. Payload: Notice.
	KindEnded notify.Kind = "dedicated.ended"
	// KindReleased tells plug-ins that a client's use of the server has ended. Payload: Released.
	KindReleased notify.Kind = "dedicated.released"
	// KindBillingChanged tells plug-ins that the server's billing periods have changed. Payload: BillingChanged.
	KindBillingChanged notify.Kind = "dedicated.billing_changed"
)

// Notice is the payload of the events that tell a client about its server.
type Notice struct {
	ServerID   uuid.UUID `json:"server_id"`
	ServerName string    `json:"server_name"`
	Reason     string    `json:"reason"`
}

// BillingChanged is the payload of "dedicated.billing_changed".
type BillingChanged struct {
	ServerID   uuid.UUID `json:"server_id"`
	Assignment uuid.UUID `json:"assignment"`
	At         time.Time `json:"at"` // UTC
}

// Released is the payload of "dedicated.released": a client's use of a server has ended. Functions that take it are trusted: it
// carries no actor.
type Released struct {
	ResellerID     uuid.UUID `json:"reseller_id"`
	ServerID       uuid.UUID `json:"server_id"`
	ClientID       uuid.UUID `json:"client_id"`
	Assignment     uuid.UUID `json:"assignment"`
	CancellationID uuid.UUID `json:"cancellation_id"` // nil: released by hand
	At             time.Time `json:"at"`              // UTC
	Reason         string    `json:"reason"`
}

// ParseReleased reads the payload of a "dedicated.released" event. Every other event is ErrInvalid.
func ParseReleased(e notify.Event) (Released, error) {
	var d Released
	if e.Kind != KindReleased {
		return d, invalid(opParseReleased, "Kind", "%.64q is not %q", e.Kind, KindReleased)
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return Released{}, invalid(opParseReleased, "Data", "%v", err)
	}
	return d, nil
}
