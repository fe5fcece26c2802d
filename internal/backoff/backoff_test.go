package backoff_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/metalkeep/metalkeep/internal/backoff"
)

func TestDelay(t *testing.T) {
	t.Parallel()
	policy := backoff.Policy{First: time.Second, Max: time.Minute}
	for n, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second,
		7: time.Minute, 1000: time.Minute,
	} {
		delays := map[time.Duration]bool{}
		for range 100 {
			got := policy.Delay(n)
			assert.LessOrEqual(t, got, want, n)
			assert.GreaterOrEqual(t, got, want/2, n)
			delays[got] = true
		}
		assert.Greater(t, len(delays), 50, "no jitter")
	}
}

// TestDelayDoesNotOverflow uses policies whose Max is the longest Duration.
func TestDelayDoesNotOverflow(t *testing.T) {
	t.Parallel()
	const longest = time.Duration(math.MaxInt64)
	for _, first := range []time.Duration{1, 10 * time.Second, longest/2 + 1, longest} {
		for n := range 100 {
			assert.Positive(t, backoff.Policy{First: first, Max: longest}.Delay(n), "%s, failure %d", first, n)
		}
		assert.GreaterOrEqual(t, backoff.Policy{First: first, Max: longest}.Delay(100), longest/2)
	}
	assert.LessOrEqual(t, backoff.Policy{First: time.Hour, Max: time.Minute}.Delay(1), time.Minute)
}
