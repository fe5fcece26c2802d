package backup

import "github.com/metalkeep/metalkeep/notify"

// german are the built-in texts in German.
func german() map[notify.Kind]notify.Wording {
	const (
		ofTask = "Die für {{.date}} geplante Sicherung des Servers {{.server_name}} "
		what   = "{{with .what}}\nUmfang: {{.}}\n{{end}}"
		why    = "{{with .reason}}\nGrund: {{.}}\n{{end}}"
		undone = "{{with .tasks}}\nFolgende Sicherungen werden nicht mehr ausgeführt:\n" +
			"{{range .}}- {{.date}}{{with .what}}, {{.}}{{end}}\n{{end}}{{end}}"
	)
	return map[notify.Kind]notify.Wording{
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
