package text_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "web-01", "Zürich 7", "<script>", "שרת", strings.Repeat("x", 20)} {
		require.NoError(t, text.CheckLine("name", good, 20), good)
	}
	for name, bad := range map[string]string{
		"too long": strings.Repeat("x", 21), "line break": "a\nBcc: b", "carriage return": "a\r", "zero": "a\x00",
		"line separator": "a\u2028b", "next line": "a\u0085b", "not UTF-8": "a\xff", "override": "a\u202eb", "isolate": "a\u2066b",
	} {
		err := text.CheckLine("name", bad, 20)
		require.ErrorIs(t, err, fault.ErrInvalid, name)
		assert.ErrorContains(t, err, "name", name)
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	require.NoError(t, text.CheckBlock("text", "one\r\n\ttwo\n", 20))
	require.ErrorIs(t, text.CheckBlock("text", "a\x1b[31m", 20), fault.ErrInvalid)
}

func TestFilled(t *testing.T) {
	t.Parallel()
	require.NoError(t, text.CheckFilled("reason", "because", 20))
	require.ErrorIs(t, text.CheckFilled("reason", " \t ", 20), fault.ErrInvalid)
	require.ErrorIs(t, text.CheckFilled("reason", "a\nb", 20), fault.ErrInvalid)
}

func TestContains(t *testing.T) {
	t.Parallel()
	assert.True(t, text.Contains("Web-ÄRGER", "ärg"))
	assert.True(t, text.Contains("web", ""))
	assert.False(t, text.Contains("web", "db"))
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in, want string
		limit          int
	}{
		{"unchanged", "Größe 12", "Größe 12", 100},
		{"line breaks", "a\r\nBcc: b", "a  Bcc: b", 100},
		{"other controls", "a\x00b\u2028c\u202Ed", "a b c d", 100},
		{"not UTF-8", "a\xff\xfeb", "a b", 100},
		{"limit reached", "abc", "abc", 3},
		{"limit exceeded", "abcd", "abc", 3},
		{"cut between characters", "aß", "a", 2},
		{"limit within the first character", "ß", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := text.Clean(tt.in, tt.limit)
			assert.Equal(t, tt.want, got)
			assert.NoError(t, text.CheckLine("cleaned", got, tt.limit))
		})
	}
}

func TestCleanBlock(t *testing.T) {
	t.Parallel()
	got := text.CleanBlock("one\r\n\ttwo\x1b[31m\u202e\xff")
	assert.Equal(t, "one\r\n\ttwo [31m  ", got)
	assert.NoError(t, text.CheckBlock("cleaned", got, 100))
}

func TestOr(t *testing.T) {
	t.Parallel()
	type state string
	assert.Equal(t, "in_use or suspended", text.Or([]state{"in_use", "suspended"}))
	assert.Equal(t, "in_use", text.Or([]state{"in_use"}))
	assert.Empty(t, text.Or[state](nil))
}
