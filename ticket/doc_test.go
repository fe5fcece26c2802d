package ticket_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/ticket"
)

// TestDocumentedTable: the package comment shows the status table as it is.
func TestDocumentedTable(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, row := range ticket.Transitions() {
		var from []string
		for _, status := range row.From {
			from = append(from, string(status))
		}
		all, by, to := strings.Join(from, ", "), row.By.String(), string(row.To)
		switch len(from) {
		case 0:
			all = "(new)"
		case len(ticket.Statuses()):
			all = "any"
		}
		if row.By == 0 {
			by = "all"
		}
		if to == "" {
			to = "the same"
		}
		fmt.Fprintf(&rows, "//\t%-15s %-8s %-57s -> %s\n", row.Op, by, all, to)
	}
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	assert.Contains(t, string(doc), rows.String())
}
