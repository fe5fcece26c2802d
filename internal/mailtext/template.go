package mailtext

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
	"time"

	"github.com/metalkeep/metalkeep/internal/text"
)

// The largest templates, in bytes.
const (
	maxSubject  = 500      // also of the rendered subject
	maxTemplate = 64 << 10 // of Text and of HTML
)

// Template is a mail in one language. Subject and Text are templates of text/template, HTML is one of html/template. HTML
// may be "". Package notify documents what they may contain, at notify.Text.
type Template struct {
	Locale  string // a language tag; it decides how amounts are written
	Subject string
	Text    string
	HTML    string
}

// part is one of the templates of a Template.
type part struct {
	name   string // "subject", "text", "html"
	source string
}

func (t Template) parts() []part {
	parts := []part{{"subject", t.Subject}, {"text", t.Text}}
	if t.HTML != "" {
		parts = append(parts, part{"html", t.HTML})
	}
	return parts
}

// Preview refuses a template that does not parse, that names a variable which the schema does not have, that is too large, or
// that cannot be rendered with the sample. It returns the mail that it rendered, with times in UTC. Its errors are *Error.
func (s *Schema) Preview(t Template) (Mail, error) {
	if err := s.CheckSource(t); err != nil {
		return Mail{}, err
	}
	return t.Render(Payload{s.sample}, time.UTC)
}

// CheckSource checks a template as Preview does, but does not render it: some mistakes depend on the payload.
func (s *Schema) CheckSource(t Template) error {
	for _, p := range t.parts() {
		if err := p.check(s.sample); err != nil {
			return p.locate(err)
		}
	}
	return nil
}

func (p part) check(sample map[string]any) error {
	var err error
	if p.name == "subject" {
		err = text.CheckFilled("the template", p.source, maxSubject)
	} else {
		err = text.CheckBlock("the template", p.source, maxTemplate)
	}
	if err != nil {
		return err
	}
	if strings.TrimSpace(p.source) == "" {
		return errors.New("the template is empty")
	}
	trees, err := p.parse()
	if err != nil {
		return err
	}
	if len(trees) != 1 || trees[p.name] == nil {
		return errors.New("define and block are not allowed in a text")
	}
	return checkTree(p.source, trees[p.name], sample)
}

// parse reads a template. Its errors are *Error.
func (p part) parse() (map[string]*parse.Tree, error) {
	functions, allowed := functions(time.UTC, ""), allowedBuiltins()
	read := func(source string) (map[string]*parse.Tree, *Error) {
		trees, err := parse.Parse(p.name, source, "", "", functions, allowed)
		if err != nil {
			return nil, p.readPosition(err.Error())
		}
		return trees, nil
	}
	trees, failure := read(p.source)
	if failure == nil {
		return trees, nil
	}
	failure.Column = columnOfAction(p.source, failure, func(source string) bool {
		_, earlier := read(source)
		return earlier != nil && earlier.Reason == failure.Reason
	})
	if name, ok := strings.CutPrefix(failure.Reason, `function "`); ok {
		name, _, _ = strings.Cut(name, `"`)
		maps.Copy(allowed, functions)
		failure.Nearest = text.Nearest(name, slices.Sorted(maps.Keys(allowed)))
		failure.Reason += suggestion(failure.Nearest)
	}
	return nil, failure
}
