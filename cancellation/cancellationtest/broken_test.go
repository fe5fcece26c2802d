package cancellationtest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/internal/storetest"
)

func TestSuiteFindsBrokenRecords(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		broken("checks versions before it writes", "cancellations/1 concurrency: of two writers", racing),
		broken("checks what is unique before it writes", "cancellations/1 concurrency: of two active", racing),
		broken("has an error of its own for what is missing", "cancellations/2 missing", always(altered{
			get: func(ctx context.Context, s cancellation.Store, id uuid.UUID) (cancellation.Cancellation, error) {
				c, err := s.Cancellation(ctx, id)
				if err != nil {
					err = errors.New("no rows")
				}
				return c, err
			},
		})),
		broken("has zero settings for who saved none", "settings/2 missing", always(altered{
			settings: func(ctx context.Context, s cancellation.Store, id uuid.UUID) (cancellation.Settings, error) {
				set, err := s.Settings(ctx, id)
				if errors.Is(err, cancellation.ErrNotFound) {
					err = nil
				}
				return set, err
			},
		})),
		broken("overwrites what is created twice", "cancellations/3 duplicate create", always(altered{commit: unchecked})),
		broken("overwrites settings that are created twice", "settings/3 duplicate create", always(altered{commit: unchecked})),
		broken("checks no versions", "cancellations/4 atomicity: a stale version", always(altered{commit: unchecked})),
		broken("returns the version before", "cancellations/4 atomicity: the stored version",
			always(mangled(func(c *cancellation.Cancellation) { c.Version-- }))),
		broken("commits change by change", "cancellations/4 atomicity: all records", always(altered{commit: oneByOne})),
		broken("commits settings by themselves", "both kinds/4 atomicity: all of both", always(altered{commit: kindByKind})),
		broken("drops events", "cancellations/4 atomicity: events arrive", always(altered{
			commit: func(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
				for i := range changes {
					changes[i].Events = nil
				}
				return s.Commit(ctx, changes...)
			},
		})),
		broken("applies changes backwards", "cancellations/4 atomicity: changes of a call", always(altered{
			commit: func(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
				changes = slices.Clone(changes)
				slices.Reverse(changes)
				return s.Commit(ctx, changes...)
			},
		})),
		broken("lets two be active", "cancellations/4 atomicity: one active", always(altered{commit: anyAssignment})),
		broken("hands out what it keeps", "cancellations/5 ownership: hands out", keeping),
		broken("keeps what it is given", "cancellations/5 ownership: keeps", keeping),
		broken("hands out the settings that it keeps", "settings/5 ownership: hands out", keeping),
		broken("returns local times", "cancellations/6 time", always(mangled(func(c *cancellation.Cancellation) {
			for i := range c.History {
				c.History[i].At = c.History[i].At.In(time.FixedZone("", 3600))
			}
		}))),
		broken("takes the zero time for 1970", "cancellations/6 time", always(mangled(func(c *cancellation.Cancellation) {
			if c.RetryAt.IsZero() {
				c.RetryAt = time.Unix(0, 0).UTC()
			}
		}))),
		broken("takes decimals for floats", "cancellations/6 time, 7 decimal", always(mangled(func(c *cancellation.Cancellation) {
			f, _ := c.Refund.Total.Float64()
			c.Refund.Total = decimal.NewFromFloat(f)
		}))),
		broken("forgets a field", "cancellations/6 time, 7 decimal", always(mangled(func(c *cancellation.Cancellation) { c.Abandoned = false }))),
	)
}

func TestSuiteFindsBrokenLists(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		broken("knows no pages", "cancellations/8 order: sorted", always(altered{
			list: func(ctx context.Context, s cancellation.Store, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
				items, _, err := s.Cancellations(ctx, reseller, q)
				return items, "", err
			},
		})),
		broken("counts instead of standing", "cancellations/8 order: a cursor stands", always(altered{list: offsets})),
		broken("starts anew at a cursor it does not know", "cancellations/8 order: what is no cursor", always(altered{
			list: func(ctx context.Context, s cancellation.Store, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
				items, next, err := s.Cancellations(ctx, reseller, q)
				if errors.Is(err, cancellation.ErrInvalid) {
					q.After = ""
					return s.Cancellations(ctx, reseller, q)
				}
				return items, next, err
			},
		})),
		broken("shows the nil reseller something", "cancellations/8 order: one reseller", always(altered{
			list: func(ctx context.Context, s cancellation.Store, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
				items, next, err := s.Cancellations(ctx, reseller, q)
				if reseller == uuid.Nil {
					items = append(items, cancellation.Cancellation{ID: uuid.New()})
				}
				return items, next, err
			},
		})),
		broken("knows no criteria", "cancellations/8 order: criteria", always(altered{
			list: func(ctx context.Context, s cancellation.Store, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
				return s.Cancellations(ctx, reseller, cancellation.Query{Limit: q.Limit, After: q.After})
			},
		})),
		broken("lists what is stuck and over", "cancellations/8 order: criteria", always(altered{
			list: func(ctx context.Context, s cancellation.Store, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
				stuck := q.Stuck
				q.Stuck = false
				items, next, err := s.Cancellations(ctx, reseller, q)
				return slices.DeleteFunc(items, func(c cancellation.Cancellation) bool { return stuck && c.Attempts == 0 }), next, err
			},
		})),
		broken("takes executing for over", "cancellations/8 order: active", always(altered{
			active: func(ctx context.Context, s cancellation.Store, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
				all, err := s.Active(ctx, servers)
				return slices.DeleteFunc(all, func(c cancellation.Cancellation) bool { return c.State == cancellation.Executing }), err
			},
		})),
		broken("names one that is active twice", "cancellations/8 order: active", always(altered{
			active: func(ctx context.Context, s cancellation.Store, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
				var all []cancellation.Cancellation
				for _, server := range servers {
					found, err := s.Active(ctx, []uuid.UUID{server})
					if err != nil {
						return nil, err
					}
					all = append(all, found...)
				}
				return all, nil
			},
		})),
		broken("heeds no context", "cancellations/9 context: a cancelled", always(altered{
			commit: func(_ context.Context, s cancellation.Store, changes ...cancellation.Change) error {
				return s.Commit(context.Background(), changes...)
			},
		})),
		broken("heeds no context in active", "cancellations/9 context: active", always(altered{
			active: func(_ context.Context, s cancellation.Store, servers []uuid.UUID) ([]cancellation.Cancellation, error) {
				return s.Active(context.Background(), servers)
			},
		})),
	)
}

func TestSuiteFindsBrokenLeases(t *testing.T) {
	t.Parallel()
	claims := func(change func(context.Context, cancellation.Store, time.Time, time.Time, int) (cancellation.Due, error)) func() altered {
		return always(altered{claim: change})
	}
	storetest.Fails(t,
		broken("claims the latest first", "cancellations/10 leases: due alone", claims(
			func(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				slices.Reverse(due.Cancellations)
				return due, err
			})),
		broken("does not say when the next is due", "cancellations/10 leases: says when", claims(
			func(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				due.Next = time.Time{}
				return due, err
			})),
		broken("leases for too short a time", "cancellations/10 leases: hidden", claims(
			func(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
				return s.ClaimDue(ctx, now, until.Add(-time.Minute), limit)
			})),
		broken("leases settings for too short a time", "settings/10 leases: hidden", claims(
			func(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
				return s.ClaimDue(ctx, now, until.Add(-time.Minute), limit)
			})),
		broken("hands out versions from before the claim", "cancellations/10 leases: claiming sets", claims(
			func(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				for i := range due.Cancellations {
					due.Cancellations[i].Version--
				}
				return due, err
			})),
		broken("lets who lost its lease commit", "cancellations/10 leases: who lost", always(altered{commit: unchecked})),
		broken("lifts every lease", "cancellations/10 leases: commit stores", always(altered{
			commit: func(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
				for i := range changes {
					for j := range changes[i].Cancellations {
						changes[i].Cancellations[j].LeaseUntil = time.Time{}
					}
				}
				return s.Commit(ctx, changes...)
			},
		})),
		broken("claims after looking", "cancellations/10 leases: each is claimed once", func() altered {
			var mu sync.Mutex
			claimed := map[int]cancellation.Due{} // two in a row get the same
			n := 0
			return altered{claim: func(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
				mu.Lock()
				defer mu.Unlock()
				n++
				if due, ok := claimed[n/2]; ok {
					return due, nil
				}
				due, err := s.ClaimDue(ctx, now, until, limit)
				claimed[n/2] = due
				return due, err
			}}
		}),
		broken("takes no limit for all", "cancellations/10 leases: a limit below", claims(
			func(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
				if limit < 1 {
					limit = 1000
				}
				return s.ClaimDue(ctx, now, until, limit)
			})),
		broken("says when the next of one kind is due", "both kinds/10 leases: limit of each", claims(nextOfOne)),
	)
}

// nextOfOne leaves settings out of what it says of the next: in the suite they are due an hour after a cancellation.
func nextOfOne(ctx context.Context, s cancellation.Store, now, until time.Time, limit int) (cancellation.Due, error) {
	due, err := s.ClaimDue(ctx, now, until, limit)
	if due.Next.Hour() == 0 {
		due.Next = due.Next.Add(23 * time.Hour)
	}
	return due, err
}

// racing looks first and writes afterwards.
func racing() altered {
	var mu sync.Mutex
	var taken sync.Map // assignments that something is active for
	return altered{commit: func(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
		for _, change := range changes {
			for _, c := range change.Cancellations {
				stored, err := s.Cancellation(ctx, c.ID)
				if err == nil && stored.Version != c.Version {
					return cancellation.ErrConflict
				}
				if id, ok := taken.Load(c.Assignment); ok && id != c.ID {
					return cancellation.ErrConflict
				}
			}
		}
		time.Sleep(time.Microsecond)
		for _, change := range changes {
			for _, c := range change.Cancellations {
				taken.Store(c.Assignment, c.ID)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return anyAssignment(ctx, s, current(ctx, s, changes)...)
	}}
}

func oneByOne(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
	var all error
	for _, c := range changes {
		all = errors.Join(all, s.Commit(ctx, c))
	}
	return all
}

func kindByKind(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
	var all error
	for _, c := range changes {
		all = errors.Join(all, s.Commit(ctx, cancellation.Change{Settings: c.Settings}))
	}
	for i := range changes {
		changes[i].Settings = nil
	}
	return errors.Join(all, s.Commit(ctx, changes...))
}

// anyAssignment stores what is active whatever else is: it hides the assignment from the good store.
func anyAssignment(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
	for i := range changes {
		for j := range changes[i].Cancellations {
			changes[i].Cancellations[j].Assignment = uuid.Nil
		}
	}
	return s.Commit(ctx, changes...)
}

// keeping keeps and hands out the very slices that it was given.
func keeping() altered {
	var mu sync.Mutex
	given, set := map[uuid.UUID]cancellation.Cancellation{}, map[uuid.UUID]cancellation.Settings{}
	return altered{
		commit: func(ctx context.Context, s cancellation.Store, changes ...cancellation.Change) error {
			mu.Lock()
			defer mu.Unlock()
			for _, change := range changes {
				for _, c := range change.Cancellations {
					given[c.ID] = c
				}
				for _, c := range change.Settings {
					set[c.ResellerID] = c
				}
			}
			return s.Commit(ctx, changes...)
		},
		get: func(ctx context.Context, s cancellation.Store, id uuid.UUID) (cancellation.Cancellation, error) {
			mu.Lock()
			defer mu.Unlock()
			c, err := s.Cancellation(ctx, id)
			if kept, ok := given[id]; ok && err == nil {
				c.History, c.Steps, c.Warned = kept.History, kept.Steps, kept.Warned
			}
			return c, err
		},
		settings: func(ctx context.Context, s cancellation.Store, id uuid.UUID) (cancellation.Settings, error) {
			mu.Lock()
			defer mu.Unlock()
			c, err := s.Settings(ctx, id)
			if kept, ok := set[id]; ok && err == nil {
				c.DaysAhead = kept.DaysAhead
			}
			return c, err
		},
	}
}

// offsets is a list whose cursor counts, so that what is added before it makes records come twice.
func offsets(ctx context.Context, s cancellation.Store, reseller uuid.UUID, q cancellation.Query) ([]cancellation.Cancellation, string, error) {
	all, _, err := s.Cancellations(ctx, reseller, cancellation.Query{Limit: 1000})
	from := min(len(q.After), len(all))
	to := min(from+max(q.Limit, 1), len(all))
	next := ""
	if to < len(all) {
		next = string(make([]byte, to))
	}
	return all[from:to], next, err
}
