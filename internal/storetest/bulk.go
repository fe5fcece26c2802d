package storetest

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// TestBulk tests a method that reads many records in one call. It must return the records with the IDs in want, in any order, each
// once and equal to the result of get, and must return the error of a cancelled context.
func TestBulk[E any](
	t *testing.T, id func(E) uuid.UUID, get func(context.Context, uuid.UUID) (E, error), bulk func(context.Context) ([]E, error),
	want ...uuid.UUID,
) {
	t.Helper()
	records, err := bulk(t.Context())
	if err != nil {
		t.Fatalf("reading many records: %v", err)
	}
	var got []uuid.UUID
	for _, e := range records {
		got = append(got, id(e))
		single, err := get(t.Context(), id(e))
		if err != nil {
			t.Errorf("the call returned %s, but a read of this record alone gave the error %v", id(e), err)
		} else if d := Diff(single, e); d != "" {
			t.Errorf("the call returned %s, but not as a read of this record alone returns it: %s", id(e), d)
		}
	}
	compare := func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(got, compare)
	if !slices.Equal(got, slices.SortedFunc(slices.Values(want), compare)) {
		t.Errorf("got the records %v, want %v, each once", got, want)
	}
	WantCancelled(t, "reading many records", func(ctx context.Context) error {
		_, err := bulk(ctx)
		return err
	})
}
