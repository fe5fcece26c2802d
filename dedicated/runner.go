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

// Ticker has work that becomes due. Every Manager of the library with such work is a Ticker, and so is notify.Dispatcher.
type Ticker interface {
	// Tick does everything that is due now. If one item fails, it goes on with the others and joins the errors. next is the
	// instant at which it should be called again; zero: it knows of no work to come.
	Tick(ctx context.Context) (next time.Time, err error)
}

// DefaultPoll is the default of Runner.Poll.
const DefaultPoll = 15 * time.Second

// Runner calls tickers until its context ends, each in a loop of its own. Between two calls it waits until the instant that the
// ticker returned, and at most for Poll, because other processes add work too. After an error or a panic it waits for one
// second, then two, and so on up to one minute or Poll, whichever is longer, with jitter. Set its fields before Run.
type Runner struct {
	Clock   clock.Clock         // nil: real time
	Tickers []Ticker            // at least one, none nil
	Poll    time.Duration       // 0: DefaultPoll; negative is ErrInvalid
	OnError func(Ticker, error) // called from the loops, several at once; nil: errors are dropped
}

// Run returns the error of ctx after all loops have ended, or ErrInvalid at once. It waits for a ticker that is working:
// Tick gets ctx and should return soon after ctx has ended.
func (r *Runner) Run(ctx context.Context) error {
	if len(r.Tickers) == 0 {
		return invalid(opRunner, "Tickers", "missing: want at least one")
	}
	for n, ticker := range r.Tickers {
		if ticker == nil {
			return invalid(opRunner, "Tickers", "ticker %d is nil", n+1)
		}
	}
	if r.Poll < 0 {
		return invalid(opRunner, "Poll", "%s is negative", r.Poll)
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

// minWait is the shortest wait, so that a ticker that always returns a past instant does not use up a processor.
const minWait = 10 * time.Millisecond

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
				wait = min(max(next.Sub(r.Clock.Now()), minWait), r.Poll)
			}
		}
		r.sleep(ctx, wait)
	}
}

var errEnded = errors.New("the ticker ended its goroutine instead of returning")

// tick calls the ticker in a goroutine of its own, so that the loop survives a runtime.Goexit as well.
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

// report calls OnError. A panic in it does not end the loop.
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
