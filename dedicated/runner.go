package dedicated

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Ticker does what is due now and says when it is next needed (zero: nothing known). It goes on past a failing item and
// joins the errors. Every Manager of the library that has something to do by itself is one, and so is the Dispatcher.
type Ticker interface {
	Tick(ctx context.Context) (next time.Time, err error)
}

// DefaultPoll is Runner's Poll where none is set.
const DefaultPoll = 15 * time.Second

// Runner runs tickers, each in a loop of its own, until ctx ends. A ticker sleeps until the time it named, and no longer than
// Poll, for other processes give it work too; after an error, a panic included, it waits for one second, then two, up to
// one minute or Poll, whichever is longer, with jitter. Its fields are set before Run.
type Runner struct {
	Clock   clock.Clock         // nil: real time
	Tickers []Ticker            // at least one, none nil
	Poll    time.Duration       // 0: DefaultPoll; negative is ErrInvalid
	OnError func(Ticker, error) // called by the tickers' goroutines, maybe at once; nil: errors are dropped
}

// Run returns when all tickers have stopped, with ctx's error, or at once with ErrInvalid. While a ticker works it is
// waited for: it gets ctx and is expected to heed it.
func (r *Runner) Run(ctx context.Context) error {
	if len(r.Tickers) == 0 {
		return invalid("Runner", "Tickers", "at least one is wanted")
	}
	for n, ticker := range r.Tickers {
		if ticker == nil {
			return invalid("Runner", "Tickers", "number %d is nil", n+1)
		}
	}
	if r.Poll < 0 {
		return invalid("Runner", "Poll", "%s is negative", r.Poll)
	}
	loop := *r
	if loop.Clock == nil {
		loop.Clock = clock.New()
	}
	if loop.Poll == 0 {
		loop.Poll = DefaultPoll
	}
	var all sync.WaitGroup
	for _, ticker := range loop.Tickers {
		all.Go(func() { loop.run(ctx, ticker) })
	}
	all.Wait()
	return ctx.Err()
}

// hurry is the shortest sleep: a ticker that always names the past must not spin.
const hurry = 10 * time.Millisecond

func (r *Runner) run(ctx context.Context, ticker Ticker) {
	retry := backoff.Policy{First: time.Second, Max: max(time.Minute, r.Poll)}
	failures := 0
	for ctx.Err() == nil {
		next, err := tick(ctx, ticker)
		wait := r.Poll
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = retry.Delay(failures)
			r.report(ticker, err)
		default:
			failures = 0
			if !next.IsZero() {
				wait = min(max(next.Sub(r.Clock.Now()), hurry), r.Poll)
			}
		}
		r.sleep(ctx, wait)
	}
}

var errEnded = errors.New("the ticker ended its goroutine instead of returning")

// tick gives the ticker a goroutine of its own, so that the loop outlives a runtime.Goexit, too.
func tick(ctx context.Context, ticker Ticker) (next time.Time, err error) {
	err = errEnded
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = fault.Guard(fmt.Sprintf("ticker %T", ticker), func() (err error) {
			next, err = ticker.Tick(ctx)
			return err
		})
	}()
	<-done
	return next, err
}

// report tells the host; a panic of its function must not end the loop.
func (r *Runner) report(ticker Ticker, err error) {
	if r.OnError != nil {
		_ = fault.Guard("OnError", func() error {
			r.OnError(ticker, err)
			return nil
		})
	}
}

func (r *Runner) sleep(ctx context.Context, wait time.Duration) {
	timer := r.Clock.Timer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
