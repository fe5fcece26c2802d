package cancellation_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// slowServers is an inventory that takes its time about some servers.
type slowServers struct {
	cancellation.Servers
	slow map[uuid.UUID]time.Duration
	deaf bool
}

func (s slowServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if s.deaf {
		time.Sleep(s.slow[id])
		return s.Servers.Server(ctx, a, id)
	}
	select {
	case <-time.After(s.slow[id]):
		return s.Servers.Server(ctx, a, id)
	case <-ctx.Done():
		return dedicated.Server{}, ctx.Err()
	}
}

// TestSlowLookUpDelaysNoOther: the inventory takes 40 seconds about each of 20 servers. That is within the deadline, so their warnings and
// executions are done as well. The others of the batch do not wait for them.
func TestSlowLookUpDelaysNoOther(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := liveFixture(t)
			servers := slowServers{f.config.Servers, map[uuid.UUID]time.Duration{}, deaf}
			m := f.newManager(t, func(c *cancellation.Config) { c.Servers = servers })
			f.saveSettings(t, warnings(7))
			f.tick(t)
			start := time.Now()
			var slow, quick []cancellation.Cancellation
			for n := range 40 {
				c := f.scheduleAt(t, f.server(t).ID, start.AddDate(0, 0, n%2*3)) // now, or warned of now
				if n < 20 {
					slow, servers.slow[c.ServerID] = append(slow, c), 40*time.Second
				} else {
					quick = append(quick, c)
				}
			}
			for range 3 { // deaf calls give records back
				_, _ = m.Tick(t.Context())
				time.Sleep(2 * time.Hour)
			}
			doneAt := func(c cancellation.Cancellation) time.Time {
				c = f.get(t, c.ID)
				if len(c.Warned) > 0 {
					return c.Warned[0].Sent
				}
				require.Equal(t, cancellation.Executed, c.State)
				return c.Steps[4].Done
			}
			for _, c := range quick {
				assert.WithinDuration(t, start, doneAt(c), 15*time.Second)
			}
			for _, c := range slow {
				assert.GreaterOrEqual(t, doneAt(c).Sub(start), 10*time.Second, "decided beside the batch")
			}
		})
	}
}
