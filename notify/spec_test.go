package notify_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Sample = json.RawMessage(`{"server":"web1","days":3,"paid":1.50,"last":true,"none":null,"to":{"name":"Ada"},` +
		`"lines":[{"label":"rent"}],"words":["a"],"empty":[]}`)
	got, err := s.Variables()
	require.NoError(t, err)
	assert.Equal(t, []notify.Variable{
		{Name: ".days", Type: "a number", Example: "3"},
		{Name: ".empty", Type: "a list"},
		{Name: ".last", Type: "yes or no", Example: "true"},
		{Name: ".lines", Type: "a list"},
		{Name: ".lines[].label", Type: "a text", Example: "rent"},
		{Name: ".none", Type: "nothing"},
		{Name: ".paid", Type: "a number", Example: "1.50"},
		{Name: ".server", Type: "a text", Example: "web1"},
		{Name: ".to", Type: "an object"},
		{Name: ".to.name", Type: "a text", Example: "Ada"},
		{Name: ".words", Type: "a list"},
	}, got)
	for _, bad := range []any{nil, 1, make(chan int)} {
		s.Sample = bad
		_, err = s.Variables()
		require.ErrorIs(t, err, notify.ErrInvalid)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	before := []notify.Spec{spec(), specWith(func(s *notify.Spec) {
		s.Kind, s.Sample, s.Meanings = "test.other", json.RawMessage(`{"server":"web1"}`), map[string]string{".server": "the new server"}
	}), {Kind: "test.wrong"}}
	after := notify.Explain(before, map[string]string{".server": "the server's name", ".lines[].paid": "what was paid", ".gone": "-"})
	assert.Nil(t, before[0].Meanings, "it changes none of its arguments")
	assert.Equal(t, map[string]string{".server": "the server's name", ".lines[].paid": "what was paid"}, after[0].Meanings)
	assert.Equal(t, map[string]string{".server": "the new server"}, after[1].Meanings, "the spec's own description takes precedence")
	assert.Empty(t, after[2].Meanings)
	list, err := after[1].Variables()
	require.NoError(t, err)
	assert.Equal(t, []notify.Variable{{Name: ".server", Type: "a text", Example: "web1", Meaning: "the new server"}}, list)
	specs := newCatalog(t, after[0]).Specs()
	specs[0].Meanings[".server"] = "overwritten"
	assert.Equal(t, "the server's name", after[0].Meanings[".server"])
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	before := []notify.Spec{spec()}
	after := notify.Translate(before, "fr", map[notify.Kind]notify.Translation{
		"test.warned": {Subject: "{{.server}} finit", Text: "Le {{date .at}}", HTML: "<b>{{.server}}</b>"},
	})
	assert.Equal(t, []notify.Spec{spec()}, before, "it changes none of its arguments")
	c := newCatalog(t, after...)
	c.Directory = directoryIn("fr-CA")
	m, err := render(t, c, warned(t, sample()))
	require.NoError(t, err)
	assert.Equal(t, []string{"fr", "web1 finit", "Le 2026-03-01", "<b>web1</b>"}, []string{m.Locale, m.Subject, m.Text, m.HTML})
	_, err = notify.NewCatalog(notify.Translate(before, "fr", map[notify.Kind]notify.Translation{"test.wraned": {Subject: "s", Text: "t"}}))
	require.ErrorContains(t, err, `kind "test.wraned"`, "a text of an unknown kind is an error")
}

func TestWithHTML(t *testing.T) {
	t.Parallel()
	s := specWith(func(s *notify.Spec) {
		s.Text["de"] = "Fertig & \"gut\" <{{.server}}>\n{{if gt .days 1}}{{plural .days \"Tag\" \"Tage\"}}{{end}}\n"
	})
	before := s.HTML["de"]
	complete := notify.WithHTML([]notify.Spec{s})
	assert.Empty(t, before)
	assert.Equal(t, "<p>{{.server}}</p>", complete[0].HTML["en"], "existing HTML is not replaced")
	c := newCatalog(t, complete...)
	c.Directory = directoryIn("de")
	p := sample()
	p.Server = "a\nb<script>"
	m, err := render(t, c, warned(t, p))
	require.NoError(t, err)
	assert.Contains(t, m.HTML, `<html lang="de">`)
	assert.Contains(t, m.HTML, "Fertig &amp; &#34;gut&#34; &lt;a\nb&lt;script&gt;&gt;\nTage</div>")
	open := notify.WithHTML([]notify.Spec{specWith(func(s *notify.Spec) { s.Text["de"] = "a {{.b" })})
	_, err = notify.NewCatalog(open)
	require.ErrorContains(t, err, "text of test.warned in de: text, line 1", "the error is about the text")
}
