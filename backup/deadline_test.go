package backup_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// deafServers is an inventory that does not answer about one server, whatever its context says.
type deafServers struct {
	backup.Servers
	deaf    atomic.Pointer[uuid.UUID]
	release chan struct{}
}

func (s *deafServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if deaf := s.deaf.Load(); deaf != nil && *deaf == id {
		<-s.release
	}
	return s.Servers.Server(ctx, a, id)
}

// TestDeafParts: a part that ignores its context is ErrHost after its deadline, and nothing was changed.
func TestDeafParts(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"inventory", "gate", "Ends"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				servers := &deafServers{release: make(chan struct{})}
				defer close(servers.release)
				f := setup(t, func(c *backup.Config) {
					servers.Servers, c.Servers, c.CallTimeout = c.Servers, servers, 20*time.Second
					switch part {
					case "gate":
						c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, backup.Request) error {
							<-servers.release
							return nil
						})
					case "Ends":
						c.Ends = func(context.Context, []uuid.UUID) (map[uuid.UUID]time.Time, error) {
							<-servers.release
							return nil, nil
						}
					}
				})
				if part == "inventory" {
					servers.deaf.Store(&f.server.ID)
				}
				begin := time.Now()
				_, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, Schedule: daily(3)})
				require.ErrorIs(t, err, backup.ErrHost)
				assert.Equal(t, 25*time.Second, time.Since(begin), "the deadline, and a quarter of it to return")
				requests, _, err := f.Requests(t.Context(), f.reseller, backup.RequestQuery{})
				require.NoError(t, err)
				assert.Empty(t, requests)
			})
		})
	}
	_, err := backup.New(backup.Config{Store: &backup.MemoryStore{}, Servers: &dedicated.Manager{}, CallTimeout: -1})
	require.ErrorIs(t, err, backup.ErrInvalid)
}

// TestDeafLookUpDelaysNoOther: the inventory does not answer about one server. The Tick does what is due for 20 others as soon as the deadline
// of that look-up has passed.
func TestDeafLookUpDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		servers := &deafServers{release: make(chan struct{})}
		defer close(servers.release)
		f := setup(t, func(c *backup.Config) { servers.Servers, c.Servers, c.CallTimeout = c.Servers, servers, 20*time.Second })
		f.submit(t, daily(3))
		for range 20 {
			s := f.rent(t, "web-08", dedicated.Owner{}, f.client.ID)
			_, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: s.ID, Schedule: daily(3)})
			require.NoError(t, err)
		}
		servers.deaf.Store(&f.server.ID)
		f.clock.Add(3 * 24 * time.Hour)
		begin := time.Now()
		_, err := f.Tick(t.Context())
		require.ErrorIs(t, err, backup.ErrHost)
		assert.Equal(t, 25*time.Second, time.Since(begin))
		skipped := f.list(t, backup.TaskQuery{States: []backup.State{backup.Skipped}})
		assert.Len(t, skipped, 20)
	})
}
