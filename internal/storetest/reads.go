package storetest

import (
	"context"
	"testing"

	"github.com/google/uuid"
)

func (k Kind[E]) testMissing(t *testing.T) {
	s := k.Open(t)
	k.put(t, s, k.make(0))
	_, err := s.Get(t.Context(), uuid.New())
	WantNotFound(t, "reading an unknown ID", err)
}

func (k Kind[E]) testReadsCopy(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	want := clone(k.put(t, s, k.Make(reseller, 0))[0])
	k.Scribble(k.get(t, s, k.id(want)))
	if d := Diff(want, k.get(t, s, k.id(want))); d != "" {
		t.Errorf("the caller overwrote a record that it read, and the stored record changed: %s", d)
	}
	if k.Unlisted {
		return
	}
	k.Scribble(k.onlyListed(t, s, reseller))
	if d := Diff(want, k.get(t, s, k.id(want))); d != "" {
		t.Errorf("the caller overwrote a record of a list, and the stored record changed: %s", d)
	}
}

// onlyListed returns the only record of a reseller, as the list has it.
func (k Kind[E]) onlyListed(t *testing.T, s Store[E], reseller uuid.UUID) E {
	t.Helper()
	listed, _, err := s.List(t.Context(), reseller, 10, "")
	if err != nil || len(listed) != 1 {
		t.Fatalf("the list has %d records, %v, want 1", len(listed), err)
	}
	return listed[0]
}

func (k Kind[E]) testRoundTrip(t *testing.T) {
	s, reseller := k.Open(t), uuid.New()
	full := k.Make(reseller, 3)
	var empty E
	*k.Meta(&empty).ID = uuid.New()
	for name, e := range map[string]E{"a record with every field": full, "a record with only an ID": empty} {
		if err := s.Commit(t.Context(), Change[E]{Records: []E{e}}); err != nil {
			t.Errorf("%s: Commit: %v", name, err)
			continue
		}
		*k.Meta(&e).Version++
		if d := Diff(e, k.get(t, s, k.id(e))); d != "" {
			t.Errorf("the store changed %s: %s", name, d)
		}
	}
	if k.Unlisted {
		return
	}
	*k.Meta(&full).Version = 1
	if d := Diff(full, k.onlyListed(t, s, reseller)); d != "" {
		t.Errorf("the list changed a record: %s", d)
	}
}

func (k Kind[E]) testCancelled(t *testing.T) {
	s, e := k.Open(t), k.make(0)
	WantCancelled(t, "Commit", func(ctx context.Context) error { return s.Commit(ctx, Change[E]{Records: []E{e}}) })
	_, err := s.Get(t.Context(), k.id(e))
	WantNotFound(t, "reading a record of a cancelled Commit", err)
	WantCancelled(t, "a read", func(ctx context.Context) error {
		_, err := s.Get(ctx, k.id(e))
		return err
	})
	if !k.Unlisted {
		WantCancelled(t, "a list", func(ctx context.Context) error {
			_, _, err := s.List(ctx, uuid.New(), 1, "")
			return err
		})
	}
	if k.claimable() {
		WantCancelled(t, "ClaimDue", func(ctx context.Context) error {
			_, _, err := s.Claim(ctx, instant(0), instant(1), 1)
			return err
		})
	}
}
