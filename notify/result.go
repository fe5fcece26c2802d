package notify

import (
	"context"
	"errors"
	"time"

	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const (
	saveTimeout  = 10 * time.Second // for storing one group of results
	maxLastError = 1000             // bytes
)

// result is the result of one attempt to deliver.
type result struct {
	delivery Delivery
	outcome  outcome
	failure  *failure // nil unless outcome is failed
}

type outcome uint8

const (
	delivered  outcome = iota
	failed             // the attempt counts
	released           // not started, or interrupted by the end of the Tick's context: due again at once
	unanswered         // Handle did not return after the end of the Tick's context: due again when the lease ends
)

// saveGroup stores a group of results in the outbox: all in one call, or one by one if another process has claimed one of
// them. It stores them even if ctx has ended.
func (s *subscription) saveGroup(ctx context.Context, group []result) error {
	at := now(s.Clock)
	var answered []result
	for _, r := range group {
		if r.outcome != unanswered {
			r.delivery = s.apply(ctx, r, at)
			answered = append(answered, r)
		}
	}
	if len(answered) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := s.save(ctx, at, answered...)
	if !isStale(err) {
		return err
	}
	var errs []error
	for _, r := range answered {
		if err := s.save(ctx, at, r); isStale(err) {
			s.log.WarnContext(ctx, "a result was not stored: its lease had ended", "event", r.delivery.Event.ID, "error", err)
		} else {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// save stores results in one call, and then counts them. The end of ctx is a timeout of the outbox, not of the caller.
func (s *subscription) save(ctx context.Context, at time.Time, results ...result) error {
	deliveries := make([]Delivery, len(results))
	for i, r := range results {
		deliveries[i] = r.delivery
	}
	err := writeHost(context.WithoutCancel(ctx), partOutbox, func() error {
		return s.Outbox.Settle(ctx, deliveries...)
	}, ErrNotFound, ErrConflict)
	if err != nil || s.Meter == nil {
		return err
	}
	for _, r := range results {
		if r.outcome != released {
			s.count(ctx, r.delivery, at)
		}
	}
	return nil
}

// isStale reports whether the outbox refused a delivery because another process has claimed or removed it.
func isStale(err error) bool { return errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) }

// apply returns the delivery with its result, as it is to be stored.
func (s *subscription) apply(ctx context.Context, r result, at time.Time) Delivery {
	d := r.delivery
	d.LeaseUntil = time.Time{}
	switch r.outcome {
	case delivered:
		d.Delivered, d.LastError = true, ""
	case failed:
		d.Attempts++
		d.LastError = text.Clean(r.failure.text, maxLastError)
		d.Dead = r.failure.permanent || d.Attempts >= s.MaxAttempts
		if !d.Dead {
			d.Due = zone.Instant(at.Add(s.retry.Delay(d.Attempts)))
		}
		s.logFailure(ctx, d, r.failure.stack)
	}
	return d
}

func (s *subscription) logFailure(ctx context.Context, d Delivery, stack []byte) {
	log := s.log.With("event", d.Event.ID, "kind", string(d.Event.Kind), "attempts", d.Attempts, "error", d.LastError)
	if len(stack) > 0 {
		log = log.With("stack", string(stack))
	}
	if d.Dead {
		log.ErrorContext(ctx, "a delivery has become a dead letter")
	} else {
		log.WarnContext(ctx, "a delivery failed", "due", d.Due)
	}
}
