package tickettest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

func TestSuiteFindsBrokenCommits(t *testing.T) {
	t.Parallel()
	var racy, keys sync.Mutex
	storetest.Fails(t,
		commits("1 concurrency", "checks versions before it writes",
			func(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
				for _, c := range changes {
					for _, t := range c.Tickets {
						if stored, err := s.Ticket(ctx, t.ID); err == nil && stored.Version != t.Version {
							return ticket.ErrConflict
						}
					}
				}
				time.Sleep(time.Microsecond)
				racy.Lock()
				defer racy.Unlock()
				return unchecked(ctx, s, changes...)
			}),
		commits("3 duplicate create", "overwrites what is created twice", unchecked),
		commits("4 atomicity: a stale version", "checks no versions", unchecked),
		commits("4 atomicity: all records", "commits change by change",
			func(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
				var all error
				for _, c := range changes {
					all = errors.Join(all, s.Commit(ctx, c))
				}
				return all
			}),
		commits("4 atomicity: events arrive", "drops events",
			func(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
				for i := range changes {
					changes[i].Events = nil
				}
				return s.Commit(ctx, changes...)
			}),
		commits("4 atomicity: changes of a call", "applies changes backwards",
			func(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
				backwards := slices.Clone(changes)
				slices.Reverse(backwards)
				return s.Commit(ctx, backwards...)
			}),
		commits("4 atomicity: one ticket per unique key", "knows no unique keys", keyless),
		commits("4 atomicity: of two that want", "looks for the key before it writes",
			func(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
				err := s.Commit(ctx, changes...)
				keys.Lock()
				defer keys.Unlock()
				if errors.Is(err, ticket.ErrConflict) && changes[0].Tickets[0].Version == 0 {
					return keyless(ctx, s, changes...)
				}
				return err
			}),
		breaks("5 ownership: keeps", "keeps what it was given", func(a *altered, _ *notify.Outbox) { a.commit, a.ticket = aliases() }),
		breaks("5 ownership: hands out", "hands out what it keeps", func(a *altered, _ *notify.Outbox) { a.commit, a.ticket = aliases() }),
		breaks("5 ownership: keeps", "keeps the data of events", func(a *altered, outbox *notify.Outbox) {
			kept := &eventAliases{Outbox: *outbox}
			a.commit, *outbox = kept.commit, kept
		}),
		commits("9 context: a cancelled one writes", "heeds no context",
			func(_ context.Context, s ticket.Store, changes ...ticket.Change) error {
				return s.Commit(context.Background(), changes...)
			}),
	)
}

// keyless commits as a store does that knows no unique keys.
func keyless(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
	for i := range changes {
		changes[i].Tickets = slices.Clone(changes[i].Tickets)
		for j := range changes[i].Tickets {
			changes[i].Tickets[j].UniqueKey = ""
		}
	}
	return s.Commit(ctx, changes...)
}

func TestSuiteFindsBrokenReads(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		reads("2 missing", "has an error of its own for what is missing",
			func(ctx context.Context, s ticket.Store, id uuid.UUID) (ticket.Ticket, error) {
				t, err := s.Ticket(ctx, id)
				if err != nil {
					err = errors.New("no rows")
				}
				return t, err
			}),
		reads("4 atomicity: the stored version", "returns the version before", mangled(func(t *ticket.Ticket) { t.Version-- })),
		reads("6 time", "returns local times", mangled(func(t *ticket.Ticket) { t.OpenedAt = t.OpenedAt.In(time.FixedZone("", 3600)) })),
		reads("6 time", "cuts times in threads to seconds", mangled(func(t *ticket.Ticket) {
			for i := range t.Thread {
				t.Thread[i].At = t.Thread[i].At.Truncate(time.Second)
			}
		})),
		reads("6 time", "takes the zero time for 1970", mangled(func(t *ticket.Ticket) {
			if t.ClosedAt.IsZero() {
				t.ClosedAt = time.Unix(0, 0).UTC()
			}
		})),
		reads("6 time, 7 decimal", "formats fields anew", mangled(func(t *ticket.Ticket) {
			for name, value := range t.Fields {
				t.Fields[name] = append(json.RawMessage(" "), value...)
			}
		})),
		reads("6 time, 7 decimal", "loses the upstream thread", mangled(func(t *ticket.Ticket) {
			if t.Upstream != nil {
				t.Upstream.Thread = nil
			}
		})),
		reads("6 time, 7 decimal", "makes an upstream of none", mangled(func(t *ticket.Ticket) {
			if t.Upstream == nil {
				t.Upstream = &ticket.Upstream{}
			}
		})),
	)
}

func TestSuiteFindsBrokenLists(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		lists("8 order: sorted", "knows no pages",
			func(ctx context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
				limit := q.Limit
				q.Limit = 0
				items, _, err := s.Tickets(ctx, reseller, q)
				if limit > 0 && len(items) > limit {
					items = items[:limit]
				}
				return items, "", err
			}),
		lists("by urgency/8 order: sorted", "knows no order but age", asked(func(q *ticket.Query) {
			if q.Sort == "urgency" {
				q.Sort = "age"
			}
		})),
		lists("8 order: sorts by urgency", "sorts by age where nothing is said", asked(func(q *ticket.Query) {
			if q.Sort == "" {
				q.Sort = "age"
			}
		})),
		lists("8 order: a cursor is of its own", "takes the cursor of another order",
			func(ctx context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
				items, next, err := s.Tickets(ctx, reseller, q)
				if errors.Is(err, ticket.ErrInvalid) && q.Sort == "urgency" && len(q.After) > 32 {
					q.Sort = "age"
					return s.Tickets(ctx, reseller, q)
				}
				return items, next, err
			}),
		lists("8 order: an unknown sort", "takes an unknown sort for none", asked(func(q *ticket.Query) {
			if q.Sort == "beauty" {
				q.Sort = ""
			}
		})),
		lists("8 order: what is no cursor", "starts anew at a cursor it does not know",
			func(ctx context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
				items, next, err := s.Tickets(ctx, reseller, q)
				if errors.Is(err, ticket.ErrInvalid) {
					q.After = ""
					return s.Tickets(ctx, reseller, q)
				}
				return items, next, err
			}),
		lists("8 order: a cursor stands", "lists what it has just listed", offsets),
		lists("8 order: one reseller", "shows everybody's tickets",
			func(ctx context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
				items, next, err := s.Tickets(ctx, reseller, q)
				if reseller == uuid.Nil {
					items = append(items, ticket.Ticket{ID: uuid.New()})
				}
				return items, next, err
			}),
		lists("8 order: criteria", "knows no kinds", asked(func(q *ticket.Query) { q.Kinds = nil })),
		lists("8 order: criteria", "knows no instants", asked(func(q *ticket.Query) { q.UrgentBy = time.Time{} })),
		lists("8 order: words", "looks for the text as it is", asked(func(q *ticket.Query) { q.Text = strings.ReplaceAll(q.Text, " ", "") })),
		lists("8 order: words", "searches internal comments for everybody", asked(func(q *ticket.Query) { q.Public = false })),
		lists("8 order: whom a ticket", "does not know whom a ticket waits on", asked(func(q *ticket.Query) { q.WaitingOn = 0 })),
		counts("8 order: counts", "counts a page",
			func(ctx context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
				items, _, err := s.Tickets(ctx, reseller, ticket.Query{Text: q.Text, Public: q.Public, Limit: q.Limit})
				counts := map[ticket.Status]int{}
				for _, t := range items {
					counts[t.Status]++
				}
				return counts, err
			}),
		counts("9 context: a cancelled one counts", "counts whatever the context",
			func(_ context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) (map[ticket.Status]int, error) {
				return s.Counts(context.Background(), reseller, q)
			}),
	)
}

// offsets is a list whose cursor counts, so that what is added before it makes tickets come twice.
func offsets(ctx context.Context, s ticket.Store, reseller uuid.UUID, q ticket.Query) ([]ticket.Ticket, string, error) {
	all, _, err := s.Tickets(ctx, reseller, ticket.Query{Sort: q.Sort, Limit: 1000})
	from := min(len(q.After), len(all))
	to := min(from+max(q.Limit, 1), len(all))
	next := ""
	if to < len(all) {
		next = strings.Repeat("+", to)
	}
	return all[from:to], next, err
}

func TestSuiteFindsBrokenClaims(t *testing.T) {
	t.Parallel()
	storetest.Fails(t,
		claims("10 leases: due alone", "claims what is due within the hour",
			func(ctx context.Context, s ticket.Store, now, until time.Time, limit int) (ticket.Due, error) {
				return s.ClaimDue(ctx, now.Add(time.Hour), until, limit)
			}),
		claims("10 leases: says when", "forgets what is due next",
			func(ctx context.Context, s ticket.Store, now, until time.Time, limit int) (ticket.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				due.Next = time.Time{}
				return due, err
			}),
		claims("10 leases: hidden", "leases for half the time",
			func(ctx context.Context, s ticket.Store, now, until time.Time, limit int) (ticket.Due, error) {
				return s.ClaimDue(ctx, now, now.Add(until.Sub(now)/2), limit)
			}),
		claims("10 leases: claiming sets", "returns what it claims as it was",
			func(ctx context.Context, s ticket.Store, now, until time.Time, limit int) (ticket.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				for i := range due.Tickets {
					due.Tickets[i].Version--
				}
				return due, err
			}),
		commits("10 leases: who lost", "lets go whoever has the lease", unchecked),
		commits("10 leases: commit stores", "ends every lease",
			func(ctx context.Context, s ticket.Store, changes ...ticket.Change) error {
				for i := range changes {
					for j := range changes[i].Tickets {
						changes[i].Tickets[j].LeaseUntil = time.Time{}
					}
				}
				return s.Commit(ctx, changes...)
			}),
		claims("10 leases: each is claimed once", "hands out one twice",
			func(ctx context.Context, s ticket.Store, now, until time.Time, limit int) (ticket.Due, error) {
				due, err := s.ClaimDue(ctx, now, until, limit)
				if len(due.Tickets) > 0 {
					due.Tickets = append(due.Tickets, due.Tickets[0])
				}
				return due, err
			}),
		claims("10 leases: a limit below one", "takes any limit",
			func(ctx context.Context, s ticket.Store, now, until time.Time, limit int) (ticket.Due, error) {
				return s.ClaimDue(ctx, now, until, max(limit, 1))
			}),
	)
}
