package dedicated_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// hanging is a Tick that returns when release is closed, whatever happens to its context.
func hanging(release <-chan struct{}, ticks *atomic.Int64) tickerFunc {
	return func(context.Context) (time.Time, error) {
		ticks.Add(1)
		<-release
		return time.Time{}, nil
	}
}

// TestRunnerReportsAHang: a Store does not answer for an hour. OnError hears of it once a Timeout, the ticker is not called beside itself,
// and the other ticker goes on.
func TestRunnerReportsAHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, release := time.Now(), make(chan struct{})
		var ticks atomic.Int64
		var others int
		var at []time.Duration
		silent := hanging(release, &ticks)
		r := &dedicated.Runner{
			Tickers: []dedicated.Ticker{silent, tickerFunc(func(context.Context) (time.Time, error) {
				others++
				return time.Time{}, nil
			})},
			OnError: func(ticker dedicated.Ticker, err error) {
				at = append(at, time.Since(start))
				var hang *dedicated.HangError
				var e *dedicated.Error
				require.ErrorAs(t, err, &hang)
				require.ErrorAs(t, err, &e)
				require.ErrorIs(t, err, dedicated.ErrHost)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, dedicated.Op("Runner"), e.Op)
				assert.Equal(t, 10*time.Minute, hang.Timeout)
				assert.True(t, start.Equal(hang.Since))
				assert.Contains(t, err.Error(), "tickerFunc")
				assert.Contains(t, err.Error(), start.UTC().Format(time.RFC3339))
			},
		}
		assert.Empty(t, r.Health(), "before Run")
		go func() {
			time.Sleep(time.Hour + time.Second)
			health := r.Health()
			assert.True(t, health[0].Hangs)
			assert.True(t, start.Equal(health[0].Since))
			assert.Zero(t, health[0].Finished)
			assert.False(t, health[1].Hangs)
			assert.False(t, health[1].Finished.IsZero())
			close(release)
		}()
		require.ErrorIs(t, runFor(t, r, 2*time.Hour+time.Second), context.DeadlineExceeded)
		assert.Equal(t, []time.Duration{
			10 * time.Minute, 20 * time.Minute, 30 * time.Minute, 40 * time.Minute, 50 * time.Minute, 60 * time.Minute,
		}, at)
		assert.Greater(t, ticks.Load(), int64(100), "it goes on")
		assert.Equal(t, 2*60*4+1, others)
		assert.False(t, r.Health()[0].Hangs)
	})
}

// TestRunnerDoesNotReportProgress: a backup of six hours gives a sign each hundred seconds. Then its Store falls silent.
func TestRunnerDoesNotReportProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		backup := tickerFunc(func(ctx context.Context) (time.Time, error) {
			for time.Since(start) < 6*time.Hour+time.Minute {
				time.Sleep(100 * time.Second)
				dedicated.Progress(context.WithoutCancel(ctx))
			}
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		})
		r := &dedicated.Runner{Tickers: []dedicated.Ticker{backup}, OnError: func(_ dedicated.Ticker, err error) {
			assert.ErrorAs(t, err, new(*dedicated.HangError))
			at = append(at, time.Since(start))
		}}
		require.ErrorIs(t, runFor(t, r, 6*time.Hour+35*time.Minute), context.DeadlineExceeded)
		assert.Equal(t, []time.Duration{6*time.Hour + 20*time.Minute, 6*time.Hour + 30*time.Minute}, at)
	})
}

// TestRunnerLeavesAHangBehind: a Tick ignores the end of its context. Run returns one Timeout later.
func TestRunnerLeavesAHangBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var ticks atomic.Int64
		defer close(release)
		start := time.Now()
		r := &dedicated.Runner{
			Tickers: []dedicated.Ticker{hanging(release, &ticks), tickerFunc(func(context.Context) (time.Time, error) { return time.Time{}, nil })},
			Timeout: time.Minute,
			OnError: func(dedicated.Ticker, error) {
				t.Error("the context ends before a Timeout has passed, so only Run reports")
			},
		}
		err := runFor(t, r, 30*time.Second)
		assert.Equal(t, 90*time.Second, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, dedicated.ErrHost, "the caller's context has ended")
		var hang *dedicated.HangError
		require.ErrorAs(t, err, &hang)
		assert.Contains(t, err.Error(), "left behind")
		assert.EqualValues(t, 1, ticks.Load())
		assert.True(t, start.Equal(r.Health()[0].Since), "it still runs")
	})
}

// TestRunnerWaitsForASlowEnd: a Tick that records its results after the end of its context is not left behind.
func TestRunnerWaitsForASlowEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recorded := false
		r := &dedicated.Runner{Timeout: time.Minute, Tickers: []dedicated.Ticker{tickerFunc(func(ctx context.Context) (time.Time, error) {
			<-ctx.Done()
			time.Sleep(59 * time.Second)
			recorded = true
			return time.Time{}, nil
		})}}
		err := runFor(t, r, 30*time.Second)
		assert.Equal(t, context.DeadlineExceeded, err)
		assert.True(t, recorded)
	})
}

func TestRunnerHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, failure := time.Now(), errors.New("store is down")
		var works atomic.Bool
		r := &dedicated.Runner{Tickers: []dedicated.Ticker{tickerFunc(func(context.Context) (time.Time, error) {
			time.Sleep(time.Second)
			if !works.Load() {
				return time.Time{}, failure
			}
			return time.Time{}, nil
		})}}
		go func() {
			time.Sleep(500 * time.Millisecond)
			h := r.Health()[0]
			assert.True(t, start.Equal(h.Since), "the first Tick runs")
			require.NoError(t, h.Err)
			time.Sleep(time.Second) // the second Tick begins after half a second to a second
			h = r.Health()[0]
			assert.Equal(t, 1, h.Failures)
			require.ErrorIs(t, h.Err, failure)
			assert.Equal(t, time.Second, h.Finished.Sub(start))
			works.Store(true)
			time.Sleep(10 * time.Second)
			h = r.Health()[0]
			assert.Zero(t, h.Failures)
			assert.NoError(t, h.Err)
			assert.Zero(t, h.Since, "none runs")
		}()
		require.Error(t, runFor(t, r, time.Minute))
	})
}

func TestRunnerRefusesANegativeTimeout(t *testing.T) {
	t.Parallel()
	ticker := tickerFunc(func(context.Context) (time.Time, error) { return time.Time{}, nil })
	err := (&dedicated.Runner{Tickers: []dedicated.Ticker{ticker}, Timeout: -1}).Run(t.Context())
	require.ErrorIs(t, err, dedicated.ErrInvalid)
	assert.ErrorContains(t, err, "Timeout")
}

func TestProgressWithoutARunner(t *testing.T) {
	t.Parallel()
	assert.NotPanics(t, func() { dedicated.Progress(t.Context()) })
}
