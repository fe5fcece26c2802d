package notify

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/mailtext"
)

// Text is the text of one kind of mail in one language. It is a reseller's own text or, with Version 0, a built-in one.
//
// Subject and Text are templates of text/template, HTML is one of html/template. Their data is the event's payload: its JSON
// names are the variables, such as {{.server}}. Templates may use if, with, range over a list of the payload, variables, and
// the functions and, or, not, eq, ne, lt, le, gt, ge, len and index. The library adds these functions:
//
//	date .at             2026-03-01, in the recipient's time zone
//	datetime .at         2026-03-01 14:30 CET
//	money .paid "EUR"    12.50 EUR, or 12,50 EUR in a language that uses the decimal comma
//	plural .n "a" "b"    a if n is 1, otherwise b
//
// So that no text is slow or large, templates may not define templates and may not call functions that build strings. They
// may have at most 16 ranges, with no range inside another, and declare at most 32 variables.
//
// A reseller's own text in the catalog's language is used for every language in which the reseller has no own text, even if
// there is a built-in text in that language.
type Text struct {
	ResellerID uuid.UUID
	Kind       Kind
	Locale     string // a language tag: "de", "pt-BR"; "": Catalog.Language
	Subject    string // one line
	Text       string
	HTML       string // "": the mail has no HTML
	Version    int64  // 0: the reseller has no own text
}

func (t Text) template() mailtext.Template {
	return mailtext.Template{Locale: t.Locale, Subject: t.Subject, Text: t.Text, HTML: t.HTML}
}

// Texts stores the resellers' own texts. A Locale is never empty, and always spelt in the same way: "de", "pt-BR". An
// implementation must keep these rules. The suite notifytest.TestTexts tests each of them:
//
//  1. concurrency: many goroutines and processes call it at once.
//  2. missing: Text of a text that is not stored is ErrNotFound, by errors.Is. Reset of such a text does nothing.
//  3. save: if Version is not the stored one, Save returns ErrConflict. The stored version of a text that is not stored is 0.
//     Save compares, writes and adds 1 to Version in one step.
//  4. list: Texts sorts by kind, then by locale, each in the order of their bytes.
//  5. context: if the context has ended before the call, return its error and write nothing. If it ends during the call, the
//     outcome may be unknown.
//  6. content: a text comes back unchanged. Each combination of reseller, kind and locale has its own text.
type Texts interface {
	// Text returns a reseller's own text, or ErrNotFound. Rule 2.
	Text(ctx context.Context, reseller uuid.UUID, k Kind, locale string) (Text, error)
	// Texts returns all own texts of one reseller. Rule 4.
	Texts(ctx context.Context, reseller uuid.UUID) ([]Text, error)
	// Save stores a text. Rule 3.
	Save(ctx context.Context, t Text) error
	// Reset deletes a text. Rule 2.
	Reset(ctx context.Context, reseller uuid.UUID, k Kind, locale string) error
}

// TextError says what is wrong with a text, and where. It is ErrInvalid.
type TextError struct {
	Kind     Kind
	Locale   string
	Part     string   // "subject", "text", "html" or "locale"
	Line     int      // from 1; 0: the error is about the whole part
	Column   int      // from 1, in characters; 0: not known
	Variable string   // the variable that the kind does not have; "": something else is wrong
	Known    []string // with Variable: the names that exist instead
	Nearest  string   // the variable or function that was probably meant; "": no name is similar
	Reason   string
}

// Error returns a text such as "text of backup.completed in de: subject, line 1, column 3: …".
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
