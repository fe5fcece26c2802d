package backoff_test

import (
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
		seen := map[time.Duration]bool{}
		for range 100 {
			got := policy.Delay(n)
			assert.LessOrEqual(t, got, want, n)
			assert.GreaterOrEqual(t, got, want/2, n)
			seen[got] = true
		}
		assert.Greater(t, len(seen), 50, "no jitter")
	}
}
