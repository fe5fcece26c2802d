package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOtherInventory(t *testing.T) {
	t.Parallel()
	events := simulated(t, "-inventory", "testdata/small.csv")
	assert.Equal(t, "2027-06-01T00:00:00Z", events[0].Time.Format(time.RFC3339))
	var skipped []string
	for _, e := range ofKind(events, "scenario.skipped") {
		skipped = append(skipped, e.Data["scenario"].(string))
		assert.Contains(t, e.Text, "This inventory has no ")
	}
	assert.Equal(t, []string{"money back", "return", "late payer", "upgrade", "weekly", "monthly", "forgotten"}, skipped)
	assert.Equal(t, "cancellation.executed", kinds(ofServer(events, "alpha"))[len(kinds(ofServer(events, "alpha")))-1])
	assert.Len(t, ofKind(ofServer(events, "gamma"), "ticket.relayed"), 1)
	assert.Contains(t, ofKind(ofServer(events, "gamma"), "mail.provider")[0].Data["to"], "support@cave-co.example")
	assert.Len(t, ofKind(events, "money.refunded"), 1)
	_, text, _ := program("-inventory", "testdata/small.csv")
	assert.Contains(t, text, "This inventory has no own server in stock and a client to assign it to. Left out:")
	assert.Contains(t, text, "This inventory has no other provider's server that a client rents. Left out:")
}

// TestEachServerAlone simulates each server of the embedded inventory as the only one. So every scenario runs on every server
// that fits.
func TestEachServerAlone(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(embedded), "\n")
	runs := make([]struct {
		events []event
		err    error
	}, len(lines))
	var all sync.WaitGroup
	for i, line := range lines[1:] {
		inv := read(t, lines[0]+"\n"+line+"\n")
		all.Go(func() { runs[i].events, runs[i].err = simulate(t.Context(), inv, inMemory()) })
	}
	all.Wait()
	for i, line := range lines[1:] {
		require.NoError(t, runs[i].err, line)
		assert.Len(t, ofKind(runs[i].events, "simulation.ended"), 1, line)
		assert.GreaterOrEqual(t, len(ofKind(runs[i].events, "scenario.skipped")), len(scenarios())-2, line)
	}
}

// TestRandomInventories simulates inventories with random zones, anchors, cycles and prices.
func TestRandomInventories(t *testing.T) {
	t.Parallel()
	const rounds = 12
	sources, runs, errs := make([]string, rounds), make([][]event, rounds), make([]error, rounds)
	var all sync.WaitGroup
	for n := range rounds {
		sources[n] = randomInventory(rand.New(rand.NewPCG(uint64(n), 1)))
		inv := read(t, sources[n])
		all.Go(func() { runs[n], errs[n] = simulate(t.Context(), inv, inMemory()) })
	}
	all.Wait()
	for n, events := range runs {
		require.NoError(t, errs[n], sources[n])
		mails := map[any]bool{}
		for _, e := range events {
			if id := e.Data["message_id"]; id != nil {
				assert.False(t, mails[id], "sent twice: %v", e)
				mails[id] = true
				assert.NotContains(t, e.Data["body"], "<no value>")
			}
		}
	}
}

func randomInventory(r *rand.Rand) string {
	one := func(choices ...string) string { return choices[r.IntN(len(choices))] }
	var b strings.Builder
	b.WriteString(header)
	first := time.Date(2005+r.IntN(60), time.Month(1+r.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
	for n := range 1 + r.IntN(15) {
		c := r.IntN(5)
		client, anchor, owner := fmt.Sprintf("Client %d,c%d@x.example", c, c), first.AddDate(0, 0, r.IntN(90)).Format(time.DateOnly), ","
		if r.IntN(5) == 0 {
			client, anchor = ",", ""
		}
		if r.IntN(4) == 0 {
			owner = fmt.Sprintf("Provider %d,R-%d", r.IntN(2), n)
		}
		zone := one("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Africa/Casablanca", "Asia/Kathmandu",
			"Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati")
		cycle := one("day", "week", "month", "year", "30 days", "3 months", "2 weeks")
		price := one("EUR,79.00", "JPY,4900", "KWD,0.001", "USD,0.01", "GBP,999999999.99")
		fmt.Fprintln(&b, strings.Join([]string{fmt.Sprint("s", n), client, owner, zone, anchor, cycle, price}, ","))
	}
	return b.String()
}
