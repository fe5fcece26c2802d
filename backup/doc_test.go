package backup_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/internal/text"
)

// TestDocumentedTable: the package comment shows the present state table.
func TestDocumentedTable(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, row := range backup.Transitions() {
		from, to := "(new)", "the same"
		if len(row.From) > 0 {
			from = text.Or(row.From)
		}
		if row.To != "" {
			to = string(row.To)
		}
		fmt.Fprintf(&rows, "//\t%-12s %-8s -> %s\n", row.Op, from, to)
	}
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	assert.Contains(t, string(doc), "//\n"+rows.String()+"//\n")
}
