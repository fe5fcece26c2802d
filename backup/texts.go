package backup

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// Kinds returns this package's kinds of event for notify.NewCatalog, with texts in English and German.
func Kinds() []notify.Spec {
	return notify.WithHTML(notify.Translate(notify.Explain(kinds(), meanings()), "de", german()))
}

// kinds returns the specs with their English texts.
func kinds() []notify.Spec {
	id := uuid.MustParse("6a1f0c58-8a55-4f0e-9c39-2f0d5a4c7b21")
	at := time.Date(2026, 3, 31, 2, 30, 0, 0, time.UTC)
	task := TaskNotice{
		TaskID: id, RequestID: id, ServerID: id, ServerName: "web-07", What: "the database", At: at, Date: dateText(at),
		Bytes: 52_428_800, Location: "vault-2/web-07", Note: "checked by restoring it", Reason: "no space left on the backup disk",
	}
	end := EndNotice{
		RequestID: id, ServerID: id, ServerName: "web-07", Reason: "the server is being cancelled",
		Tasks: []EndTask{{TaskID: id, What: "the database", At: at, Date: dateText(at)}},
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
		kind(KindClosed, notify.ToClient, "All backups of a server ended, because the client no longer uses it.", end,
			"All backups of {{.server_name}} ended",
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

// german returns the built-in texts in German.
func german() map[notify.Kind]notify.Translation {
	const (
		ofTask = "Die für {{.date}} geplante Sicherung des Servers {{.server_name}} "
		what   = "{{with .what}}\nUmfang: {{.}}\n{{end}}"
		why    = "{{with .reason}}\nGrund: {{.}}\n{{end}}"
		undone = "{{with .tasks}}\nFolgende Sicherungen werden nicht mehr ausgeführt:\n" +
			"{{range .}}- {{.date}}{{with .what}}, {{.}}{{end}}\n{{end}}{{end}}"
	)
	return map[notify.Kind]notify.Translation{
		KindCompleted: {
			Subject: "Sicherung von {{.server_name}} abgeschlossen",
			Text: ofTask + "ist abgeschlossen.\n" + what + "{{if .bytes}}\nGröße: {{.bytes}} {{plural .bytes \"Byte\" \"Bytes\"}}\n{{end}}" +
				"{{with .location}}\nAblageort: {{.}}\n{{end}}{{with .note}}\n{{.}}\n{{end}}",
		},
		KindFailed: {
			Subject: "Sicherung von {{.server_name}} fehlgeschlagen",
			Text:    ofTask + "ist fehlgeschlagen.\n" + what + "\nGrund: {{.reason}}\n",
		},
		KindCancelled: {
			Subject: "Sicherung von {{.server_name}} abgesagt",
			Text:    ofTask + "wurde abgesagt.\n" + what + why,
		},
		KindWithdrawn: {
			Subject: "Sicherungen von {{.server_name}} beendet",
			Text: "Eine Reihe von Sicherungen des Servers {{.server_name}} wurde zurückgezogen und wird nicht weiter ausgeführt.\n" +
				why + undone,
		},
		KindClosed: {
			Subject: "Alle Sicherungen von {{.server_name}} beendet",
			Text:    "Mit der Nutzung des Servers {{.server_name}} durch Sie sind auch alle seine Sicherungen beendet.\n" + why + undone,
		},
		KindOverdue: {
			Subject: "Sicherung von {{.server_name}} ist überfällig",
			Text:    ofTask + "steht noch aus.\n" + what,
		},
	}
}

// meanings explains the variables of the texts to the person who edits them.
func meanings() map[string]string {
	return map[string]string{
		".server_id":       "the server's ID",
		".server_name":     "the server's name at that time",
		".task_id":         "the ID of the backup",
		".request_id":      "the ID of the request; all zeros: all requests of the server",
		".assignment":      "the client's use of the server",
		".what":            "what to back up, in the client's words; may be empty",
		".at":              "the planned date",
		".date":            "the planned date for people, in the request's zone",
		".attempt":         "0 for the first, 1 for the first retry",
		".bytes":           "the size of the backup; 0: unknown",
		".location":        "where the backup is stored; may be empty",
		".note":            "a remark; may be empty",
		".reason":          "the reason; may be empty",
		".tasks":           "the backups that will not be made",
		".tasks[].task_id": "the ID of one of them",
		".tasks[].what":    "what it would have backed up; may be empty",
		".tasks[].at":      "its planned date",
		".tasks[].date":    "its planned date for people",
		".schedule":        "the schedule for people",
		".planned":         "the date of the next backup",
	}
}
