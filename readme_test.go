package metalkeep_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadme compares the README's program and its output with example_test.go, which the compiler and the tests check. Every line
// of the README's blocks must be a line of the example, in the same order.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	for _, fence := range []string{"```go\n", "```text\n"} {
		_, block, ok := strings.Cut(string(readme), fence)
		require.True(t, ok, "README.md has a block %s", fence)
		block, _, _ = strings.Cut(block, "```")
		rest := string(example)
		for line := range strings.Lines(block) {
			line = strings.TrimSpace(line)
			_, after, found := strings.Cut(rest, line)
			require.True(t, found, "in example_test.go, in this order: %s", line)
			rest = after
		}
	}
}
