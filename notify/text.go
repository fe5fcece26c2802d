package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// Text is the wording of one kind in one language, a reseller's own or, with Version 0, not edited.
//
// Subject and Text are templates of text/template, HTML of html/template, over the payload: its JSON names are the
// variables, {{.server}}. Of the language of templates they have if, with, range over a list of the payload, variables,
// the functions and or not eq ne lt le gt ge len index, and of their own
//
//	date .at             2026-03-01, in the zone of who reads it
//	datetime .at         2026-03-01 14:30 CET
//	money .paid "EUR"    12.50 EUR, or 12,50 EUR where the text's language writes it so
//	plural .n "a" "b"    a where n is 1, else b
//
// It has neither templates within templates nor functions that build strings of any length, at most 16 ranges and 32
// variables of its own, so that no text is slow or large.
//
// A text in the catalog's language applies to all languages that the reseller has not edited, whatever is built in.
type Text struct {
	ResellerID uuid.UUID
	Kind       Kind
	Locale     string // "de", "pt-BR"; "": the catalog's language
	Subject    string // one line
	Text       string
	HTML       string // "": the mail has none
	Version    int64  // 0: not edited, nothing is stored
}

// Texts persists resellers' wordings. What it must do, line by line; the suite notifytest.TestTexts holds an
// implementation to each:
//
//  1. concurrency: many goroutines and processes call it at once.
//  2. missing: Text of what is not stored is ErrNotFound, by errors.Is. Reset of it does nothing.
//  3. Save: Version must be the stored one, or 0 where none is stored, else ErrConflict; it is raised by one. Check and
//     write are one step.
//  4. Texts lists one reseller's, by kind, then by locale, both in the order of bytes.
//  5. context: an ended one is its error, and nothing is written, or it is unknown whether it was.
//  6. content: a text comes back as it was, and under its reseller, kind and locale alone.
//
// Locale is never empty and always spelt the same way: "de", "pt-BR".
type Texts interface {
	Text(ctx context.Context, reseller uuid.UUID, k Kind, locale string) (Text, error)
	Texts(ctx context.Context, reseller uuid.UUID) ([]Text, error)
	Save(ctx context.Context, t Text) error
	Reset(ctx context.Context, reseller uuid.UUID, k Kind, locale string) error
}

// TextError says what is wrong with a text, and where, for an editor. It is ErrInvalid.
type TextError struct {
	Kind     Kind
	Locale   string
	Part     string   // "subject", "text", "html", "locale"
	Line     int      // from 1; 0: it is about the whole part
	Column   int      // from 1, in characters; 0: not known
	Variable string   // what the kind does not have; "": something else is wrong
	Known    []string // the variables that there are instead
	Nearest  string   // the variable or function that was probably meant; "": none is near
	Reason   string
}

// Error reads like "text of backup.completed in de: subject, line 1, column 3: …".
func (e *TextError) Error() string {
	where := fmt.Sprintf("text of %s in %s: %s", e.Kind, e.Locale, e.Part)
	if e.Line > 0 {
		where += fmt.Sprintf(", line %d", e.Line)
	}
	if e.Column > 0 {
		where += fmt.Sprintf(", column %d", e.Column)
	}
	return where + ": " + e.Reason
}

// Unwrap returns ErrInvalid.
func (e *TextError) Unwrap() error { return ErrInvalid }

// Check refuses, with a *TextError, a text that does not parse, names a variable that its kind does not have, cannot be
// rendered with the sample, makes nothing of it, or is too large: 500 bytes of subject, 64 KiB of text and of HTML. A kind
// that the catalog does not have is ErrNotFound.
func (c *Catalog) Check(t Text) error {
	_, _, err := c.checked(t)
	return err
}

// checked returns the text's kind, and the text with its language spelt out.
func (c *Catalog) checked(t Text) (*kind, Text, error) {
	k, err := c.kind(t.Kind)
	if err != nil {
		return nil, t, err
	}
	locale, err := c.tag(t.Locale)
	if err != nil {
		return nil, t, k.wrong(t, part{name: "locale"}, err)
	}
	t.Locale = locale
	return k, t, k.check(t)
}

// Preview renders a text with its kind's sample; what Check refuses, Preview does.
func (c *Catalog) Preview(t Text) (Message, error) {
	k, t, err := c.checked(t)
	if err != nil {
		return Message{}, err
	}
	m := Message{
		ResellerID: t.ResellerID, Kind: t.Kind, To: Recipient{Audience: k.Audience}, Locale: t.Locale, Data: slices.Clone(k.data),
	}
	return m, k.render(&m, t, k.sample, nil, part.strict)
}

// Save is Check, then Texts.Save. A text saved is used for what is still waiting to be delivered. The host makes sure that
// its user is that reseller. ErrConflict: somebody has saved since the text was read.
func (c *Catalog) Save(ctx context.Context, t Text) error {
	_, t, err := c.checked(t)
	switch {
	case err != nil:
		return err
	case t.ResellerID == uuid.Nil:
		return fmt.Errorf("%w: a text of no reseller", ErrInvalid)
	case c.Texts == nil:
		return fmt.Errorf("%w: Catalog.Texts is nil: there is nowhere to save a text", ErrInvalid)
	}
	return c.Texts.Save(ctx, t)
}

// Reset forgets a reseller's own text, so that what is used without it is used again; where there is none it does nothing.
// Locale "" is the catalog's language.
func (c *Catalog) Reset(ctx context.Context, reseller uuid.UUID, name Kind, locale string) error {
	if _, err := c.kind(name); err != nil {
		return err
	}
	tag, err := c.tag(locale)
	if err != nil || c.Texts == nil {
		return err
	}
	return c.Texts.Reset(ctx, reseller, name, tag)
}

// tag spells a language out.
func (c *Catalog) tag(locale string) (string, error) {
	if locale == "" {
		locale = c.language()
	}
	return canonical(locale)
}

// Text is the wording to show in an editor: the reseller's own in that language, or with Version 0 what is used instead.
func (c *Catalog) Text(ctx context.Context, reseller uuid.UUID, name Kind, locale string) (Text, error) {
	k, err := c.kind(name)
	if err != nil {
		return Text{}, err
	}
	tag, err := c.tag(locale)
	if err != nil {
		return Text{}, err
	}
	t, ok, err := c.edited(ctx, reseller, name, tag)
	if err != nil {
		return Text{}, err
	}
	if !ok {
		t = c.builtin(k, tag)
	}
	if t.Locale != tag {
		t.Version = 0
	}
	t.ResellerID, t.Kind, t.Locale = reseller, name, tag
	return t, nil
}

// edited finds a reseller's own text, for the locale or else for the catalog's language.
func (c *Catalog) edited(ctx context.Context, reseller uuid.UUID, k Kind, locale string) (Text, bool, error) {
	if c.Texts == nil {
		return Text{}, false, nil
	}
	for _, language := range languages(locale, c.language()) {
		t, err := c.Texts.Text(ctx, reseller, k, language)
		switch {
		case err == nil && t.Version > 0:
			return t, true, nil
		case err != nil && !errors.Is(err, ErrNotFound):
			return Text{}, false, fmt.Errorf("text of %s in %s: %w", k, language, err)
		}
	}
	return Text{}, false, nil
}

// builtin finds the built-in text for the locale, else for the catalog's language, else the English one.
func (c *Catalog) builtin(k *kind, locale string) Text {
	for _, language := range languages(locale, c.language(), builtinLanguage) {
		if t, ok := k.builtin(language); ok {
			return t
		}
	}
	return Text{}
}
