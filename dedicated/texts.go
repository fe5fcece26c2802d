package dedicated

import "github.com/metalkeep/metalkeep/notify"

// german are the built-in texts in German.
func german() map[notify.Kind]notify.Wording {
	const (
		yours = "Ihr dedizierter Server {{.server_name}} ({{.server_id}}) "
		why   = "{{with .reason}}\nGrund: {{.}}\n{{end}}"
	)
	return map[notify.Kind]notify.Wording{
		KindAssigned: {
			Subject: "Ihr Server {{.server_name}} steht bereit",
			Text:    yours + "steht für Sie bereit.\n",
		},
		KindHeld: {
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
