package metalkeep_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadme holds the README's taste, code and output, to the example, which compiles and has checked output: every line
// of the one is a line of the other, in the same order.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	for _, fence := range []string{"```go\n", "```text\n"} {
		_, taste, ok := strings.Cut(string(readme), fence)
		require.True(t, ok, "README.md has a block %s", fence)
		taste, _, _ = strings.Cut(taste, "```")
		rest := string(example)
		for line := range strings.Lines(taste) {
			line = strings.TrimSpace(line)
			_, after, found := strings.Cut(rest, line)
			require.True(t, found, "in example_test.go, in this order: %s", line)
			rest = after
		}
	}
}
