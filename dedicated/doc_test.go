package dedicated_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// TestDocumentedTable: the package comment holds the state table.
func TestDocumentedTable(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, row := range dedicated.Transitions() {
		from := []string{}
		for _, state := range row.From {
			from = append(from, string(state))
		}
		switch len(from) {
		case 0:
			from = []string{"(new)"}
		case len(dedicated.States()):
			from = []string{"any"}
		}
		to := string(row.To)
		if to == "" {
			to = "the same"
		}
		fmt.Fprintf(&rows, "//\t%-13s %-19s -> %s\n", row.Op, strings.Join(from, ", "), to)
	}
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	assert.Contains(t, string(doc), rows.String())
}
