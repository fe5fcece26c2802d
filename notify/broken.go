package notify

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// KindTextBroken tells a reseller that a text of its own could not be used, once for each version that it saves; the mail
// went out in the built-in words. Its subject is the text. Payload: BrokenText.
const KindTextBroken Kind = "notify.text_broken"

// BrokenText is the payload of KindTextBroken: which text it is, and what TextError says about it.
type BrokenText struct {
	Kind   Kind   `json:"kind"`
	Locale string `json:"locale"`
	Part   string `json:"part"`
	Line   int    `json:"line"`   // 0: it is about the whole part
	Column int    `json:"column"` // 0: not known
	Reason string `json:"reason"`
}

// Alarm puts an event into the outbox from which resellers' mail is sent: MemoryOutbox.Append does, or the Commit of a
// Store. The event's ID is the same for the same version of a text, so that an outbox takes it once, however many mails
// that text spoils. An error or a panic is logged, and the next mail that the text spoils raises the alarm again.
type Alarm interface {
	TextBroken(ctx context.Context, e Event) error
}

// AlarmFunc is a function as an Alarm.
type AlarmFunc func(context.Context, Event) error

// TextBroken calls f.
func (f AlarmFunc) TextBroken(ctx context.Context, e Event) error { return f(ctx, e) }

// broke logs that a reseller's text could not be used, and raises the alarm. at is the time of the event it was for.
func (c *Catalog) broke(ctx context.Context, own Text, at time.Time, why error) {
	log := c.log().With("reseller", own.ResellerID, "kind", string(own.Kind), "locale", own.Locale)
	log.ErrorContext(ctx, "a reseller's text failed, the built-in one is used", "error", why)
	if c.Alarm == nil {
		return
	}
	e, err := own.brokenEvent(at, why)
	if err == nil {
		err = fault.Guard("Catalog.Alarm", func() error { return c.Alarm.TextBroken(ctx, e) })
	}
	if err != nil {
		log.ErrorContext(ctx, "the reseller was not told that its text failed", "error", err)
	}
}

func (t Text) brokenEvent(at time.Time, why error) (Event, error) {
	payload := BrokenText{Kind: t.Kind, Locale: t.Locale, Reason: why.Error()}
	var wrong *TextError
	if errors.As(why, &wrong) {
		payload.Part, payload.Line, payload.Column, payload.Reason = wrong.Part, wrong.Line, wrong.Column, wrong.Reason
	}
	id := uuid.NewSHA1(t.ResellerID, []byte("text "+string(t.Kind)+" "+t.Locale))
	e, err := Subject{ResellerID: t.ResellerID, ID: id, Version: t.Version}.Event(KindTextBroken, at, payload)
	e.ID = uuid.NewSHA1(e.ID, []byte(t.Subject+"\x00"+t.Text+"\x00"+t.HTML)) // versions start again after a reset
	return e, err
}

// Kinds are this package's events, for NewCatalog: give it them where Catalog.Alarm is set.
func Kinds() []Spec {
	specs := []Spec{{
		Kind: KindTextBroken, Audience: ToReseller, Group: "Mail", Description: "A text that the reseller edited could not be used.",
		Sample: BrokenText{
			Kind: "backup.completed", Locale: "de", Part: "text", Line: 2, Column: 7,
			Reason: "there is no .servr (did you mean .server_name?): there are date, server_name",
		},
		Subject: map[string]string{"en": "Your text of {{.kind}} in {{.locale}} does not work"},
		Text: map[string]string{"en": "The text that you saved for {{.kind}} in the language {{.locale}} could not be used. The mail was sent " +
			"in the built-in words.\n\n{{with .part}}Part: {{.}}\n{{end}}{{with .line}}Line: {{.}}\n{{end}}{{with .column}}Column: {{.}}\n{{end}}" +
			"What is wrong: {{.reason}}\n\nPlease edit the text or reset it.\n"},
	}}
	specs = Explain(specs, map[string]string{
		".kind": "the kind of mail", ".locale": "the language of the text", ".part": "subject, text or html",
		".line": "where the error is; 0: it is about the whole part", ".column": "where the error is, in characters; 0: not known",
		".reason": "what is wrong",
	})
	return WithHTML(Translate(specs, "de", map[Kind]Translation{KindTextBroken: {
		Subject: "Ihr Text für {{.kind}} in der Sprache {{.locale}} funktioniert nicht",
		Text: "Der Text, den Sie für {{.kind}} in der Sprache {{.locale}} gespeichert haben, konnte nicht verwendet werden. Die E-Mail " +
			"wurde mit dem mitgelieferten Text versandt.\n\n{{with .part}}Teil: {{.}}\n{{end}}{{with .line}}Zeile: {{.}}\n{{end}}" +
			"{{with .column}}Spalte: {{.}}\n{{end}}Fehler: {{.reason}}\n\nBitte bearbeiten Sie den Text oder setzen Sie ihn zurück.\n",
	}}))
}
