package fault_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/internal/fault"
)

const timeout = time.Minute

func TestDo(t *testing.T) {
	t.Parallel()
	calls, mine := fault.NewCalls(timeout, 1), errors.New("mine")
	got, err := fault.Do(t.Context(), calls, "biller", func(context.Context) (int, error) { return 7, nil })
	require.NoError(t, err)
	assert.Equal(t, 7, got)
	_, err = fault.Do(t.Context(), calls, "biller", func(context.Context) (int, error) { return 0, mine })
	require.Equal(t, mine, err)

	var panicked *fault.PanicError
	_, err = fault.Do(t.Context(), calls, "biller", func(context.Context) (int, error) { panic(mine) })
	require.ErrorAs(t, err, &panicked)
	require.ErrorIs(t, err, mine)
	panicked = nil
	_, err = fault.Do(t.Context(), calls, "biller", func(context.Context) (int, error) {
		runtime.Goexit()
		return 0, nil
	})
	require.ErrorAs(t, err, &panicked)
	assert.Equal(t, "biller", panicked.Part)
}

// TestDoEndsWithItsContext: a call that obeys its context returns at the deadline, or when the caller leaves.
func TestDoEndsWithItsContext(t *testing.T) {
	t.Parallel()
	obey := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := fault.Do(t.Context(), fault.NewCalls(timeout, 1), "wipe", obey)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, timeout, time.Since(start))

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		_, err = fault.Do(ctx, fault.NewCalls(timeout, 1), "wipe", obey)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

// TestDoLeavesBehind: a call that ignores its context is left behind. As many as allowed block only their own part, until one of them
// returns.
func TestDoLeavesBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, release := fault.NewCalls(timeout, 2), make(chan struct{})
		ignore := func(context.Context) (int, error) {
			<-release
			return 7, nil
		}
		var left *fault.LeftError
		for range 2 {
			start := time.Now()
			got, err := fault.Do(t.Context(), calls, "wipe", ignore)
			require.ErrorAs(t, err, &left)
			require.EqualError(t, err, "wipe has not returned within 1m0s, although its context has ended")
			assert.Zero(t, got)
			assert.Equal(t, timeout+10*time.Second, time.Since(start), "the deadline, and a little for the part to return")
		}
		start := time.Now()
		var busy *fault.BusyError
		_, err := fault.Do(t.Context(), calls, "wipe", ignore)
		require.ErrorAs(t, err, &busy)
		require.EqualError(t, err, "wipe was not called: 2 calls of it have not returned, although their contexts have ended")
		assert.Equal(t, 2, busy.Left)
		assert.Zero(t, time.Since(start))
		_, err = fault.Do(t.Context(), calls, "biller", func(context.Context) (int, error) { return 0, nil })
		require.NoError(t, err, "another part")

		select {
		case <-left.Returned:
			t.Fatal("it has not returned yet")
		default:
		}
		close(release)
		synctest.Wait()
		<-left.Returned
		got, err := fault.Do(t.Context(), calls, "wipe", ignore)
		require.NoError(t, err)
		assert.Equal(t, 7, got)
	})
}
