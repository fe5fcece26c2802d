package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// TestMailThatIsTooLong: a built-in text that renders to too much is shortened.
func TestMailThatIsTooLong(t *testing.T) {
	t.Parallel()
	p := sample()
	p.Note = strings.Repeat("ß", 200<<10)
	c := newCatalog(t, specWith(func(s *notify.Spec) { s.HTML = map[string]string{"en": "<p>{{.note}}</p>"} }))
	c.Texts = &notify.MemoryTexts{}
	e := warned(t, p)
	require.NoError(t, c.Save(t.Context(), notify.Text{ResellerID: e.ResellerID, Kind: e.Kind, Subject: "own", Text: "{{.note}}"}))
	m, err := render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, "web1 ends in 3 days", m.Subject)
	assert.True(t, strings.HasPrefix(m.Text, "On 2026-03-01: ßß"))
	assert.True(t, strings.HasSuffix(m.Text, "ß\n[…]\n"))
	assert.InDelta(t, 256<<10, len(m.Text), 10)
	assert.Empty(t, m.HTML)
}

// TestMailThatWouldBeEmpty: an own text that renders to nothing is replaced by the built-in one.
func TestMailThatWouldBeEmpty(t *testing.T) {
	t.Parallel()
	c := newCatalog(t)
	c.Texts = &notify.MemoryTexts{}
	p := sample()
	p.Note = ""
	e := warned(t, p)
	own := notify.Text{ResellerID: e.ResellerID, Kind: e.Kind, Subject: "{{.note}}", Text: "own"}
	require.NoError(t, c.Save(t.Context(), own))
	m, err := render(t, c, e)
	require.NoError(t, err)
	assert.Equal(t, "web1 ends in 3 days", m.Subject)
	assert.Equal(t, "On 2026-03-01: ", m.Text)
}

// TestMailIsNotSlow: no own text takes long to render.
func TestMailIsNotSlow(t *testing.T) {
	t.Parallel()
	for name, html := range map[string]string{
		"plain":    strings.Repeat("<", 65000),
		"title":    "<title>" + strings.Repeat("<", 64000) + "</title>",
		"script":   "<script>" + strings.Repeat("</scrip", 9000) + "</script>",
		"escaped":  "<script>" + strings.Repeat(`/\</+`, 12000) + "</script>",
		"in range": "{{range .lines}}<title>" + strings.Repeat("<b", 18000) + "</title>{{end}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := newCatalog(t).Preview(notify.Text{Kind: "test.warned", Subject: "s", Text: "t", HTML: html})
			require.NoError(t, err)
			assert.Less(t, time.Since(began), 2*time.Second)
		})
	}
}
