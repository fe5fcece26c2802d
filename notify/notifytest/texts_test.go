package notifytest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/notify/notifytest"
)

func TestMemoryTexts(t *testing.T) {
	t.Parallel()
	notifytest.TestTexts(t, func(*testing.T) notify.Texts { return &notify.MemoryTexts{} })
}

// texts is a MemoryTexts whose methods can be replaced: a function that is not nil replaces its method.
type texts struct {
	*notify.MemoryTexts
	text  func(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) (notify.Text, error)
	list  func(ctx context.Context, reseller uuid.UUID) ([]notify.Text, error)
	save  func(ctx context.Context, t notify.Text) error
	reset func(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) error
}

func (s *texts) Text(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) (notify.Text, error) {
	if s.text != nil {
		return s.text(ctx, reseller, k, locale)
	}
	return s.MemoryTexts.Text(ctx, reseller, k, locale)
}

func (s *texts) Texts(ctx context.Context, reseller uuid.UUID) ([]notify.Text, error) {
	if s.list != nil {
		return s.list(ctx, reseller)
	}
	return s.MemoryTexts.Texts(ctx, reseller)
}

func (s *texts) Save(ctx context.Context, t notify.Text) error {
	if s.save != nil {
		return s.save(ctx, t)
	}
	return s.MemoryTexts.Save(ctx, t)
}

func (s *texts) Reset(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) error {
	if s.reset != nil {
		return s.reset(ctx, reseller, k, locale)
	}
	return s.MemoryTexts.Reset(ctx, reseller, k, locale)
}

// force saves a text and ignores its version.
func (s *texts) force(ctx context.Context, t notify.Text) error {
	for {
		stored, _ := s.MemoryTexts.Text(ctx, t.ResellerID, t.Kind, t.Locale)
		t.Version = stored.Version
		if err := s.MemoryTexts.Save(ctx, t); err == nil || ctx.Err() != nil {
			return err
		}
	}
}

func breaksTexts(line, name string, change func(s *texts)) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		notifytest.TestTexts(t, func(*testing.T) notify.Texts {
			s := &texts{MemoryTexts: &notify.MemoryTexts{}}
			change(s)
			return s
		})
	}}
}

// TestBrokenTexts: the suite detects a violation of each rule.
func TestBrokenTexts(t *testing.T) {
	t.Parallel()
	storetest.Fails(t, slices.Concat(brokenSaves(), brokenTextReads())...)
}

func brokenSaves() []storetest.Broken {
	return []storetest.Broken{
		breaksTexts("1 concurrency:", "checks first and writes later", func(s *texts) {
			s.save = func(ctx context.Context, t notify.Text) error {
				stored, _ := s.MemoryTexts.Text(ctx, t.ResellerID, t.Kind, t.Locale)
				if stored.Version != t.Version {
					return notify.ErrConflict
				}
				runtime.Gosched()
				return s.force(ctx, t)
			}
		}),
		breaksTexts("2 missing: resetting", "refuses to reset a missing text", func(s *texts) {
			s.reset = func(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) error {
				if _, err := s.MemoryTexts.Text(ctx, reseller, k, locale); err != nil {
					return err
				}
				return s.MemoryTexts.Reset(ctx, reseller, k, locale)
			}
		}),
		breaksTexts("3 save: the version", "ignores the version", func(s *texts) { s.save = s.force }),
		breaksTexts("3 save: after a reset", "does not reset", func(s *texts) {
			s.reset = func(ctx context.Context, _ uuid.UUID, _ notify.Kind, _ string) error { return ctx.Err() }
		}),
		breaksTexts("5 context:", "saves after the end", func(s *texts) {
			s.save = func(ctx context.Context, t notify.Text) error {
				return s.MemoryTexts.Save(context.WithoutCancel(ctx), t)
			}
		}),
		breaksTexts("6 content: a text", "trims spaces", func(s *texts) {
			s.save = func(ctx context.Context, t notify.Text) error {
				t.Text = strings.TrimSpace(t.Text)
				return s.MemoryTexts.Save(ctx, t)
			}
		}),
		breaksTexts("6 content: a text", "cuts off", func(s *texts) {
			s.save = func(ctx context.Context, t notify.Text) error {
				t.Text = t.Text[:min(len(t.Text), 255)]
				return s.MemoryTexts.Save(ctx, t)
			}
		}),
		breaksTexts("6 content: each", "resets all languages", func(s *texts) {
			s.reset = func(ctx context.Context, reseller uuid.UUID, k notify.Kind, _ string) error {
				list, err := s.MemoryTexts.Texts(ctx, reseller)
				for _, t := range list {
					if t.Kind == k {
						err = s.MemoryTexts.Reset(ctx, reseller, k, t.Locale)
					}
				}
				return err
			}
		}),
	}
}

func brokenTextReads() []storetest.Broken {
	return []storetest.Broken{
		breaksTexts("2 missing: a text", "returns an empty text", func(s *texts) {
			s.text = func(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) (notify.Text, error) {
				t, _ := s.MemoryTexts.Text(ctx, reseller, k, locale)
				return t, ctx.Err()
			}
		}),
		breaksTexts("2 missing: a text", "returns an error of its own", func(s *texts) {
			s.text = func(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) (notify.Text, error) {
				t, err := s.MemoryTexts.Text(ctx, reseller, k, locale)
				if err != nil && ctx.Err() == nil {
					err = fmt.Errorf("%v", err)
				}
				return t, err
			}
		}),
		breaksTexts("2 missing: a text", "ignores the region", func(s *texts) {
			s.text = func(ctx context.Context, reseller uuid.UUID, k notify.Kind, locale string) (notify.Text, error) {
				list, err := s.MemoryTexts.Texts(ctx, reseller)
				for _, t := range list {
					if t.Kind == k && strings.HasPrefix(t.Locale, locale) {
						return t, nil
					}
				}
				if err == nil {
					err = notify.ErrNotFound
				}
				return notify.Text{}, err
			}
		}),
		breaksTexts("4 list:", "lists backwards", func(s *texts) {
			s.list = func(ctx context.Context, reseller uuid.UUID) ([]notify.Text, error) {
				list, err := s.MemoryTexts.Texts(ctx, reseller)
				slices.Reverse(list)
				return list, err
			}
		}),
		breaksTexts("5 context:", "lists after the end", func(s *texts) {
			s.list = func(ctx context.Context, reseller uuid.UUID) ([]notify.Text, error) {
				return s.MemoryTexts.Texts(context.WithoutCancel(ctx), reseller)
			}
		}),
	}
}
