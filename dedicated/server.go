package dedicated

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Role says in which part somebody acts.
type Role uint8

// The roles. Role 0 may do nothing.
const (
	// Client uses servers; its ID is the client's.
	Client Role = iota + 1
	// Reseller rents servers out and runs the panel.
	Reseller
	// System is the library itself and the host's own jobs: what the reseller may do, for one reseller at a time.
	System
)

// String returns "client", "reseller", "system" or "nobody".
func (r Role) String() string {
	switch r {
	case Client:
		return "client"
	case Reseller:
		return "reseller"
	case System:
		return "system"
	}
	return "nobody"
}

// Actor is who acts. For a Client, ID is the client's; for the others it is whoever the host wants to see in the
// history, a member of staff or nil. Nil IDs match nothing: an Actor without a ResellerID sees no record at all, in
// whatever role.
type Actor struct {
	Role       Role      `json:"role"`
	ID         uuid.UUID `json:"id"`
	ResellerID uuid.UUID `json:"reseller_id"`
}

// Manages says whether the actor acts for this reseller: as the reseller or as System.
func (a Actor) Manages(reseller uuid.UUID) bool {
	return (a.Role == Reseller || a.Role == System) && reseller != uuid.Nil && a.ResellerID == reseller
}

// Is says whether the actor is this client of this reseller.
func (a Actor) IsClient(reseller, client uuid.UUID) bool {
	return a.Role == Client && reseller != uuid.Nil && a.ResellerID == reseller && client != uuid.Nil && a.ID == client
}

// Uses says whether the actor is the client that now uses the server.
func (a Actor) Uses(s Server) bool {
	return a.IsClient(s.ResellerID, s.ClientID) && s.Used()
}

// Owner says whose machine a server is. The zero value: the reseller's own. Else the upstream provider, and the name by
// which the provider knows the server. Clients never see it: what they get has a blank Owner, never to be read as "own".
type Owner struct {
	Provider  string `json:"provider"`
	Reference string `json:"reference"`
}

// Own says that the machine is the reseller's.
func (o Owner) Own() bool { return o == Owner{} }

// Bounds of what people type, in bytes of UTF-8.
const (
	MaxName   = 200
	MaxReason = 1000
)

func (o Owner) validate(op string) error {
	if o.Provider == "" && o.Reference != "" {
		return invalid(op, "Owner.Provider", "a reference of %q needs the name of its provider", o.Reference)
	}
	if err := checkLine(op, "Owner.Provider", o.Provider, MaxName); err != nil {
		return err
	}
	return checkLine(op, "Owner.Reference", o.Reference, MaxName)
}

func checkLine(op, field, s string, limit int) error {
	if err := text.Line(field, s, limit); err != nil {
		return &Error{Op: op, Field: field, Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}

func checkName(op, s string) error {
	if err := text.Filled("Name", s, MaxName); err != nil {
		return &Error{Op: op, Field: "Name", Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}

// Server is a machine that is rented out. Names may change and repeat; IDs never.
//
// Assignment is fresh at each Assign: everything a client asks for is bound to it, so that nothing meant for one use of
// the machine ever hits the next. It, ClientID, AssignedAt, Billing and BilledAt stay through clean_up, until Restock or
// Retire.
type Server struct {
	ID         uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID // nil: nobody's
	Name       string    // one line
	Owner      Owner
	State      State
	Billing    Billing   // zero: not assigned
	BilledAt   time.Time // since when Billing holds: UTC, microseconds
	Assignment uuid.UUID
	AssignedAt time.Time // UTC, microseconds
	LockedBy   uuid.UUID // the cancellation that is still wiping it; nil: none
	Version    int64
}

// Used says whether a client uses the server: in_use or suspended.
func (s Server) Used() bool { return s.State == InUse || s.State == Suspended }

// forClient is what a client may see of a server that it uses.
func (s Server) forClient() Server {
	s.Owner, s.LockedBy = Owner{}, uuid.Nil
	return s
}

// free takes everything of the last assignment off the server.
func (s Server) free() Server {
	s.ClientID, s.Assignment, s.AssignedAt, s.Billing, s.BilledAt = uuid.Nil, uuid.Nil, time.Time{}, Billing{}, time.Time{}
	return s
}

// Released says that a client's use of a server has ended. Trusted: it carries no actor. It is the payload of the event
// "dedicated.released".
type Released struct {
	ResellerID     uuid.UUID `json:"reseller_id"`
	ServerID       uuid.UUID `json:"server_id"`
	ClientID       uuid.UUID `json:"client_id"`
	Assignment     uuid.UUID `json:"assignment"`
	CancellationID uuid.UUID `json:"cancellation_id"` // nil: released by hand
	At             time.Time `json:"at"`
	Reason         string    `json:"reason"`
}
