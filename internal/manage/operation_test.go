package manage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
)

// calls counts what an operation did.
type calls struct{ read, decide, gate, commit int }

func TestOperation(t *testing.T) {
	t.Parallel()
	conflict := fmt.Errorf("a store: %w", fault.ErrConflict)
	down, no := errors.New("down"), fmt.Errorf("refused: %w", fault.ErrConflict)
	tests := []struct {
		name      string
		reads     []error // by attempt; nil afterwards
		commits   []error
		decide    error
		gate      error
		unchanged bool
		want      error
		calls     calls
	}{
		{name: "at once", calls: calls{1, 1, 1, 1}},
		{name: "nothing to write", unchanged: true, calls: calls{1, 1, 0, 0}},
		{name: "after conflicts of the commit", commits: []error{conflict, conflict}, calls: calls{3, 3, 1, 3}},
		{name: "after a conflict of the read", reads: []error{conflict}, calls: calls{2, 1, 1, 1}},
		{name: "after conflicts of both", reads: []error{conflict, nil, conflict}, commits: []error{conflict}, calls: calls{4, 2, 1, 2}},
		{
			name: "five times at most", commits: []error{conflict, conflict, conflict, conflict, conflict}, want: fault.ErrConflict,
			calls: calls{5, 5, 1, 5},
		},
		{
			name: "five reads at most", reads: []error{conflict, conflict, conflict, conflict, conflict}, want: fault.ErrConflict,
			calls: calls{5, 0, 0, 0},
		},
		{name: "a failed read", reads: []error{down}, want: down, calls: calls{1, 0, 0, 0}},
		{name: "a decision that is a conflict", decide: no, want: no, calls: calls{1, 1, 0, 0}},
		{name: "a gate that refuses", gate: no, want: no, calls: calls{1, 1, 1, 0}},
		{name: "a failed commit", commits: []error{down}, want: down, calls: calls{1, 1, 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got calls
			d, err := manage.Operation[int, int]{
				Read: func(context.Context) (int, error) {
					got.read++
					return got.read, nth(tt.reads, got.read)
				},
				Decide: func(read int) (int, bool, error) {
					got.decide++
					return 10 * read, !tt.unchanged, tt.decide
				},
				Gate: func(_ context.Context, d int) error {
					got.gate++
					assert.Equal(t, 10*got.read, d, "the gate sees the decision")
					return tt.gate
				},
				Commit: func(_ context.Context, d int) error {
					got.commit++
					assert.Equal(t, 10*got.read, d, "the last decision is written")
					return nth(tt.commits, got.commit)
				},
			}.Run(t.Context())
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, tt.calls, got)
			if tt.want == nil {
				assert.Equal(t, 10*got.read, d)
			}
		})
	}
}

// nth returns the n-th error, from 1.
func nth(errs []error, n int) error {
	if n > len(errs) {
		return nil
	}
	return errs[n-1]
}

func TestOperationWithoutGates(t *testing.T) {
	t.Parallel()
	written := 0
	_, err := manage.Operation[int, int]{
		Read:   func(context.Context) (int, error) { return 1, nil },
		Decide: func(int) (int, bool, error) { return 1, true, nil },
		Commit: func(context.Context, int) error { written++; return nil },
	}.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, written)
}

// TestGatesSawAnother: after a conflict the decision is another one than the gates were asked about.
func TestGatesSawAnother(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		covers  func(asked, later int) bool
		commits int
		want    error
	}{
		"covered":     {func(asked, later int) bool { return asked == 1 && later == 2 }, 2, nil},
		"not covered": {func(asked, later int) bool { return asked == later }, 1, fault.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads, gates, commits := 0, 0, 0
			_, err := manage.Operation[int, int]{
				Read:   func(context.Context) (int, error) { reads++; return reads, nil },
				Decide: func(read int) (int, bool, error) { return read, true, nil },
				Gate:   func(context.Context, int) error { gates++; return nil },
				Covers: tt.covers,
				Commit: func(context.Context, int) error {
					if commits++; commits == 1 {
						return fault.ErrConflict
					}
					return nil
				},
			}.Run(t.Context())
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, 1, gates)
			assert.Equal(t, tt.commits, commits)
		})
	}
}

// TestOperationEndsWithItsContext: after a conflict it does not read for a caller that is gone.
func TestOperationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	_, err := manage.Operation[int, int]{
		Read:   func(context.Context) (int, error) { reads++; return 1, nil },
		Decide: func(int) (int, bool, error) { return 1, true, nil },
		Commit: func(context.Context, int) error { cancel(); return fault.ErrConflict },
	}.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, reads)
}
