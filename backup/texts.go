package backup

import "github.com/metalkeep/metalkeep/notify"

// german are the built-in texts in German.
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

// meanings are what the variables of the texts mean.
func meanings() map[string]string {
	return map[string]string{
		".server_id":       "the server's ID",
		".server_name":     "the server's name, as it was then",
		".task_id":         "one backup of the request",
		".request_id":      "the request; all zeros: all of the server",
		".assignment":      "the client's use of the server",
		".what":            "what is backed up, in the words of the client",
		".at":              "the planned date",
		".date":            "the planned date for people, in the request's zone",
		".attempt":         "0 for the first, 1 for the first retry",
		".bytes":           "size of the backup; 0: not said",
		".location":        "where the backup is; may be empty",
		".note":            "a remark; may be empty",
		".reason":          "why; may be empty",
		".tasks":           "the backups that will not be made",
		".tasks[].task_id": "one of them",
		".tasks[].what":    "what it would have held",
		".tasks[].at":      "its planned date",
		".tasks[].date":    "its planned date for people",
		".schedule":        "when backups are made, for people",
		".planned":         "the next date",
	}
}
