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

// FuzzTexts: whatever a reseller saves and a payload holds, checking and rendering end soon, errors say where, subjects
// are one line, and no markup of a payload gets into HTML.
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
		m, err := mails(t, c, warned(t, p))
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

// frame is how many tags, and so "<", WithHTML puts around a text.
const frame = 10

// FuzzWithHTML: the HTML made of a text works where the text does, and lets no markup of a payload in.
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
			return // the text does not work
		}
		c, err := notify.NewCatalog(notify.WithHTML([]notify.Spec{s}))
		var wrong *notify.TextError
		if errors.As(err, &wrong) && (strings.Contains(wrong.Reason, "at most") || strings.Contains(wrong.Reason, "more than")) {
			return // escaped it is longer than it may be
		}
		if err != nil {
			t.Fatalf("%q works as a text, not as HTML: %v", source, err)
		}
		p := sample()
		p.Server = server
		m, err := mails(t, c, warned(t, p))
		if err != nil {
			return // this payload makes it too long, or fails
		}
		if strings.Count(m.HTML, "<") != frame {
			t.Errorf("%q for %q has other markup than its frame: %q", source, server, m.HTML)
		}
	})
}
