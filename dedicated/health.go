package dedicated

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/metalkeep/metalkeep/internal/alive"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// TickerHealth says how a ticker of a Runner is doing. All times are those of Runner.Clock.
type TickerHealth struct {
	Ticker   Ticker
	Since    time.Time // when the Tick began that runs; zero: none runs
	Hangs    bool      // the Tick that runs has made no progress for a Timeout, and has been reported
	Finished time.Time // when the last Tick ended; zero: none has
	Failures int       // how many Ticks have failed since the last one that succeeded; a hang counts as none
	Err      error     // the error of the last Tick that ended; nil: it succeeded, or none has ended
}

// Health returns how each ticker is doing, in the order of Tickers. Before Run it returns none. Many goroutines may call it at once.
func (r *Runner) Health() []TickerHealth {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.health)
}

func (r *Runner) resetHealth() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health = make([]TickerHealth, len(r.Tickers))
	for n, ticker := range r.Tickers {
		r.health[n].Ticker = ticker
	}
}

// update changes the health of the loop's ticker.
func (l *tickerLoop) update(change func(*TickerHealth)) {
	l.runner.mu.Lock()
	defer l.runner.mu.Unlock()
	change(&l.runner.health[l.number])
}

func (l *tickerLoop) began(now time.Time) {
	l.update(func(h *TickerHealth) { h.Since, h.Hangs = now, false })
}

func (l *tickerLoop) hangs() { l.update(func(h *TickerHealth) { h.Hangs = true }) }

// failed records an error that a Tick reports before it returns.
func (l *tickerLoop) failed(err error) {
	l.update(func(h *TickerHealth) { h.Err, h.Failures = err, h.Failures+1 })
}

func (l *tickerLoop) finished(err error) {
	now := l.clock.Now()
	l.update(func(h *TickerHealth) {
		h.Since, h.Hangs, h.Finished, h.Err = time.Time{}, false, now, err
		if h.Failures++; err == nil {
			h.Failures = 0
		}
	})
}

// HangError says that a Tick of a Runner has made no progress for the Timeout, or has not returned a Timeout after the end of the Runner's
// context. It comes in an *Error that is ErrHost, or the error of that context.
type HangError struct {
	Ticker  Ticker
	Since   time.Time // when the Tick began, by Runner.Clock
	Timeout time.Duration
}

// Error names the ticker, and says what the Runner does.
func (e *HangError) Error() string {
	return fmt.Sprintf("the Tick of %T, which began at %s, has made no progress for %s or more: a Store or another part of the host does "+
		"not answer; the Runner does not call it again before it returns", e.Ticker, e.Since.UTC().Format(time.RFC3339), e.Timeout)
}

// wrapped returns the *Error for the hang. It is ErrHost until ctx has ended.
func (e *HangError) wrapped(ctx context.Context) error {
	msg := fmt.Sprintf("Runner: %s", e)
	if ctx.Err() != nil {
		msg = fmt.Sprintf("Runner: the Tick of %T, which began at %s, has not returned within %s after the end of the context: "+
			"it is left behind; end the process", e.Ticker, e.Since.UTC().Format(time.RFC3339), e.Timeout)
	}
	host := &fault.HostError{Part: fmt.Sprintf("ticker %T", e.Ticker), Cause: e, Ended: ctx.Err()}
	return &Error{Op: opRunner, Msg: msg, Err: host}
}

// Progress tells the Runner that a Tick is alive. The Tick of a host's own Ticker calls it with its context, or with one made from it, each
// time that it has got on, if it may take longer than Runner.Timeout. The Managers and the Dispatcher of the library do so each time
// that their Store has answered. Without a Runner it does nothing. Many goroutines may call it at once.
func Progress(ctx context.Context) { alive.Sign(ctx) }
