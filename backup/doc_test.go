package backup_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
)

// TestDocumentedTable: the package comment draws the state table as it is.
func TestDocumentedTable(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, row := range backup.Transitions() {
		from := string(row.From)
		if from == "" {
			from = "(new)"
		}
		fmt.Fprintf(&rows, "//\t%-12s %-8s -> %s\n", row.Op, from, row.To)
	}
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	assert.Contains(t, string(doc), "//\n"+rows.String()+"//\n")
}
