package cancellation_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
)

// TestDocumentedTable: the package comment holds the state table.
func TestDocumentedTable(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, row := range cancellation.Transitions() {
		var from []string
		for _, state := range row.From {
			from = append(from, string(state))
		}
		to := string(row.To)
		if to == "" {
			to = "the same"
		}
		fmt.Fprintf(&rows, "//\t%-19s %-20s -> %s\n", row.Op, strings.Join(from, ", "), to)
	}
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	assert.Contains(t, string(doc), rows.String())
}
