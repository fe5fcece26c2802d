package backup

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records. The subject of the events about one task is the task. The subject of the others
// is the request.
const (
	// KindCompleted tells the client that a backup was made. Payload: TaskNotice.
	KindCompleted notify.Kind = "backup.completed"
	// KindFailed tells the client that a backup failed, and why. If the Performer failed, the reason is PerformerReason.
	// Payload: TaskNotice.
	KindFailed notify.Kind = "backup.failed"
	// KindCancelled tells the client that one backup will not be made. Payload: TaskNotice.
	KindCancelled notify.Kind = "backup.cancelled"
	// KindWithdrawn tells the client that a request was withdrawn. Payload: EndNotice.
	KindWithdrawn notify.Kind = "backup.withdrawn"
	// KindClosed tells the client that all backups of a server have ended, because the client no longer uses the server. It is
	// recorded once for all requests. Payload: EndNotice, without a request.
	KindClosed notify.Kind = "backup.closed"
	// KindOverdue reminds the reseller of a task that has been pending for Config.Grace. It is recorded once for each attempt.
	// Payload: TaskNotice.
	KindOverdue notify.Kind = "backup.overdue"
	// KindRequested tells plug-ins that a request was submitted or revised. Payload: RequestNotice.
	KindRequested notify.Kind = "backup.requested"
)

// TaskNotice is the payload of the events about one task. At is its date in the request's zone.
type TaskNotice struct {
	TaskID     uuid.UUID `json:"task_id"`
	RequestID  uuid.UUID `json:"request_id"`
	ServerID   uuid.UUID `json:"server_id"`
	ServerName string    `json:"server_name"`
	What       string    `json:"what"`
	At         time.Time `json:"at"`
	Date       string    `json:"date"` // At, for people: "2026-03-31 02:30"
	Attempt    int       `json:"attempt"`
	Bytes      int64     `json:"bytes"`
	Location   string    `json:"location"`
	Note       string    `json:"note"`
	Reason     string    `json:"reason"`
}

// EndNotice is the payload of the events about the end of one request, or of all requests of a server.
type EndNotice struct {
	RequestID  uuid.UUID `json:"request_id"` // nil: all requests of the server
	ServerID   uuid.UUID `json:"server_id"`
	ServerName string    `json:"server_name"`
	Reason     string    `json:"reason"`
	Tasks      []EndTask `json:"tasks"` // the pending tasks that were cancelled
}

// EndTask is a task that was cancelled because its request ended.
type EndTask struct {
	TaskID uuid.UUID `json:"task_id"`
	What   string    `json:"what"`
	At     time.Time `json:"at"`
	Date   string    `json:"date"` // At, for people, in the request's zone
}

// RequestNotice is the payload of "backup.requested".
type RequestNotice struct {
	RequestID  uuid.UUID `json:"request_id"`
	ServerID   uuid.UUID `json:"server_id"`
	Assignment uuid.UUID `json:"assignment"`
	ServerName string    `json:"server_name"`
	What       string    `json:"what"`
	Note       string    `json:"note"`
	Schedule   string    `json:"schedule"` // for people
	Planned    time.Time `json:"planned"`
}

// requestedFact says that the request was submitted or revised.
func (s *series) requestedFact() manage.Fact {
	r := &s.request
	planned, _ := s.local(r.Planned)
	return manage.Fact{Kind: KindRequested, Subject: s.subject(), Payload: RequestNotice{
		RequestID: r.ID, ServerID: r.ServerID, Assignment: r.Assignment, ServerName: r.ServerName,
		What: r.Form.What, Note: r.Form.Note, Schedule: r.Form.Schedule.String(), Planned: planned,
	}}
}

// taskFact says something about a task as it is now.
func (s *series) taskFact(kind notify.Kind, t *Task) manage.Fact {
	reason := t.reasonForClient()
	if kind == KindOverdue { // it is for the reseller
		reason = t.Reason
	}
	subject := s.subject()
	subject.ID, subject.Version = t.ID, t.Version+1
	at, date := s.local(t.At)
	return manage.Fact{Kind: kind, Subject: subject, Payload: TaskNotice{
		TaskID: t.ID, RequestID: t.RequestID, ServerID: t.ServerID, ServerName: t.ServerName, What: t.What, At: at, Date: date,
		Attempt: t.Attempt, Bytes: t.Result.Bytes, Location: t.Result.Location, Note: t.Result.Note, Reason: reason,
	}}
}

// endFact says that the request, or all requests of the server, have ended.
func (s *series) endFact(kind notify.Kind, notice EndNotice) manage.Fact {
	return manage.Fact{Kind: kind, Subject: s.subject(), Payload: notice}
}

// subject is the request in events about the change that is about to be stored.
func (s *series) subject() notify.Subject {
	r := &s.request
	return notify.Subject{ResellerID: r.ResellerID, ClientID: r.ClientID, ServerID: r.ServerID, ID: r.ID, Version: r.Version + 1}
}

func (s *series) endTasks(tasks []*Task) []EndTask {
	lines := make([]EndTask, 0, len(tasks))
	for _, t := range tasks {
		at, date := s.local(t.At)
		lines = append(lines, EndTask{TaskID: t.ID, What: t.What, At: at, Date: date})
	}
	return lines
}

// local returns an instant in the zone of the request, and its text for people there.
func (s *series) local(t time.Time) (time.Time, string) {
	if loc, err := zone.Load(s.request.Form.Schedule.Zone); err == nil {
		t = t.In(loc)
	}
	return t, dateText(t)
}

func dateText(t time.Time) string { return t.Format("2006-01-02 15:04") }
