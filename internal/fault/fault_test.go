package fault_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	mine := errors.New("mine")
	require.NoError(t, fault.Guard("gate 1", func() error { return nil }))
	require.ErrorIs(t, fault.Guard("gate 1", func() error { return mine }), mine)
	require.ErrorIs(t, fault.Guard("gate 1", func() error { panic(mine) }), mine)
	err := fault.Guard("gate 1", func() error { panic("oh") })
	require.EqualError(t, err, "gate 1 panicked: oh")
	var p *fault.PanicError
	require.ErrorAs(t, err, &p)
	assert.NotEmpty(t, p.Stack)
}

func TestHost(t *testing.T) {
	t.Parallel()
	mine := errors.New("mine")
	require.NoError(t, fault.Host(t.Context(), "store", func() error { return nil }))
	err := fault.Host(t.Context(), "store", func() error { return errors.Join(mine, fault.ErrNotFound) })
	require.ErrorIs(t, err, fault.ErrHost)
	require.ErrorIs(t, err, mine)
	require.NotErrorIs(t, err, fault.ErrNotFound)
	require.EqualError(t, err, "store failed: mine\nnot found")
	var p *fault.PanicError
	require.ErrorAs(t, fault.Host(t.Context(), "store", func() error { panic("oh") }), &p)
	assert.Equal(t, "store", p.Part)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = fault.Host(ctx, "store", func() error { return mine })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, mine)
	require.NotErrorIs(t, err, fault.ErrHost)
}

// hostile is an error that panics.
type hostile struct{}

func (hostile) Error() string { panic("hostile") }

func TestHostErrorThatPanics(t *testing.T) {
	t.Parallel()
	err := fault.Host(t.Context(), "biller", func() error { return hostile{} })
	assert.Equal(t, "biller failed: its error panicked", err.Error())
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	err := error(&fault.Refusal{Message: "not today"})
	require.ErrorIs(t, err, fault.ErrForbidden)
	require.NotErrorIs(t, err, fault.ErrHost)
	require.EqualError(t, err, "not today")
}
