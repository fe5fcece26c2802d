package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// TestBulk demands of a method that reads many records at once that it returns the wanted ones, in any order, each once and
// as get returns it by itself, and that it heeds its context.
func TestBulk[E any](
	t *testing.T, id func(E) uuid.UUID, get func(context.Context, uuid.UUID) (E, error), bulk func(context.Context) ([]E, error),
	wanted ...uuid.UUID,
) {
	t.Helper()
	found, err := bulk(t.Context())
	if err != nil {
		t.Fatalf("reading many records: %v", err)
	}
	var got []uuid.UUID
	for _, e := range found {
		got = append(got, id(e))
		single, err := get(t.Context(), id(e))
		if err != nil {
			t.Errorf("reading %s, which was among many, by itself: %v", id(e), err)
		} else if d := Diff(single, e); d != "" {
			t.Errorf("%s, read among many, is not what it is by itself: %s", id(e), d)
		}
	}
	byBytes := func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(got, byBytes)
	if !slices.Equal(got, slices.SortedFunc(slices.Values(wanted), byBytes)) {
		t.Errorf("got the records %v, want %v, each once", got, wanted)
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bulk(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that had ended: %v, want its error", err)
	}
}
