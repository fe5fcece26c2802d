package dedicated

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Role is the part that an actor has.
type Role uint8

// The roles. Role 0 may do nothing.
const (
	// Client uses servers; its ID is the client's.
	Client Role = iota + 1
	// Reseller rents servers out and runs the panel.
	Reseller
	// System is the library itself and the host's own jobs. It may do what the reseller may, for one reseller at a time.
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

// Actor is the person or program that calls an operation. For a Client, ID is the client's. For the other roles the host may
// set ID to a member of staff, whom the history then shows; nil is allowed. A nil ResellerID matches nothing: such an Actor
// sees no record, in any role.
type Actor struct {
	Role       Role      `json:"role"`
	ID         uuid.UUID `json:"id"`
	ResellerID uuid.UUID `json:"reseller_id"`
}

// Manages reports whether the actor acts for this reseller, as Reseller or as System.
func (a Actor) Manages(reseller uuid.UUID) bool {
	return (a.Role == Reseller || a.Role == System) && reseller != uuid.Nil && a.ResellerID == reseller
}

// IsClient reports whether the actor is this client of this reseller.
func (a Actor) IsClient(reseller, client uuid.UUID) bool {
	return a.Role == Client && reseller != uuid.Nil && a.ResellerID == reseller && client != uuid.Nil && a.ID == client
}

// Uses reports whether the actor is the client that uses the server now.
func (a Actor) Uses(s Server) bool {
	return a.IsClient(s.ResellerID, s.ClientID) && s.Used()
}

// Owner is the owner of a machine. The zero value is the reseller. Otherwise it names the upstream provider, and the name by
// which the provider knows the server. Clients never see it: their servers have a blank Owner, which does not mean "own".
type Owner struct {
	Provider  string `json:"provider"`
	Reference string `json:"reference"`
}

// Own reports whether the machine is the reseller's own.
func (o Owner) Own() bool { return o == Owner{} }

// The longest texts that people may type, in bytes of UTF-8.
const (
	MaxName   = 200
	MaxReason = 1000
)

func (o Owner) check(op Op) error {
	if o.Provider == "" && o.Reference != "" {
		return invalid(op, "Owner.Provider", "a reference of %q needs the name of its provider", o.Reference)
	}
	if err := checkLine(op, "Owner.Provider", o.Provider, MaxName); err != nil {
		return err
	}
	return checkLine(op, "Owner.Reference", o.Reference, MaxName)
}

func checkLine(op Op, field, s string, limit int) error {
	if err := text.CheckLine(field, s, limit); err != nil {
		return &Error{Op: op, Field: field, Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}

func checkName(op Op, s string) error {
	if err := text.CheckFilled("Name", s, MaxName); err != nil {
		return &Error{Op: op, Field: "Name", Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}

// Server is a machine that is rented out. Names may change and repeat, IDs may not.
//
// Each Assign makes a fresh Assignment. Everything that a client asks for is bound to it, so that nothing that was meant for one
// client ever reaches the next. Assignment, ClientID, AssignedAt, Billing and BilledAt stay through clean_up, until
// Restock or Retire.
type Server struct {
	ID         uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID // nil: no client has it
	Name       string    // one line
	Owner      Owner
	State      State
	Billing    Billing   // zero: not assigned
	BilledAt   time.Time // the instant from which Billing holds: UTC, microseconds
	Assignment uuid.UUID
	AssignedAt time.Time // UTC, microseconds
	LockedBy   uuid.UUID // the cancellation that is still wiping it; nil: not locked
	Version    int64
}

// Used reports whether a client has the server: its state is in_use or suspended.
func (s Server) Used() bool { return s.State == InUse || s.State == Suspended }
