package cancellation_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// countingInventory counts its calls. fail is the error of ServersByID.
type countingInventory struct {
	*dedicated.Manager
	single, many atomic.Int64
	fail         error
}

func (a *countingInventory) Server(ctx context.Context, actor dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	a.single.Add(1)
	return a.Manager.Server(ctx, actor, id)
}

func (a *countingInventory) ServersByID(ctx context.Context, actor dedicated.Actor, ids []uuid.UUID) ([]dedicated.Server, error) {
	a.many.Add(1)
	servers, err := a.Manager.ServersByID(ctx, actor, ids)
	return servers, errors.Join(err, a.fail)
}

// plainServers is an inventory that is not a BulkInventory.
type plainServers struct{ cancellation.Servers }

// TestTickPrefetchesServers warns of 40 cancellations. A BulkInventory is asked once for their servers. The result is the same
// with any other inventory, and with a BulkInventory that fails. A server that has left its client is found in each case.
func TestTickPrefetchesServers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		change       func(*cancellation.Config, *countingInventory)
		single, many int64
	}{
		{"a BulkInventory", func(*cancellation.Config, *countingInventory) {}, 0, 1},
		{"any other inventory", func(c *cancellation.Config, _ *countingInventory) { c.Servers = plainServers{c.Servers} }, 40, 0},
		{"a BulkInventory that fails", func(_ *cancellation.Config, inventory *countingInventory) {
			inventory.fail = errors.New("too many IDs")
		}, 40, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inventory := &countingInventory{}
			f := newFixture(t, func(c *cancellation.Config) {
				inventory.Manager = c.Servers.(*dedicated.Manager)
				c.Servers = inventory
				tt.change(c, inventory)
			})
			f.saveSettings(t, cancellation.Settings{Warn: true, DaysAhead: []int{7}})
			f.tick(t)
			var last cancellation.Cancellation
			for range 40 {
				s := f.server(t)
				last = f.scheduleAsClient(t, s.ID)
				_, err := f.servers.Rename(t.Context(), f.reseller, s.ID, "renamed")
				require.NoError(t, err)
			}
			_, err := f.servers.Release(t.Context(), f.reseller, last.ServerID, last.Assignment, uuid.Nil, "")
			require.NoError(t, err)

			inventory.single.Store(0)
			inventory.many.Store(0)
			f.tickAt(t, endOfNovember().AddDate(0, 0, -6))
			assert.Equal(t, tt.single, inventory.single.Load())
			assert.Equal(t, tt.many, inventory.many.Load())

			all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{})
			require.NoError(t, err)
			require.Len(t, all, 40)
			for _, c := range all {
				if c.ID == last.ID {
					assert.Equal(t, cancellation.Discarded, c.State)
					continue
				}
				assert.Equal(t, "renamed", c.ServerName)
				assert.Equal(t, cancellation.Scheduled, c.State)
				require.Len(t, c.Warned, 1)
				assert.Equal(t, 7, c.Warned[0].Days)
			}
		})
	}
}
