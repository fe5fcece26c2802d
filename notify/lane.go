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

// lane is one subscriber at work. Its slots outlive a Tick: what hangs holds one until it returns.
type lane struct {
	Config
	Subscriber
	log   *slog.Logger
	slots chan struct{}
	retry backoff.Policy
}

func newLane(config Config, s Subscriber) *lane {
	return &lane{
		Config:     config,
		Subscriber: s,
		log:        config.Logger.With("subscriber", s.Name),
		slots:      make(chan struct{}, config.Parallel),
		retry:      backoff.Policy{First: config.RetryFirst, Max: config.RetryMax},
	}
}

// lease covers the worst that may happen between a claim and the last result written: begun at the last moment, handled
// until the last moment, written behind another group.
func (l *lane) lease() time.Duration { return 2*l.Timeout + grace + 2*settleTimeout }

// run works off what is due for one subscriber.
func (l *lane) run(ctx context.Context) (time.Time, error) {
	if len(l.slots) == cap(l.slots) {
		l.log.WarnContext(ctx, "all handlers are busy or hang: nothing is handed out", "parallel", cap(l.slots))
		return now(l.Clock).Add(l.RetryFirst), nil
	}
	begin, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	for {
		at := now(l.Clock)
		due, err := l.Outbox.ClaimDue(ctx, l.Name, at, zone.Instant(at.Add(l.lease())), l.Batch)
		if err != nil {
			return time.Time{}, fmt.Errorf("claiming for subscriber %q: %w", l.Name, err)
		}
		if len(due.Deliveries) == 0 {
			return due.Next, nil
		}
		if err := l.handleAll(ctx, begin, due.Deliveries); err != nil {
			return time.Time{}, fmt.Errorf("settling for subscriber %q: %w", l.Name, err)
		}
		if begin.Err() != nil {
			return now(l.Clock), ctx.Err()
		}
	}
}

// handleAll hands out what was claimed and writes down the results as they come, in groups: all that came while the group
// before was written. Once one cannot be written nothing more is begun, for it would only come again.
func (l *lane) handleAll(ctx, begin context.Context, claimed []Delivery) error {
	begin, stop := context.WithCancel(begin)
	defer stop()
	results := make(chan result, len(claimed))
	go l.start(ctx, begin, claimed, results)
	var errs []error
	for left := len(claimed); left > 0; {
		group := append([]result{<-results}, received(results)...)
		left -= len(group)
		if err := l.settle(ctx, group); err != nil {
			stop()
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// received takes what is there without waiting.
func received(results <-chan result) []result {
	var got []result
	for {
		select {
		case r := <-results:
			got = append(got, r)
		default:
			return got
		}
	}
}

// start begins one delivery after the other, as slots get free, until begin ends. Each gives one result.
func (l *lane) start(ctx, begin context.Context, claimed []Delivery, results chan<- result) {
	for _, d := range claimed {
		if !l.takeSlot(begin) {
			results <- result{delivery: d, outcome: givenBack}
			continue
		}
		go func() { results <- l.handle(ctx, d) }()
	}
}

func (l *lane) takeSlot(begin context.Context) bool {
	if begin.Err() != nil {
		return false
	}
	select {
	case l.slots <- struct{}{}:
		return true
	case <-begin.Done():
		return false
	}
}
