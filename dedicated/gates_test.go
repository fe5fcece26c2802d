package dedicated_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

func TestGates(t *testing.T) {
	t.Parallel()
	reason := errors.New("the calendar")
	var asked []string
	refuse := false
	gate := func(name string) func(context.Context, dedicated.Actor, dedicated.Server) error {
		return func(_ context.Context, a dedicated.Actor, s dedicated.Server) error {
			asked = append(asked, name+" "+string(s.State))
			if refuse {
				return fmt.Errorf("%w: %w", reason, dedicated.Refuse("not on a Friday"))
			}
			return nil
		}
	}
	f := newFixture(t, func(c *dedicated.Config) { c.Hooks.Gate = append(c.Hooks.Gate, gate("first"), gate("second")) })
	s := f.addAssigned(t)
	assert.Equal(t, []string{"first in_stock", "second in_stock", "first in_use", "second in_use"}, asked, "the server as it would become")

	asked, refuse = nil, true
	for _, op := range []string{"Add", "ChangeBilling", "Rename", "Suspend", "Release"} {
		_, err := f.do(t, op, f.reseller, s)
		require.ErrorIs(t, err, reason, op)
		require.ErrorIs(t, err, dedicated.ErrForbidden, op)
		assert.NotErrorIs(t, err, dedicated.ErrHost, op)
		assert.ErrorContains(t, err, "not on a Friday", op)
		assert.NotContains(t, err.Error(), "calendar", op)
	}
	assert.Len(t, asked, 5, "the first refusal wins")
	got, err := f.Server(t.Context(), f.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, s, got)
}

// TestGatesOfEveryOperation: each operation that changes a server asks the gates. After a refusal nothing is stored.
func TestGatesOfEveryOperation(t *testing.T) {
	t.Parallel()
	for op, state := range map[string]dedicated.State{ // with a state that each takes
		"Assign": dedicated.InStock, "ChangeBilling": dedicated.InUse, "Rename": dedicated.Retired, "Suspend": dedicated.InUse,
		"Resume": dedicated.Suspended, "Release": dedicated.InUse, "Restock": dedicated.CleanUp, "Retire": dedicated.InStock,
		"Unlock": dedicated.CleanUp,
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			closed := false
			f := newFixture(t, func(c *dedicated.Config) {
				c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error {
					if closed {
						return dedicated.Refuse("closed")
					}
					return nil
				})
			})
			s := f.addInState(t, state)
			call := func() (dedicated.Server, error) { return f.do(t, op, f.reseller, s) }
			if op == "Unlock" {
				locked, err := f.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.New(), "")
				require.NoError(t, err)
				s = locked
			}
			before := f.events(t)
			closed = true
			_, err := call()
			require.ErrorIs(t, err, dedicated.ErrForbidden)
			got, err := f.Server(t.Context(), f.reseller, s.ID)
			require.NoError(t, err)
			assert.Equal(t, s, got)
			assert.Equal(t, before, f.events(t))
			closed = false
			_, err = call()
			require.NoError(t, err)
		})
	}
}

// TestGateThatFails: an error that is not a refusal, and a panic, are the host's fault. Nothing is written.
func TestGateThatFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("password=secret")
	for name, gate := range map[string]func() error{"error": func() error { return failure }, "panic": func() error { panic(failure) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails := false
			f := newFixture(t, func(c *dedicated.Config) {
				c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error {
					if fails {
						return gate()
					}
					return nil
				})
			})
			s := f.add(t)
			fails = true
			_, err := f.Rename(t.Context(), f.reseller, s.ID, "web-02")
			require.ErrorIs(t, err, dedicated.ErrHost)
			require.ErrorIs(t, err, failure, "for the log")
			assert.NotErrorIs(t, err, dedicated.ErrForbidden)
			assert.EqualError(t, err, "dedicated: Rename: gate 1 failed; nothing was changed")
			got, err := f.Server(t.Context(), f.reseller, s.ID)
			require.NoError(t, err)
			assert.Equal(t, s, got)
		})
	}
}
