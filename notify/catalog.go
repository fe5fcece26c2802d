package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Spec describes a kind: for the Catalog, for the editor of texts, for the documentation. Each package lists its own.
//
// Subject, Text and HTML are the built-in texts by language, as templates over the payload: see Text. "en" is required but
// for HTML and for ToHost kinds, which are not mailed; a language has a Subject if it has a Text.
type Spec struct {
	Kind        Kind
	Audience    Audience
	Group       string            // kinds of one group are shown together
	Description string            // when it happens, for who edits the text
	Sample      any               // a payload with every field set; its JSON names the template's variables
	Meanings    map[string]string // of the variables, by their names as Variables has them
	Subject     map[string]string
	Text        map[string]string
	HTML        map[string]string
}

// Catalog knows all kinds with their built-in texts, and makes messages of events. Its fields are set before it is used;
// then many goroutines may use it at once. The zero value knows no kind: NewCatalog makes one that does.
type Catalog struct {
	Texts     Texts        // resellers' own wordings; nil: built-in texts alone
	Directory Directory    // who recipients are; nil: messages have no Person
	Language  string       // for whom no language is known, or has no text; "": "en"
	Logger    *slog.Logger // of texts that fail; nil: none are logged
	Alarm     Alarm        // tells a reseller that a text of its own failed; nil: it is only logged
	kinds     *kindTable
}

type kindTable struct {
	order []Kind
	by    map[Kind]*kind
}

// kind is a Spec whose texts are known to work.
type kind struct {
	Spec
	data   json.RawMessage // the sample
	sample map[string]any
}

// NewCatalog makes a Catalog of the kinds of all packages. Two specs of one kind, an audience or English texts that are
// missing, a sample that is not a JSON object, and a text that Check would refuse are ErrInvalid; the error names them all.
func NewCatalog(specs ...[]Spec) (*Catalog, error) {
	table := &kindTable{by: map[Kind]*kind{}}
	var errs []error
	for _, list := range specs {
		for _, spec := range list {
			k, err := newKind(spec)
			if err == nil && table.by[spec.Kind] != nil {
				err = fmt.Errorf("%w: it is there twice", ErrInvalid)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("kind %q: %w", spec.Kind, err))
				continue
			}
			table.by[spec.Kind] = k
			table.order = append(table.order, spec.Kind)
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("notify.NewCatalog: %w", errors.Join(errs...))
	}
	return &Catalog{kinds: table}, nil
}

func newKind(spec Spec) (*kind, error) {
	if err := text.Filled("the name", string(spec.Kind), 100); err != nil {
		return nil, err
	}
	if spec.Audience < ToClient || spec.Audience > ToHost {
		return nil, fmt.Errorf("%w: %s is none: ToClient, ToReseller, ToProvider or ToHost is wanted", ErrInvalid, spec.Audience)
	}
	data, err := marshalObject(spec.Sample)
	if err != nil {
		return nil, err
	}
	sample, err := decode(data)
	if err != nil {
		return nil, err
	}
	k := &kind{Spec: spec.clone(), data: data, sample: sample}
	if !k.mailed() {
		return k, nil
	}
	return k, k.checkBuiltin()
}

// mailed: plug-ins' kinds may do without texts.
func (k *kind) mailed() bool { return k.Audience != ToHost }

func (k *kind) checkBuiltin() error {
	if _, ok := k.Text[builtinLanguage]; !ok {
		return fmt.Errorf("%w: it has no English text", ErrInvalid)
	}
	for _, byLanguage := range []map[string]string{k.Subject, k.Text, k.HTML} {
		for language := range byLanguage {
			t, ok := k.builtin(language)
			if tag, err := canonical(language); err != nil || tag != language {
				return fmt.Errorf("%w: texts for %q: a language tag such as en or pt-BR is wanted", ErrInvalid, language)
			}
			if !ok {
				return fmt.Errorf("%w: the texts for %q lack subject or text", ErrInvalid, language)
			}
			if err := k.check(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// builtin is the built-in text of a language.
func (k *kind) builtin(language string) (Text, bool) {
	subject, ok1 := k.Subject[language]
	body, ok2 := k.Text[language]
	return Text{Kind: k.Kind, Locale: language, Subject: subject, Text: body, HTML: k.HTML[language]}, ok1 && ok2
}

func (s Spec) clone() Spec {
	s.Subject, s.Text, s.HTML, s.Meanings = maps.Clone(s.Subject), maps.Clone(s.Text), maps.Clone(s.HTML), maps.Clone(s.Meanings)
	return s
}

// Specs lists the kinds as NewCatalog was given them, for an editor or a page of documentation.
func (c *Catalog) Specs() []Spec {
	if c.kinds == nil {
		return nil
	}
	var specs []Spec
	for _, k := range c.kinds.order {
		specs = append(specs, c.kinds.by[k].clone())
	}
	return specs
}

// kind is ErrNotFound where the catalog has none of that name.
func (c *Catalog) kind(name Kind) (*kind, error) {
	if c.kinds == nil || c.kinds.by[name] == nil {
		return nil, fmt.Errorf("kind %q: %w: the catalog does not have it", name, ErrNotFound)
	}
	return c.kinds.by[name], nil
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
