package cancellation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
)

// BenchmarkTick executes what is due among much that is not: the cost follows what is due. Each round has due records of
// its own; what is scheduled besides stays.
func BenchmarkTick(b *testing.B) {
	for _, stored := range []int{1_000, 1_000_000} {
		w := setup(b)
		fill(b, w, stored)
		w.tick(b)
		for _, due := range []int{0, 100, 1000} {
			b.Run(fmt.Sprintf("scheduled=%d/due=%d", stored, due), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					makeDue(b, w, due)
					b.StartTimer()
					w.tick(b)
				}
			})
		}
	}
}

// fill schedules n cancellations for later, as they are once a tick has looked at them.
func fill(b *testing.B, w *fixture, n int) {
	b.Helper()
	later := endOfNovember()
	for n > 0 {
		changes := make([]cancellation.Change, min(n, 1000))
		for i := range changes {
			changes[i].Cancellations = []cancellation.Cancellation{{
				ID: uuid.New(), ResellerID: w.reseller.ResellerID, ClientID: w.client.ID, ServerID: uuid.New(), Assignment: uuid.New(),
				ServerName: "web-01", State: cancellation.Scheduled, When: cancellation.When{At: later}, At: later, Due: later.Add(time.Duration(i)),
			}}
		}
		require.NoError(b, w.store.Commit(b.Context(), changes...))
		n -= len(changes)
	}
}

// makeDue schedules n cancellations of servers for now.
func makeDue(b *testing.B, w *fixture, n int) {
	b.Helper()
	for range n {
		w.schedule(b, w.server(b).ID, w.clock.Now())
	}
}

// BenchmarkRearm reckons everything scheduled again after settings were saved.
func BenchmarkRearm(b *testing.B) {
	w := setup(b)
	fill(b, w, 10_000)
	for b.Loop() {
		w.save(b, warnings(7))
		w.tick(b)
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkWarnings records warnings, which are stored a hundred at a time.
func BenchmarkWarnings(b *testing.B) {
	w := setup(b)
	w.save(b, warnings(7))
	fill(b, w, 100_000)
	w.tick(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range 1000 {
			w.schedule(b, w.server(b).ID, at("2026-11-15 12:00"))
		}
		b.StartTimer()
		w.tick(b)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "warnings/s")
}
