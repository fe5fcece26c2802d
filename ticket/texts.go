package ticket

import (
	"maps"

	"github.com/metalkeep/metalkeep/notify"
)

// german are the built-in texts in German.
func german() map[notify.Kind]notify.Translation {
	texts := germanToClient()
	maps.Copy(texts, germanToReseller())
	texts[KindForwarded] = notify.Translation{
		Subject: "[{{.ref}}] {{.kind}}: {{with .reference}}{{.}}{{else}}{{.server_name}}{{end}}",
		Text:    "{{.text}}\n\nBitte lassen Sie [{{.ref}}] im Betreff Ihrer Antwort stehen.\n",
	}
	return texts
}

func germanToClient() map[notify.Kind]notify.Translation {
	tell := func(subject, text string) notify.Translation {
		return notify.Translation{
			Subject: "[{{.ref}}] " + subject + ": {{.subject}}",
			Text:    "Ihre Anfrage {{.ref}} zum Server {{.server_name}}: {{.subject}}\n" + text + said,
		}
	}
	return map[notify.Kind]notify.Translation{
		KindOpened:        tell("Ihre Anfrage ist eingegangen", "\nWir haben Ihre Anfrage erhalten und werden Ihnen antworten.\n"),
		KindCommented:     tell("Neues zu Ihrer Anfrage", ""),
		KindDetailsWanted: tell("Wir benötigen weitere Angaben", "\nBitte antworten Sie uns, damit wir fortfahren können.\n"),
		KindConfirmed:     tell("Ihre Anfrage wird bearbeitet", ""),
		KindRejected:      tell("Ihre Anfrage wurde abgelehnt", ""),
		KindDone:          tell("Erledigt", ""),
		KindClosed:        tell("Geschlossen", "\nDie Anfrage ist jetzt geschlossen.\n"),
		KindReopened:      tell("Wieder geöffnet", "\nWir befassen uns erneut damit.\n"),
	}
}

func germanToReseller() map[notify.Kind]notify.Translation {
	tell := func(subject, text string) notify.Translation {
		return notify.Translation{
			Subject: "[{{.ref}}] " + subject + ": {{.subject}}",
			Text: "{{.ref}}: {{.subject}}\nArt: {{.kind}}\nServer: {{.server_name}} ({{.server_id}})\nKunde: {{.client_id}}\n" +
				text,
		}
	}
	return map[notify.Kind]notify.Translation{
		KindReceived:         tell("{{.kind}} für {{.server_name}}", said),
		KindReplied:          tell("Der Kunde hat geschrieben", said),
		KindClosedByClient:   tell("Vom Kunden geschlossen", said),
		KindReopenedByClient: tell("Wieder geöffnet", said),
		KindUnanswered:       tell("Noch unbeantwortet", "\nDer Kunde hat bisher keine Antwort erhalten.\n"),
		KindServerLeft: tell("{{.server_name}} wird vom Kunden nicht mehr genutzt",
			"\nDie Anfrage wurde geschlossen.\n{{with .reason}}\nGrund: {{.}}\n{{end}}"),
		KindProviderReplied: tell("{{.provider}} hat geantwortet", said),
	}
}

// meanings are what the variables of the texts mean.
func meanings() map[string]string {
	return map[string]string{
		".server_id":                "the server's ID",
		".server_name":              "the server's name, as it was then",
		".ticket_id":                "the ticket",
		".ref":                      "the ticket, as answers quote it: keep it in the subject",
		".kind":                     "what is asked for, for people",
		".subject":                  "the ticket's subject, in the words of the client",
		".status":                   "open, needs_details, confirmed, forwarded, done, rejected or closed",
		".text":                     "what was said; may be empty",
		".attachments":              "files that came with it",
		".attachments[].name":       "name of the file",
		".attachments[].media_type": "what kind of file it is",
		".attachments[].key":        "where the host keeps the file",
		".attachments[].bytes":      "size of the file",
		".client_id":                "who asks",
		".provider":                 "the provider's name; empty: nothing was forwarded",
		".reason":                   "why the server left; empty otherwise",
		".reference":                "the provider's own name of the server; may be empty",
	}
}
