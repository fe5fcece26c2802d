package notify

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/metalkeep/metalkeep/internal/mailtext"
	"github.com/metalkeep/metalkeep/internal/text"
)

const builtinLanguage = "en" // every kind has built-in texts in this language

// Catalog holds all kinds with their built-in texts, and makes messages of events. NewCatalog makes one; the zero value has
// no kinds. Set its fields before you use it. Then many goroutines may use it at once.
type Catalog struct {
	Texts     Texts        // the resellers' own texts; nil: only built-in texts are used
	Directory Directory    // finds the recipients; nil: Message.Person is the zero value
	Language  string       // a language tag, for recipients whose language is unknown or has no text; "": "en"
	Logger    *slog.Logger // for own texts that could not be used, and unknown time zones; nil: nothing is logged
	Alarm     Alarm        // tells a reseller that its own text could not be used; nil: this is only logged
	kinds     *kindTable
}

type kindTable struct {
	names  []Kind // as NewCatalog was given them
	byName map[Kind]*kind
}

// kind is a Spec with checked texts.
type kind struct {
	Spec
	schema *mailtext.Schema
}

// NewCatalog makes a Catalog of the kinds of all packages. Two specs of one kind, a missing audience, missing English texts, a
// sample that does not encode to a JSON object, and a text that Check would refuse are ErrInvalid. The error lists every
// invalid spec.
func NewCatalog(specs ...[]Spec) (*Catalog, error) {
	table := &kindTable{byName: map[Kind]*kind{}}
	var errs []error
	for _, list := range specs {
		for _, spec := range list {
			k, err := newKind(spec)
			if err == nil && table.byName[spec.Kind] != nil {
				err = fmt.Errorf("%w: two specs have this kind", ErrInvalid)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("kind %q: %w", spec.Kind, err))
				continue
			}
			table.byName[spec.Kind] = k
			table.names = append(table.names, spec.Kind)
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("notify.NewCatalog: %w", errors.Join(errs...))
	}
	return &Catalog{kinds: table}, nil
}

func newKind(spec Spec) (*kind, error) {
	if err := text.CheckFilled("the name", string(spec.Kind), 100); err != nil {
		return nil, err
	}
	if spec.Audience < ToClient || spec.Audience > ToHost {
		return nil, fmt.Errorf("%w: %s does not exist; use ToClient, ToReseller, ToProvider or ToHost", ErrInvalid, spec.Audience)
	}
	schema, err := mailtext.NewSchema(spec.Sample)
	if err != nil {
		return nil, err
	}
	k := &kind{spec.clone(), schema}
	if !k.isMailed() {
		return k, nil
	}
	return k, k.checkBuiltinTexts()
}

// isMailed reports whether mails of this kind are sent. Kinds for the host need no texts.
func (k *kind) isMailed() bool { return k.Audience != ToHost }

func (k *kind) checkBuiltinTexts() error {
	if _, ok := k.Text[builtinLanguage]; !ok {
		return fmt.Errorf("%w: it has no English text", ErrInvalid)
	}
	for _, byLanguage := range []map[string]string{k.Subject, k.Text, k.HTML} {
		for language := range byLanguage {
			t, ok := k.builtinText(language)
			if tag, err := mailtext.CanonicalLocale(language); err != nil || tag != language {
				return fmt.Errorf("%w: texts in the language %q; use a language tag such as en or pt-BR", ErrInvalid, language)
			}
			if !ok {
				return fmt.Errorf("%w: the texts in %q lack the subject or the text", ErrInvalid, language)
			}
			if _, err := k.preview(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// builtinText returns the built-in text in a language; false: there is none.
func (k *kind) builtinText(language string) (Text, bool) {
	subject, ok1 := k.Subject[language]
	body, ok2 := k.Text[language]
	return Text{Kind: k.Kind, Locale: language, Subject: subject, Text: body, HTML: k.HTML[language]}, ok1 && ok2
}

// preview checks a text of this kind and renders it with the sample. Its errors are *TextError.
func (k *kind) preview(t Text) (mailtext.Mail, error) {
	if !k.isMailed() {
		return mailtext.Mail{}, k.textError(t, &mailtext.Error{Part: "text", Reason: "no mail is sent for this kind"})
	}
	mail, err := k.schema.Preview(t.template())
	if err != nil {
		return mailtext.Mail{}, k.textError(t, err)
	}
	return mail, nil
}

// textError makes a *TextError of an error about a text of this kind.
func (k *kind) textError(t Text, err error) *TextError {
	var e *mailtext.Error
	if !errors.As(err, &e) {
		e = &mailtext.Error{Reason: mailtext.Reason(err)}
	}
	return &TextError{
		Kind: k.Kind, Locale: t.Locale, Part: e.Part, Line: e.Line, Column: e.Column,
		Variable: e.Variable, Known: e.Known, Nearest: e.Nearest, Reason: e.Reason,
	}
}

// Specs returns a copy of the specs, as they were passed to NewCatalog.
func (c *Catalog) Specs() []Spec {
	if c.kinds == nil {
		return nil
	}
	var specs []Spec
	for _, k := range c.kinds.names {
		specs = append(specs, c.kinds.byName[k].clone())
	}
	return specs
}

// kind returns a kind of the catalog, or ErrNotFound.
func (c *Catalog) kind(name Kind) (*kind, error) {
	if c.kinds == nil || c.kinds.byName[name] == nil {
		return nil, fmt.Errorf("kind %q: %w: the catalog does not have it", name, ErrNotFound)
	}
	return c.kinds.byName[name], nil
}

func (c *Catalog) language() string {
	if c.Language == "" {
		return builtinLanguage
	}
	return c.Language
}

func (c *Catalog) log() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}
