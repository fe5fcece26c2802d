package notifytest_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func brokenClaims() []storetest.Broken {
	all := deliveries()
	claimTwice := func(o *outbox) {
		var mu sync.Mutex
		var last notify.Due
		n := 0
		o.claim = func(ctx context.Context, subscriber string, now, until time.Time, limit int) (_ notify.Due, err error) {
			mu.Lock()
			defer mu.Unlock()
			if n++; n%2 == 0 && len(last.Deliveries) > 0 {
				return last, nil
			}
			last, err = o.MemoryOutbox.ClaimDue(ctx, subscriber, now, until, limit)
			return last, err
		}
	}
	noError := func(claim claimFunc) claimFunc {
		return func(ctx context.Context, now, until time.Time, limit int) (notify.Due, error) {
			due, err := claim(ctx, now, until, limit)
			if errors.Is(err, notify.ErrNotFound) {
				err = nil
			}
			return due, err
		}
	}
	twiceTheLimit := func(claim claimFunc) claimFunc {
		return func(ctx context.Context, now, until time.Time, limit int) (notify.Due, error) {
			return claim(ctx, now, until, limit*2)
		}
	}
	noLease := func(claim claimFunc) claimFunc {
		return func(ctx context.Context, now, _ time.Time, limit int) (notify.Due, error) {
			return claim(ctx, now, now, limit)
		}
	}
	longLease := func(claim claimFunc) claimFunc {
		return func(ctx context.Context, now, until time.Time, limit int) (notify.Due, error) {
			return claim(ctx, now, until.Add(time.Microsecond), limit)
		}
	}
	nextOfClaimed := func(claim claimFunc) claimFunc {
		return func(ctx context.Context, now, until time.Time, limit int) (notify.Due, error) {
			due, err := claim(ctx, now, until, limit)
			if len(due.Deliveries) > 0 {
				due.Next = due.Deliveries[0].Due
			}
			return due, err
		}
	}
	return []storetest.Broken{
		breaks("1 concurrency: each delivery is claimed once", "returns each claim twice", claimTwice),
		breaksClaims("2 missing: an unknown subscriber", "returns no deliveries for an unknown subscriber", noError),
		breaksClaims("9 context:", "ignores the context of claims", all.ClaimAlways),
		breaksClaims("10 leases: due alone", "claims an hour too early", all.ClaimEarly),
		breaksClaims("10 leases: due alone", "claims more than the limit", twiceTheLimit),
		breaksClaims("10 leases: of the same time", "claims the latest first", all.ReverseClaims),
		breaksClaims("10 leases: hidden", "claims without a lease", noLease),
		breaksClaims("10 leases: hidden", "leases for half the time", all.HalfLease),
		breaksClaims("10 leases: hidden", "leases for a microsecond more", longLease),
		breaks("10 leases: a lease too far", "hides a delivery however far ahead its lease ends", func(o *outbox) {
			claims := map[string]claimFunc{} // each remembers its leases
			o.claim = func(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
				o.mu.Lock()
				if claims[name] == nil {
					claims[name] = all.BelieveLeases(func(ctx context.Context, now, until time.Time, limit int) (notify.Due, error) {
						return o.MemoryOutbox.ClaimDue(ctx, name, now, until, limit)
					})
				}
				claim := claims[name]
				o.mu.Unlock()
				return claim(ctx, now, until, limit)
			}
		}),
		breaksClaims("10 leases: says when", "forgets when the next delivery is due", all.ForgetNext),
		breaksClaims("10 leases: says when", "says when a claimed delivery was due", nextOfClaimed),
		breaksClaims("10 leases: claiming sets", "returns versions from before the claim", all.ClaimOldVersions),
		breaks("10 leases: claiming sets", "returns deliveries without their lease", func(o *outbox) {
			o.editClaimed(func(d *notify.Delivery) { d.LeaseUntil = time.Time{} })
		}),
		breaks("10 leases: who lost its lease", "takes results after a lost lease", func(o *outbox) { o.settle = o.overwrite }),
		breaksClaims("15 unreadable deliveries", "names readable deliveries as unreadable", all.NameReadable),
		breaksClaims("10 leases: a limit below one", "takes a limit below 1 for a larger one", all.AnyLimit),
	}
}

func brokenSubjects() []storetest.Broken {
	noSubjects := func(o *outbox) { o.editAdded(func(e *notify.Event) { e.SubjectID = uuid.Nil }) }
	return []storetest.Broken{
		breaks("13 subjects: the next waits", "ignores subjects", noSubjects),
		breaks("13 subjects: only the first counts", "ignores subjects in Next", noSubjects),
		breaks("13 subjects: no subject", "takes the nil subject for a subject", func(o *outbox) {
			subject := uuid.New()
			o.editAdded(func(e *notify.Event) {
				if e.SubjectID == uuid.Nil {
					e.SubjectID = subject
				}
			})
		}),
		breaks("13 subjects: the next goes on", "stops after a dead letter", func(o *outbox) {
			o.claim = func(ctx context.Context, subscriber string, now, until time.Time, limit int) (notify.Due, error) {
				if _, dead, _, _ := o.MemoryOutbox.Depth(ctx); dead > 0 {
					return notify.Due{}, nil
				}
				return o.MemoryOutbox.ClaimDue(ctx, subscriber, now, until, limit)
			}
		}),
		breaks("13 subjects: each subscriber", "waits for the deliveries of other subscribers", func(o *outbox) {
			o.claim = func(ctx context.Context, subscriber string, now, until time.Time, limit int) (notify.Due, error) {
				items, _, _ := o.MemoryOutbox.Deliveries(ctx, notify.DeliveryQuery{})
				for _, d := range items {
					if d.Subscriber != subscriber && d.Version > 1 {
						return notify.Due{}, nil
					}
				}
				return o.MemoryOutbox.ClaimDue(ctx, subscriber, now, until, limit)
			}
		}),
		breaks("13 subjects: a dead one", "never revives a dead letter", func(o *outbox) {
			o.settle = func(ctx context.Context, list ...notify.Delivery) error {
				for i := range list {
					if stored, ok := o.stored(ctx, list[i]); ok && stored.Dead {
						list[i].Dead = true
					}
				}
				return o.MemoryOutbox.Settle(ctx, list...)
			}
		}),
	}
}
