package backup

import (
	"fmt"
	"slices"
	"time"

	"github.com/metalkeep/metalkeep/internal/text"
)

// State is the state of a task.
type State string

// The states of a task.
const (
	Pending   State = "pending"   // to be done, now or later
	Completed State = "completed" // done
	Failed    State = "failed"    // tried without success; Retry makes it pending again
	Cancelled State = "cancelled" // will not be done
	Skipped   State = "skipped"   // fell due while an earlier task was pending; it stands for Missed occurrences
)

// States returns all states, in the order in which a dashboard shows them.
func States() []State { return []State{Pending, Completed, Failed, Cancelled, Skipped} }

// Op is an operation of this package: the name of a Manager's method, or of the type or function that checked something.
type Op string

// The operations that change a request or its tasks.
const (
	OpSubmit      Op = "Submit"
	OpRevise      Op = "Revise"
	OpComplete    Op = "Complete"
	OpFail        Op = "Fail"
	OpRetry       Op = "Retry"
	OpCancel      Op = "Cancel"
	OpWithdraw    Op = "Withdraw"
	OpCloseServer Op = "CloseServer"
	OpTick        Op = "Tick"
	OpConfirm     Op = "Confirm"
)

// The other operations, as errors name them.
const (
	opNew        Op = "New"
	opRequest    Op = "Request"
	opRequests   Op = "Requests"
	opTask       Op = "Task"
	opTasks      Op = "Tasks"
	opCounts     Op = "Counts"
	opUpcoming   Op = "Upcoming"
	opPerform    Op = "Perform"
	opSchedule   Op = "Schedule"
	opParseRRule Op = "ParseRRule"
)

// Transition is a row of the state table: the operation Op takes a task in one of the states From to the state To.
type Transition struct {
	Op   Op
	From []State // empty: the task is new
	To   State   // "": the state stays
}

// Transitions returns the state table of tasks. It holds every operation that changes a task; Confirm changes none. If a Tick
// finds that a server has left its client, it does the same as CloseServer. The results of a Performer are Complete and Fail.
func Transitions() []Transition {
	pending := []State{Pending}
	return []Transition{
		{Op: OpSubmit, To: Pending},
		{Op: OpRevise, From: pending},
		{Op: OpComplete, From: pending, To: Completed},
		{Op: OpFail, From: pending, To: Failed},
		{Op: OpRetry, From: []State{Failed}, To: Pending},
		{Op: OpCancel, From: pending, To: Cancelled},
		{Op: OpWithdraw, From: pending, To: Cancelled},
		{Op: OpCloseServer, From: pending, To: Cancelled},
		{Op: OpTick, To: Skipped},
	}
}

// move takes the task to the state that op leads to, or returns an error that names the states that op takes.
func (t *Task) move(op Op) error {
	table := Transitions()
	i := slices.IndexFunc(table, func(row Transition) bool { return row.Op == op })
	if i < 0 {
		return invalid(op, "Op", "%q is not an operation on a task", op)
	}
	row := table[i]
	if !slices.Contains(row.From, t.State) {
		return &Error{
			Op: op, RequestID: t.RequestID, TaskID: t.ID, ServerID: t.ServerID, State: t.State, Want: row.From, Err: ErrConflict,
			Msg: fmt.Sprintf("the backup task of server %s for %s is %s: %s takes one that is %s",
				t.ServerName, t.At.Format(time.DateOnly), t.State, op, text.Or(row.From)),
		}
	}
	if row.To != "" {
		t.State = row.To
	}
	return nil
}
