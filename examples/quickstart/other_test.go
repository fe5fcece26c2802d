package main

import (
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
	assert.Contains(t, text, "This inventory has no own server in stock")
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
		all.Go(func() { plays[i].events, plays[i].err = play(inv) })
	}
	all.Wait()
	for i, line := range lines[1:] {
		require.NoError(t, plays[i].err, line)
		assert.Len(t, of(plays[i].events, "story.ends"), 1, line)
		assert.GreaterOrEqual(t, len(of(plays[i].events, "story.missing")), len(acts())-2, line)
	}
}
