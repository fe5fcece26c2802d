package notify

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/mailtext"
)

const partTexts = "Catalog.Texts"

// Check refuses a text that does not parse, that names a variable which its kind does not have, or that cannot be rendered
// with the sample. It refuses a subject or text that is blank when it is rendered. The subject may have 500 bytes, text and
// HTML 64 KiB each, and 256 KiB each when they are rendered. The error is a *TextError. A kind that the catalog does not have
// is ErrNotFound.
func (c *Catalog) Check(t Text) error {
	_, err := c.Preview(t)
	return err
}

// Preview checks a text as Check does, and renders it with the sample of its kind, with times in UTC.
func (c *Catalog) Preview(t Text) (Message, error) {
	k, t, err := c.canonicalText(t)
	if err != nil {
		return Message{}, err
	}
	mail, err := k.preview(t)
	if err != nil {
		return Message{}, err
	}
	m := Message{ResellerID: t.ResellerID, Kind: t.Kind, To: Recipient{Audience: k.Audience}, Data: k.schema.Sample()}
	m.setContent(t.Locale, mail)
	return m, nil
}

// canonicalText returns the kind of a text, and the text with its locale in canonical spelling.
func (c *Catalog) canonicalText(t Text) (*kind, Text, error) {
	k, err := c.kind(t.Kind)
	if err != nil {
		return nil, t, err
	}
	locale, err := c.canonicalLocale(t.Locale)
	if err != nil {
		return nil, t, k.textError(t, &mailtext.Error{Part: "locale", Reason: mailtext.Reason(err)})
	}
	t.Locale = locale
	return k, t, nil
}

// canonicalLocale returns the canonical spelling of a language tag. "" is the catalog's language.
func (c *Catalog) canonicalLocale(locale string) (string, error) {
	if locale == "" {
		locale = c.language()
	}
	return mailtext.CanonicalLocale(locale)
}

// Save checks a text as Check does, and stores it in Catalog.Texts. Events that wait for delivery use the new text. The host
// must make sure that its user may edit the texts of this reseller.
//
// A text that Check refuses, a nil ResellerID, and a nil Catalog.Texts are ErrInvalid. If Version is not the stored version,
// the error is ErrConflict: somebody has saved since the text was read. If Catalog.Texts fails, the error is ErrHost, and it
// is unknown whether the text was stored.
func (c *Catalog) Save(ctx context.Context, t Text) error {
	k, t, err := c.canonicalText(t)
	if err != nil {
		return err
	}
	if _, err := k.preview(t); err != nil {
		return err
	}
	switch {
	case t.ResellerID == uuid.Nil:
		return fmt.Errorf("%w: the text has no ResellerID", ErrInvalid)
	case c.Texts == nil:
		return fmt.Errorf("%w: Catalog.Texts is nil: there is no store for texts", ErrInvalid)
	}
	return writeHost(ctx, partTexts, func() error { return c.Texts.Save(ctx, t) }, ErrConflict)
}

// Reset deletes a reseller's own text. If there is none, it does nothing. Locale "" is the catalog's language. A kind that the
// catalog does not have is ErrNotFound, a locale that is not a language tag is ErrInvalid. If Catalog.Texts fails, the error
// is ErrHost: repeat the call.
func (c *Catalog) Reset(ctx context.Context, reseller uuid.UUID, name Kind, locale string) error {
	if _, err := c.kind(name); err != nil {
		return err
	}
	tag, err := c.canonicalLocale(locale)
	if err != nil || c.Texts == nil {
		return err
	}
	return writeHost(ctx, partTexts, func() error { return c.Texts.Reset(ctx, reseller, name, tag) })
}

// Text returns the text that an editor should show for a language: the reseller's own text in that language or, with Version
// 0, the text that is used instead. Locale "" is the catalog's language. A kind that the catalog does not have is ErrNotFound,
// a locale that is not a language tag is ErrInvalid. If Catalog.Texts fails, the error is ErrHost.
func (c *Catalog) Text(ctx context.Context, reseller uuid.UUID, name Kind, locale string) (Text, error) {
	k, err := c.kind(name)
	if err != nil {
		return Text{}, err
	}
	tag, err := c.canonicalLocale(locale)
	if err != nil {
		return Text{}, err
	}
	t, ok, err := c.ownText(ctx, reseller, name, tag)
	if err != nil {
		return Text{}, err
	}
	if !ok {
		t = c.builtinText(k, tag)
	}
	if t.Locale != tag {
		t.Version = 0
	}
	t.ResellerID, t.Kind, t.Locale = reseller, name, tag
	return t, nil
}

// ownText finds the reseller's own text for a locale: in that language, or else in the catalog's language.
func (c *Catalog) ownText(ctx context.Context, reseller uuid.UUID, k Kind, locale string) (Text, bool, error) {
	if c.Texts == nil {
		return Text{}, false, nil
	}
	for _, tag := range mailtext.Fallbacks(locale, c.language()) {
		t, ok, err := c.storedText(ctx, reseller, k, tag)
		if ok || err != nil {
			return t, ok, err
		}
	}
	return Text{}, false, nil
}

func (c *Catalog) storedText(ctx context.Context, reseller uuid.UUID, k Kind, tag string) (t Text, ok bool, err error) {
	err = callHost(ctx, partTexts, func() (err error) {
		t, err = c.Texts.Text(ctx, reseller, k, tag)
		return err
	}, ErrNotFound)
	switch {
	case errors.Is(err, ErrNotFound):
		return Text{}, false, nil
	case err != nil:
		return Text{}, false, fmt.Errorf("text of %s in %s: %w", k, tag, err)
	}
	return t, t.Version > 0, nil
}

// builtinText finds the built-in text for a locale: in that language, or else in the catalog's language, or else in English.
func (c *Catalog) builtinText(k *kind, locale string) Text {
	for _, tag := range mailtext.Fallbacks(locale, c.language(), builtinLanguage) {
		if t, ok := k.builtinText(tag); ok {
			return t
		}
	}
	return Text{}
}
