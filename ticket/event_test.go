package ticket_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestKinds: every English text renders with the sample of its kind.
func TestKinds(t *testing.T) {
	t.Parallel()
	catalog, err := notify.NewCatalog(ticket.Kinds())
	require.NoError(t, err)
	for _, spec := range ticket.Kinds() {
		m, err := catalog.Preview(notify.Text{Kind: spec.Kind, Locale: "en", Subject: spec.Subject["en"], Text: spec.Text["en"]})
		require.NoError(t, err, spec.Kind)
		t.Logf("%s\n%s\n\n%s", spec.Kind, m.Subject, m.Text)
		assert.NotContains(t, m.Subject+m.Text, "<no value>", spec.Kind)
	}
}
