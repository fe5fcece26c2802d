package main

import (
	_ "embed"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

//go:embed KINDS.md
var kinds string

func TestPage(t *testing.T) {
	t.Parallel()
	page, err := document()
	require.NoError(t, err)
	require.Equal(t, page, kinds, "go run ./examples/mailtexts > examples/mailtexts/KINDS.md")
}

// TestEveryKindIsComplete shows that every kind has a description, and texts with HTML in English and German.
func TestEveryKindIsComplete(t *testing.T) {
	t.Parallel()
	c, err := catalog()
	require.NoError(t, err)
	mailed := 0
	for _, s := range c.Specs() {
		assert.NotEmpty(t, s.Description, s.Kind)
		assert.NotEmpty(t, s.Group, s.Kind)
		variables, err := s.Variables()
		require.NoError(t, err)
		for _, v := range variables {
			assert.NotEmpty(t, v.Meaning, "%s of %s", v.Name, s.Kind)
		}
		if s.Audience == notify.ToHost {
			continue
		}
		mailed++
		for _, language := range []string{"en", "de"} {
			m, err := c.Preview(notify.Text{
				Kind: s.Kind, Locale: language, Subject: s.Subject[language], Text: s.Text[language], HTML: s.HTML[language],
			})
			require.NoError(t, err, "%s in %s", s.Kind, language)
			assert.NotEmpty(t, m.HTML, "%s in %s", s.Kind, language)
		}
		assert.NotEqual(t, s.Text["en"], s.Text["de"], s.Kind)
	}
	assert.GreaterOrEqual(t, mailed, 40)
}
