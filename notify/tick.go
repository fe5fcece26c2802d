package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
)

var (
	errNotMadeByNew = fmt.Errorf("%w: New did not make this Dispatcher", ErrInvalid)
	errGoexit       = errors.New("it ended the goroutine instead of returning")
)

// Tick delivers all events that are due, and returns when the next delivery is due. Zero means that no delivery is waiting. The
// result ignores deliveries that another Dispatcher has claimed.
//
// A subscriber that fails, panics or hangs does not delay the events of the others. Tick records its failure in the outbox
// and the log, and does not return it. Tick returns ErrHost if the outbox, the clock or the logger fails or panics, and for each
// delivery that the outbox cannot read: the later ones of its subject wait for it, and everything else is delivered. It
// returns ErrNotFound if the outbox does not know a subscriber. It still serves the other subscribers, and joins the errors.
//
// Tick starts attempts only in its first Config.Timeout, so it takes little longer than two Timeouts. A Handle
// that ignores the end of its context has failed. It occupies one of the Config.Parallel slots of its subscriber until it
// returns. While all slots are occupied, the subscriber's events wait.
//
// If ctx ends, Tick still stores the results that it has. Deliveries that it has not started are due again at once. A Handle
// that is running has one second to return; otherwise its delivery is due again when the lease ends. Tick returns the error
// of ctx.
//
// Tick reads the clock once for each claim, and once for each group of results that it stores.
func (d *Dispatcher) Tick(ctx context.Context) (time.Time, error) {
	if d.state == nil {
		return time.Time{}, errNotMadeByNew
	}
	results := make(chan tickResult, len(d.state.subscriptions))
	for _, s := range d.state.subscriptions {
		go func() {
			r := tickResult{err: fault.Nonsense("a part of Config", errGoexit)}
			defer func() { results <- r.of(s.Name) }()
			r = s.tick(ctx)
		}()
	}
	var next time.Time
	var errs []error
	for range d.state.subscriptions {
		r := <-results
		if next.IsZero() || !r.next.IsZero() && r.next.Before(next) {
			next = r.next
		}
		errs = append(errs, r.err)
	}
	return next, errors.Join(errs...)
}

// tickResult is the result of a Tick for one subscriber.
type tickResult struct {
	next time.Time
	err  error
}

// of adds the subscriber's name to the error.
func (r tickResult) of(subscriber string) tickResult {
	if r.err != nil {
		r.err = fmt.Errorf("dispatching to subscriber %q: %w", subscriber, r.err)
	}
	return r
}

// tick is deliverDue. It guards the calls of the clock and the logger; the calls of other parts have guards of their own.
func (s *subscription) tick(ctx context.Context) (r tickResult) {
	var next time.Time
	var err error
	panicked := callHost(ctx, partClock+" or "+partLogger, func() error {
		next, err = s.deliverDue(ctx)
		return nil
	})
	if panicked != nil {
		return tickResult{err: panicked}
	}
	return tickResult{next, err}
}

func now(c clock.Clock) time.Time { return zone.Instant(c.Now()) }
