package backup

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records. The subject of those about one task is the task, of the others the
// request.
const (
	// KindCompleted tells the client that a backup was made. Payload: TaskNotice.
	KindCompleted notify.Kind = "backup.completed"
	// KindFailed tells the client that a backup failed, and why. Payload: TaskNotice.
	KindFailed notify.Kind = "backup.failed"
	// KindCancelled tells the client that one backup will not be made. Payload: TaskNotice.
	KindCancelled notify.Kind = "backup.cancelled"
	// KindWithdrawn tells the client that a whole series has ended by request. Payload: EndNotice.
	KindWithdrawn notify.Kind = "backup.withdrawn"
	// KindClosed tells the client, once for a server, that all its backups have ended with the use of the server. Payload:
	// EndNotice, without a request.
	KindClosed notify.Kind = "backup.closed"
	// KindOverdue reminds the reseller, once an attempt, of a task that has waited for longer than Config.Grace. Payload:
	// TaskNotice.
	KindOverdue notify.Kind = "backup.overdue"
	// KindRequested tells plug-ins that a request was submitted or revised. Payload: RequestNotice.
	KindRequested notify.Kind = "backup.requested"
)

// TaskNotice is the payload of what is told about one task. At is its date in the request's zone.
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

// EndNotice is the payload of what is told about the end of a series, or of all series of a server.
type EndNotice struct {
	RequestID  uuid.UUID `json:"request_id"` // nil: all of the server's
	ServerID   uuid.UUID `json:"server_id"`
	ServerName string    `json:"server_name"`
	Reason     string    `json:"reason"`
	Tasks      []EndTask `json:"tasks"` // what was pending and will not be made
}

// EndTask is a task that a series' end cancelled.
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

// fact is an event in the making, about a task that the same change writes or, without one, about the request.
type fact struct {
	kind    notify.Kind
	request *Request
	task    *Task
	payload any
}

func (f fact) event(now time.Time) (notify.Event, error) {
	r := f.request
	subject := notify.Subject{ResellerID: r.ResellerID, ClientID: r.ClientID, ServerID: r.ServerID, ID: r.ID, Version: r.Version + 1}
	if f.task != nil {
		subject.ID, subject.Version = f.task.ID, f.task.Version+1
	}
	return subject.Event(f.kind, now, f.payload)
}

// tell adds a fact about a task, as it now is.
func (s *series) tell(kind notify.Kind, t *Task) {
	at, date := s.local(t.At)
	s.facts = append(s.facts, fact{kind, &s.r, t, TaskNotice{
		TaskID: t.ID, RequestID: t.RequestID, ServerID: t.ServerID, ServerName: t.ServerName, What: t.What, At: at, Date: date,
		Attempt: t.Attempt, Bytes: t.Result.Bytes, Location: t.Result.Location, Note: t.Result.Note, Reason: t.Reason,
	}})
}

func (s *series) tellRequested() {
	r := &s.r
	planned, _ := s.local(r.Planned)
	s.facts = append(s.facts, fact{KindRequested, r, nil, RequestNotice{
		RequestID: r.ID, ServerID: r.ServerID, Assignment: r.Assignment, ServerName: r.ServerName,
		What: r.Form.What, Note: r.Form.Note, Schedule: r.Form.Schedule.String(), Planned: planned,
	}})
}

func (s *series) endTasks(tasks []*Task) []EndTask {
	lines := make([]EndTask, 0, len(tasks))
	for _, t := range tasks {
		at, date := s.local(t.At)
		lines = append(lines, EndTask{TaskID: t.ID, What: t.What, At: at, Date: date})
	}
	return lines
}

// local is an instant in the zone of the request, and as it is written for people there.
func (s *series) local(t time.Time) (time.Time, string) {
	if loc, err := zone.Load(s.r.Form.Schedule.Zone); err == nil {
		t = t.In(loc)
	}
	return t, minute(t)
}

func minute(t time.Time) string { return t.Format("2006-01-02 15:04") }

// Kinds are this package's events, for notify.NewCatalog, with texts in English and German.
func Kinds() []notify.Spec {
	return notify.WithHTML(notify.Translate(notify.Explain(kinds(), meanings()), "de", german()))
}

func kinds() []notify.Spec {
	id := uuid.MustParse("6a1f0c58-8a55-4f0e-9c39-2f0d5a4c7b21")
	at := time.Date(2026, 3, 31, 2, 30, 0, 0, time.UTC)
	task := TaskNotice{
		TaskID: id, RequestID: id, ServerID: id, ServerName: "web-07", What: "the database", At: at, Date: minute(at),
		Bytes: 52_428_800, Location: "vault-2/web-07", Note: "checked by restoring it", Reason: "no space left on the backup disk",
	}
	end := EndNotice{
		RequestID: id, ServerID: id, ServerName: "web-07", Reason: "the server is being cancelled",
		Tasks: []EndTask{{TaskID: id, What: "the database", At: at, Date: minute(at)}},
	}
	const ofTask = "of {{.server_name}}, planned for {{.date}}"
	const ended = "{{with .reason}}\nReason: {{.}}\n{{end}}" +
		"{{with .tasks}}\nThese will not be made:\n{{range .}}- {{.date}}{{with .what}}, {{.}}{{end}}\n{{end}}{{end}}"
	return []notify.Spec{
		kind(KindCompleted, notify.ToClient, "A backup was made.", task, "Backup of {{.server_name}} completed",
			"The backup "+ofTask+", is complete.\n{{with .what}}\nWhat: {{.}}\n{{end}}{{if .bytes}}\nSize: {{.bytes}} bytes\n{{end}}"+
				"{{with .location}}\nLocation: {{.}}\n{{end}}{{with .note}}\n{{.}}\n{{end}}"),
		kind(KindFailed, notify.ToClient, "A backup failed.", task, "Backup of {{.server_name}} failed",
			"The backup "+ofTask+", failed.\n{{with .what}}\nWhat: {{.}}\n{{end}}\nReason: {{.reason}}\n"),
		kind(KindCancelled, notify.ToClient, "One backup will not be made.", task, "Backup of {{.server_name}} cancelled",
			"The backup "+ofTask+", was cancelled.\n{{with .what}}\nWhat: {{.}}\n{{end}}{{with .reason}}\nReason: {{.}}\n{{end}}"),
		kind(KindWithdrawn, notify.ToClient, "A series of backups was withdrawn.", end, "Backups of {{.server_name}} ended",
			"A series of backups of {{.server_name}} was withdrawn; no more of them will be made.\n"+ended),
		kind(KindClosed, notify.ToClient, "All backups of a server ended with its use.", end, "All backups of {{.server_name}} ended",
			"All backups of {{.server_name}} have ended with your use of the server.\n"+ended),
		kind(KindOverdue, notify.ToReseller, "A backup task is overdue.", task, "Backup of {{.server_name}} is overdue",
			"The backup "+ofTask+", is still pending.\n{{with .what}}\nWhat: {{.}}\n{{end}}"),
		kind(KindRequested, notify.ToHost, "A request for backups was submitted or revised.", RequestNotice{
			RequestID: id, ServerID: id, Assignment: id, ServerName: "web-07", What: "the database", Note: "at night, please",
			Schedule: "every day at 02:30, Europe/Berlin", Planned: at,
		}, string(KindRequested), "A request for backups was submitted or revised."),
	}
}

func kind(k notify.Kind, to notify.Audience, description string, sample any, subject, text string) notify.Spec {
	return notify.Spec{
		Kind: k, Audience: to, Group: "Backups", Description: description, Sample: sample,
		Subject: map[string]string{"en": subject}, Text: map[string]string{"en": text},
	}
}
