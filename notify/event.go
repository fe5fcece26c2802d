package notify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/zone"
)

// Kind names an event, as "package.fact": "backup.completed". One kind has one audience; a fact for two audiences is two
// events of two kinds.
type Kind string

// Audience is whom a kind of event is for. The zero value is none.
type Audience uint8

// The audiences.
const (
	ToClient   Audience = iota + 1 // who uses the server
	ToReseller                     // who rents it out
	ToProvider                     // upstream of the reseller: may not learn who the client is
	ToHost                         // plug-ins only: nothing is mailed
)

// String is the audience's name: "client", "reseller", "provider", "host".
func (a Audience) String() string {
	switch a {
	case ToClient:
		return "client"
	case ToReseller:
		return "reseller"
	case ToProvider:
		return "provider"
	case ToHost:
		return "host"
	}
	return "audience " + strconv.Itoa(int(a))
}

// Event is a fact, recorded together with the change that caused it. It is a value; nobody changes one.
type Event struct {
	ID         uuid.UUID // the same each time the same change is tried: see Subject.Event
	Kind       Kind
	At         time.Time       // when it became true: UTC, to the microsecond
	ResellerID uuid.UUID       // whose panel it happened in
	ClientID   uuid.UUID       // nil where no client is concerned, and always for a provider's kind
	ServerID   uuid.UUID       // nil where no server is concerned
	SubjectID  uuid.UUID       // what it is about; a subject's events are delivered in order. nil: in no order
	Data       json.RawMessage // a JSON object: the payload, with only what the kind's audience may see
}

// Subject is what events are about: the entity that a change writes, and to whom it belongs.
type Subject struct {
	ResellerID uuid.UUID
	ClientID   uuid.UUID // leave it nil for a provider's kinds: a provider may not learn who the client is
	ServerID   uuid.UUID
	ID         uuid.UUID // of the entity itself
	Version    int64     // that the entity has once the change is stored: what was read, plus one
}

// Event makes an event about the subject. Its ID is the UUIDv5 of the subject's ID over its version and the kind, so that
// a change whose answer was lost can be tried again without telling anybody twice: a change records a kind at most once
// for each entity that it writes. at is kept in UTC, to the microsecond. The payload must marshal to a JSON object; that,
// a nil subject ID, a version below 1 and an empty kind are ErrInvalid.
func (s Subject) Event(kind Kind, at time.Time, payload any) (Event, error) {
	switch {
	case kind == "":
		return Event{}, fmt.Errorf("%w: an event without a kind", ErrInvalid)
	case s.ID == uuid.Nil:
		return Event{}, fmt.Errorf("%w: event %s about a subject without an ID", ErrInvalid, kind)
	case s.Version < 1:
		return Event{}, fmt.Errorf("%w: event %s: version %d of its subject: 1 or more, as it will be stored", ErrInvalid, kind, s.Version)
	}
	data, err := marshalObject(payload)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", kind, err)
	}
	return Event{
		ID:         uuid.NewSHA1(s.ID, []byte(strconv.FormatInt(s.Version, 10)+" "+string(kind))),
		Kind:       kind,
		At:         zone.Instant(at),
		ResellerID: s.ResellerID,
		ClientID:   s.ClientID,
		ServerID:   s.ServerID,
		SubjectID:  s.ID,
		Data:       data,
	}, nil
}

// marshalObject writes a payload, whose JSON names are the variables of its texts.
func marshalObject(payload any) (json.RawMessage, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: the payload %T does not marshal: %w", ErrInvalid, payload, err)
	}
	if len(data) == 0 || data[0] != '{' {
		return nil, fmt.Errorf("%w: the payload %T marshals to %.40s: a JSON object is wanted", ErrInvalid, payload, data)
	}
	return data, nil
}
