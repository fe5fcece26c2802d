package lease_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/metalkeep/metalkeep/internal/lease"
)

func TestHeld(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const length = 5 * time.Minute
	for name, tt := range map[string]struct {
		until  time.Time
		length time.Duration
		want   bool
	}{
		"no lease":                          {time.Time{}, length, false},
		"ended":                             {now.Add(-time.Second), length, false},
		"ends now":                          {now, length, false},
		"fresh":                             {now.Add(length), length, true},
		"one microsecond left":              {now.Add(time.Microsecond), length, true},
		"of a clock an hour ahead":          {now.Add(time.Hour + length), length, true},
		"at the limit":                      {now.Add(time.Hour + 2*length), length, true},
		"beyond the limit":                  {now.Add(time.Hour + 2*length + time.Microsecond), length, false},
		"of a clock nine years ahead":       {now.AddDate(9, 0, 0), length, false},
		"of a clock nine thousand years":    {now.AddDate(9000, 0, 0), length, false},
		"a length of 0":                     {now.Add(time.Hour), 0, true},
		"a length of 0, beyond the limit":   {now.Add(time.Hour + 1), 0, false},
		"a negative length counts as 0":     {now.Add(time.Hour), -length, true},
		"a negative length does not cut it": {now.Add(time.Hour + 1), -length, false},
		"a length that overflows":           {now.AddDate(150, 0, 0), math.MaxInt64, true},
		"a length of 100 years at most":     {now.AddDate(250, 0, 0), math.MaxInt64, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, lease.Held(now, tt.until, tt.length))
		})
	}
}
