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
	"github.com/metalkeep/metalkeep/cancellation/cancellationtest"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

type (
	store  = cancellation.Store
	record = cancellation.Cancellation
	query  = cancellation.Query
	change = cancellation.Change
	due    = cancellation.Due

	methods         = storetest.Methods[record, query, change, due]
	breaks          = storetest.Breaks[store, record, query, change, due]
	fields          = storetest.Fields[record, query, change, due]
	settingsMethods = storetest.Methods[cancellation.Settings, struct{}, change, due]
	settingsBreaks  = storetest.Breaks[store, cancellation.Settings, struct{}, change, due]
	settingsFields  = storetest.Fields[cancellation.Settings, struct{}, change, due]

	activeFunc = func(ctx context.Context, servers []uuid.UUID) ([]record, error)
	commitFunc = storetest.CommitFunc[change]
)

// brokenStore has the methods of Store, but for the ones in methods.
type brokenStore struct {
	cancellation.Store
	methods methods
}

func (s brokenStore) Cancellation(ctx context.Context, id uuid.UUID) (record, error) {
	return s.methods.Get(ctx, id)
}

func (s brokenStore) Cancellations(ctx context.Context, reseller uuid.UUID, q query) ([]record, string, error) {
	return s.methods.List(ctx, reseller, q)
}

func (s brokenStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (due, error) {
	return s.methods.Claim(ctx, now, until, limit)
}

func (s brokenStore) Commit(ctx context.Context, changes ...change) error {
	return s.methods.Commit(ctx, changes...)
}

// brokenSettings has the methods of Store, but for the ones in methods.
type brokenSettings struct {
	cancellation.Store
	methods settingsMethods
}

func (s brokenSettings) Settings(ctx context.Context, reseller uuid.UUID) (cancellation.Settings, error) {
	return s.methods.Get(ctx, reseller)
}

func (s brokenSettings) ClaimDue(ctx context.Context, now, until time.Time, limit int) (due, error) {
	return s.methods.Claim(ctx, now, until, limit)
}

func (s brokenSettings) Commit(ctx context.Context, changes ...change) error {
	return s.methods.Commit(ctx, changes...)
}

// brokenActive has the methods of Store, but for Active.
type brokenActive struct {
	cancellation.Store
	active activeFunc
}

func (s brokenActive) Active(ctx context.Context, servers []uuid.UUID) ([]record, error) {
	return s.active(ctx, servers)
}

func suite() storetest.Suite[store] {
	return storetest.Suite[store]{Test: cancellationtest.TestStore, Open: open}
}

func breakCancellations() breaks {
	return breaks{
		Suite: suite(), Path: "cancellations/", References: true,
		Fields: fields{
			Meta: func(c *record) storetest.Meta {
				return storetest.Meta{ID: &c.ID, Version: &c.Version, Due: &c.Due, Lease: &c.LeaseUntil}
			},
			Page:    func(q *query) (limit *int, after *string) { return &q.Limit, &q.After },
			Records: func(c *change) *[]record { return &c.Cancellations },
			Events:  func(c *change) *[]notify.Event { return &c.Events },
			Claimed: func(d *due) (*[]record, *time.Time) { return &d.Cancellations, &d.Next },
			Unread:  func(d *due) *[]notify.Unreadable { return &d.Unreadable },
		},
		Methods: func(s store) methods {
			return methods{Get: s.Cancellation, List: s.Cancellations, Claim: s.ClaimDue, Commit: s.Commit}
		},
		Replace: func(s store, m methods) store { return brokenStore{s, m} },
	}
}

func breakSettings() settingsBreaks {
	return settingsBreaks{
		Suite: suite(), Path: "settings/", References: true,
		Fields: settingsFields{
			Meta: func(s *cancellation.Settings) storetest.Meta {
				return storetest.Meta{ID: &s.ResellerID, Version: &s.Version, Due: &s.Due, Lease: &s.LeaseUntil}
			},
			Records: func(c *change) *[]cancellation.Settings { return &c.Settings },
			Events:  func(c *change) *[]notify.Event { return &c.Events },
			Claimed: func(d *due) (*[]cancellation.Settings, *time.Time) { return &d.Settings, &d.Next },
			Unread:  func(d *due) *[]notify.Unreadable { return &d.Unreadable },
		},
		Methods: func(s store) settingsMethods {
			return settingsMethods{Get: s.Settings, Claim: s.ClaimDue, Commit: s.Commit}
		},
		Replace: func(s store, m settingsMethods) store { return brokenSettings{s, m} },
	}
}

func TestBrokenCancellations(t *testing.T) {
	t.Parallel()
	cancellations := breakCancellations()
	storetest.Fails(t, append(cancellations.All(),
		cancellations.BreakRecords("cancellations/6 time", "returns local times", func(c *record) {
			for i := range c.History {
				c.History[i].At = c.History[i].At.In(time.FixedZone("", 3600))
			}
		}),
		cancellations.BreakRecords("cancellations/6 time", "returns 1970 for a zero time", func(c *record) {
			if c.RetryAt.IsZero() {
				c.RetryAt = time.Unix(0, 0).UTC()
			}
		}),
		cancellations.BreakRecords("cancellations/6 time, 7 decimal", "stores decimals as floats", func(c *record) {
			f, _ := c.Refund.Total.Float64()
			c.Refund.Total = decimal.NewFromFloat(f)
		}),
		cancellations.BreakRecords("cancellations/6 time, 7 decimal", "forgets a field", func(c *record) { c.Abandoned = false }),
		cancellations.BreakQueries("cancellations/8 order: criteria", "ignores all criteria", func(q *query) {
			*q = query{Limit: q.Limit, After: q.After}
		}),
		cancellations.BreakMethods("cancellations/8 order: criteria", "lists inactive cancellations as stuck", func(m *methods) {
			list := m.List
			m.List = func(ctx context.Context, reseller uuid.UUID, q query) ([]record, string, error) {
				stuck := q.Stuck
				q.Stuck = false
				items, next, err := list(ctx, reseller, q)
				return slices.DeleteFunc(items, func(c record) bool { return stuck && c.Attempts == 0 }), next, err
			}
		}),
	)...)
}

func TestBrokenSettings(t *testing.T) {
	t.Parallel()
	settings := breakSettings()
	storetest.Fails(t, append(settings.All(),
		settings.BreakRecords("settings/6 time, 7 decimal", "forgets a field", func(s *cancellation.Settings) { s.Rearm = "" }),
	)...)
}

// TestBrokenActive breaks the lines about active cancellations.
func TestBrokenActive(t *testing.T) {
	t.Parallel()
	cancellations := breakCancellations()
	active := func(line, name string, wrap func(store) activeFunc) storetest.Broken {
		return suite().Break(line, name, func(s store) store { return brokenActive{s, wrap(s)} })
	}
	storetest.Fails(t,
		cancellations.BreakMethods("cancellations/4 atomicity: an assignment", "stores any number of active cancellations", func(m *methods) {
			m.Commit = hideAssignments(m.Commit)
		}),
		cancellations.BreakMethods("cancellations/1 concurrency: one of two active", "checks assignments before it writes", func(m *methods) {
			m.Commit = checkAssignmentsFirst(m.Commit)
		}),
		active("cancellations/8 order: Active", "returns scheduled cancellations as active only", func(s store) activeFunc {
			return func(ctx context.Context, servers []uuid.UUID) ([]record, error) {
				all, err := s.Active(ctx, servers)
				return slices.DeleteFunc(all, func(c record) bool { return c.State == cancellation.Executing }), err
			}
		}),
		active("cancellations/8 order: Active", "returns a cancellation twice if its server comes twice", func(s store) activeFunc {
			return func(ctx context.Context, servers []uuid.UUID) ([]record, error) {
				var all []record
				for _, server := range servers {
					found, err := s.Active(ctx, []uuid.UUID{server})
					if err != nil {
						return nil, err
					}
					all = append(all, found...)
				}
				return all, nil
			}
		}),
		active("cancellations/9 context: a cancelled context is an error of Active", "ignores the context", func(s store) activeFunc {
			return func(ctx context.Context, servers []uuid.UUID) ([]record, error) {
				return s.Active(context.WithoutCancel(ctx), servers)
			}
		}),
	)
}

// hideAssignments stores cancellations without an assignment, so that the store never finds a second active one.
func hideAssignments(commit commitFunc) commitFunc {
	return breakCancellations().EditCommitted(commit, func(_ context.Context, c *record) { c.Assignment = uuid.Nil })
}

// checkAssignmentsFirst checks the assignments of all cancellations and then writes, in two steps.
func checkAssignmentsFirst(commit commitFunc) commitFunc {
	var active sync.Map // the ID of the last cancellation of each assignment
	unchecked := hideAssignments(commit)
	return func(ctx context.Context, changes ...change) error {
		for _, ch := range changes {
			for _, c := range ch.Cancellations {
				if id, ok := active.Load(c.Assignment); ok && id != c.ID {
					return cancellation.ErrConflict
				}
			}
		}
		time.Sleep(time.Microsecond)
		for _, ch := range changes {
			for _, c := range ch.Cancellations {
				active.Store(c.Assignment, c.ID)
			}
		}
		return unchecked(ctx, changes...)
	}
}

func TestBrokenKindsTogether(t *testing.T) {
	t.Parallel()
	cancellations := breakCancellations()
	storetest.Fails(t,
		cancellations.BreakMethods("both kinds/4 atomicity: cancellations and settings", "commits settings first", func(m *methods) {
			commit := m.Commit
			m.Commit = func(ctx context.Context, changes ...change) error {
				var all error
				changes = slices.Clone(changes)
				for i := range changes {
					all = errors.Join(all, commit(ctx, change{Settings: changes[i].Settings}))
					changes[i].Settings = nil
				}
				return errors.Join(all, commit(ctx, changes...))
			}
		}),
		cancellations.BreakMethods("both kinds/10 leases: the limit", "ignores settings in Next", func(m *methods) {
			claim := m.Claim
			m.Claim = func(ctx context.Context, now, until time.Time, limit int) (due, error) {
				claimed, err := claim(ctx, now, until, limit)
				if claimed.Next.Hour() == 0 { // this sub-test has settings that are due an hour after a cancellation
					claimed.Next = claimed.Next.Add(23 * time.Hour)
				}
				return claimed, err
			}
		}),
		cancellations.BreakMethods("cancellations/10 leases: concurrent workers", "returns each claim twice", func(m *methods) {
			var mu sync.Mutex
			var last due
			n, claim := 0, m.Claim
			m.Claim = func(ctx context.Context, now, until time.Time, limit int) (_ due, err error) {
				mu.Lock()
				defer mu.Unlock()
				if n++; n%2 == 0 {
					return last, nil
				}
				last, err = claim(ctx, now, until, limit)
				return last, err
			}
		}),
	)
}
