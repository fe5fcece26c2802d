package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMail shows that each mail is sent once, and holds nothing that its recipient may not read.
func TestMail(t *testing.T) {
	t.Parallel()
	events := simulated(t)
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
		require.False(t, seen[id], "sent twice: %v", e)
		seen[id] = true
		all := fmt.Sprint(e.Text, e.Data)
		assert.NotContains(t, all, "<no value>")
		assert.NotEmpty(t, e.Data["subject"])
		assert.NotEmpty(t, e.Data["body"])
		for _, l := range inv.servers {
			switch {
			case e.Kind == "mail.client" && !l.owner.Own():
				assert.NotContains(t, all, l.owner.Provider, "the name of the provider in a mail to a client")
				assert.NotContains(t, all, l.owner.Reference, "the provider's reference in a mail to a client")
			case e.Kind == "mail.provider" && !l.inStock():
				assert.NotContains(t, all, l.client.name, "the name of the client in a mail to a provider")
				assert.NotContains(t, all, l.client.email)
				assert.NotContains(t, all, l.client.id().String())
			}
		}
		if e.Kind == "mail.client" {
			assert.Equal(t, people[e.Who], e.Data["to"])
		}
	}
	end := ofKind(events, "simulation.ended")[0].Data
	mails := end["mails"].(map[string]any)
	assert.EqualValues(t, len(seen), mails["client"].(float64)+mails["reseller"].(float64)+mails["provider"].(float64))
	assert.Zero(t, end["waiting"])
	assert.Zero(t, end["dead"])
}

// TestMailForEachEvent counts the mails that each kind of event causes.
func TestMailForEachEvent(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	mailed := map[string]int{}
	for _, e := range events {
		if kind, ok := e.Data["event"].(string); ok {
			mailed[kind]++
		}
	}
	for kind, events := range map[string]int{
		"backup.completed":        len(ofKind(events, "backup.completed")),
		"backup.failed":           len(ofKind(events, "backup.failed")),
		"backup.cancelled":        len(ofKind(events, "backup.cancelled")),
		"backup.withdrawn":        len(ofKind(events, "backup.withdrawn")),
		"backup.closed":           len(ofKind(events, "backup.closed")),
		"backup.overdue":          len(ofKind(events, "backup.overdue")),
		"cancellation.warning":    len(ofKind(events, "cancellation.warned")),
		"cancellation.executed":   len(ofKind(events, "cancellation.executed")),
		"cancellation.completed":  len(ofKind(events, "cancellation.executed")),
		"cancellation.discarded":  len(ofKind(events, "cancellation.discarded")),
		"ticket.opened":           len(ofKind(events, "ticket.opened")),
		"ticket.received":         len(ofKind(events, "ticket.opened")),
		"ticket.rejected":         len(ofKind(events, "ticket.rejected")),
		"ticket.details_wanted":   len(ofKind(events, "ticket.details_wanted")),
		"ticket.done":             len(ofKind(events, "ticket.done")),
		"ticket.forwarded":        len(ofKind(events, "ticket.forwarded")),
		"ticket.provider_replied": len(ofKind(events, "ticket.provider_replied")),
		"ticket.unanswered":       len(ofKind(events, "ticket.unanswered")),
		"dedicated.ended":         len(ofKind(events, "server.released")),
		"dedicated.assigned":      len(ofKind(events, "server.assigned")),
		"dedicated.suspended":     len(ofKind(events, "server.suspended")),
		"dedicated.resumed":       len(ofKind(events, "server.resumed")),
	} {
		assert.Equal(t, events, mailed[kind], kind)
		assert.Positive(t, events, kind)
	}
}
