package cancellation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
)

// BenchmarkTick executes the due cancellations among many that are not due: the cost follows what is due. Each round has due
// records of its own. The other scheduled records stay.
func BenchmarkTick(b *testing.B) {
	for _, stored := range []int{1_000, 1_000_000} {
		f := newFixture(b)
		fill(b, f, stored)
		f.tick(b)
		for _, due := range []int{0, 100, 1000} {
			b.Run(fmt.Sprintf("scheduled=%d/due=%d", stored, due), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					makeDue(b, f, due)
					b.StartTimer()
					f.tick(b)
				}
			})
		}
	}
}

// fill schedules n cancellations for later, as they are stored after a first Tick.
func fill(b *testing.B, f *fixture, n int) {
	b.Helper()
	later := endOfNovember()
	for n > 0 {
		changes := make([]cancellation.Change, min(n, 1000))
		for i := range changes {
			changes[i].Cancellations = []cancellation.Cancellation{{
				ID: uuid.New(), ResellerID: f.reseller.ResellerID, ClientID: f.client.ID, ServerID: uuid.New(), Assignment: uuid.New(),
				ServerName: "web-01", State: cancellation.Scheduled, When: cancellation.When{At: later}, At: later, Due: later.Add(time.Duration(i)),
			}}
		}
		require.NoError(b, f.store.Commit(b.Context(), changes...))
		n -= len(changes)
	}
}

// makeDue schedules n cancellations of servers for now.
func makeDue(b *testing.B, f *fixture, n int) {
	b.Helper()
	for range n {
		f.scheduleAt(b, f.server(b).ID, f.clock.Now())
	}
}

// BenchmarkRearm plans all scheduled cancellations again after settings were saved.
func BenchmarkRearm(b *testing.B) {
	f := newFixture(b)
	fill(b, f, 10_000)
	for b.Loop() {
		f.saveSettings(b, warnings(7))
		f.tick(b)
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkWarnings records warnings. A Tick stores a hundred of them in one commit.
func BenchmarkWarnings(b *testing.B) {
	f := newFixture(b)
	f.saveSettings(b, warnings(7))
	fill(b, f, 100_000)
	f.tick(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range 1000 {
			f.scheduleAt(b, f.server(b).ID, at("2026-11-15 12:00"))
		}
		b.StartTimer()
		f.tick(b)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "warnings/s")
}
