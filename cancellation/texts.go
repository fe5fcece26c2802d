package cancellation

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/notify"
)

// Kinds returns this package's kinds of event for notify.NewCatalog, with texts in English and German.
func Kinds() []notify.Spec {
	specs := slices.Concat(clientKinds(), resellerKinds(), hostKinds())
	return notify.WithHTML(notify.Translate(notify.Explain(specs, meanings()), "de", german()))
}

const group = "Cancellation"

func sampleID() uuid.UUID { return uuid.MustParse("3d5f6f0e-58c4-4a43-9d9c-6f9f5e5a7c11") }

func sampleDate() time.Time { return time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC) }

const sampleLocal = "2026-12-01 00:00 CET"

func sampleNotice() Notice {
	return Notice{
		CancellationID: sampleID(), ServerID: sampleID(), ServerName: "web-07",
		Date: "2026-12-01T00:00:00+01:00", LocalDate: sampleLocal, DaysLeft: 7,
		FromDate: "2026-11-15T00:00:00+01:00", FromLocalDate: "2026-11-15 00:00 CET",
		By: "client", Reason: "moving to a larger machine",
	}
}

func sampleFailure() FailureNotice {
	return FailureNotice{
		CancellationID: sampleID(), ServerID: sampleID(), ServerName: "web-07",
		Date: "2026-12-01T00:00:00+01:00", LocalDate: sampleLocal, Step: StepDeprovision, Attempts: 5,
		Error: "the switch does not answer", RetryAt: "2026-12-01 00:07 CET",
	}
}

func sampleHeld() HeldNotice {
	return HeldNotice{
		CancellationID: sampleID(), ServerID: sampleID(), ServerName: "web-07",
		Date: "2026-12-01T00:00:00+01:00", LocalDate: sampleLocal, Limit: DefaultMaxExecutions,
	}
}

func sampleStatement() Statement {
	return Statement{
		CancellationID: sampleID(), ServerID: sampleID(), ServerName: "web-07",
		Date: "2026-12-01T00:00:00+01:00", LocalDate: sampleLocal, Reason: "moving to a larger machine",
		Currency: "EUR", Total: "45.16",
		Lines: []StatementLine{{Label: "web-07, 2 November to 1 December", Paid: "70.00", Amount: "45.16", Note: "20 of 31 days unused"}},
	}
}

func spec(kind notify.Kind, to notify.Audience, sample any, description, subject, text string) notify.Spec {
	return notify.Spec{
		Kind: kind, Audience: to, Group: group, Description: description, Sample: sample,
		Subject: map[string]string{"en": subject}, Text: map[string]string{"en": text},
	}
}

// The parts that the English texts have in common.
const (
	textYour   = "Your dedicated server {{.server_name}} ({{.server_id}})"
	textThe    = "The dedicated server {{.server_name}} ({{.server_id}})"
	textWhy    = "{{with .reason}}\nReason: {{.}}\n{{end}}"
	textDays   = `{{if .days_left}}in {{.days_left}} {{plural .days_left "day" "days"}}{{else}}today{{end}}`
	textOn     = `{{if .backdated}}as of {{else}}on {{end}}`
	textWhen   = "{{if not .backdated}}, " + textDays + "{{end}}"
	textMoved  = "{{with .from_local_date}} instead of {{.}}{{end}}"
	textRefund = "{{if .total}}\nRefund: {{.total}} {{.currency}}\n{{range .lines}}  {{.label}}: {{.amount}} of {{.paid}}" +
		"{{with .note}} ({{.}}){{end}}\n{{end}}{{end}}"
	textFailure = "{{with .step}}\nStep: {{.}}\n{{end}}\nError: {{.error}}\n{{with .retry_at}}\nNext try: {{.}}\n{{end}}"
)

func clientKinds() []notify.Spec {
	return []notify.Spec{
		spec(KindScheduled, notify.ToClient, sampleNotice(),
			"A client's order to cancel a server was accepted, or the reseller tells of its own.",
			"Your server {{.server_name}} will be cancelled "+textOn+"{{.local_date}}",
			`{{if eq .by "client"}}`+"As you ordered:\n\n{{end}}"+textYour+" will be cancelled "+textOn+"{{.local_date}}"+textWhen+".\n"+textWhy),
		spec(KindWarning, notify.ToClient, sampleNotice(), "A server will be cancelled soon.",
			"Your server {{.server_name}} will be cancelled "+textDays,
			textYour+" will be cancelled on {{.local_date}}, "+textDays+".\n\nPlease save what you need before that.\n"),
		spec(KindRescheduled, notify.ToClient, sampleNotice(), "The date of a cancellation that the client ordered or was warned of has moved.",
			"Your server {{.server_name}} will be cancelled on {{.local_date}}"+textMoved,
			textYour+" will be cancelled on {{.local_date}}"+textMoved+", "+textDays+".\n"),
		spec(KindDiscarded, notify.ToClient, sampleNotice(), "A cancellation that the client ordered or was warned of was called off.",
			"Your server {{.server_name}} will not be cancelled on {{.local_date}}",
			"The cancellation of the dedicated server {{.server_name}} ({{.server_id}}) that was planned for {{.local_date}} "+
				"was called off.\n"+textWhy),
		spec(KindExecuted, notify.ToClient, sampleStatement(), "A client's server was cancelled.",
			"Your server {{.server_name}} was cancelled",
			textYour+" was cancelled as of {{.local_date}}.\n"+textWhy+textRefund),
		spec(KindServerTaken, notify.ToClient, sampleStatement(), "A client's server was taken back, and its cancellation given up after that.",
			"Your server {{.server_name}} is no longer yours",
			textYour+" was taken back. Its cancellation was planned for {{.local_date}}.\n"+textWhy+textRefund),
	}
}

func resellerKinds() []notify.Spec {
	return []notify.Spec{
		spec(KindScheduledByClient, notify.ToReseller, sampleNotice(), "A client has ordered the cancellation of a server.",
			"The client cancels {{.server_name}} on {{.local_date}}",
			textThe+" will be cancelled on {{.local_date}}, "+textDays+": its client has ordered it.\n"+textWhy),
		spec(KindRescheduledByClient, notify.ToReseller, sampleNotice(), "A client has moved its own cancellation.",
			"The client cancels {{.server_name}} on {{.local_date}}"+textMoved,
			textThe+" will be cancelled on {{.local_date}}"+textMoved+", "+textDays+": its client has moved the date.\n"),
		spec(KindDiscardedByClient, notify.ToReseller, sampleNotice(), "A client has called off its own cancellation.",
			"The client keeps {{.server_name}}",
			textThe+" will not be cancelled on {{.local_date}}: its client has called off the cancellation.\n"+textWhy),
		spec(KindPostponed, notify.ToReseller, sampleNotice(), "An execution was postponed because the client was warned too late.",
			"The cancellation of {{.server_name}} waits until {{.local_date}}",
			textThe+" was to be cancelled on {{.from_local_date}}. Its client was not warned in time, so it will be cancelled "+
				"on {{.local_date}}. The refund is computed for the planned date.\n"),
		spec(KindStuck, notify.ToReseller, sampleFailure(), "A cancellation has failed five times in a row.",
			"The cancellation of {{.server_name}} is stuck",
			textThe+" was to be cancelled on {{.local_date}}. This has failed {{.attempts}} times.\n"+textFailure),
		spec(KindHeld, notify.ToReseller, sampleHeld(), "So many cancellations were executed in one day that the others wait.",
			"Cancellations wait to be confirmed",
			"{{.limit}} cancellations were executed today. All further ones wait until you confirm them. The first of them is that of the "+
				"dedicated server {{.server_name}} ({{.server_id}}), planned for {{.local_date}}.\n\nPlease check whether they are right.\n"),
		spec(KindServerLeft, notify.ToReseller, sampleNotice(), "A server left its client before the date of its cancellation.",
			"The cancellation of {{.server_name}} no longer applies",
			textThe+" was to be cancelled on {{.local_date}}. It has left its client before that date, so nothing will be done to it.\n"),
		spec(KindFailed, notify.ToReseller, sampleFailure(), "A cancellation was given up.",
			"The cancellation of {{.server_name}} has failed",
			"The cancellation of the dedicated server {{.server_name}} ({{.server_id}}) on {{.local_date}} was given up.\n"+textFailure),
		spec(KindCompleted, notify.ToReseller, sampleStatement(), "A server was cancelled and waits in clean-up.",
			"{{.server_name}} was cancelled and waits in clean-up",
			textThe+" was cancelled as of {{.local_date}}. It waits in clean-up.\n"+textWhy+textRefund),
	}
}

func hostKinds() []notify.Spec {
	id := sampleID()
	return []notify.Spec{{
		Kind: KindClosed, Audience: notify.ToHost, Group: group, Description: "A cancellation was executed.",
		Sample: Closed{
			CancellationID: id, ResellerID: id, ClientID: id, ServerID: id, Assignment: id,
			At: sampleDate(), Done: sampleDate(), Total: decimal.New(4516, -2), Currency: "EUR",
		},
	}}
}

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

// german returns the built-in texts in German.
func german() map[notify.Kind]notify.Translation {
	texts := germanToClient()
	maps.Copy(texts, germanToReseller())
	return texts
}

func germanToClient() map[notify.Kind]notify.Translation {
	return map[notify.Kind]notify.Translation{
		KindScheduled: {
			Subject: "Ihr Server {{.server_name}} wird zum {{.local_date}} gekündigt",
			Text: `{{if eq .by "client"}}` + "Wie von Ihnen gewünscht:\n\n{{end}}" + germanYour +
				" wird zum {{.local_date}} gekündigt{{if not .backdated}}, " + germanDays + "{{end}}.\n" + germanWhy,
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
		KindServerTaken: {
			Subject: "Ihr Server {{.server_name}} steht Ihnen nicht mehr zur Verfügung",
			Text:    germanYour + " wurde zurückgenommen. Die Kündigung war zum {{.local_date}} geplant.\n" + germanWhy + germanRefund,
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
		KindHeld: {
			Subject: "Kündigungen warten auf Ihre Bestätigung",
			Text: "Heute wurden bereits {{.limit}} Kündigungen ausgeführt. Alle weiteren warten, bis Sie sie bestätigen. Die erste davon ist " +
				"die des dedizierten Servers {{.server_name}} ({{.server_id}}), geplant zum {{.local_date}}.\n\n" +
				"Bitte prüfen Sie, ob sie richtig sind.\n",
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

// meanings explains the variables of the texts to the person who edits them.
func meanings() map[string]string {
	return map[string]string{
		".server_id":       "the server's ID",
		".server_name":     "the server's name at that time",
		".cancellation_id": "the cancellation",
		".date":            "the date of the cancellation",
		".local_date":      "the date of the cancellation, for people, in the server's zone",
		".from_date":       "the date before; empty: it has not moved",
		".from_local_date": "the date before, for people; may be empty",
		".days_left":       "calendar days until then, in the server's zone",
		".backdated":       "the date was past when it was ordered",
		".by":              "the role that ordered it: client, reseller or system",
		".reason":          "the reason that was given with the order; may be empty",
		".step":            "the first step that is not done; empty: the execution has not begun",
		".attempts":        "consecutive failures",
		".error":           "the error",
		".retry_at":        "the next attempt, for people; empty: it is over",
		".limit":           "the executions that may begin in one day",
		".currency":        "the refund's currency; empty: no refund",
		".total":           "the refund; empty: no refund",
		".lines":           "the refund of each charge",
		".lines[].label":   "the charge",
		".lines[].paid":    "the amount that was paid",
		".lines[].amount":  "the amount that is refunded",
		".lines[].note":    "an explanation of the amount; may be empty",
		".reseller_id":     "the reseller that rents the server out",
		".client_id":       "the client that used the server",
		".assignment":      "the client's use of the server",
		".at":              "the planned date",
		".done":            "the end of the execution",
	}
}
