package dedicated

import (
	"fmt"
	"slices"

	"github.com/metalkeep/metalkeep/internal/text"
)

// State is the state of a server.
type State string

// The states of a server.
const (
	InStock   State = "in_stock"  // ready to be assigned
	InUse     State = "in_use"    // a client uses it
	Suspended State = "suspended" // a client has it, the reseller has suspended it
	CleanUp   State = "clean_up"  // to be wiped, with new passwords, before the next client gets it
	Retired   State = "retired"   // out of service for good
)

// States returns all states, in the order of a server's life.
func States() []State { return []State{InStock, InUse, Suspended, CleanUp, Retired} }

// Op is an operation of this package: the name of a Manager's method, or of the type that a function checked.
type Op string

// The operations that change a server.
const (
	OpAdd           Op = "Add"
	OpAssign        Op = "Assign"
	OpChangeBilling Op = "ChangeBilling"
	OpRename        Op = "Rename"
	OpSuspend       Op = "Suspend"
	OpResume        Op = "Resume"
	OpRelease       Op = "Release"
	OpUnlock        Op = "Unlock"
	OpRestock       Op = "Restock"
	OpRetire        Op = "Retire"
)

// The other operations, as errors name them.
const (
	opNew           Op = "New"
	opServer        Op = "Server"
	opServers       Op = "Servers"
	opServersByID   Op = "ServersByID"
	opParseReleased Op = "ParseReleased"
	opBilling       Op = "Billing"
	opRunner        Op = "Runner"
)

// Transition is a row of the state table: the operation Op takes a server in one of the states From to the state To.
type Transition struct {
	Op   Op
	From []State // empty: the server is new
	To   State   // "": the state stays
}

// Transitions returns the state table, in the order of a server's life. It holds every operation that changes a server.
func Transitions() []Transition {
	return []Transition{
		{Op: OpAdd, To: InStock},
		{Op: OpAssign, From: []State{InStock}, To: InUse},
		{Op: OpChangeBilling, From: []State{InUse, Suspended}},
		{Op: OpSuspend, From: []State{InUse}, To: Suspended},
		{Op: OpResume, From: []State{Suspended}, To: InUse},
		{Op: OpRelease, From: []State{InUse, Suspended}, To: CleanUp},
		{Op: OpRestock, From: []State{CleanUp}, To: InStock},
		{Op: OpRetire, From: []State{InStock, CleanUp}, To: Retired},
		{Op: OpRename, From: States()},
		{Op: OpUnlock, From: States()},
	}
}

// move returns the server in the state that op leads to, or an error that names the states that op takes.
func (s Server) move(op Op) (Server, error) {
	table := Transitions()
	i := slices.IndexFunc(table, func(row Transition) bool { return row.Op == op })
	if i < 0 {
		return s, invalid(op, "Op", "%q is not an operation on a server", op)
	}
	row := table[i]
	if !slices.Contains(row.From, s.State) {
		return s, &Error{
			Op: op, ServerID: s.ID, State: s.State, Want: row.From, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is %s: %s takes one that is %s", s.Name, s.ID, s.State, op, text.Or(row.From)),
		}
	}
	if row.To != "" {
		s.State = row.To
	}
	return s, nil
}
