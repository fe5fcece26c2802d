package notify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/metalkeep/metalkeep/internal/mailtext"
)

// Spec describes a kind: for the Catalog, for an editor of texts, and for documentation. Each package has a function that
// lists its kinds.
//
// Subject, Text and HTML are the built-in texts by language tag. Each is a template over the payload: see Text. A language
// with a Text must have a Subject. HTML is optional. A kind needs texts in "en", unless its audience is ToHost: such a kind
// is not mailed.
type Spec struct {
	Kind        Kind
	Audience    Audience
	Group       string            // kinds of the same group are listed together
	Description string            // when the event happens, for the editor's user
	Sample      any               // a payload with every field set; its JSON names are the templates' variables
	Meanings    map[string]string // descriptions of the variables, by Variable.Name
	Subject     map[string]string
	Text        map[string]string
	HTML        map[string]string
}

func (s Spec) clone() Spec {
	s.Subject, s.Text, s.HTML, s.Meanings = maps.Clone(s.Subject), maps.Clone(s.Text), maps.Clone(s.HTML), maps.Clone(s.Meanings)
	return s
}

// Variable is a variable that the texts of a kind may name.
type Variable struct {
	Name    string // ".server_name"; ".lines[].paid" is .paid inside a range over .lines
	Type    string // "a text", "a number", "yes or no", "a list", "an object"; "nothing": the sample has null
	Example string // the value in the sample; "" for a list, an object and null
	Meaning string // a description for the editor's user; "": Spec.Meanings has none
}

// Variables lists the variables that the texts of a kind may name, sorted by name. A sample that does not encode to a JSON
// object is ErrInvalid.
func (s Spec) Variables() ([]Variable, error) {
	schema, err := mailtext.NewSchema(s.Sample)
	if err != nil {
		return nil, fmt.Errorf("kind %q: %w", s.Kind, err)
	}
	var list []Variable
	for _, v := range schema.Variables() {
		list = append(list, Variable{Name: v.Name, Type: v.Type, Example: v.Example, Meaning: s.Meanings[v.Name]})
	}
	return list, nil
}

// Explain returns copies of the specs with descriptions of their variables. meanings holds them by Variable.Name; each spec
// gets those of its own variables. A description that a spec already has takes precedence. A spec whose sample is invalid
// gets none, and NewCatalog refuses it.
func Explain(specs []Spec, meanings map[string]string) []Spec {
	var explained []Spec
	for _, s := range specs {
		s = s.clone()
		own := s.Meanings
		s.Meanings = map[string]string{}
		list, _ := s.Variables() // empty if the sample is invalid
		for _, v := range list {
			if meaning, ok := meanings[v.Name]; ok {
				s.Meanings[v.Name] = meaning
			}
		}
		maps.Copy(s.Meanings, own)
		explained = append(explained, s)
	}
	return explained
}

// Translation is the built-in text of a kind in one language: templates, as in Text. HTML may be "".
type Translation struct {
	Subject string
	Text    string
	HTML    string
}

// Translate returns copies of the specs with built-in texts in a further language. In a language that a spec already has, it
// replaces the texts. If texts has a kind that specs lacks, it adds a spec of that kind that NewCatalog refuses.
func Translate(specs []Spec, language string, texts map[Kind]Translation) []Spec {
	unused := maps.Clone(texts)
	var translated []Spec
	for _, s := range specs {
		s = s.clone()
		if t, ok := unused[s.Kind]; ok {
			s.set(language, t)
			delete(unused, s.Kind)
		}
		translated = append(translated, s)
	}
	for _, k := range slices.Sorted(maps.Keys(unused)) {
		translated = append(translated, Spec{Kind: k})
	}
	return translated
}

func (s *Spec) set(language string, t Translation) {
	for _, part := range []struct {
		texts *map[string]string
		text  string
	}{{&s.Subject, t.Subject}, {&s.Text, t.Text}, {&s.HTML, t.HTML}} {
		if *part.texts == nil {
			*part.texts = map[string]string{}
		}
		(*part.texts)[language] = part.text
	}
}

// WithHTML returns copies of the specs with HTML in each language that has none. It makes the HTML from the text: the same
// words with the same line breaks.
func WithHTML(specs []Spec) []Spec {
	var complete []Spec
	for _, s := range specs {
		s = s.clone()
		for language, text := range s.Text {
			if s.HTML[language] == "" {
				s.set(language, Translation{s.Subject[language], text, mailtext.HTMLFromText(language, text)})
			}
		}
		complete = append(complete, s)
	}
	return complete
}
