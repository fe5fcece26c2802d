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
	events := story(t, "-inventory", "testdata/small.csv")
	assert.Equal(t, "2027-06-01T00:00:00Z", events[0].Time.Format(time.RFC3339))
	var missing []string
	for _, e := range of(events, "story.missing") {
		missing = append(missing, e.Data["act"].(string))
		assert.Contains(t, e.Text, "This inventory has no ")
	}
	assert.Equal(t, []string{"money back", "leaving provider", "late payer", "upgrade", "weekly", "monthly", "forgotten"}, missing)
	assert.Equal(t, "cancellation.executed", kinds(about(events, "alpha"))[len(kinds(about(events, "alpha")))-1])
	assert.Len(t, of(about(events, "gamma"), "ticket.relayed"), 1)
	assert.Contains(t, of(about(events, "gamma"), "mail.provider")[0].Data["to"], "support@cave-co.example")
	assert.Len(t, of(events, "money.refunded"), 1)
	_, text, _ := program("-inventory", "testdata/small.csv")
	assert.Contains(t, text, "This inventory has no own server in stock with somebody to rent it, so")
	assert.Contains(t, text, "This inventory has no other provider's server that a client rents, so")
}

// TestAnyServerPlays: each server of the inventory alone, so that every act meets what is unusual about it.
func TestAnyServerPlays(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(embedded), "\n")
	plays := make([]struct {
		events []event
		err    error
	}, len(lines))
	var all sync.WaitGroup
	for i, line := range lines[1:] {
		inv := read(t, lines[0]+"\n"+line+"\n")
		all.Go(func() { plays[i].events, plays[i].err = play(t.Context(), inv, inMemory()) })
	}
	all.Wait()
	for i, line := range lines[1:] {
		require.NoError(t, plays[i].err, line)
		assert.Len(t, of(plays[i].events, "story.ends"), 1, line)
		assert.GreaterOrEqual(t, len(of(plays[i].events, "story.missing")), len(acts())-2, line)
	}
}

// TestRandomInventoriesPlay: the story fits whatever is rented out where, for how long and for how much.
func TestRandomInventoriesPlay(t *testing.T) {
	t.Parallel()
	const rounds = 12
	sources, plays, errs := make([]string, rounds), make([][]event, rounds), make([]error, rounds)
	var all sync.WaitGroup
	for n := range rounds {
		sources[n] = randomInventory(rand.New(rand.NewPCG(uint64(n), 1)))
		inv := read(t, sources[n])
		all.Go(func() { plays[n], errs[n] = play(t.Context(), inv, inMemory()) })
	}
	all.Wait()
	for n, events := range plays {
		require.NoError(t, errs[n], sources[n])
		mails := map[any]bool{}
		for _, e := range events {
			if id := e.Data["message_id"]; id != nil {
				assert.False(t, mails[id], "twice: %v", e)
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
