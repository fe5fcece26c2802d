package mailtext_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/mailtext"
)

func TestCanonicalLocale(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{
		"de": "de", "DE": "de", "pt_br": "pt-BR", "zh-hant-tw": "zh-Hant-TW", "es-419": "es-419", "de-1901": "de-1901",
	} {
		got, err := mailtext.CanonicalLocale(locale)
		require.NoError(t, err, locale)
		assert.Equal(t, want, got)
	}
	for _, bad := range []string{"", "d", "1a", "de-", "-de", "C.UTF-8", "../en", "de DE", "abcdefghi", strings.Repeat("de-", 12)} {
		_, err := mailtext.CanonicalLocale(bad)
		require.ErrorIs(t, err, fault.ErrInvalid, bad)
	}
}

func TestFallbacks(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"zh-Hant-TW", "zh-Hant", "zh", "de", "en"}, mailtext.Fallbacks("zh_hant_tw", "de", "", "/", "en", "de"))
	assert.Empty(t, mailtext.Fallbacks())
}
