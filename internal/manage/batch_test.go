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

// batchStore stores texts. A commit that holds one of refused is refused as a whole.
type batchStore struct {
	refused map[string]error
	stored  []string
	commits int
	during  func()
}

func (s *batchStore) commit(ctx context.Context, texts ...string) error {
	s.commits++
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, text := range texts {
		if err := s.refused[text]; err != nil {
			return err
		}
	}
	s.stored = append(s.stored, texts...)
	if s.during != nil {
		s.during()
	}
	return nil
}

func items(texts ...string) []manage.Item[string] {
	var all []manage.Item[string]
	for _, text := range texts {
		all = append(all, manage.Item[string]{
			Change: text,
			Refused: func(failure error) (string, error) {
				return text + " back", fmt.Errorf("%s: %w", text, failure)
			},
		})
	}
	return all
}

func TestCommitBatch(t *testing.T) {
	t.Parallel()
	poison, conflict := errors.New("poison"), fmt.Errorf("changed: %w", fault.ErrConflict)
	tests := []struct {
		name      string
		refused   map[string]error
		stored    []string
		conflicts []int
		kept      []int // could not be given back
		reports   string
		commits   int
	}{
		{name: "all at once", stored: []string{"a", "b", "c"}, commits: 1},
		{
			name: "one refused", refused: map[string]error{"b": poison},
			stored: []string{"a", "b back", "c"}, reports: "b: poison", commits: 5,
		},
		{
			name: "one changed meanwhile", refused: map[string]error{"b": conflict},
			stored: []string{"a", "c"}, conflicts: []int{1}, commits: 4,
		},
		{
			name: "one refused, and not taken back", refused: map[string]error{"b": poison, "b back": poison},
			stored: []string{"a", "c"}, kept: []int{1}, reports: "b: poison\nb: poison", commits: 5,
		},
		{
			name: "one refused, and changed before it was given back", refused: map[string]error{"b": poison, "b back": conflict},
			stored: []string{"a", "c"}, reports: "b: poison", commits: 5,
		},
		{
			name: "two refused", refused: map[string]error{"a": poison, "c": poison},
			stored: []string{"a back", "b", "c back"}, reports: "a: poison\nc: poison", commits: 6,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &batchStore{refused: tt.refused}
			conflicts, kept, err := manage.CommitBatch(t.Context(), store.commit, items("a", "b", "c"))
			if tt.reports == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.reports)
			}
			assert.Equal(t, tt.stored, store.stored)
			assert.Equal(t, tt.conflicts, conflicts)
			assert.Equal(t, tt.kept, kept)
			assert.Equal(t, tt.commits, store.commits)
		})
	}
}

func TestCommitBatchOfNothing(t *testing.T) {
	t.Parallel()
	store := &batchStore{}
	_, _, err := manage.CommitBatch(t.Context(), store.commit, nil)
	require.NoError(t, err)
	assert.Zero(t, store.commits)
}

// TestCommitBatchEndsWithItsContext: nothing more is written one by one.
func TestCommitBatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	store := &batchStore{refused: map[string]error{"b": errors.New("poison")}, during: cancel}
	_, _, err := manage.CommitBatch(ctx, store.commit, items("a", "b", "c"))
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []string{"a"}, store.stored)

	store = &batchStore{}
	_, _, err = manage.CommitBatch(ctx, store.commit, items("a", "b"))
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, store.commits)
}
