package dedicated_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
)

// failingTicker counts its Ticks, which all fail.
type failingTicker struct{ ticks atomic.Int64 }

func (f *failingTicker) Tick(context.Context) (time.Time, error) {
	f.ticks.Add(1)
	return time.Time{}, dedicated.ErrHost
}

// TestOnErrorHangs: an OnError that does not return stops neither its ticker nor the end of Run.
func TestOnErrorHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ticker, release := &failingTicker{}, make(chan struct{})
		defer close(release)
		ctx, stop := context.WithCancel(t.Context())
		runner := dedicated.Runner{
			Tickers: []dedicated.Ticker{ticker}, Timeout: time.Minute, OnError: func(dedicated.Ticker, error) { <-release },
		}
		ended := make(chan error, 1)
		go func() { ended <- runner.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		assert.Greater(t, ticker.ticks.Load(), int64(4))
		stop()
		start := time.Now()
		require.ErrorIs(t, <-ended, context.Canceled)
		assert.LessOrEqual(t, time.Since(start), 2*time.Minute)
	})
}
