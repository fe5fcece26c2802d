package mailtext_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/mailtext"
)

// TestErrorPosition checks the positions of errors that package notify's tests do not reach. Those tests check the other
// rules for templates.
func TestErrorPosition(t *testing.T) {
	t.Parallel()
	s := newSchema(t, `{"server":"web1","lines":[{"paid":"1.00"}]}`)
	for name, tt := range map[string]struct {
		template mailtext.Template
		want     mailtext.Error
	}{
		"in a field of a call": {
			mailtext.Template{Subject: "s", Text: "{{(index .lines 0).paid}} {{(.lines).x}}"},
			mailtext.Error{Part: "text", Line: 1, Column: 37, Reason: ".lines is a list, which has no fields"},
		},
		"after multi-byte characters": {
			mailtext.Template{Subject: "ßß {{.servr}}", Text: "t"},
			mailtext.Error{Part: "subject", Line: 1, Column: 6, Reason: "there is no .servr"},
		},
		"while rendering": {
			mailtext.Template{Subject: "s", Text: "t", HTML: "\nß{{index .lines 7}}"},
			mailtext.Error{Part: "html", Line: 2, Column: 4, Reason: "out of range"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Preview(tt.template)
			require.ErrorIs(t, err, fault.ErrInvalid)
			var got *mailtext.Error
			require.ErrorAs(t, err, &got)
			assert.Contains(t, got.Reason, tt.want.Reason)
			assert.Equal(t, []any{tt.want.Part, tt.want.Line, tt.want.Column}, []any{got.Part, got.Line, got.Column}, got.Reason)
		})
	}
}

// TestCheckSourceDoesNotRender: it does not find errors that depend on the payload.
func TestCheckSourceDoesNotRender(t *testing.T) {
	t.Parallel()
	s := newSchema(t, `{"at":"soon"}`)
	template := mailtext.Template{Subject: "s", Text: "{{date .at}}"}
	require.NoError(t, s.CheckSource(template))
	_, err := s.Preview(template)
	require.ErrorContains(t, err, "is not a time")
}

func TestRenderShortened(t *testing.T) {
	t.Parallel()
	s := newSchema(t, `{"note":"n"}`)
	p, err := s.Payload([]byte(`{"note":"` + strings.Repeat("x", 300<<10) + `"}`))
	require.NoError(t, err)
	template := mailtext.Template{Subject: "{{.note}}", Text: "{{.note}}", HTML: "<p>{{.note}}</p>"}
	_, err = template.Render(p, time.UTC)
	require.ErrorContains(t, err, "produces more than 262144 bytes")
	m, err := template.RenderShortened(p, time.UTC)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("x", 500), m.Subject)
	assert.Equal(t, strings.Repeat("x", 256<<10)+"\n[…]\n", m.Text)
	assert.Empty(t, m.HTML)

	empty, err := s.Payload([]byte(`{}`))
	require.NoError(t, err)
	_, err = template.Render(empty, time.UTC)
	require.ErrorContains(t, err, "produces only spaces")
	m, err = template.RenderShortened(empty, time.UTC)
	require.NoError(t, err)
	assert.Equal(t, mailtext.Mail{HTML: "<p></p>"}, m)
}

func TestHTMLFromText(t *testing.T) {
	t.Parallel()
	html := mailtext.HTMLFromText("de", "a < b\n{{range .x}}&{{else}}>{{end}}{{if .y}}\"{{end}}\n")
	assert.Contains(t, html, `<html lang="de">`)
	assert.Contains(t, html, ">a &lt; b\n{{range .x}}&amp;{{else}}&gt;{{end}}{{if .y}}&#34;{{end}}</div>")
	assert.Contains(t, mailtext.HTMLFromText("en", "a < {{.b"), ">a < {{.b</div>")
}
