package cancellation

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

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

func sampleProblem() FailureNotice {
	return FailureNotice{
		CancellationID: sampleID(), ServerID: sampleID(), ServerName: "web-07",
		Date: "2026-12-01T00:00:00+01:00", LocalDate: sampleLocal, Step: StepDeprovision, Attempts: 5,
		Error: "the switch does not answer", RetryAt: "2026-12-01 00:07 CET",
	}
}

func sampleAccount() Statement {
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

// The parts that the texts have in common.
const (
	textYour   = "Your dedicated server {{.server_name}} ({{.server_id}})"
	textThe    = "The dedicated server {{.server_name}} ({{.server_id}})"
	textWhy    = "{{with .reason}}\nReason: {{.}}\n{{end}}"
	textDays   = `{{if .days_left}}in {{.days_left}} {{plural .days_left "day" "days"}}{{else}}today{{end}}`
	textMoved  = "{{with .from_local_date}} instead of {{.}}{{end}}"
	textRefund = "{{if .total}}\nRefund: {{.total}} {{.currency}}\n{{range .lines}}  {{.label}}: {{.amount}} of {{.paid}}" +
		"{{with .note}} ({{.}}){{end}}\n{{end}}{{end}}"
	textTrouble = "{{with .step}}\nStep: {{.}}\n{{end}}\nError: {{.error}}\n{{with .retry_at}}\nNext try: {{.}}\n{{end}}"
)

func clientKinds() []notify.Spec {
	return []notify.Spec{
		spec(KindScheduled, notify.ToClient, sampleNotice(), "The client's order to cancel a server is planned.",
			"Your server {{.server_name}} will be cancelled on {{.local_date}}",
			"As you ordered:\n\n"+textYour+" will be cancelled on {{.local_date}}, "+textDays+".\n"+textWhy),
		spec(KindWarning, notify.ToClient, sampleNotice(), "A server will be cancelled soon.",
			"Your server {{.server_name}} will be cancelled "+textDays,
			textYour+" will be cancelled on {{.local_date}}, "+textDays+".\n\nPlease save what you need before that.\n"),
		spec(KindRescheduled, notify.ToClient, sampleNotice(), "The date of a cancellation that the client knows of has moved.",
			"Your server {{.server_name}} will be cancelled on {{.local_date}}"+textMoved,
			textYour+" will be cancelled on {{.local_date}}"+textMoved+", "+textDays+".\n"),
		spec(KindDiscarded, notify.ToClient, sampleNotice(), "A cancellation that the client knows of was called off.",
			"Your server {{.server_name}} will not be cancelled on {{.local_date}}",
			"The cancellation of the dedicated server {{.server_name}} ({{.server_id}}) that was planned for {{.local_date}} "+
				"was called off.\n"+textWhy),
		spec(KindExecuted, notify.ToClient, sampleAccount(), "A client's server was cancelled.",
			"Your server {{.server_name}} was cancelled",
			textYour+" was cancelled as of {{.local_date}}.\n"+textWhy+textRefund),
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
		spec(KindDiscardedByClient, notify.ToReseller, sampleNotice(), "A client has called its own cancellation off.",
			"The client keeps {{.server_name}}",
			textThe+" will not be cancelled on {{.local_date}}: its client has called that off.\n"+textWhy),
		spec(KindPostponed, notify.ToReseller, sampleNotice(), "An execution waits until the client was warned long enough.",
			"The cancellation of {{.server_name}} waits until {{.local_date}}",
			textThe+" was to be cancelled on {{.from_local_date}}. Its client was not warned in time, so that will be on "+
				"{{.local_date}}. The refund is reckoned by the planned date.\n"),
		spec(KindStuck, notify.ToReseller, sampleProblem(), "A cancellation has failed five times in a row.",
			"The cancellation of {{.server_name}} is stuck",
			textThe+" was to be cancelled on {{.local_date}}, which failed {{.attempts}} times.\n"+textTrouble),
		spec(KindServerLeft, notify.ToReseller, sampleNotice(), "A server left its client before the date of its cancellation.",
			"The cancellation of {{.server_name}} no longer applies",
			textThe+" was to be cancelled on {{.local_date}}. It has left its client before, so nothing will be done to it.\n"),
		spec(KindFailed, notify.ToReseller, sampleProblem(), "A cancellation was given up.",
			"The cancellation of {{.server_name}} has failed",
			"The cancellation of the dedicated server {{.server_name}} ({{.server_id}}) on {{.local_date}} was given up.\n"+textTrouble),
		spec(KindCompleted, notify.ToReseller, sampleAccount(), "A server was cancelled and waits in clean-up.",
			"{{.server_name}} was cancelled and waits in clean-up",
			textThe+" was cancelled as of {{.local_date}}. It waits in clean-up.\n"+textWhy+textRefund),
	}
}
