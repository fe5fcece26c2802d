package ticket

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// Kinds returns this package's kinds of event for notify.NewCatalog, with texts in English and German.
func Kinds() []notify.Spec {
	return notify.WithHTML(notify.Translate(notify.Explain(kinds(), meanings()), "de", german()))
}

// kinds returns the specs with their English texts.
func kinds() []notify.Spec {
	return slices.Concat(toClient(), toReseller(), toProvider())
}

func sampleNotice() Notice {
	id := uuid.MustParse("5f0c6a2e-7d0b-4a57-9f33-0a7d8f4b6c21")
	return Notice{
		TicketID: id, Ref: shortReference(id), ServerID: uuid.MustParse("3d5f6f0e-58c4-4a43-9d9c-6f9f5e5a7c11"), ServerName: "web-07",
		Kind: "Reboot", Subject: "Please reboot", Status: Open, Text: "It does not answer any more.",
		Attachments: []Attachment{{Name: "screen.png", MediaType: "image/png", Key: "f/1", Bytes: 20480}},
	}
}

// Parts of the English and the German texts.
const (
	clientHeader   = "Your request {{.ref}} for the server {{.server_name}}: {{.subject}}\n"
	commentText    = "{{with .text}}\n{{.}}\n{{end}}"
	resellerHeader = "{{.ref}}: {{.subject}}\nKind: {{.kind}}\nServer: {{.server_name}} ({{.server_id}})\nClient: {{.client_id}}\n"
)

func spec(kind notify.Kind, to notify.Audience, sample any, description, subject, text string) notify.Spec {
	return notify.Spec{
		Kind: kind, Audience: to, Group: "Tickets", Description: description, Sample: sample,
		Subject: map[string]string{"en": subject}, Text: map[string]string{"en": text},
	}
}

func toClient() []notify.Spec {
	tell := func(kind notify.Kind, description, subject, text string) notify.Spec {
		return spec(kind, notify.ToClient, sampleNotice(), description, "[{{.ref}}] "+subject, clientHeader+text+commentText)
	}
	return []notify.Spec{
		tell(KindOpened, "A ticket was opened by or for the client.", "We have your request: {{.subject}}",
			"\nWe have received it and will answer.\n"),
		tell(KindCommented, "The reseller wrote to the client.", "News on your request: {{.subject}}", ""),
		tell(KindDetailsWanted, "The reseller asks the client for details.", "We need to know more: {{.subject}}",
			"\nPlease answer, so that we can continue.\n"),
		tell(KindConfirmed, "A ticket was confirmed: the reseller works on it.", "We are working on it: {{.subject}}", ""),
		tell(KindRejected, "A ticket was rejected.", "We cannot do this: {{.subject}}", ""),
		tell(KindDone, "The request of a ticket was carried out.", "Done: {{.subject}}", ""),
		tell(KindClosed, "A ticket was closed, by the reseller or by itself.", "Closed: {{.subject}}", "\nIt is closed now.\n"),
		tell(KindReopened, "The reseller reopened a ticket.", "Open again: {{.subject}}", "\nWe are looking at it again.\n"),
	}
}

func toReseller() []notify.Spec {
	sample := Report{
		Notice: sampleNotice(), ClientID: uuid.MustParse("0d2b7f5c-1f6e-4d55-8a43-6b1f2f0e9a77"),
		Provider: "Upstream Ltd", Reason: "released",
	}
	tell := func(kind notify.Kind, description, subject, text string) notify.Spec {
		return spec(kind, notify.ToReseller, sample, description, "[{{.ref}}] "+subject, resellerHeader+text)
	}
	return []notify.Spec{
		tell(KindReceived, "A client opened a ticket.", "{{.kind}} for {{.server_name}}: {{.subject}}", commentText),
		tell(KindReplied, "A client wrote.", "The client wrote: {{.subject}}", commentText),
		tell(KindClosedByClient, "A client closed its ticket.", "Closed by the client: {{.subject}}", commentText),
		tell(KindReopenedByClient, "A client reopened its ticket.", "Open again: {{.subject}}", commentText),
		tell(KindMoreFromClient, "A client went on writing, closing or reopening after several mails without an answer.",
			"More from the client: {{.subject}}", "\nThe client wrote, closed or reopened again. The newest comment:\n"+commentText),
		tell(KindUnanswered, "A ticket, or a client's comment on what is done or rejected, has waited too long for an answer.",
			"Still unanswered: {{.subject}}", "\nThe client has had no answer yet.\n"+commentText),
		tell(KindServerLeft, "The server of an open ticket has left its client.", "{{.server_name}} has left its client: {{.subject}}",
			"\nThe ticket was closed.\n{{with .reason}}\nReason: {{.}}\n{{end}}"),
		tell(KindProviderReplied, "The provider answered a forwarded ticket.", "{{.provider}} answered: {{.subject}}",
			"{{if .former}}\nThe ticket was forwarded to another provider since.\n{{end}}"+commentText),
	}
}

func toProvider() []notify.Spec {
	sample := ProviderRequest{
		Provider: "Upstream Ltd", Ref: "U-7F3K9QXM2RTVWYZ4", Reference: "srv-42", ServerName: "web-07", Kind: "Reboot",
		Text: "Server: web-07\nYour reference: srv-42\nRequest: Reboot\n\nPlease press the button.", Attachments: sampleNotice().Attachments,
	}
	return []notify.Spec{spec(KindForwarded, notify.ToProvider, sample, "The reseller forwarded a ticket to the provider.",
		"[{{.ref}}] {{.kind}}: {{with .reference}}{{.}}{{else}}{{.server_name}}{{end}}",
		"{{.text}}\n\nPlease keep [{{.ref}}] in the subject of your answer.\n")}
}

// german returns the built-in texts in German.
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
			Text:    "Ihre Anfrage {{.ref}} zum Server {{.server_name}}: {{.subject}}\n" + text + commentText,
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
		KindReceived:         tell("{{.kind}} für {{.server_name}}", commentText),
		KindReplied:          tell("Der Kunde hat geschrieben", commentText),
		KindClosedByClient:   tell("Vom Kunden geschlossen", commentText),
		KindReopenedByClient: tell("Wieder geöffnet", commentText),
		KindMoreFromClient: tell("Weiteres vom Kunden",
			"\nDer Kunde hat erneut geschrieben, geschlossen oder wieder geöffnet. Der neueste Kommentar:\n"+commentText),
		KindUnanswered: tell("Noch unbeantwortet", "\nDer Kunde hat bisher keine Antwort erhalten.\n"+commentText),
		KindServerLeft: tell("{{.server_name}} wird vom Kunden nicht mehr genutzt",
			"\nDie Anfrage wurde geschlossen.\n{{with .reason}}\nGrund: {{.}}\n{{end}}"),
		KindProviderReplied: tell("{{.provider}} hat geantwortet",
			"{{if .former}}\nDie Anfrage wurde inzwischen an einen anderen Anbieter weitergeleitet.\n{{end}}"+commentText),
	}
}

// meanings explains the variables of the texts to the person who edits them.
func meanings() map[string]string {
	return map[string]string{
		".server_id":                "the server's ID",
		".server_name":              "the server's name when the ticket was opened",
		".ticket_id":                "the ticket",
		".ref":                      "the reference that answers quote: keep it in the subject",
		".kind":                     "the kind of request, for people",
		".subject":                  "the subject of the ticket",
		".status":                   "open, needs_details, confirmed, forwarded, done, rejected or closed",
		".text":                     "the comment; may be empty",
		".attachments":              "the files of the comment",
		".attachments[].name":       "name of the file",
		".attachments[].media_type": "the type of the file, such as image/png",
		".attachments[].key":        "the key by which the host finds the file",
		".attachments[].bytes":      "size of the file",
		".client_id":                "the client of the ticket",
		".provider":                 "the provider's name; empty if the ticket was not forwarded",
		".former":                   "true if the ticket was forwarded to another provider since",
		".reason":                   "why the server has left its client; may be empty",
		".reference":                "the provider's name for the server; may be empty",
	}
}
