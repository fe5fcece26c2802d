package dedicated_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

type tickerFunc func(context.Context) (time.Time, error)

func (f tickerFunc) Tick(ctx context.Context) (time.Time, error) { return f(ctx) }

// runFor runs r for a duration, in a synctest bubble, and returns the error of Run.
func runFor(t *testing.T, r *dedicated.Runner, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return r.Run(ctx)
}

func TestRunnerSleepsUntilNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		hourly := tickerFunc(func(context.Context) (time.Time, error) {
			at = append(at, time.Since(start))
			return time.Now().Add(time.Hour), nil
		})
		r := &dedicated.Runner{Clock: clock.New(), Tickers: []dedicated.Ticker{hourly}, Poll: 24 * time.Hour}
		require.ErrorIs(t, runFor(t, r, 30*24*time.Hour+time.Minute), context.DeadlineExceeded)
		require.Len(t, at, 30*24+1)
		for i, d := range at {
			assert.Equal(t, time.Duration(i)*time.Hour, d)
		}
	})
}

func TestRunnerPolls(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func() time.Time{
		"no next time":             func() time.Time { return time.Time{} },
		"a time far in the future": func() time.Time { return time.Now().Add(1000 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ticks := 0
				ticker := tickerFunc(func(context.Context) (time.Time, error) {
					ticks++
					return next(), nil
				})
				r := &dedicated.Runner{Tickers: []dedicated.Ticker{ticker}}
				require.Error(t, runFor(t, r, time.Minute+time.Second))
				assert.Equal(t, 5, ticks, "at 0, 15, 30, 45 and 60 seconds")
			})
		})
	}
}

func TestRunnerDoesNotSpinOnThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ticks := 0
		ticker := tickerFunc(func(context.Context) (time.Time, error) {
			ticks++
			return time.Now().Add(-time.Hour), nil
		})
		require.Error(t, runFor(t, &dedicated.Runner{Tickers: []dedicated.Ticker{ticker}}, time.Second))
		assert.LessOrEqual(t, ticks, 101)
		assert.Greater(t, ticks, 50)
	})
}

func TestRunnerBacksOffAndReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("store is down")
		var ticks, good, reported int
		failing := tickerFunc(func(context.Context) (time.Time, error) {
			ticks++
			if ticks%2 == 0 {
				panic(failure)
			}
			return time.Now(), failure
		})
		healthy := tickerFunc(func(context.Context) (time.Time, error) {
			good++
			return time.Time{}, nil
		})
		r := &dedicated.Runner{
			Tickers: []dedicated.Ticker{failing, healthy},
			OnError: func(ticker dedicated.Ticker, err error) {
				reported++
				assert.NotNil(t, ticker)
				assert.ErrorIs(t, err, failure)
				panic("OnError panics")
			},
		}
		require.Error(t, runFor(t, r, time.Hour+time.Second))
		assert.Equal(t, ticks, reported)
		assert.Greater(t, ticks, 55)
		assert.Less(t, ticks, 150, "one to two a minute, after the first six")
		assert.Equal(t, 241, good, "the other ticker runs as before")
	})
}

// TestRunnerAfterGoexit: a ticker that ends its goroutine, as FailNow does, has failed and is called again.
func TestRunnerAfterGoexit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ticks, reported := 0, 0
		exits := tickerFunc(func(context.Context) (time.Time, error) {
			ticks++
			runtime.Goexit()
			return time.Time{}, nil
		})
		r := &dedicated.Runner{Tickers: []dedicated.Ticker{exits}, OnError: func(_ dedicated.Ticker, err error) {
			reported++
			assert.ErrorContains(t, err, "ended its goroutine")
		}}
		require.ErrorIs(t, runFor(t, r, 10*time.Second), context.DeadlineExceeded)
		assert.Greater(t, ticks, 2)
		assert.Equal(t, ticks, reported)
	})
}

func TestRunnerRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ticks := 0
		ticker := tickerFunc(func(context.Context) (time.Time, error) {
			ticks++
			if ticks < 4 {
				return time.Time{}, errors.New("down")
			}
			return time.Time{}, nil
		})
		require.Error(t, runFor(t, &dedicated.Runner{Tickers: []dedicated.Ticker{ticker}}, 10*time.Minute))
		assert.InDelta(t, 3+40, ticks, 2)
	})
}

func TestRunnerStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var running atomic.Int32
		waiting := tickerFunc(func(ctx context.Context) (time.Time, error) {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		})
		sleeping := tickerFunc(func(context.Context) (time.Time, error) { return time.Time{}, nil })
		r := &dedicated.Runner{
			Tickers: []dedicated.Ticker{waiting, sleeping},
			OnError: func(dedicated.Ticker, error) { t.Error("the end of the context is not reported") },
		}
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		assert.EqualValues(t, 1, running.Load())
		start := time.Now()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		assert.Zero(t, time.Since(start))
		assert.Zero(t, running.Load())
	})
}

func TestRunnerRefuses(t *testing.T) {
	t.Parallel()
	ticker := tickerFunc(func(context.Context) (time.Time, error) { return time.Time{}, nil })
	for name, r := range map[string]*dedicated.Runner{
		"no ticker":     {},
		"a nil ticker":  {Tickers: []dedicated.Ticker{ticker, nil}},
		"negative poll": {Tickers: []dedicated.Ticker{ticker}, Poll: -1},
	} {
		require.ErrorIs(t, r.Run(t.Context()), dedicated.ErrInvalid, name)
	}
}
