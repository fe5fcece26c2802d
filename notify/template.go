package notify

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode/utf8"

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
	return k.render(&m, t, k.sample, time.UTC)
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
	trees, err := parse.Parse(p.name, p.source, "", "", functions(time.UTC), builtins())
	if err != nil {
		return err
	}
	if len(trees) != 1 || trees[p.name] == nil {
		return errors.New("a template within a template (define, block) is not allowed")
	}
	return checkTree(p.source, trees[p.name], sample)
}

// render fills a message's texts in. A nil location is UTC.
func (k *kind) render(m *Message, t Text, variables map[string]any, loc *time.Location) error {
	made := map[string]string{}
	for _, p := range t.parts() {
		out, err := p.execute(variables, functions(loc))
		if err != nil {
			return k.wrong(t, p, err)
		}
		made[p.name] = out
	}
	m.Locale = t.Locale
	m.Subject = strings.TrimSpace(text.Clean(made["subject"], longestSubject))
	m.Text, m.HTML = made["text"], made["html"]
	return nil
}

// execute renders one part. HTML is escaped for the place where each value stands.
func (p part) execute(variables map[string]any, functions map[string]any) (string, error) {
	var out limited
	var t interface {
		Execute(w io.Writer, data any) error
	}
	var err error
	if p.name == "html" {
		t, err = htmltemplate.New(p.name).Option("missingkey=error").Funcs(functions).Parse(p.source)
	} else {
		t, err = template.New(p.name).Option("missingkey=error").Funcs(functions).Parse(p.source)
	}
	if err != nil {
		return "", err
	}
	if err := t.Execute(&out, variables); err != nil {
		return "", err
	}
	return out.made.String(), nil
}

// limited is a writer that refuses more than longestOutput.
type limited struct{ made strings.Builder }

var errTooLong = fmt.Errorf("the template makes more than %d bytes", longestOutput)

func (l *limited) Write(b []byte) (int, error) {
	if l.made.Len()+len(b) > longestOutput {
		return 0, errTooLong
	}
	return l.made.Write(b)
}

// placed is an error at a place of a source.
type placed struct {
	line, column int
	variable     string
	known        []string
	reason       string
}

func (e *placed) Error() string { return e.reason }

// wrong makes the error that an editor shows.
func (k *kind) wrong(t Text, p part, err error) error {
	var at *placed
	if !errors.As(err, &at) {
		at = placeOfError(p.name, err.Error())
	}
	return &TextError{
		Kind: k.Kind, Locale: t.Locale, Part: p.name,
		Line: at.line, Column: at.column, Variable: at.variable, Known: at.known,
		Reason: strings.TrimPrefix(at.reason, ErrInvalid.Error()+": "),
	}
}

// placeOfError takes the place out of what the packages of templates write: "template: subject:3:14: unexpected EOF".
func placeOfError(name, said string) *placed {
	for _, prefix := range []string{"html/template:" + name + ":", "template: " + name + ":"} {
		if _, rest, ok := strings.Cut(said, prefix); ok {
			return placedAt(rest)
		}
	}
	return &placed{reason: said}
}

// placedAt reads "line:column: reason", with or without a column.
func placedAt(said string) *placed {
	at := &placed{}
	for _, n := range []*int{&at.line, &at.column} {
		digits, rest, _ := strings.Cut(said, ":")
		number, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		*n, said = number, rest
	}
	at.reason = strings.TrimSpace(said)
	return at
}

// place says where in a source the byte at pos is.
func place(source string, pos parse.Pos) (line, column int) {
	before := source[:min(int(pos), len(source))]
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}
