package notify_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/notify"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Sample = json.RawMessage(`{"server":"web1","days":3,"paid":1.50,"last":true,"none":null,"to":{"name":"Ada"},` +
		`"lines":[{"label":"rent"}],"words":["a"],"empty":[]}`)
	got, err := s.Variables()
	require.NoError(t, err)
	assert.Equal(t, []notify.Variable{
		{Name: ".days", Type: "a number", Example: "3"},
		{Name: ".empty", Type: "a list"},
		{Name: ".last", Type: "yes or no", Example: "true"},
		{Name: ".lines", Type: "a list"},
		{Name: ".lines[].label", Type: "a text", Example: "rent"},
		{Name: ".none", Type: "nothing"},
		{Name: ".paid", Type: "a number", Example: "1.50"},
		{Name: ".server", Type: "a text", Example: "web1"},
		{Name: ".to", Type: "an object"},
		{Name: ".to.name", Type: "a text", Example: "Ada"},
		{Name: ".words", Type: "a list"},
	}, got)
	for _, bad := range []any{nil, 1, make(chan int)} {
		s.Sample = bad
		_, err = s.Variables()
		require.ErrorIs(t, err, notify.ErrInvalid)
	}
}
