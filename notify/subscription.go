package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// subscription delivers events to one subscriber. Its slots outlive a Tick: a Handle that hangs occupies a slot until it
// returns.
type subscription struct {
	Config
	Subscriber
	log   *slog.Logger
	slots chan struct{}
	retry backoff.Policy
}

func newSubscription(config Config, s Subscriber) *subscription {
	return &subscription{
		Config:     config,
		Subscriber: s,
		log:        config.Logger.With("subscriber", s.Name),
		slots:      make(chan struct{}, config.Parallel),
		retry:      backoff.Policy{First: config.RetryFirst, Max: config.RetryMax},
	}
}

// lease returns the length of a lease. It covers the longest time between a claim and the storing of its last result: an
// attempt starts at the last moment, takes the whole Timeout, and its result waits until another group is stored.
func (s *subscription) lease() time.Duration { return 2*s.Timeout + grace + 2*saveTimeout }

// deliverDue delivers everything that is due. It returns when the next delivery is due.
func (s *subscription) deliverDue(ctx context.Context) (time.Time, error) {
	if len(s.slots) == cap(s.slots) {
		s.log.WarnContext(ctx, "no attempt was started: all calls of Handle are still running", "parallel", cap(s.slots))
		return now(s.Clock).Add(s.RetryFirst), nil
	}
	start, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	var unread unread
	for {
		due, err := s.claim(ctx)
		if err != nil {
			return time.Time{}, unread.join(fmt.Errorf("claiming deliveries: %w", err))
		}
		more := unread.add(ctx, s.log, due.Unreadable)
		if len(due.Deliveries) == 0 && !more {
			return due.Next, unread.join(nil)
		}
		if err := s.deliverAll(ctx, start, due.Deliveries); err != nil {
			return time.Time{}, unread.join(fmt.Errorf("storing results: %w", err))
		}
		if start.Err() != nil {
			return now(s.Clock), unread.join(ctx.Err())
		}
	}
}

func (s *subscription) claim(ctx context.Context) (due Due, err error) {
	at := now(s.Clock)
	err = callHost(ctx, partOutbox, func() (err error) {
		due, err = s.Outbox.ClaimDue(ctx, s.Name, at, zone.Instant(at.Add(s.lease())), s.Batch)
		return err
	}, ErrNotFound)
	return due, err
}

// deliverAll makes an attempt for each claimed delivery, and stores the results in groups: all results that arrived while
// the previous group was stored. After a failure to store it starts no more attempts, because they would be repeated. start
// is the context in which attempts may start; ctx is that of the Tick.
func (s *subscription) deliverAll(ctx, start context.Context, claimed []Delivery) error {
	start, stop := context.WithCancel(start)
	defer stop()
	results := make(chan result, len(claimed))
	go s.startAll(ctx, start, claimed, results)
	var errs []error
	for missing := len(claimed); missing > 0; {
		group := append([]result{<-results}, available(results)...)
		missing -= len(group)
		if err := s.saveGroup(ctx, group); err != nil {
			stop()
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// available receives the results that have arrived. It does not wait.
func available(results <-chan result) []result {
	var arrived []result
	for {
		select {
		case r := <-results:
			arrived = append(arrived, r)
		default:
			return arrived
		}
	}
}

// startAll starts the attempts one after the other, as slots become free, until start ends. It sends one result for each
// delivery.
func (s *subscription) startAll(ctx, start context.Context, claimed []Delivery, results chan<- result) {
	for _, d := range claimed {
		if !s.acquireSlot(start) {
			results <- result{delivery: d, outcome: released}
			continue
		}
		go func() { results <- s.attempt(ctx, d) }()
	}
}

func (s *subscription) acquireSlot(start context.Context) bool {
	if start.Err() != nil {
		return false
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-start.Done():
		return false
	}
}
