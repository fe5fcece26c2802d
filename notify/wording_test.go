package notify_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	before := []notify.Spec{spec()}
	after := notify.Translate(before, "fr", map[notify.Kind]notify.Translation{
		"test.warned": {Subject: "{{.server}} finit", Text: "Le {{date .at}}", HTML: "<b>{{.server}}</b>"},
	})
	assert.Equal(t, []notify.Spec{spec()}, before, "it changes none of its arguments")
	c := newCatalog(t, after...)
	c.Directory = reads("fr-CA")
	m, err := mails(t, c, warned(t, sample()))
	require.NoError(t, err)
	assert.Equal(t, []string{"fr", "web1 finit", "Le 2026-03-01", "<b>web1</b>"}, []string{m.Locale, m.Subject, m.Text, m.HTML})
	_, err = notify.NewCatalog(notify.Translate(before, "fr", map[notify.Kind]notify.Translation{"test.wraned": {Subject: "s", Text: "t"}}))
	require.ErrorContains(t, err, `kind "test.wraned"`, "a kind that is none is not lost")
}

func TestWithHTML(t *testing.T) {
	t.Parallel()
	s := specWith(func(s *notify.Spec) {
		s.Text["de"] = "Fertig & \"gut\" <{{.server}}>\n{{if gt .days 1}}{{plural .days \"Tag\" \"Tage\"}}{{end}}\n"
	})
	before := s.HTML["de"]
	complete := notify.WithHTML([]notify.Spec{s})
	assert.Empty(t, before)
	assert.Equal(t, "<p>{{.server}}</p>", complete[0].HTML["en"], "what it has it keeps")
	c := newCatalog(t, complete...)
	c.Directory = reads("de")
	p := sample()
	p.Server = "a\nb<script>"
	m, err := mails(t, c, warned(t, p))
	require.NoError(t, err)
	assert.Contains(t, m.HTML, `<html lang="de">`)
	assert.Contains(t, m.HTML, "Fertig &amp; &#34;gut&#34; &lt;a\nb&lt;script&gt;&gt;\nTage</div>")
	open := notify.WithHTML([]notify.Spec{specWith(func(s *notify.Spec) { s.Text["de"] = "a {{.b" })})
	_, err = notify.NewCatalog(open)
	require.ErrorContains(t, err, "text of test.warned in de: text, line 1", "it is the text that is wrong")
}

// TestMoney: an amount keeps its decimals, and is written as the language of the text has it.
func TestMoney(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{
		"en": "1234.50 EUR", "de": "1234,50 EUR", "de-CH": "1234.50 EUR", "fr-CH": "1234,50 EUR", "es-MX": "1234.50 EUR", "ja": "1234.50 EUR",
	} {
		c := newCatalog(t)
		m, err := c.Preview(notify.Text{Kind: "test.warned", Locale: locale, Subject: "s", Text: "{{money `1234.50` `EUR`}}"})
		require.NoError(t, err)
		assert.Equal(t, want, m.Text, locale)
	}
	for amount, want := range map[string]string{
		`"12.5"`: "12,5 EUR", `"-0.20"`: "-0,20 EUR", `7`: "7 EUR", `1.50`: "1,50 EUR", `""`: "", `"0"`: "0 EUR",
	} {
		c := newCatalog(t, notify.Spec{
			Kind: "test.warned", Audience: notify.ToClient, Sample: json.RawMessage(`{"x":` + amount + `}`),
			Subject: map[string]string{"en": "s"}, Text: map[string]string{"en": "t"},
		})
		m, err := c.Preview(notify.Text{Kind: "test.warned", Locale: "de", Subject: "s", Text: "{{money .x `EUR`}}."})
		require.NoError(t, err, amount)
		assert.Equal(t, want+".", m.Text, amount)
	}
	for _, bad := range []string{".5", "5.", "1,5", "1e9", "+1", "--1", "1.2.3", " 1", "١"} {
		_, err := newCatalog(t).Preview(notify.Text{Kind: "test.warned", Subject: "s", Text: "{{money `" + bad + "` `EUR`}}"})
		require.ErrorContains(t, err, "is not an amount such as 12.50", bad)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	c, reseller := newCatalog(t), uuid.New()
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", ""), "nothing is edited where nothing is kept")
	c.Texts = &notify.MemoryTexts{}
	for _, locale := range []string{"", "pt-BR"} {
		require.NoError(t, c.Save(t.Context(), notify.Text{
			ResellerID: reseller, Kind: "test.warned", Locale: locale, Subject: "own", Text: "own",
		}))
	}
	subjectIn := func(locale string) string {
		x, err := c.Text(t.Context(), reseller, "test.warned", locale)
		require.NoError(t, err)
		return x.Subject
	}
	require.Equal(t, []string{"own", "own"}, []string{subjectIn("de"), subjectIn("pt-BR")}, "applies to all languages that were not edited")
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", ""))
	assert.Equal(t, []string{spec().Subject["de"], "own"}, []string{subjectIn("de"), subjectIn("pt-BR")})
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", "pt_br"))
	require.NoError(t, c.Reset(t.Context(), reseller, "test.warned", "pt_br"))
	assert.Equal(t, spec().Subject["en"], subjectIn("pt-BR"))
	require.ErrorIs(t, c.Reset(t.Context(), reseller, "test.other", "en"), notify.ErrNotFound)
	require.ErrorIs(t, c.Reset(t.Context(), reseller, "test.warned", "/"), notify.ErrInvalid)
}
