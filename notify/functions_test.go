package notify_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

// TestMoney: an amount keeps its decimals, and has the decimal separator of the text's language.
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

// TestPluralOfALength: plural and money take the result of len.
func TestPluralOfALength(t *testing.T) {
	t.Parallel()
	c := newCatalog(t)
	m, err := c.Preview(notify.Text{
		Kind: "test.warned", Subject: "s", Text: "{{len .lines}} {{plural (len .lines) `line` `lines`}}, {{money (len .lines) `EUR`}}",
	})
	require.NoError(t, err)
	assert.Equal(t, "2 lines, 2 EUR", m.Text)
	for source, reason := range map[string]string{
		"{{plural .server `a` `b`}}": "a text is not a number", "{{money .last `EUR`}}": "yes or no is not an amount",
	} {
		require.ErrorContains(t, c.Check(notify.Text{Kind: "test.warned", Subject: "s", Text: source}), reason)
	}
}
