package backup

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// Task is one occurrence of a request: a line of the reseller's list of backups to make. All times are in UTC, to the
// microsecond.
//
// ID derives from the request and the occurrence, so that two processes that plan the same occurrence make one task. A task
// keeps its ID if a revision moves it to another date, and if it is retried. A skipped task has the ID of the first
// occurrence that it stands for, and the date of the last.
type Task struct {
	ID         uuid.UUID
	RequestID  uuid.UUID
	ResellerID uuid.UUID
	ClientID   uuid.UUID
	ServerID   uuid.UUID
	Assignment uuid.UUID
	ServerName string
	What       string    // what to back up, in the client's words; "": everything
	At         time.Time // the planned date
	State      State
	Missed     int // the occurrences that a skipped task stands for, counted as Schedule.Count counts; 0 for all others

	// Attempt is 0 for the task as it was planned. Each Retry adds 1. A live request has exactly one pending task with
	// Attempt 0; retried tasks may be pending beside it.
	Attempt int

	AtProvider bool   // the machine is an upstream provider's; false for clients, who may not know
	WillNotRun bool   // derived at reading, never stored: pending, and the server will be cancelled before it
	Overdue    bool   // derived at reading, never stored: pending for at least Config.Grace
	Result     Result // of a completed task
	Reason     string // why it failed or was cancelled; of a pending task why the Performer's last try failed

	// PerformerFailed says that Reason is about a failure of the Performer, and only for the reseller. Clients read
	// PerformerReason, or "" while the task is pending.
	PerformerFailed bool

	RemindAt time.Time // when the reseller is to be reminded; zero: never
	Tries    int       // how often the Performer has failed in this attempt
	TryAt    time.Time // the Performer does not try again before this; zero: it tries at At
	Version  int64
}

// PerformerReason is the reason that clients read for a task that failed because Config.Performer failed.
const PerformerReason = "the backup program failed"

// Result describes a completed backup.
type Result struct {
	Bytes    int64  // its size; 0: unknown
	Location string // where it is stored: one line of at most MaxReason bytes
	Note     string // at most MaxText bytes
}

func (r Result) check(op Op) error {
	if r.Bytes < 0 {
		return invalid(op, "Result.Bytes", "%d is negative: want the size, or 0 if it is unknown", r.Bytes)
	}
	if err := checkLine(op, "Result.Location", r.Location); err != nil {
		return err
	}
	return checkBlock(op, "Result.Note", r.Note)
}

// visibleTo reports whether the actor may know of the task.
func (t Task) visibleTo(a dedicated.Actor) bool {
	return a.Manages(t.ResellerID) || a.IsClient(t.ResellerID, t.ClientID)
}

// forActor returns what the actor may see of the task at now, with the derived fields. end is when the server will be
// cancelled; zero: never.
func (t Task) forActor(a dedicated.Actor, grace time.Duration, end, now time.Time) Task {
	t.Overdue = t.State == Pending && !now.Before(t.At.Add(grace))
	t.WillNotRun = t.State == Pending && endsBefore(end, t.At)
	if !a.Manages(t.ResellerID) {
		t.AtProvider, t.Reason = false, t.reasonForClient()
	}
	return t
}

func (t Task) reasonForClient() string {
	switch {
	case t.State == Pending:
		return ""
	case t.PerformerFailed:
		return PerformerReason
	}
	return t.Reason
}

// endsBefore reports whether a server that will be cancelled at end is gone at the instant at. A zero end means never.
func endsBefore(end, at time.Time) bool { return !end.IsZero() && !at.Before(end) }

// planned reports whether the task is the one that was planned ahead.
func (t *Task) planned() bool { return t.State == Pending && t.Attempt == 0 }

// occurrenceID returns the ID of the task for an occurrence. A changed schedule has its own IDs, so that they never equal
// the ID of a task that was moved away from its first date.
func occurrenceID(r *Request, at time.Time) uuid.UUID {
	name := at.UTC().Format(time.RFC3339)
	if r.Revisions > 0 {
		name += " revision " + strconv.Itoa(r.Revisions)
	}
	return uuid.NewSHA1(r.ID, []byte(name))
}
