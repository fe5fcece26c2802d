package notifytest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// claims is an outbox whose claims are changed.
func claims(line, name string, claim func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error)) storetest.Broken {
	return breaks(line, name, func(o *outbox) {
		o.claim = func(ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
			return claim(o, ctx, sub, now, until, limit)
		}
	})
}

func brokenClaims() []storetest.Broken {
	return append(brokenSubjects(),
		breaks("1 concurrency: each delivery is claimed once", "hands out a claim twice", func(o *outbox) {
			var mu sync.Mutex
			var last notify.Due
			again := false
			o.claim = func(ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				mu.Lock()
				defer mu.Unlock()
				if again = !again; !again && len(last.Deliveries) > 0 {
					return last, nil
				}
				var err error
				last, err = o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
				return last, err
			}
		}),
		claims("2 missing: an unknown subscriber", "has nothing for strangers",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				due, err := o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
				if errors.Is(err, notify.ErrNotFound) {
					err = nil
				}
				return due, err
			}),
		claims("10 leases: due alone", "claims what is not due",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				return o.MemoryOutbox.ClaimDue(ctx, sub, now.Add(time.Hour), until.Add(time.Hour), limit)
			}),
		claims("10 leases: due alone", "claims more than the limit",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				return o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit*2)
			}),
		claims("10 leases: of the same time", "claims the newest first",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				due, err := o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
				slices.Reverse(due.Deliveries)
				return due, err
			}),
		claims("10 leases: hidden", "keeps no lease",
			func(o *outbox, ctx context.Context, sub string, now, _ time.Time, limit int) (notify.Due, error) {
				return o.MemoryOutbox.ClaimDue(ctx, sub, now, now, limit)
			}),
		claims("10 leases: hidden", "keeps leases a moment longer",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				return o.MemoryOutbox.ClaimDue(ctx, sub, now, until.Add(time.Microsecond), limit)
			}),
		claims("10 leases: says when", "never says when",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				due, err := o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
				due.Next = time.Time{}
				return due, err
			}),
		claims("10 leases: says when", "says when the claimed ones were due",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				due, err := o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
				if len(due.Deliveries) > 0 {
					due.Next = due.Deliveries[0].Due
				}
				return due, err
			}),
		breaks("10 leases: claiming sets", "claims without a new version", func(o *outbox) {
			o.changeClaimed(func(d *notify.Delivery) { d.Version-- })
		}),
		breaks("10 leases: claiming sets", "does not say until when", func(o *outbox) {
			o.changeClaimed(func(d *notify.Delivery) { d.LeaseUntil = time.Time{} })
		}),
		breaks("10 leases: who lost its lease", "lets the first claimer settle", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				var errs []error
				for _, d := range list {
					errs = append(errs, o.force(ctx, d))
				}
				return errors.Join(errs...)
			}
		}),
		claims("10 leases: a limit below one", "takes no limit for all",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				if limit < 1 {
					limit = 1000
				}
				return o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
			}),
	)
}

func brokenSubjects() []storetest.Broken {
	return []storetest.Broken{
		breaks("13 subjects: the next waits", "knows no subjects", func(o *outbox) {
			o.changeAdded(func(e *notify.Event) { e.SubjectID = uuid.Nil })
		}),
		breaks("13 subjects: only the first counts", "knows no subjects either", func(o *outbox) {
			o.changeAdded(func(e *notify.Event) { e.SubjectID = uuid.Nil })
		}),
		breaks("13 subjects: no subject", "takes none for a subject", func(o *outbox) {
			none := uuid.New()
			o.changeAdded(func(e *notify.Event) {
				if e.SubjectID == uuid.Nil {
					e.SubjectID = none
				}
			})
		}),
		claims("13 subjects: the next goes on", "stops at a dead letter",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				if _, dead, _, _ := o.MemoryOutbox.Depth(ctx); dead > 0 {
					return notify.Due{}, nil
				}
				return o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
			}),
		claims("13 subjects: each subscriber", "waits for all subscribers",
			func(o *outbox, ctx context.Context, sub string, now, until time.Time, limit int) (notify.Due, error) {
				items, _, _ := o.MemoryOutbox.Deliveries(ctx, notify.DeliveryQuery{})
				for _, d := range items {
					if d.Subscriber != sub && d.Version > 1 {
						return notify.Due{}, nil
					}
				}
				return o.MemoryOutbox.ClaimDue(ctx, sub, now, until, limit)
			}),
		breaks("13 subjects: a dead one", "buries the dead", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				for i := range list {
					if now, ok := o.stored(ctx, list[i]); ok && now.Dead {
						list[i].Dead = true
					}
				}
				return o.MemoryOutbox.Settle(ctx, list...)
			}
		}),
	}
}
