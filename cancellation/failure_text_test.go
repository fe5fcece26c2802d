package cancellation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// TestFailureTextIsCleaned: the error text of a hook is stored as one line that every store can hold.
func TestFailureTextIsCleaned(t *testing.T) {
	t.Parallel()
	failure := errors.New("\x00 \xff\r\n\u202e" + strings.Repeat("ä", 2000))
	f := newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error {
			return failure
		})
	})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	f.clock.Set(at("2026-11-20 12:00"))
	_, err := f.Tick(t.Context())
	require.ErrorIs(t, err, failure)
	got := f.get(t, c.ID).LastError
	assert.Contains(t, got, "step deprovision: ")
	assert.LessOrEqual(t, len(got), 1000)
	assert.Greater(t, len(got), 990)
	assert.True(t, utf8.ValidString(got))
	assert.NotContains(t, strings.TrimSpace(got), "\n")
	assert.False(t, strings.ContainsAny(got, "\x00\r\u202e"), "%q", got)
}
