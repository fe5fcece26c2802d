package backup

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Task is one occurrence of a request: a line of the list that the reseller works through. All times are in UTC, to the
// microsecond.
//
// ID is derived from the request and the occurrence, so that two processes that plan the same one make one. A revision
// that moves a task to another date leaves it its ID, as does a retry; a skipped task has the ID of the first occurrence
// that it stands for and the date of the last.
type Task struct {
	ID         uuid.UUID
	RequestID  uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID
	ServerID   uuid.UUID
	Assignment uuid.UUID
	ServerName string
	What       string
	At         time.Time // planned
	State      State
	Missed     int // occurrences that a skipped task stands for, counted as Schedule.Count does; 0 for all others

	// Attempt is 0 for the task as it was planned, and one more for each Retry. Of a live request exactly one pending task
	// has Attempt 0; retried ones are pending beside it.
	Attempt int

	AtProvider bool   // the machine is an upstream provider's; false for clients, who may not know
	WillNotRun bool   // derived at reading, never stored: pending, and the server will be cancelled by then
	Overdue    bool   // derived at reading, never stored: pending for longer than Config.Grace
	Result     Result // of a completed one
	Reason     string // of a failed or cancelled one; of a pending one why the last try failed, which clients are not told

	RemindAt time.Time // when the reseller is to be reminded; zero: no more
	Tries    int       // how often the Performer has failed in this attempt
	TryAt    time.Time // not before then the Performer tries again; zero: at At
	Version  int64
}

// Result is what a completed backup left.
type Result struct {
	Bytes    int64  // its size; 0: not known
	Location string // where it lies: one line of at most MaxReason bytes
	Note     string // at most MaxText bytes
}

func (r Result) validate(op string) error {
	if r.Bytes < 0 {
		return invalid(op, "Result.Bytes", "%d is below zero, which stands for not known", r.Bytes)
	}
	if err := checkLine(op, "Result.Location", r.Location); err != nil {
		return err
	}
	return checkBlock(op, "Result.Note", r.Note)
}

// WillNotRun returns those of tasks that are pending at or after the end of their server: of what will be cancelled with
// it. It keeps their order, and looks at no server: give it the tasks of one.
func WillNotRun(end time.Time, tasks ...Task) []Task {
	var lost []Task
	for _, t := range tasks {
		if t.lostBy(end) {
			lost = append(lost, t)
		}
	}
	return lost
}

// lostBy says whether the task will not run when its server ends at end; zero: it does not end.
func (t *Task) lostBy(end time.Time) bool {
	return t.State == Pending && !end.IsZero() && !t.At.Before(end)
}

// planned says whether the task is the one made ahead.
func (t *Task) planned() bool { return t.State == Pending && t.Attempt == 0 }

// overdue says whether the task has waited for longer than the grace at now.
func (t *Task) overdue(now time.Time, grace time.Duration) bool {
	return t.State == Pending && !now.Before(t.At.Add(grace))
}

// occurrenceID is the ID of the task for an occurrence. A changed schedule counts its own, so that they never meet a task
// that was moved away from its first date.
func occurrenceID(r *Request, at time.Time) uuid.UUID {
	name := at.UTC().Format(time.RFC3339)
	if r.Revisions > 0 {
		name += " revision " + strconv.Itoa(r.Revisions)
	}
	return uuid.NewSHA1(r.ID, []byte(name))
}

// checkReason demands a reason in one line.
func checkReason(op, reason string) error {
	if err := text.Filled("reason", reason, MaxReason); err != nil {
		return &Error{Op: op, Field: "reason", Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}
