package dedicated

import "github.com/metalkeep/metalkeep/notify"

// german are the built-in texts in German.
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

// meanings are what the variables of the texts mean.
func meanings() map[string]string {
	return map[string]string{
		".server_id":   "the server's ID",
		".server_name": "the server's name, as it was then",
		".reason":      "why, in the words of who did it; may be empty",
		".reseller_id": "whose server it is",
		".client_id":   "who used it",
		".assignment":  "the client's use of the server",
		".at":          "when it became true", ".cancellation_id": "the cancellation that released it; all zeros: none did",
	}
}
