package cancellation

import (
	"fmt"
	"slices"

	"github.com/metalkeep/metalkeep/internal/text"
)

// State is the state of a cancellation.
type State string

// The states of a cancellation.
const (
	Scheduled State = "scheduled" // planned; it can be moved or discarded
	Executing State = "executing" // begun; it can only be finished or abandoned
	Executed  State = "executed"  // the server was taken back, and the refund was paid
	Discarded State = "discarded" // called off, or the server left its client before the date
	Failed    State = "failed"    // given up: by the reseller, or because the server has changed
)

// States returns all states, in the order of a cancellation's life.
func States() []State { return []State{Scheduled, Executing, Executed, Discarded, Failed} }

// Active reports whether the state is scheduled or executing.
func (s State) Active() bool { return s == Scheduled || s == Executing }

// The steps of an execution, in order.
const (
	StepRelease     = "release"     // the server is taken from the client and locked by the cancellation
	StepDeprovision = "deprovision" // Hooks.Deprovision
	StepRefund      = "refund"      // Biller.Refund
	StepCloseDown   = "close_down"  // Hooks.CloseDown
	StepDone        = "done"        // the server is unlocked
)

// The words of history entries. They are part of Entry's contract.
const (
	entryScheduled   = "scheduled"
	entryRescheduled = "rescheduled"
	entryMoved       = "moved"
	entryDiscarded   = "discarded"
	entryPostponed   = "postponed"
	entryExecuting   = "executing"
	entryExecuted    = "executed"
	entryRetried     = "retried"
	entryHeld        = "held"
	entryConfirmed   = "confirmed"
	entryAbandoned   = "abandoned"
	entryFailed      = "failed"
)

// Op is an operation of this package: the name of a Manager's method, or of what a Tick does.
type Op string

// The operations that change a cancellation. The last five are those of a Tick.
const (
	OpSchedule          Op = "Schedule"
	OpReschedule        Op = "Reschedule"
	OpDiscard           Op = "Discard"
	OpRetry             Op = "Retry"
	OpAbandon           Op = "Abandon"
	OpConfirm           Op = "Confirm"
	OpBegin             Op = "begin"
	OpFinish            Op = "finish"
	OpServerLeft        Op = "server left"
	OpOwnerChanged      Op = "owner changed"
	OpAssignmentChanged Op = "assignment changed"
)

// The other operations, as errors name them.
const (
	opNew           Op = "New"
	opTick          Op = "Tick"
	opExecution     Op = "Execution"
	opQuote         Op = "Quote"
	opQuotes        Op = "Quotes"
	opPreview       Op = "Preview"
	opPolicy        Op = "Policy"
	opCancellation  Op = "Cancellation"
	opCancellations Op = "Cancellations"
	opBadges        Op = "Badges"
	opEnds          Op = "Ends"
	opShouldRenew   Op = "ShouldRenew"
	opSettings      Op = "Settings"
	opSaveSettings  Op = "SaveSettings"
	opSubscriber    Op = "Subscriber"
)

// Transition is a row of the state table: the operation Op takes a cancellation in one of the states From to the state To.
type Transition struct {
	Op   Op
	From []State // empty: the cancellation is new
	To   State   // "": the state stays
}

// Transitions returns the state table, in the order of a cancellation's life. It holds every operation that changes a
// cancellation.
func Transitions() []Transition {
	return []Transition{
		{Op: OpSchedule, To: Scheduled},
		{Op: OpReschedule, From: []State{Scheduled}},
		{Op: OpDiscard, From: []State{Scheduled}, To: Discarded},
		{Op: OpServerLeft, From: []State{Scheduled}, To: Discarded},
		{Op: OpOwnerChanged, From: []State{Scheduled}, To: Failed},
		{Op: OpBegin, From: []State{Scheduled}, To: Executing},
		{Op: OpRetry, From: []State{Scheduled, Executing}},
		{Op: OpConfirm, From: []State{Scheduled, Executing}},
		{Op: OpFinish, From: []State{Executing}, To: Executed},
		{Op: OpAbandon, From: []State{Executing}, To: Failed},
		{Op: OpAssignmentChanged, From: []State{Executing}, To: Failed},
	}
}

// move returns the cancellation in the state that op leads to, or an error that names the states that op takes.
func (c Cancellation) move(op Op) (Cancellation, error) {
	table := Transitions()
	i := slices.IndexFunc(table, func(row Transition) bool { return row.Op == op })
	if i < 0 {
		return c, invalid(op, "Op", "%q is not an operation on a cancellation", op)
	}
	row := table[i]
	if !slices.Contains(row.From, c.State) {
		return c, &Error{
			Op: op, CancellationID: c.ID, ServerID: c.ServerID, State: c.State, Want: row.From, Err: ErrConflict,
			Msg: fmt.Sprintf("the cancellation of server %s (%s) is %s: %s takes one that is %s",
				c.ServerName, c.ID, c.State, op, text.Or(row.From)),
		}
	}
	if row.To != "" {
		c.State = row.To
	}
	return c, nil
}
