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

// TestDocumentedTable: the package comment draws the status table as it is.
func TestDocumentedTable(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, row := range ticket.Transitions() {
		var from []string
		for _, status := range row.From {
			from = append(from, string(status))
		}
		all, by, to := strings.Join(from, ", "), row.By.String(), string(row.To)
		if len(from) == len(allStatuses()) {
			all = "any"
		}
		if row.By == 0 {
			by = "both"
		}
		if to == "" {
			to = "the same"
		}
		fmt.Fprintf(&rows, "//\t%-12s %-9s %-57s -> %s\n", row.Op, by, all, to)
	}
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	assert.Contains(t, string(doc), rows.String())
}

func allStatuses() []ticket.Status {
	return []ticket.Status{
		ticket.Open, ticket.NeedsDetails, ticket.Confirmed, ticket.Forwarded, ticket.Done, ticket.Rejected, ticket.Closed,
	}
}
