package cancellation

import (
	"maps"

	"github.com/metalkeep/metalkeep/notify"
)

// The parts that the German texts have in common.
const (
	germanYour   = "Ihr dedizierter Server {{.server_name}} ({{.server_id}})"
	germanThe    = "Der dedizierte Server {{.server_name}} ({{.server_id}})"
	germanWhy    = "{{with .reason}}\nGrund: {{.}}\n{{end}}"
	germanDays   = `{{if .days_left}}in {{.days_left}} {{plural .days_left "Tag" "Tagen"}}{{else}}heute{{end}}`
	germanMoved  = "{{with .from_local_date}} statt zum {{.}}{{end}}"
	germanRefund = "{{if .total}}\nErstattung: {{money .total .currency}}\n{{range .lines}}  {{.label}}: {{money .amount $.currency}} von " +
		"{{money .paid $.currency}}{{with .note}} ({{.}}){{end}}\n{{end}}{{end}}"
	germanTrouble = "{{with .step}}\nSchritt: {{.}}\n{{end}}\nFehler: {{.error}}\n{{with .retry_at}}\nNächster Versuch: {{.}}\n{{end}}"
)

// german are the built-in texts in German.
func german() map[notify.Kind]notify.Translation {
	texts := germanToClient()
	maps.Copy(texts, germanToReseller())
	return texts
}

func germanToClient() map[notify.Kind]notify.Translation {
	return map[notify.Kind]notify.Translation{
		KindScheduled: {
			Subject: "Ihr Server {{.server_name}} wird zum {{.local_date}} gekündigt",
			Text:    "Wie von Ihnen gewünscht:\n\n" + germanYour + " wird zum {{.local_date}} gekündigt, " + germanDays + ".\n" + germanWhy,
		},
		KindWarning: {
			Subject: "Ihr Server {{.server_name}} wird " + germanDays + " gekündigt",
			Text: germanYour + " wird zum {{.local_date}} gekündigt, " + germanDays + ".\n\n" +
				"Bitte sichern Sie vorher, was Sie noch benötigen.\n",
		},
		KindRescheduled: {
			Subject: "Ihr Server {{.server_name}} wird zum {{.local_date}}" + germanMoved + " gekündigt",
			Text:    germanYour + " wird zum {{.local_date}}" + germanMoved + " gekündigt, " + germanDays + ".\n",
		},
		KindDiscarded: {
			Subject: "Ihr Server {{.server_name}} wird nicht zum {{.local_date}} gekündigt",
			Text: "Die zum {{.local_date}} geplante Kündigung des dedizierten Servers {{.server_name}} ({{.server_id}}) wurde " +
				"aufgehoben.\n" + germanWhy,
		},
		KindExecuted: {
			Subject: "Ihr Server {{.server_name}} wurde gekündigt",
			Text:    germanYour + " wurde zum {{.local_date}} gekündigt.\n" + germanWhy + germanRefund,
		},
	}
}

func germanToReseller() map[notify.Kind]notify.Translation {
	return map[notify.Kind]notify.Translation{
		KindScheduledByClient: {
			Subject: "Der Kunde kündigt {{.server_name}} zum {{.local_date}}",
			Text:    germanThe + " wird zum {{.local_date}} gekündigt, " + germanDays + ": Der Kunde hat dies beauftragt.\n" + germanWhy,
		},
		KindRescheduledByClient: {
			Subject: "Der Kunde kündigt {{.server_name}} zum {{.local_date}}" + germanMoved,
			Text: germanThe + " wird zum {{.local_date}}" + germanMoved + " gekündigt, " + germanDays + ": Der Kunde hat das Datum " +
				"geändert.\n",
		},
		KindDiscardedByClient: {
			Subject: "Der Kunde behält {{.server_name}}",
			Text:    germanThe + " wird nicht zum {{.local_date}} gekündigt: Der Kunde hat die Kündigung zurückgezogen.\n" + germanWhy,
		},
		KindPostponed: {
			Subject: "Die Kündigung von {{.server_name}} wartet bis {{.local_date}}",
			Text: germanThe + " sollte zum {{.from_local_date}} gekündigt werden. Der Kunde wurde nicht rechtzeitig gewarnt; daher " +
				"geschieht dies erst zum {{.local_date}}. Die Erstattung richtet sich nach dem geplanten Datum.\n",
		},
		KindStuck: {
			Subject: "Die Kündigung von {{.server_name}} kommt nicht voran",
			Text:    germanThe + " sollte zum {{.local_date}} gekündigt werden, was {{.attempts}}-mal fehlgeschlagen ist.\n" + germanTrouble,
		},
		KindServerLeft: {
			Subject: "Die Kündigung von {{.server_name}} ist gegenstandslos",
			Text: germanThe + " sollte zum {{.local_date}} gekündigt werden. Der Kunde nutzt ihn bereits nicht mehr; es " +
				"geschieht daher nichts mit ihm.\n",
		},
		KindFailed: {
			Subject: "Die Kündigung von {{.server_name}} ist gescheitert",
			Text: "Die Kündigung des dedizierten Servers {{.server_name}} ({{.server_id}}) zum {{.local_date}} wurde aufgegeben.\n" +
				germanTrouble,
		},
		KindCompleted: {
			Subject: "{{.server_name}} wurde gekündigt und muss noch bereinigt werden",
			Text:    germanThe + " wurde zum {{.local_date}} gekündigt und muss noch bereinigt werden.\n" + germanWhy + germanRefund,
		},
	}
}

// meanings are what the variables of the texts mean.
func meanings() map[string]string {
	return map[string]string{
		".server_id":       "the server's ID",
		".server_name":     "the server's name, as it was then",
		".cancellation_id": "the cancellation",
		".date":            "when the server is cancelled",
		".local_date":      "when the server is cancelled, for people, in the server's zone",
		".from_date":       "the date before; empty: it has not moved",
		".from_local_date": "the date before, for people; may be empty",
		".days_left":       "calendar days until then, in the server's zone",
		".by":              "who ordered it: client, reseller or system",
		".reason":          "why, in the words of who ordered it; may be empty",
		".step":            "the first step that is not done; empty: none was begun",
		".attempts":        "failures in a row",
		".error":           "what went wrong",
		".retry_at":        "when it is tried again, for people; empty: it is over",
		".currency":        "the refund's currency; empty: there is none",
		".total":           "the refund; empty: there is none",
		".lines":           "the charges that the refund is made of",
		".lines[].label":   "what was charged",
		".lines[].paid":    "what was paid",
		".lines[].amount":  "what is paid back of it",
		".lines[].note":    "why it is that much; may be empty",
		".reseller_id":     "whose server it was",
		".client_id":       "who used it",
		".assignment":      "the client's use of the server",
		".at":              "the planned date",
		".done":            "when it was carried out",
	}
}
