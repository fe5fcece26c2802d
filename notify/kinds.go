package notify

// Kinds lists the kinds of this package, with their built-in texts. Pass them to NewCatalog if you set Catalog.Alarm.
func Kinds() []Spec {
	specs := []Spec{{
		Kind: KindTextBroken, Audience: ToReseller, Group: "Mail", Description: "A text that the reseller edited could not be used.",
		Sample: BrokenText{
			Kind: "backup.completed", Locale: "de", Part: "text", Line: 2, Column: 7,
			Reason: "there is no .servr (did you mean .server_name?); there are: date, server_name",
		},
		Subject: map[string]string{"en": "Your text for {{.kind}} in the language {{.locale}} does not work"},
		Text: map[string]string{"en": "The text that you saved for {{.kind}} in the language {{.locale}} could not be used. The mail was sent " +
			"with the built-in text.\n\n{{with .part}}Part: {{.}}\n{{end}}{{with .line}}Line: {{.}}\n{{end}}{{with .column}}Column: {{.}}\n{{end}}" +
			"Error: {{.reason}}\n\nPlease edit the text or reset it.\n"},
	}}
	specs = Explain(specs, map[string]string{
		".kind": "the kind of mail", ".locale": "the language of the text", ".part": "subject, text or html",
		".line":   "the line of the error; 0: the error is about the whole part",
		".column": "the position of the error in its line, in characters; 0: not known",
		".reason": "a description of the error",
	})
	return WithHTML(Translate(specs, "de", map[Kind]Translation{KindTextBroken: {
		Subject: "Ihr Text für {{.kind}} in der Sprache {{.locale}} funktioniert nicht",
		Text: "Der Text, den Sie für {{.kind}} in der Sprache {{.locale}} gespeichert haben, konnte nicht verwendet werden. Die E-Mail " +
			"wurde mit dem mitgelieferten Text versandt.\n\n{{with .part}}Teil: {{.}}\n{{end}}{{with .line}}Zeile: {{.}}\n{{end}}" +
			"{{with .column}}Spalte: {{.}}\n{{end}}Fehler: {{.reason}}\n\nBitte bearbeiten Sie den Text oder setzen Sie ihn zurück.\n",
	}}))
}
