package notify

import (
	"context"
	"errors"
	"time"

	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const (
	settleTimeout = 10 * time.Second // for the outbox to write down results
	longestError  = 1000             // bytes of LastError
)

// settle writes down a group of results: together, or one by one where somebody else has one of them by now.
func (l *lane) settle(ctx context.Context, group []result) error {
	at := now(l.Clock)
	var settled []result
	for _, r := range group {
		if r.outcome != unknown {
			r.delivery = l.after(ctx, r, at)
			settled = append(settled, r)
		}
	}
	if len(settled) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	err := l.write(ctx, at, settled...)
	if !lost(err) {
		return err
	}
	var errs []error
	for _, r := range settled {
		if err := l.write(ctx, at, r); lost(err) {
			l.log.WarnContext(ctx, "the lease ended before the result was written", "event", r.delivery.Event.ID, "error", err)
		} else {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// write stores results, and counts them once they are.
func (l *lane) write(ctx context.Context, at time.Time, settled ...result) error {
	deliveries := make([]Delivery, len(settled))
	for i, r := range settled {
		deliveries[i] = r.delivery
	}
	if err := l.Outbox.Settle(ctx, deliveries...); err != nil || l.Meter == nil {
		return err
	}
	for _, r := range settled {
		if r.outcome != givenBack {
			l.count(ctx, r.delivery, at)
		}
	}
	return nil
}

func lost(err error) bool { return errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) }

// after is the delivery as it is to be stored.
func (l *lane) after(ctx context.Context, r result, at time.Time) Delivery {
	d := r.delivery
	d.LeaseUntil = time.Time{}
	switch r.outcome {
	case handled:
		d.Delivered, d.LastError = true, ""
	case failed:
		d.Attempts++
		d.LastError = text.Clean(r.failure.text, longestError)
		d.Dead = r.failure.permanent || d.Attempts >= l.MaxAttempts
		if !d.Dead {
			d.Due = zone.Instant(at.Add(l.retry.Delay(d.Attempts)))
		}
		l.logFailure(ctx, d, r.failure.stack)
	}
	return d
}

func (l *lane) logFailure(ctx context.Context, d Delivery, stack []byte) {
	log := l.log.With("event", d.Event.ID, "kind", string(d.Event.Kind), "attempts", d.Attempts, "error", d.LastError)
	if len(stack) > 0 {
		log = log.With("stack", string(stack))
	}
	if d.Dead {
		log.ErrorContext(ctx, "delivery given up")
	} else {
		log.WarnContext(ctx, "delivery failed", "due", d.Due)
	}
}
