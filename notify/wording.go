package notify

import (
	"html"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
)

// Translation is the built-in text of a kind in one language: templates, as in Text. HTML may be "".
type Translation struct {
	Subject string
	Text    string
	HTML    string
}

// Translate returns the specs with built-in texts in one more language, or with others in a language that they have. The
// texts of a kind that is none of the specs' become a spec that NewCatalog refuses. It changes none of its arguments.
func Translate(specs []Spec, language string, texts map[Kind]Translation) []Spec {
	left := maps.Clone(texts)
	var translated []Spec
	for _, s := range specs {
		s = s.clone()
		if w, ok := left[s.Kind]; ok {
			s.set(language, w)
			delete(left, s.Kind)
		}
		translated = append(translated, s)
	}
	for _, k := range slices.Sorted(maps.Keys(left)) {
		translated = append(translated, Spec{Kind: k})
	}
	return translated
}

func (s *Spec) set(language string, w Translation) {
	for _, part := range []struct {
		texts *map[string]string
		text  string
	}{{&s.Subject, w.Subject}, {&s.Text, w.Text}, {&s.HTML, w.HTML}} {
		if *part.texts == nil {
			*part.texts = map[string]string{}
		}
		(*part.texts)[language] = part.text
	}
}

// WithHTML returns the specs with HTML made of their texts, in each language that has none of its own: the same words, with
// the same line breaks. It changes none of the specs.
func WithHTML(specs []Spec) []Spec {
	var complete []Spec
	for _, s := range specs {
		s = s.clone()
		for language, text := range s.Text {
			if s.HTML[language] == "" {
				s.set(language, Translation{Subject: s.Subject[language], Text: text, HTML: htmlOf(language, text)})
			}
		}
		complete = append(complete, s)
	}
	return complete
}

// htmlOf escapes what stands between the actions of a template; what they print is escaped by html/template.
func htmlOf(language, text string) string {
	t := parse.New("text")
	t.Mode = parse.SkipFuncCheck
	if t, err := t.Parse(text, "", "", map[string]*parse.Tree{}); err == nil {
		eachList(t.Root, escapeTexts)
		text = t.Root.String()
	} // else NewCatalog refuses the text itself
	return "<!DOCTYPE html>\n<html lang=\"" + html.EscapeString(language) + "\"><head><meta charset=\"utf-8\"></head>\n" +
		"<body><div style=\"white-space: pre-wrap; font-family: sans-serif\">" + strings.TrimSpace(text) + "</div></body></html>\n"
}
