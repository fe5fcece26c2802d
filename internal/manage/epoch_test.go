package manage_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/manage"
)

type epochStore func() string

func (s epochStore) Epoch() string { return s() }

func TestEpoch(t *testing.T) {
	t.Parallel()
	holds := func(epoch string) epochStore { return func() string { return epoch } }
	for name, tt := range map[string]struct {
		store            any
		configured, want string
		says             string
	}{
		"neither":                    {struct{}{}, "", "", ""},
		"configured":                 {struct{}{}, "second", "second", ""},
		"the Store's":                {holds("second"), "", "second", ""},
		"both":                       {holds("second"), "second", "second", ""},
		"the Store's first":          {holds(""), "", "", ""},
		"another":                    {holds("third"), "second", "", `Config.Epoch is "second", but the database of Config.Store holds "third"`},
		"another than the first":     {holds(""), "second", "", `Config.Epoch is "second", but the database of Config.Store holds ""`},
		"malformed":                  {struct{}{}, "the second", "", "Config.Epoch has the byte 0x20 at 3"},
		"malformed in the Store":     {holds("the second"), "", "", "the epoch of Config.Store has the byte 0x20 at 3"},
		"a Store that cannot say it": {epochStore(nil), "", "", "store panicked"},
	} {
		got, err := manage.Epoch(tt.store, tt.configured)
		if tt.says != "" {
			require.ErrorContains(t, err, tt.says, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, got, name)
	}
}
