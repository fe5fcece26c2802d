package dedicated_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// TestDeafGate: a gate that ignores its context is ErrHost after its deadline, and nothing was changed.
func TestDeafGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		f := newFixture(t, func(c *dedicated.Config) {
			c.CallTimeout = 30 * time.Second
			c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error {
				<-release
				return nil
			})
		})
		begin := time.Now()
		_, err := f.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "web-01"})
		require.ErrorIs(t, err, dedicated.ErrHost)
		assert.Equal(t, 37500*time.Millisecond, time.Since(begin), "the deadline, and a quarter of it to return")
		servers, _, err := f.Servers(t.Context(), f.reseller, dedicated.Query{})
		require.NoError(t, err)
		assert.Empty(t, servers)
	})
	_, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}, CallTimeout: -1})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
}
