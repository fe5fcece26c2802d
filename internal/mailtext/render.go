package mailtext

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

// maxOutput is the size of the largest rendered text or HTML, in bytes.
const maxOutput = 256 << 10

// Mail is a rendered Template. Subject is one line of at most 500 bytes without control characters.
type Mail struct {
	Subject string
	Text    string
	HTML    string // "": the template has none, or RenderShortened left it out
}

// Render fills the template in with a payload. Times are written in the zone. A part that is larger than 256 KiB, and a
// subject or text that is blank, are an *Error.
func (t Template) Render(p Payload, zone *time.Location) (Mail, error) {
	return t.render(p, zone, part.refuseBlank)
}

// RenderShortened is Render for a template that has no replacement: it accepts a blank mail, and shortens one that is too
// large. It cuts the end of the text off, and leaves all of the HTML out.
func (t Template) RenderShortened(p Payload, zone *time.Location) (Mail, error) {
	return t.render(p, zone, part.shorten)
}

// render renders each part. review accepts, changes or refuses the output of a part.
func (t Template) render(
	payload Payload, zone *time.Location, review func(p part, output string, err error) (string, error),
) (Mail, error) {
	rendered := map[string]string{}
	for _, p := range t.parts() {
		output, err := p.execute(payload.fields, functions(zone, t.Locale))
		if output, err = review(p, output, err); err != nil {
			return Mail{}, p.locate(err)
		}
		rendered[p.name] = output
	}
	return Mail{
		Subject: strings.TrimSpace(text.Clean(rendered["subject"], maxSubject)),
		Text:    rendered["text"],
		HTML:    rendered["html"],
	}, nil
}

// refuseBlank is the review of Render.
func (p part) refuseBlank(output string, err error) (string, error) {
	if err == nil && p.name != "html" && strings.TrimSpace(output) == "" {
		err = errors.New("the template produces only spaces")
	}
	return output, err
}

// shorten is the review of RenderShortened.
func (p part) shorten(output string, err error) (string, error) {
	switch {
	case !errors.Is(err, errTooLong):
		return output, err
	case p.name == "html":
		return "", nil // half of the HTML would be invalid; the mail has a text as well
	}
	return strings.ToValidUTF8(output, "") + "\n[…]\n", nil
}

// execute renders one part. html/template escapes each value for its position in the HTML. If the output is too long,
// execute returns its beginning and errTooLong.
func (p part) execute(payload map[string]any, functions map[string]any) (string, error) {
	var out boundedWriter
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
	err = t.Execute(&out, payload)
	return out.output.String(), err
}

// parseHTML splits the plain text of the template: html/template takes quadratic time for each piece of plain text.
func (p part) parseHTML(functions map[string]any) (*htmltemplate.Template, error) {
	t, err := htmltemplate.New(p.name).Option("missingkey=error").Funcs(functions).Parse(p.source)
	if err == nil && t.Tree != nil {
		eachList(t.Tree.Root, splitPlainText)
	}
	return t, err
}

// boundedWriter accepts maxOutput bytes and refuses the rest.
type boundedWriter struct{ output strings.Builder }

var errTooLong = fmt.Errorf("the template produces more than %d bytes", maxOutput)

func (w *boundedWriter) Write(b []byte) (int, error) {
	if free := maxOutput - w.output.Len(); len(b) > free {
		n, _ := w.output.Write(b[:free]) // a strings.Builder returns no error
		return n, errTooLong
	}
	return w.output.Write(b)
}
