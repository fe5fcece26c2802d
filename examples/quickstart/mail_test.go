package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMail: each mail once, to somebody who may read it.
func TestMail(t *testing.T) {
	t.Parallel()
	events := story(t)
	inv := read(t, embedded)
	people := map[string]string{}
	for _, p := range inv.clients() {
		people[p.name] = p.email
	}
	seen := map[string]bool{}
	for _, e := range events {
		if !strings.HasPrefix(e.Kind, "mail.") {
			continue
		}
		id := e.Data["message_id"].(string)
		require.False(t, seen[id], "twice: %v", e)
		seen[id] = true
		all := fmt.Sprint(e.Text, e.Data)
		assert.NotContains(t, all, "<no value>")
		assert.NotEmpty(t, e.Data["subject"])
		assert.NotEmpty(t, e.Data["body"])
		for _, l := range inv.servers {
			switch {
			case e.Kind == "mail.client" && !l.owner.Own():
				assert.NotContains(t, all, l.owner.Provider, "a client learns whose machine it is")
				assert.NotContains(t, all, l.owner.Reference, "a client learns what the provider calls it")
			case e.Kind == "mail.provider" && !l.inStock():
				assert.NotContains(t, all, l.client.name, "a provider learns who the client is")
				assert.NotContains(t, all, l.client.email)
				assert.NotContains(t, all, l.client.id().String())
			}
		}
		if e.Kind == "mail.client" {
			assert.Equal(t, people[e.Who], e.Data["to"])
		}
	}
	ends := of(events, "story.ends")[0].Data
	mails := ends["mails"].(map[string]any)
	assert.EqualValues(t, len(seen), mails["client"].(float64)+mails["reseller"].(float64)+mails["provider"].(float64))
	assert.Zero(t, ends["waiting"])
	assert.Zero(t, ends["dead"])
}

// TestMailForEachEvent: who has to know is told.
func TestMailForEachEvent(t *testing.T) {
	t.Parallel()
	events := story(t)
	mailed := map[string]int{}
	for _, e := range events {
		if kind, ok := e.Data["event"].(string); ok {
			mailed[kind]++
		}
	}
	for kind, events := range map[string]int{
		"backup.completed":        len(of(events, "backup.completed")),
		"backup.failed":           len(of(events, "backup.failed")),
		"backup.cancelled":        len(of(events, "backup.cancelled")),
		"backup.withdrawn":        len(of(events, "backup.withdrawn")),
		"backup.closed":           len(of(events, "backup.closed")),
		"backup.overdue":          len(of(events, "backup.overdue")),
		"cancellation.warning":    len(of(events, "cancellation.warned")),
		"cancellation.executed":   len(of(events, "cancellation.executed")),
		"cancellation.completed":  len(of(events, "cancellation.executed")),
		"cancellation.discarded":  len(of(events, "cancellation.discarded")),
		"ticket.opened":           len(of(events, "ticket.opened")),
		"ticket.received":         len(of(events, "ticket.opened")),
		"ticket.rejected":         len(of(events, "ticket.rejected")),
		"ticket.details_wanted":   len(of(events, "ticket.details_wanted")),
		"ticket.done":             len(of(events, "ticket.done")),
		"ticket.forwarded":        len(of(events, "ticket.forwarded")),
		"ticket.provider_replied": len(of(events, "ticket.provider_replied")),
		"ticket.unanswered":       len(of(events, "ticket.unanswered")),
		"dedicated.ended":         len(of(events, "server.released")),
		"dedicated.assigned":      len(of(events, "server.assigned")),
		"dedicated.suspended":     len(of(events, "server.held")),
		"dedicated.resumed":       len(of(events, "server.resumed")),
	} {
		assert.Equal(t, events, mailed[kind], kind)
		assert.Positive(t, events, kind)
	}
}
