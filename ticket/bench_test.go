package ticket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// BenchmarkTick shows that the cost of a Tick follows the number of due tickets, not of stored ones.
func BenchmarkTick(b *testing.B) {
	for _, stored := range []int{1_000, 100_000} {
		for _, due := range []int{0, 100} {
			b.Run(fmt.Sprintf("%d due of %d", due, stored), func(b *testing.B) {
				benchmarkTick(b, stored, due)
			})
		}
	}
}

func benchmarkTick(b *testing.B, stored, due int) {
	now := &fixedClock{now: time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)}
	s := dedicated.Server{
		ID: uuid.New(), ResellerID: uuid.New(), ClientID: uuid.New(), State: dedicated.InUse, Assignment: uuid.New(),
	}
	store := &ticket.MemoryStore{}
	m, err := ticket.New(ticket.Config{Store: store, Servers: inventory{s.ID: s}, Clock: now})
	if err != nil {
		b.Fatal(err)
	}
	one := ticket.Ticket{
		ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, Assignment: s.Assignment, Status: ticket.Confirmed,
		OpenedAt: now.Now(), UrgentAt: now.Now(),
	}
	for n := range stored {
		one.ID, one.Due = uuid.New(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		if n < due {
			one.Due = now.Now()
		}
		if err := store.Commit(b.Context(), ticket.Change{Tickets: []ticket.Ticket{one}}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := m.Tick(b.Context()); err != nil {
			b.Fatal(err)
		}
		if due > 0 {
			now.Add(24 * time.Hour) // active tickets are checked daily, so the same tickets are due again, and no others
		}
	}
}
