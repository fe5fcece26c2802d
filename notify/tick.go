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
	errZeroDispatcher = fmt.Errorf("%w: a Dispatcher that New did not make", ErrInvalid)
	errEnded          = errors.New("something ended the goroutine")
)

// Tick hands out everything that is due and returns when the next delivery is; zero: none waits. Deliveries under the lease
// of another Dispatcher do not count for that.
//
// Each subscriber works for itself, so that one which fails, panics or hangs keeps no event from the others; what a
// subscriber fails to handle is written down and logged, and is not an error of Tick, which are those of the outbox, a panic
// of it included. A subscriber begins nothing once Config.Timeout has passed since the Tick began, so a Tick takes little more than two
// Timeouts at most. One whose Handle ignores the end of its context has failed, but keeps its place among Config.Parallel
// until it returns; while all places are taken its events wait.
//
// When ctx ends, what was handled is still written down, what was not begun is given back at once, and what has not
// answered a second later comes again when its lease ends. Of the clock only Now is used, once for each claim and once for
// each group of results that is written.
func (d *Dispatcher) Tick(ctx context.Context) (time.Time, error) {
	if d.state == nil {
		return time.Time{}, errZeroDispatcher
	}
	answers := make(chan answer, len(d.state.lanes))
	for _, l := range d.state.lanes {
		go func() {
			a := answer{err: fmt.Errorf("dispatching to subscriber %q: %w", l.Name, errEnded)}
			defer func() { answers <- a }()
			a = l.guarded(ctx)
		}()
	}
	var next time.Time
	var errs []error
	for range d.state.lanes {
		a := <-answers
		if next.IsZero() || !a.next.IsZero() && a.next.Before(next) {
			next = a.next
		}
		errs = append(errs, a.err)
	}
	return next, errors.Join(errs...)
}

// answer is what one subscriber has to say about a Tick.
type answer struct {
	next time.Time
	err  error
}

// guarded is run, where a panic of the host's Outbox, Clock or Logger is an error as any other.
func (l *lane) guarded(ctx context.Context) (a answer) {
	err := fault.Guard(fmt.Sprintf("dispatching to subscriber %q", l.Name), func() (err error) {
		a.next, err = l.run(ctx)
		return err
	})
	return answer{a.next, err}
}

func now(c clock.Clock) time.Time { return zone.Instant(c.Now()) }
