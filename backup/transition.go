package backup

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is where a task stands.
type State string

// The states of a task.
const (
	Pending   State = "pending"   // to be done, now or later
	Completed State = "completed" // done
	Failed    State = "failed"    // tried in vain; Retry makes it pending again
	Cancelled State = "cancelled" // not to be done
	Skipped   State = "skipped"   // fell due while the one before was still pending; stands for Missed occurrences
)

// States are all states, in the order in which a dashboard shows them.
func States() []State { return []State{Pending, Completed, Failed, Cancelled, Skipped} }

// Transition is a row of the state table: what the Manager's method Op does to a task in the state From.
type Transition struct {
	Op       string
	From, To State // From "": the task is made
}

// Transitions is the state table. The safety net of Tick does what CloseServer does.
func Transitions() []Transition {
	return []Transition{
		{Op: "Submit", To: Pending},
		{Op: "Complete", From: Pending, To: Completed},
		{Op: "Fail", From: Pending, To: Failed},
		{Op: "Retry", From: Failed, To: Pending},
		{Op: "Cancel", From: Pending, To: Cancelled},
		{Op: "Withdraw", From: Pending, To: Cancelled},
		{Op: "CloseServer", From: Pending, To: Cancelled},
		{Op: "Tick", To: Skipped},
	}
}

// move takes the task to the state that op leads to, or returns an error that names the state that op takes.
func (t *Task) move(op string) error {
	rows := Transitions()
	n := slices.IndexFunc(rows, func(row Transition) bool { return row.Op == op })
	if row := rows[n]; t.State != row.From {
		return &Error{
			Op: op, RequestID: t.RequestID, TaskID: t.ID, ServerID: t.ServerID, State: t.State, Want: []State{row.From}, Err: ErrConflict,
			Msg: fmt.Sprintf("the backup task of %s for %s is %s: %s takes one that is %s",
				t.ServerName, t.At.Format(time.DateOnly), t.State, strings.ToLower(op[:1])+op[1:], row.From),
		}
	}
	t.State = rows[n].To
	return nil
}
