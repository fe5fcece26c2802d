package notify

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
)

// KindTextBroken tells a reseller that its own text could not be used, and that the built-in text was used instead. It is
// recorded once for each version of a text. Its subject is the text. Its payload is BrokenText.
const KindTextBroken Kind = "notify.text_broken"

// BrokenText is the payload of KindTextBroken: which text could not be used, and the content of the TextError about it.
type BrokenText struct {
	Kind   Kind   `json:"kind"`
	Locale string `json:"locale"`
	Part   string `json:"part"`
	Line   int    `json:"line"`   // 0: the error is about the whole part
	Column int    `json:"column"` // 0: not known
	Reason string `json:"reason"`
}

// Alarm adds events to the outbox from which the resellers' mail is sent. An implementation calls MemoryOutbox.Append or
// the Commit of a Store.
type Alarm interface {
	// TextBroken adds an event of KindTextBroken to the outbox. It is called for each mail in which the text fails. The event's
	// ID is the same for the same version of a text, so the outbox takes the event once. Many goroutines may call it at once.
	// An error or a panic is logged.
	TextBroken(ctx context.Context, e Event) error
}

// AlarmFunc is a function that implements Alarm.
type AlarmFunc func(context.Context, Event) error

// TextBroken calls f.
func (f AlarmFunc) TextBroken(ctx context.Context, e Event) error { return f(ctx, e) }

// reportBroken logs that a reseller's own text could not be used, and calls the Alarm. at is the time of the event that was to
// be mailed.
func (c *Catalog) reportBroken(ctx context.Context, own Text, at time.Time, cause *TextError) {
	log := c.log().With("reseller", own.ResellerID, "kind", string(own.Kind), "locale", own.Locale)
	log.ErrorContext(ctx, "a reseller's own text failed: the built-in text was used", "error", cause)
	if c.Alarm == nil {
		return
	}
	e, err := own.brokenEvent(at, cause)
	if err == nil {
		err = fault.Guard("Catalog.Alarm", func() error { return c.Alarm.TextBroken(ctx, e) })
	}
	if err != nil {
		log.ErrorContext(ctx, "the reseller was not told that its text failed", "error", err)
	}
}

func (t Text) brokenEvent(at time.Time, cause *TextError) (Event, error) {
	payload := BrokenText{
		Kind: t.Kind, Locale: t.Locale, Part: cause.Part, Line: cause.Line, Column: cause.Column, Reason: cause.Reason,
	}
	id := uuid.NewSHA1(t.ResellerID, []byte("text "+string(t.Kind)+" "+t.Locale))
	e, err := Subject{ResellerID: t.ResellerID, ID: id, Version: t.Version}.Event(KindTextBroken, at, payload)
	// After a reset the versions of a text begin again at 1. Its content tells such texts apart.
	e.ID = uuid.NewSHA1(e.ID, []byte(t.Subject+"\x00"+t.Text+"\x00"+t.HTML))
	return e, err
}
