package dedicated_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

func TestGates(t *testing.T) {
	t.Parallel()
	mine := errors.New("not on a Friday")
	var asked []string
	refuse := false
	gate := func(name string) func(context.Context, dedicated.Actor, dedicated.Server) error {
		return func(_ context.Context, a dedicated.Actor, s dedicated.Server) error {
			asked = append(asked, name+" "+string(s.State))
			if refuse {
				return mine
			}
			return nil
		}
	}
	w := setup(t, func(c *dedicated.Config) { c.Hooks.Gate = append(c.Hooks.Gate, gate("first"), gate("second")) })
	s := w.assigned(t)
	assert.Equal(t, []string{"first in_stock", "second in_stock", "first in_use", "second in_use"}, asked, "the server as it would become")

	asked, refuse = nil, true
	for _, op := range []string{"Add", "ChangeBilling", "Rename", "Suspend", "Release"} {
		_, err := w.do(t, op, w.reseller, s)
		require.ErrorIs(t, err, mine, op)
		require.ErrorIs(t, err, dedicated.ErrForbidden, op)
		assert.ErrorContains(t, err, "not on a Friday", op)
	}
	assert.Len(t, asked, 5, "the first refusal wins")
	got, err := w.Server(t.Context(), w.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, s, got)
}

// TestGatesStandOnEveryPath: each operation that changes a server asks, and a refusal keeps it as it was, telling nobody.
func TestGatesStandOnEveryPath(t *testing.T) {
	t.Parallel()
	for op, state := range map[string]dedicated.State{ // and a state that it takes
		"Assign": dedicated.InStock, "ChangeBilling": dedicated.InUse, "Rename": dedicated.Retired, "Suspend": dedicated.InUse,
		"Resume": dedicated.Suspended, "Release": dedicated.InUse, "Restock": dedicated.CleanUp, "Retire": dedicated.InStock,
		"Unlock": dedicated.CleanUp,
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			closed := false
			w := setup(t, func(c *dedicated.Config) {
				c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error {
					if closed {
						return errors.New("closed")
					}
					return nil
				})
			})
			s := w.inState(t, state)
			call := func() (dedicated.Server, error) { return w.do(t, op, w.reseller, s) }
			if op == "Unlock" {
				busy, err := w.Release(t.Context(), w.reseller, s.ID, s.Assignment, uuid.New(), "")
				require.NoError(t, err)
				s = busy
				call = func() (dedicated.Server, error) { return w.Unlock(t.Context(), w.reseller, s.ID, s.LockedBy) }
			}
			before := w.events(t)
			closed = true
			_, err := call()
			require.ErrorIs(t, err, dedicated.ErrForbidden)
			got, err := w.Server(t.Context(), w.reseller, s.ID)
			require.NoError(t, err)
			assert.Equal(t, s, got)
			assert.Equal(t, before, w.events(t))
			closed = false
			_, err = call()
			require.NoError(t, err)
		})
	}
}

func TestGateThatPanicsRefuses(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *dedicated.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error { panic("oh") })
	})
	_, err := w.Add(t.Context(), w.reseller, dedicated.NewServer{Name: "web-01"})
	require.ErrorIs(t, err, dedicated.ErrForbidden)
	assert.ErrorContains(t, err, "refused: gate 1 panicked")
	assert.NotContains(t, err.Error(), "oh", "the value is nobody's to read")
	var p *fault.PanicError
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "oh", p.Value)
}
