package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
)

type refusal struct{ error }

func (refusal) Final() bool     { return true }
func (r refusal) Unwrap() error { return r.error }

func TestRetry(t *testing.T) {
	t.Parallel()
	conflict := fmt.Errorf("store: %w", fault.ErrConflict)
	tests := []struct {
		name    string
		answers []error
		calls   int
		want    error
	}{
		{"at once", []error{nil}, 1, nil},
		{"after conflicts", []error{conflict, conflict, nil}, 3, nil},
		{"five times at most", []error{conflict, conflict, conflict, conflict, conflict, nil}, 5, fault.ErrConflict},
		{"other errors are not tried again", []error{fault.ErrInvalid}, 1, fault.ErrInvalid},
		{"a refusal that is a conflict is final", []error{fmt.Errorf("op: %w", refusal{conflict})}, 1, fault.ErrConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			err := fault.Retry(t.Context(), func() error {
				calls++
				return tt.answers[calls-1]
			})
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, tt.calls, calls)
		})
	}
}

func TestRetryStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := fault.Retry(ctx, func() error {
		calls++
		cancel()
		return fault.ErrConflict
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, calls)
}

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

func TestReason(t *testing.T) {
	t.Parallel()
	panicked := fault.Guard("gate 2", func() error { panic("password=secret") })
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"what somebody wrote", errors.New("backups are switched off"), "backups are switched off"},
		{"a panic without its value", panicked, "gate 2 panicked"},
		{"a panic within another error", fmt.Errorf("checked with password=secret: %w", panicked), "gate 2 panicked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, fault.Reason(tt.err))
		})
	}
}
