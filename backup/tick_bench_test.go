package backup_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
)

// BenchmarkTick ticks with 100 daily requests that are due, among many that are not. The cost follows the 100.
func BenchmarkTick(b *testing.B) {
	for _, stored := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("stored=%d", stored), func(b *testing.B) {
			store, clock := &backup.MemoryStore{}, newClock(start)
			a := dedicated.Actor{Role: dedicated.System, ResellerID: uuid.New()}
			server := dedicated.Server{
				ID: uuid.New(), ResellerID: a.ResellerID, ClientID: uuid.New(), Assignment: uuid.New(), Name: "web-07", State: dedicated.InUse,
			}
			inventory := serversFunc(func(uuid.UUID) (dedicated.Server, error) { return server, nil })
			m, err := backup.New(backup.Config{Store: store, Servers: inventory, Clock: clock})
			require.NoError(b, err)
			for range 100 {
				_, err := m.Submit(b.Context(), a, backup.Form{ServerID: server.ID, Schedule: daily(2)})
				require.NoError(b, err)
			}
			fill(b, store, server, stored-100)
			b.ReportAllocs()
			for b.Loop() {
				clock.Add(24 * time.Hour)
				if _, err := m.Tick(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fill stores requests with their tasks that are due in a thousand years.
func fill(b *testing.B, store *backup.MemoryStore, s dedicated.Server, n int) {
	b.Helper()
	due := start.AddDate(1000, 0, 0)
	for range n {
		r := backup.Request{
			ID: uuid.New(), ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, Assignment: s.Assignment, ServerName: s.Name,
			Form: backup.Form{Schedule: daily(2)}, Planned: due, Recorded: due, Due: due,
		}
		task := backup.Task{
			ID: uuid.New(), RequestID: r.ID, ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, Assignment: s.Assignment,
			ServerName: s.Name, At: due, State: backup.Pending,
		}
		require.NoError(b, store.Commit(b.Context(), backup.Change{Requests: []backup.Request{r}, Tasks: []backup.Task{task}}))
	}
}
