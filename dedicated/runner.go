package dedicated

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/metalkeep/metalkeep/internal/alive"
	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Ticker has work that becomes due. Every Manager of the library with such work is a Ticker, and so is notify.Dispatcher.
type Ticker interface {
	// Tick does everything that is due now. If one item fails, it goes on with the others and joins the errors. next is the
	// instant at which it should be called again; zero: it knows of no work to come. A Tick that may take long calls Progress.
	Tick(ctx context.Context) (next time.Time, err error)
}

// The defaults of a Runner.
const (
	DefaultPoll    = 15 * time.Second
	DefaultTimeout = 10 * time.Minute
)

// Runner calls tickers until its context ends, each in a loop of its own. Between two calls it waits until the instant that the
// ticker returned, and at most for Poll, because other processes add work too. After an error or a panic it waits for one
// second, then two, and so on up to one minute or Poll, whichever is longer, with jitter. Set its fields before Run.
//
// A Tick hangs if it neither returns nor calls Progress for the Timeout: the network of a Store may have fallen silent, without an error.
// OnError then hears a *HangError, once for each Timeout that passes. It is a report and no more: the Tick keeps its context, and
// the ticker is not called a second time beside it, because only the part that hangs knows what it has done. A backup that takes
// six hours makes progress all the time, as its lease is renewed, and is not reported.
type Runner struct {
	Clock   clock.Clock   // nil: real time
	Tickers []Ticker      // at least one, none nil
	Poll    time.Duration // 0: DefaultPoll; negative is ErrInvalid
	// Timeout is how long a Tick may make no progress, in real time. A hang is reported after one to two Timeouts. 0:
	// DefaultTimeout, which is longer than any call of a host's part that the Managers wait for by default; negative is ErrInvalid.
	Timeout time.Duration
	OnError func(Ticker, error) // called from the loops, several at once; nil: errors are dropped

	mu     sync.Mutex
	health []TickerHealth // by ticker
}

// Run returns the error of ctx after all loops have ended, or ErrInvalid at once. It waits for a ticker that is working:
// Tick gets ctx and should return soon after ctx has ended. It waits for the Timeout at most. Then it returns an error that is that
// of ctx and a *HangError, and leaves the Tick behind: end the process.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.check(); err != nil {
		return err
	}
	loop := tickerLoop{runner: r, clock: r.Clock, poll: r.Poll, timeout: r.Timeout}
	if loop.clock == nil {
		loop.clock = clock.New()
	}
	if loop.poll == 0 {
		loop.poll = DefaultPoll
	}
	if loop.timeout == 0 {
		loop.timeout = DefaultTimeout
	}
	r.resetHealth()
	var all sync.WaitGroup
	left := make([]error, len(r.Tickers))
	for n, ticker := range r.Tickers {
		all.Go(func() {
			own := loop
			own.ticker, own.number = ticker, n
			left[n] = own.run(ctx)
		})
	}
	all.Wait()
	if err := errors.Join(left...); err != nil {
		return err
	}
	return ctx.Err()
}

func (r *Runner) check() error {
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
	if r.Timeout < 0 {
		return invalid(opRunner, "Timeout", "%s is negative", r.Timeout)
	}
	return nil
}

// tickerLoop is the loop of one ticker.
type tickerLoop struct {
	runner        *Runner
	clock         clock.Clock
	ticker        Ticker
	number        int // of the ticker
	poll, timeout time.Duration
}

// minWait is the shortest wait, so that a ticker that always returns a past instant does not use up a processor.
const minWait = 10 * time.Millisecond

// run returns nil, or the error about a Tick that it has left behind.
func (l *tickerLoop) run(ctx context.Context) error {
	retry := backoff.Policy{First: time.Second, Max: max(time.Minute, l.poll)}
	failures := 0
	for ctx.Err() == nil {
		r, left := l.tick(ctx)
		if left != nil {
			return left
		}
		wait := l.poll
		switch {
		case r.err != nil && ctx.Err() != nil:
			return nil
		case r.err != nil:
			failures++
			wait = retry.Delay(failures)
			l.report(r.err)
		default:
			failures = 0
			if !r.next.IsZero() {
				wait = min(max(r.next.Sub(l.clock.Now()), minWait), l.poll)
			}
		}
		l.sleep(ctx, wait)
	}
	return nil
}

var errEnded = errors.New("the ticker ended its goroutine instead of returning")

// tickResult is what a Tick returned.
type tickResult struct {
	next time.Time
	err  error
}

// tick calls the ticker in a goroutine of its own, so that the loop survives a runtime.Goexit as well. Meanwhile it reports a Tick that
// hangs. If the Tick still runs a Timeout after ctx has ended, left is the error about it.
func (l *tickerLoop) tick(ctx context.Context) (result tickResult, left error) {
	since := l.clock.Now()
	l.began(since)
	watch := &alive.Watch{Heard: func(err error) {
		l.failed(err)
		l.report(err)
	}}
	returned := make(chan tickResult, 1)
	go func() {
		r := tickResult{err: errEnded}
		defer func() { returned <- r }()
		r.err = fault.Guard(fmt.Sprintf("ticker %T", l.ticker), func() (err error) {
			r.next, err = l.ticker.Tick(alive.With(ctx, watch))
			return err
		})
	}()
	stopping, ended := false, ctx.Done()
	for {
		answered := l.await(returned, ended, &result)
		switch {
		case answered == tickReturned:
			l.finished(result.err)
			return result, nil
		case answered == contextEnded:
			stopping, ended = true, nil // from now on it has one Timeout
		case stopping:
			return result, l.hang(since).wrapped(ctx)
		case !watch.Progressed():
			l.hangs()
			l.report(l.hang(since).wrapped(ctx))
		}
	}
}

// awaited is why a wait for a Tick has ended.
type awaited uint8

const (
	tickReturned awaited = iota
	contextEnded
	timeoutPassed
)

// await waits for the Tick, for the end of the context, or for a Timeout.
func (l *tickerLoop) await(returned <-chan tickResult, ended <-chan struct{}, result *tickResult) awaited {
	limited, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	select {
	case *result = <-returned:
		return tickReturned
	case <-ended:
		return contextEnded
	case <-limited.Done():
		return timeoutPassed
	}
}

func (l *tickerLoop) hang(since time.Time) *HangError {
	return &HangError{Ticker: l.ticker, Since: since, Timeout: l.timeout}
}

// report calls OnError, and waits for it for a Timeout at most: an OnError that hangs must not stop the ticker.
func (l *tickerLoop) report(err error) {
	if l.runner.OnError == nil {
		return
	}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		_ = fault.Guard("OnError", func() error {
			l.runner.OnError(l.ticker, err)
			return nil
		})
	}()
	limited, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	select {
	case <-returned:
	case <-limited.Done():
	}
}

func (l *tickerLoop) sleep(ctx context.Context, wait time.Duration) {
	timer := l.clock.Timer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
