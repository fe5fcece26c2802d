package cancellation

import (
	"fmt"
	"slices"

	"github.com/metalkeep/metalkeep/internal/text"
)

// State is where a cancellation stands.
type State string

// The states of a cancellation.
const (
	Scheduled State = "scheduled" // planned; it may still be moved or discarded
	Executing State = "executing" // begun: it cannot be stopped any more, only finished or abandoned
	Executed  State = "executed"  // the server was taken back and what was owed was refunded
	Discarded State = "discarded" // called off, or the server left its client before
	Failed    State = "failed"    // given up: by an operator, or because the server is not what it was
)

// Active says that the cancellation is not over: scheduled or executing.
func (s State) Active() bool { return s == Scheduled || s == Executing }

// The steps of an execution, in order.
const (
	StepRelease     = "release"     // the server is taken from the client, busy with this cancellation
	StepDeprovision = "deprovision" // Hooks.Deprovision
	StepRefund      = "refund"      // Biller.Refund
	StepCloseDown   = "close_down"  // Hooks.CloseDown
	StepDone        = "done"        // the server is no longer busy
)

// What history entries say. The words are part of Entry's contract.
const (
	didSchedule   = "scheduled"
	didReschedule = "rescheduled"
	didMove       = "moved"
	didDiscard    = "discarded"
	didPostpone   = "postponed"
	didBegin      = "executing"
	didExecute    = "executed"
	didRetry      = "retried"
	didAbandon    = "abandoned"
	didFail       = "failed"
)

// Transition is a row of the state table: what Op does to a cancellation in one of the states From. Op is a method of the
// Manager, or what a Tick finds: "begin", "finish", "server left", "owner changed", "assignment changed".
type Transition struct {
	Op   string
	From []State
	To   State // "": the state stays
}

// Transitions is the state table, in the order of a cancellation's life.
func Transitions() []Transition {
	return []Transition{
		{Op: "Schedule", To: Scheduled},
		{Op: "Reschedule", From: []State{Scheduled}},
		{Op: "Discard", From: []State{Scheduled}, To: Discarded},
		{Op: opLeft, From: []State{Scheduled}, To: Discarded},
		{Op: opOwner, From: []State{Scheduled}, To: Failed},
		{Op: opBegin, From: []State{Scheduled}, To: Executing},
		{Op: "Retry", From: []State{Scheduled, Executing}},
		{Op: opFinish, From: []State{Executing}, To: Executed},
		{Op: "Abandon", From: []State{Executing}, To: Failed},
		{Op: opLost, From: []State{Executing}, To: Failed},
	}
}

// What a Tick finds, in the state table.
const (
	opLeft   = "server left"
	opOwner  = "owner changed"
	opBegin  = "begin"
	opFinish = "finish"
	opLost   = "assignment changed"
)

// moved returns the cancellation in the state that op leads to, or an error that names the states that op takes. Who is
// moved to an end is never due again.
func (c Cancellation) moved(op string) (Cancellation, error) {
	for _, row := range Transitions() {
		if row.Op != op {
			continue
		}
		if !slices.Contains(row.From, c.State) {
			return c, c.refuse(op, row.From)
		}
		if row.To != "" {
			c.State = row.To
		}
	}
	return c, nil
}

func (c Cancellation) refuse(op string, want []State) error {
	return &Error{
		Op: op, CancellationID: c.ID, ServerID: c.ServerID, State: c.State, Want: want, Err: ErrConflict,
		Msg: fmt.Sprintf("the cancellation of server %s (%s) is %s: %s takes one that is %s",
			c.ServerName, c.ID, c.State, op, text.Or(want)),
	}
}
