package dedicated

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
	id := uuid.MustParse("3d5f6f0e-58c4-4a43-9d9c-6f9f5e5a7c11")
	at := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	notice := Notice{ServerID: id, ServerName: "web-07", Reason: "the invoice of 1 November is not paid"}
	toClient := func(kind notify.Kind, description, subject, text string) notify.Spec {
		return notify.Spec{
			Kind: kind, Audience: notify.ToClient, Group: "Servers", Description: description, Sample: notice,
			Subject: map[string]string{"en": subject}, Text: map[string]string{"en": text},
		}
	}
	toHost := func(kind notify.Kind, description string, sample any) notify.Spec {
		return notify.Spec{
			Kind: kind, Audience: notify.ToHost, Group: "Servers", Description: description, Sample: sample,
			Subject: map[string]string{"en": string(kind)}, Text: map[string]string{"en": description},
		}
	}
	return []notify.Spec{
		toClient(KindAssigned, "A server was assigned to the client.",
			"Your server {{.server_name}} is ready",
			"Your dedicated server {{.server_name}} ({{.server_id}}) is ready for you.\n"),
		toClient(KindSuspended, "A client's server was suspended.",
			"Your server {{.server_name}} is suspended",
			"Your dedicated server {{.server_name}} ({{.server_id}}) was suspended.\n{{with .reason}}\nReason: {{.}}\n{{end}}"),
		toClient(KindResumed, "The suspension of a client's server has ended.",
			"Your server {{.server_name}} is back in use",
			"Your dedicated server {{.server_name}} ({{.server_id}}) is no longer suspended.\n"),
		toClient(KindEnded, "A client's server was released by hand.",
			"Your use of the server {{.server_name}} has ended",
			"Your dedicated server {{.server_name}} ({{.server_id}}) is no longer yours.\n{{with .reason}}\nReason: {{.}}\n{{end}}"),
		toHost(KindReleased, "A client's use of a server has ended.", Released{
			ResellerID: id, ServerID: id, ClientID: id, Assignment: id, At: at, Reason: "end of contract",
		}),
		toHost(KindBillingChanged, "A server's billing periods have changed.", BillingChanged{ServerID: id, Assignment: id, At: at}),
	}
}

// german returns the built-in texts in German.
func german() map[notify.Kind]notify.Translation {
	const (
		yours = "Ihr dedizierter Server {{.server_name}} ({{.server_id}}) "
		why   = "{{with .reason}}\nGrund: {{.}}\n{{end}}"
	)
	return map[notify.Kind]notify.Translation{
		KindAssigned: {
			Subject: "Ihr Server {{.server_name}} steht bereit",
			Text:    yours + "steht für Sie bereit.\n",
		},
		KindSuspended: {
			Subject: "Ihr Server {{.server_name}} ist gesperrt",
			Text:    yours + "wurde gesperrt.\n" + why,
		},
		KindResumed: {
			Subject: "Ihr Server {{.server_name}} ist wieder freigegeben",
			Text:    yours + "ist nicht mehr gesperrt.\n",
		},
		KindEnded: {
			Subject: "Die Nutzung Ihres Servers {{.server_name}} ist beendet",
			Text:    yours + "steht Ihnen nicht mehr zur Verfügung.\n" + why,
		},
	}
}

// meanings explains the variables of the texts to the person who edits them.
func meanings() map[string]string {
	return map[string]string{
		".server_id":   "the server's ID",
		".server_name": "the server's name at that time",
		".reason":      "the reason that the reseller gave; may be empty",
		".reseller_id": "the reseller that rents the server out",
		".client_id":   "the client that used the server",
		".assignment":  "the client's use of the server",
		".at":          "the time of the change", ".cancellation_id": "the cancellation that released it; all zeros: released by hand",
	}
}
