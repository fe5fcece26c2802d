package notify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/mailtext"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Kind names a kind of event, as "package.fact": "backup.completed". Each kind has one audience. A fact for two audiences
// is recorded as two events of two kinds.
type Kind string

// Audience is the group of recipients that a kind of event is for. The zero value is not an audience.
type Audience uint8

// The audiences.
const (
	ToClient   Audience = iota + 1 // the client that uses the server
	ToReseller                     // the reseller that rents the server out
	ToProvider                     // the reseller's provider, which must not learn who the client is
	ToHost                         // subscribers in the host program only; the library sends no mail
)

// String returns the audience's name: "client", "reseller", "provider", "host".
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

// Event is a fact. It is stored together with the change that caused it, and does not change afterwards.
type Event struct {
	ID         uuid.UUID // the same at every attempt to store the same change: see Subject.Event
	Kind       Kind
	At         time.Time       // when the fact became true: UTC, truncated to the microsecond
	ResellerID uuid.UUID       // the reseller whose panel the event belongs to
	ClientID   uuid.UUID       // nil if the event concerns no client, and always nil for ToProvider kinds
	ServerID   uuid.UUID       // nil if the event concerns no server
	SubjectID  uuid.UUID       // the entity that the event is about; its events are delivered in order. nil: in any order
	Data       json.RawMessage // the payload: a JSON object. It holds only what the kind's audience may see
}

// Subject is the entity that events are about: the entity that a change writes, and its owners.
type Subject struct {
	ResellerID uuid.UUID
	ClientID   uuid.UUID // leave it nil for ToProvider kinds: a provider must not learn who the client is
	ServerID   uuid.UUID
	ID         uuid.UUID // of the entity
	Version    int64     // the entity's version after the change: the version that was read, plus one
	Epoch      string    // of the database, see CheckEpoch; "": the first one
}

// Event makes an event about the subject. Event.At is the given time in UTC, truncated to the microsecond.
//
// The event's ID is a UUIDv5 of the subject's ID, the epoch, the version and the kind. A change that is repeated because its answer
// was lost makes the same event, and the outbox stores it once. So a change may record at most one event of a kind for each
// entity that it writes. After a copy of the database was restored, versions repeat. The epoch tells such events apart: receivers
// would otherwise drop the new ones as repeats of the old ones.
//
// A nil subject ID, a version below 1, an epoch that CheckEpoch refuses, an empty kind, and a payload that does not encode to a JSON
// object are ErrInvalid.
func (s Subject) Event(kind Kind, at time.Time, payload any) (Event, error) {
	switch {
	case kind == "":
		return Event{}, fmt.Errorf("%w: an event without a kind", ErrInvalid)
	case s.ID == uuid.Nil:
		return Event{}, fmt.Errorf("%w: event %s about a subject without an ID", ErrInvalid, kind)
	case s.Version < 1:
		return Event{}, fmt.Errorf("%w: event %s: the subject has version %d; it must be the version after the change, 1 or more",
			ErrInvalid, kind, s.Version)
	}
	if err := text.CheckEpoch("the subject's Epoch", s.Epoch); err != nil {
		return Event{}, fmt.Errorf("event %s: %w", kind, err)
	}
	data, err := mailtext.MarshalPayload(payload)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", kind, err)
	}
	return Event{
		ID:         uuid.NewSHA1(s.ID, []byte(s.changeName()+" "+string(kind))),
		Kind:       kind,
		At:         zone.Instant(at),
		ResellerID: s.ResellerID,
		ClientID:   s.ClientID,
		ServerID:   s.ServerID,
		SubjectID:  s.ID,
		Data:       data,
	}, nil
}

// changeName names the change among all changes of the entity. In the first epoch it is the version alone.
func (s Subject) changeName() string {
	version := strconv.FormatInt(s.Version, 10)
	if s.Epoch == "" {
		return version
	}
	return s.Epoch + "\n" + version
}

// MaxEpoch is the longest name of an epoch, in bytes.
const MaxEpoch = text.MaxEpoch

// CheckEpoch checks the name of an epoch, for stores. A database holds one epoch, and an operator begins a new one after restoring a
// copy. A name has at most MaxEpoch visible characters of ASCII, without spaces; everything else is ErrInvalid. "" is the first epoch.
func CheckEpoch(epoch string) error { return text.CheckEpoch("the epoch", epoch) }
