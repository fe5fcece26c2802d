package notify

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"text/template"
	"time"

	"github.com/metalkeep/metalkeep/internal/text"
)

const (
	longestSubject  = 500       // bytes, of the template and of what it makes
	longestTemplate = 64 << 10  // bytes of a text's or HTML's template
	longestOutput   = 256 << 10 // bytes that a template may make
)

// part is one of the three templates of a Text.
type part struct {
	name   string // "subject", "text", "html"
	source string
}

func (t Text) parts() []part {
	parts := []part{{"subject", t.Subject}, {"text", t.Text}}
	if t.HTML != "" {
		parts = append(parts, part{"html", t.HTML})
	}
	return parts
}

// check says what is wrong with a text of this kind: first what can be read off its source, then what its sample shows.
func (k *kind) check(t Text) error {
	if !k.mailed() {
		return k.wrong(t, part{name: "text"}, errors.New("nothing is mailed of this kind"))
	}
	if err := k.checkSource(t); err != nil {
		return err
	}
	var m Message
	return k.render(&m, t, k.sample, time.UTC, part.strict)
}

func (k *kind) checkSource(t Text) error {
	for _, p := range t.parts() {
		if err := p.check(k.sample); err != nil {
			return k.wrong(t, p, err)
		}
	}
	return nil
}

func (p part) check(sample map[string]any) error {
	var err error
	if p.name == "subject" {
		err = text.Filled("the template", p.source, longestSubject)
	} else {
		err = text.Block("the template", p.source, longestTemplate)
	}
	if err != nil {
		return err
	}
	if strings.TrimSpace(p.source) == "" {
		return errors.New("it is empty")
	}
	trees, err := p.parse()
	if err != nil {
		return err
	}
	if len(trees) != 1 || trees[p.name] == nil {
		return errors.New("a template within a template (define, block) is not allowed")
	}
	return checkTree(p.source, trees[p.name], sample)
}

// render fills a message's texts in. A nil location is UTC. judge has the last word on what a template has made.
func (k *kind) render(
	m *Message, t Text, variables map[string]any, loc *time.Location, judge func(p part, made string, err error) (string, error),
) error {
	made := map[string]string{}
	for _, p := range t.parts() {
		out, err := p.execute(variables, functions(loc, t.Locale))
		if out, err = judge(p, out, err); err != nil {
			return k.wrong(t, p, err)
		}
		made[p.name] = out
	}
	m.Locale = t.Locale
	m.Subject = strings.TrimSpace(text.Clean(made["subject"], longestSubject))
	m.Text, m.HTML = made["text"], made["html"]
	return nil
}

// strict is for the texts of resellers, which a built-in one can stand in for: what is empty tells nobody anything.
func (p part) strict(made string, err error) (string, error) {
	if err == nil && p.name != "html" && strings.TrimSpace(made) == "" {
		err = errors.New("the template makes nothing but spaces")
	}
	return made, err
}

// lenient is for built-in texts: a mail that is cut short is better than none.
func (p part) lenient(made string, err error) (string, error) {
	switch {
	case !errors.Is(err, errTooLong):
		return made, err
	case p.name == "html":
		return "", nil // half of it would be broken markup; there is the text
	}
	return strings.ToValidUTF8(made, "") + "\n[…]\n", nil
}

// execute renders one part. HTML is escaped for the place where each value stands. What is too long is returned as far as it
// may be, with errTooLong.
func (p part) execute(variables map[string]any, functions map[string]any) (string, error) {
	var out limited
	var t interface {
		Execute(w io.Writer, data any) error
	}
	var err error
	if p.name == "html" {
		t, err = p.parseHTML(functions)
	} else {
		t, err = template.New(p.name).Option("missingkey=error").Funcs(functions).Parse(p.source)
	}
	if err != nil {
		return "", err
	}
	err = t.Execute(&out, variables)
	return out.made.String(), err
}

// parseHTML divides plain text into pieces: what html/template does with one takes time by the square of its length.
func (p part) parseHTML(functions map[string]any) (*htmltemplate.Template, error) {
	t, err := htmltemplate.New(p.name).Option("missingkey=error").Funcs(functions).Parse(p.source)
	if err == nil && t.Tree != nil {
		eachList(t.Tree.Root, divideTexts)
	}
	return t, err
}

// limited is a writer that takes longestOutput and refuses the rest.
type limited struct{ made strings.Builder }

var errTooLong = fmt.Errorf("the template makes more than %d bytes", longestOutput)

func (l *limited) Write(b []byte) (int, error) {
	if rest := longestOutput - l.made.Len(); len(b) > rest {
		n, _ := l.made.Write(b[:rest]) // a Builder gives no error
		return n, errTooLong
	}
	return l.made.Write(b)
}
