package tickettest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
	"github.com/metalkeep/metalkeep/ticket/tickettest"
)

type (
	methods   = storetest.Methods[ticket.Ticket, ticket.Query, ticket.Change, ticket.Due]
	breaks    = storetest.Breaks[ticket.Store, ticket.Ticket, ticket.Query, ticket.Change, ticket.Due]
	fields    = storetest.Fields[ticket.Ticket, ticket.Query, ticket.Change, ticket.Due]
	countFunc = func(context.Context, uuid.UUID, ticket.Query) (map[ticket.Status]int, error)
)

// brokenStore has the methods of Store, but for the ones in methods.
type brokenStore struct {
	ticket.Store
	methods methods
}

func (s brokenStore) Ticket(ctx context.Context, id uuid.UUID) (ticket.Ticket, error) {
	return s.methods.Get(ctx, id)
}

func (s brokenStore) Tickets(ctx context.Context, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
	return s.methods.List(ctx, reseller, q)
}

func (s brokenStore) ClaimDue(ctx context.Context, now, until time.Time, limit int) (ticket.Due, error) {
	return s.methods.Claim(ctx, now, until, limit)
}

func (s brokenStore) Commit(ctx context.Context, changes ...ticket.Change) error {
	return s.methods.Commit(ctx, changes...)
}

// brokenCounts has the methods of Store, but for Counts.
type brokenCounts struct {
	ticket.Store
	counts countFunc
}

func (s brokenCounts) Counts(ctx context.Context, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
	return s.counts(ctx, reseller, q)
}

// breakTickets makes broken stores. The suite lists tickets by age, and below Path "by urgency/" by urgency.
func breakTickets() breaks {
	return breaks{
		Suite:      storetest.Suite[ticket.Store]{Test: tickettest.TestStore, Open: open},
		References: true,
		Fields: fields{
			Meta: func(t *ticket.Ticket) storetest.Meta {
				return storetest.Meta{ID: &t.ID, Version: &t.Version, Due: &t.Due, Lease: &t.LeaseUntil}
			},
			Page:    func(q *ticket.Query) (limit *int, after *string) { return &q.Limit, &q.After },
			Records: func(c *ticket.Change) *[]ticket.Ticket { return &c.Tickets },
			Events:  func(c *ticket.Change) *[]notify.Event { return &c.Events },
			Claimed: func(d *ticket.Due) (*[]ticket.Ticket, *time.Time) { return &d.Tickets, &d.Next },
			Unread:  func(d *ticket.Due) *[]notify.Unreadable { return &d.Unreadable },
		},
		Methods: func(s ticket.Store) methods {
			return methods{Get: s.Ticket, List: s.Tickets, Claim: s.ClaimDue, Commit: s.Commit}
		},
		Replace: func(s ticket.Store, m methods) ticket.Store { return brokenStore{s, m} },
	}
}

func TestBrokenStores(t *testing.T) {
	t.Parallel()
	storetest.Fails(t, breakTickets().All()...)
}

func TestBrokenUniqueKeys(t *testing.T) {
	t.Parallel()
	tickets := breakTickets()
	hideKeys := func(commit storetest.CommitFunc[ticket.Change]) storetest.CommitFunc[ticket.Change] {
		return tickets.EditCommitted(commit, func(_ context.Context, t *ticket.Ticket) { t.UniqueKey = "" })
	}
	storetest.Fails(t,
		tickets.BreakMethods("4 atomicity: a unique key", "ignores unique keys", func(m *methods) { m.Commit = hideKeys(m.Commit) }),
		tickets.BreakMethods("4 atomicity: one of two concurrent tickets", "looks for the unique key before it writes", func(m *methods) {
			var mu sync.Mutex
			commit := m.Commit
			m.Commit = func(ctx context.Context, changes ...ticket.Change) error {
				err := commit(ctx, changes...)
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, ticket.ErrConflict) && changes[0].Tickets[0].Version == 0 {
					return hideKeys(commit)(ctx, changes...)
				}
				return err
			}
		}),
	)
}

func TestBrokenFields(t *testing.T) {
	t.Parallel()
	tickets := breakTickets()
	storetest.Fails(t,
		tickets.BreakRecords("6 time", "returns local times", func(t *ticket.Ticket) {
			t.OpenedAt = t.OpenedAt.In(time.FixedZone("", 3600))
		}),
		tickets.BreakRecords("6 time", "truncates times of comments to seconds", func(t *ticket.Ticket) {
			for i := range t.Thread {
				t.Thread[i].At = t.Thread[i].At.Truncate(time.Second)
			}
		}),
		tickets.BreakRecords("6 time", "returns 1970 for a zero time", func(t *ticket.Ticket) {
			if t.ClosedAt.IsZero() {
				t.ClosedAt = time.Unix(0, 0).UTC()
			}
		}),
		tickets.BreakRecords("6 time, 7 decimal", "formats the JSON of fields", func(t *ticket.Ticket) {
			for name, value := range t.Fields {
				t.Fields[name] = append(json.RawMessage(" "), value...)
			}
		}),
		tickets.BreakRecords("6 time, 7 decimal", "forgets the upstream thread", func(t *ticket.Ticket) {
			if t.Upstream != nil {
				t.Upstream.Thread = nil
			}
		}),
		tickets.BreakRecords("6 time, 7 decimal", "forgets the threads to former providers", func(t *ticket.Ticket) { t.Former = nil }),
		tickets.BreakRecords("6 time, 7 decimal", "forgets since when the client waits", func(t *ticket.Ticket) {
			t.UnansweredSince = time.Time{}
		}),
		tickets.BreakRecords("6 time, 7 decimal", "stores no time after 2262", func(t *ticket.Ticket) {
			t.UrgentAt = time.Unix(0, t.UrgentAt.UnixNano()).UTC()
		}),
		tickets.BreakRecords("6 time, 7 decimal", "returns an empty upstream for nil", func(t *ticket.Ticket) {
			if t.Upstream == nil {
				t.Upstream = &ticket.Upstream{}
			}
		}),
	)
}

func TestBrokenLists(t *testing.T) {
	t.Parallel()
	tickets := breakTickets()
	storetest.Fails(t,
		tickets.BreakQueries("by urgency/8 order: pages", "sorts by age only", func(q *ticket.Query) {
			if q.Sort == "urgency" {
				q.Sort = "age"
			}
		}),
		tickets.BreakQueries("8 order: the default order", "sorts by age by default", func(q *ticket.Query) {
			if q.Sort == "" {
				q.Sort = "age"
			}
		}),
		tickets.BreakMethods("8 order: the cursor of another order", "takes the cursor of another order", func(m *methods) {
			list := m.List
			m.List = func(ctx context.Context, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
				items, next, err := list(ctx, reseller, q)
				if errors.Is(err, ticket.ErrInvalid) && q.Sort == "urgency" && len(q.After) > 32 {
					q.Sort = "age"
					return list(ctx, reseller, q)
				}
				return items, next, err
			}
		}),
		tickets.BreakQueries("8 order: criteria", "ignores the kinds", func(q *ticket.Query) { q.Kinds = nil }),
		tickets.BreakQueries("8 order: criteria", "ignores UrgentBy", func(q *ticket.Query) { q.UrgentBy = time.Time{} }),
		tickets.BreakQueries("8 order: words", "searches the text as one word", func(q *ticket.Query) {
			q.Text = strings.ReplaceAll(q.Text, " ", "")
		}),
		tickets.BreakQueries("8 order: words", "searches internal comments for clients", func(q *ticket.Query) { q.Public = false }),
		tickets.BreakQueries("8 order: tickets that wait", "ignores WaitingOn", func(q *ticket.Query) { q.WaitingOn = 0 }),
	)
}

func TestBrokenCounts(t *testing.T) {
	t.Parallel()
	counts := func(line, name string, change func(ticket.Store) countFunc) storetest.Broken {
		return breakTickets().Break(line, name, func(s ticket.Store) ticket.Store { return brokenCounts{s, change(s)} })
	}
	storetest.Fails(t,
		counts("8 order: counts", "counts the tickets of one page", func(s ticket.Store) countFunc {
			return func(ctx context.Context, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
				items, _, err := s.Tickets(ctx, reseller, ticket.Query{Text: q.Text, Public: q.Public, Limit: q.Limit})
				counts := map[ticket.Status]int{}
				for _, t := range items {
					counts[t.Status]++
				}
				return counts, err
			}
		}),
		counts("9 context: a cancelled context is an error of counts", "ignores the context of counts", func(s ticket.Store) countFunc {
			return func(ctx context.Context, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
				return s.Counts(context.WithoutCancel(ctx), reseller, q)
			}
		}),
	)
}
