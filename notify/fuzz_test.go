package notify_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/metalkeep/metalkeep/notify"
)

// FuzzTexts: for any own text and any payload, checking and rendering end soon, errors are *TextError, a subject is one line,
// and HTML contains no markup of the payload.
func FuzzTexts(f *testing.F) {
	for _, source := range []string{
		"", "{{.server}}", "{{if .last}}a{{else}}b{{end}}", "{{range $i, $l := .lines}}{{$l.label}}{{end}}", "{{date .at}}",
		"{{with .contact}}{{.name}}{{end}}", "{{(index .lines 0).paid}}", "{{range 9999999999}}{{end}}", "{{define `x`}}{{end}}",
		"{{$x := .lines}}{{range $x}}{{break}}{{end}}", "<a href='{{.server}}'>", "<script>{{.server}}</script>", "{{. | len}}", "{{",
	} {
		f.Add(source, "web1")
		f.Add(source, "<script>\r\n\x00\u202E")
	}
	c, err := notify.NewCatalog([]notify.Spec{spec()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source, server string) {
		began := time.Now()
		for _, x := range []notify.Text{
			{Kind: "test.warned", Subject: source, Text: "t"},
			{Kind: "test.warned", Subject: "s", Text: source},
			{Kind: "test.warned", Subject: "s", Text: "t", HTML: source},
		} {
			m, err := c.Preview(x)
			var wrong *notify.TextError
			if err != nil && !errors.As(err, &wrong) {
				t.Errorf("not a TextError: %v", err)
			}
			if err == nil && (strings.ContainsFunc(m.Subject, unicode.IsControl) || !utf8.ValidString(m.Subject)) {
				t.Errorf("subject %q", m.Subject)
			}
		}
		p := sample()
		p.Server = server
		m, err := render(t, c, warned(t, p))
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(m.Subject, unicode.IsControl) || strings.Count(m.HTML, "<") != 2 {
			t.Errorf("subject %q, HTML %q", m.Subject, m.HTML)
		}
		if spent := time.Since(began); spent > 5*time.Second {
			t.Errorf("it took %v", spent)
		}
	})
}

// frameTags is the number of tags that WithHTML adds around a text.
const frameTags = 10

// FuzzWithHTML: if a text is valid, so is the HTML made from it. The HTML contains no markup of the payload.
func FuzzWithHTML(f *testing.F) {
	for _, source := range []string{
		"{{.server}}", "a < b & c\n{{if .last}}<i>{{else if .note}}&{{else}}\"{{end}}", "{{range .lines}}- {{.label}}\n{{else}}none{{end}}",
		"{{with .contact}}{{.name}}{{- end -}} x", "{{`}}<b>`}}", "{{/* <b> */}}x", "<script>{{.server}}</script>", "{{range .lines}}{{break}}{{end}}",
	} {
		f.Add(source, "<script>alert(1)</script>")
	}
	f.Fuzz(func(t *testing.T, source, server string) {
		s := specWith(func(s *notify.Spec) {
			s.Text, s.HTML = map[string]string{"en": source}, nil
			s.Subject = map[string]string{"en": "s"}
		})
		if _, err := notify.NewCatalog([]notify.Spec{s}); err != nil {
			return // the text is invalid
		}
		c, err := notify.NewCatalog(notify.WithHTML([]notify.Spec{s}))
		var wrong *notify.TextError
		if errors.As(err, &wrong) && (strings.Contains(wrong.Reason, "at most") || strings.Contains(wrong.Reason, "more than")) {
			return // with escapes it is too long
		}
		if err != nil {
			t.Fatalf("%q is valid as a text, but not as HTML: %v", source, err)
		}
		p := sample()
		p.Server = server
		m, err := render(t, c, warned(t, p))
		if err != nil {
			return // with this payload it is too long, or fails
		}
		if strings.Count(m.HTML, "<") != frameTags {
			t.Errorf("%q for %q has markup besides its frame: %q", source, server, m.HTML)
		}
	})
}
