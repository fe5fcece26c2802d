package dedicated

import (
	"fmt"
	"slices"

	"github.com/metalkeep/metalkeep/internal/text"
)

// State is where a server stands.
type State string

// The states of a server.
const (
	InStock   State = "in_stock"  // ready to be assigned
	InUse     State = "in_use"    // a client uses it
	Suspended State = "suspended" // a client has it, the reseller holds it back
	CleanUp   State = "clean_up"  // to be wiped, with new passwords, before anybody else gets it
	Retired   State = "retired"   // out of service for good
)

// Transition is a row of the state table: what the Manager's method Op does to a server in one of the states From.
type Transition struct {
	Op   string
	From []State
	To   State // "": the state stays
}

// Transitions is the state table, in the order of a server's life. Operations that are not in it (Rename, Unlock) take
// every state.
func Transitions() []Transition {
	return []Transition{
		{Op: "Assign", From: []State{InStock}, To: InUse},
		{Op: "ChangeBilling", From: []State{InUse, Suspended}},
		{Op: "Suspend", From: []State{InUse}, To: Suspended},
		{Op: "Resume", From: []State{Suspended}, To: InUse},
		{Op: "Release", From: []State{InUse, Suspended}, To: CleanUp},
		{Op: "Restock", From: []State{CleanUp}, To: InStock},
		{Op: "Retire", From: []State{InStock, CleanUp}, To: Retired},
	}
}

// moved returns the server in the state that op leads to, or an error that names the states that op takes.
func (s Server) moved(op string) (Server, error) {
	for _, row := range Transitions() {
		if row.Op != op {
			continue
		}
		if !slices.Contains(row.From, s.State) {
			return s, s.refuse(op, row.From)
		}
		if row.To != "" {
			s.State = row.To
		}
	}
	return s, nil
}

func (s Server) refuse(op string, want []State) error {
	return &Error{
		Op: op, ServerID: s.ID, State: s.State, Want: want, Err: ErrConflict,
		Msg: fmt.Sprintf("server %s (%s) is %s: %s takes one that is %s", s.Name, s.ID, s.State, op, text.Or(want)),
	}
}
