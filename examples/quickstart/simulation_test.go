package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The output for the embedded inventory. The program runs once for all tests that only read the output.
var (
	embeddedJSON = sync.OnceValue(func() string { return output("-json") })
	embeddedText = sync.OnceValue(func() string { return output() })
)

// output runs the program and returns what it prints, or why it failed.
func output(args ...string) string {
	code, stdout, stderr := program(args...)
	if code != exitOK || stderr != "" {
		return fmt.Sprintf("exit code %d: %s", code, stderr)
	}
	return stdout
}

// simulated returns the events of a simulation. Without arguments it uses the embedded inventory.
func simulated(t *testing.T, args ...string) []event {
	t.Helper()
	if len(args) == 0 {
		return parse(t, embeddedJSON())
	}
	code, stdout, stderr := program(append(args, "-json")...)
	require.Equal(t, exitOK, code, stderr)
	return parse(t, stdout)
}

func parse(t *testing.T, stdout string) []event {
	t.Helper()
	var events []event
	for line := range strings.Lines(stdout) {
		var e event
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		events = append(events, e)
	}
	require.NotEmpty(t, events)
	return events
}

// ofKind returns the events of a kind.
func ofKind(events []event, kind string) []event {
	var found []event
	for _, e := range events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// ofServer returns the events about a server.
func ofServer(events []event, server string) []event {
	var found []event
	for _, e := range events {
		if e.Server == server {
			found = append(found, e)
		}
	}
	return found
}

// kinds returns the kinds of the events, without mails.
func kinds(events []event) []string {
	var all []string
	for _, e := range events {
		if !strings.HasPrefix(e.Kind, "mail.") {
			all = append(all, e.Kind)
		}
	}
	return all
}

// TestKinds counts the events of each kind.
func TestKinds(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	counts := map[string]int{}
	for _, e := range events {
		counts[e.Kind]++
	}
	for kind, want := range map[string]int{
		"simulation.started": 1, "simulation.ended": 1, "scenario.skipped": 0,
		"backup.submitted": 4, "backup.cancelled": 1, "backup.failed": 1, "backup.retried": 1, "backup.overdue": 1, "backup.skipped": 2,
		"backup.withdrawn": 1, "backup.closed": 1,
		"ticket.opened": 6, "ticket.confirmed": 2, "ticket.rejected": 1, "ticket.details_wanted": 1, "ticket.commented": 2,
		"ticket.forwarded": 2, "ticket.provider_replied": 2, "ticket.relayed": 2, "ticket.done": 4, "ticket.unanswered": 1, "ticket.closed": 5,
		"ticket.refused": 2, "cancellation.refused": 5,
		"cancellation.settings": 1, "cancellation.badges": 1, "cancellation.scheduled": 4, "cancellation.rescheduled": 1, "cancellation.discarded": 1,
		"cancellation.quoted": 3, "cancellation.executed": 3, "cancellation.warned": 6,
		"money.refunded": 2, "money.not_charged": 1,
		"server.assigned": 1, "server.suspended": 1, "server.resumed": 1, "server.released": 1, "server.clean_up": 4, "server.retired": 1, "server.restocked": 2,
		"mail.provider": 2,
	} {
		assert.Equal(t, want, counts[kind], kind)
	}
	for kind, atLeast := range map[string]int{
		"backup.due": 10, "backup.completed": 10, "money.charged": 30, "mail.client": 40, "mail.reseller": 15,
	} {
		assert.GreaterOrEqual(t, counts[kind], atLeast, kind)
	}
}

func TestTimesAreOrderedAndUTC(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	begin := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	last := begin
	for _, e := range events {
		require.False(t, e.Time.Before(last), "%v after %s", e, last)
		require.Equal(t, time.UTC, e.Time.Location())
		last = e.Time
	}
	assert.Equal(t, begin.AddDate(0, 2, 0), last)
}

// TestScenarios compares the kinds of all events of a scenario's server, in their order.
func TestScenarios(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	for server, want := range map[string]string{
		"shop-01": "ticket.opened ticket.refused ticket.refused ticket.confirmed ticket.done ticket.closed",
		"farm-01": "ticket.opened ticket.forwarded ticket.provider_replied ticket.relayed ticket.done ticket.closed",
		"render-01": "cancellation.refused cancellation.refused ticket.opened ticket.forwarded ticket.provider_replied " +
			"ticket.relayed ticket.done server.released server.clean_up server.retired",
		"mail-01": "ticket.opened ticket.details_wanted ticket.commented ticket.confirmed ticket.done ticket.closed " +
			"cancellation.scheduled cancellation.rescheduled cancellation.warned cancellation.warned cancellation.quoted " +
			"server.clean_up money.refunded cancellation.executed server.restocked",
		"game-01":  "server.suspended cancellation.scheduled cancellation.warned cancellation.discarded server.resumed",
		"cache-01": "ticket.opened ticket.unanswered ticket.rejected ticket.closed",
		"spare-01": "server.assigned cancellation.quoted cancellation.scheduled cancellation.warned server.clean_up " +
			"money.refunded cancellation.executed server.restocked",
		"web-01": "backup.submitted backup.due backup.completed cancellation.refused cancellation.quoted cancellation.scheduled " +
			"cancellation.refused backup.due backup.completed cancellation.refused ticket.opened ticket.commented backup.due " +
			"backup.completed cancellation.warned backup.due backup.completed cancellation.warned money.not_charged " +
			"server.clean_up backup.closed ticket.closed cancellation.executed",
		"ci-01": "backup.submitted backup.due backup.failed backup.retried backup.completed backup.due backup.completed",
		"log-01": "backup.submitted backup.due backup.overdue backup.skipped backup.skipped backup.completed backup.due " +
			"backup.completed",
	} {
		assert.Equal(t, want, strings.Join(kinds(ofServer(events, server)), " "), server)
	}
}

// TestDueTimes shows that everything happens at the time at which it is due.
func TestDueTimes(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	at := func(server, kind string) []string {
		var all []string
		for _, e := range ofKind(ofServer(events, server), kind) {
			all = append(all, e.Time.Format("01-02 15:04"))
		}
		return all
	}
	// 28 February, 00:00 in Berlin. The warnings are at the same local time, 7 and 2 days before.
	assert.Equal(t, []string{"02-27 23:00"}, at("web-01", "cancellation.executed"))
	assert.Equal(t, []string{"02-20 23:00", "02-25 23:00"}, at("web-01", "cancellation.warned"))
	assert.Equal(t, []string{"02-27 23:00"}, at("web-01", "money.not_charged"))
	// The cancellation was moved from 16 to 19 March, and the warnings with it.
	assert.Equal(t, []string{"03-12 12:00", "03-17 12:00"}, at("mail-01", "cancellation.warned"))
	assert.Equal(t, []string{"03-19 12:00"}, at("mail-01", "cancellation.executed"))
	// The cancellation was scheduled 2 days ahead, so the warning is immediate.
	assert.Equal(t, []string{"02-24 14:05"}, at("spare-01", "cancellation.warned"))
	// In February, the 31st becomes the last day.
	assert.Equal(t, []string{"02-28 01:00", "03-31 01:00"}, at("ci-01", "backup.due"))
	// Every Sunday at 02:30 in New York. The one of 1 March was cancelled. On 8 March 02:30 does not exist.
	assert.Equal(t, []string{"02-08 07:30", "02-15 07:30", "02-22 07:30", "03-08 07:30", "03-15 06:30"}, at("api-01", "backup.due"))
	// The reminder comes after one day without an answer, the automatic close after one week without a comment.
	assert.Equal(t, []string{"02-07 14:00"}, at("cache-01", "ticket.unanswered"))
	assert.Equal(t, []string{"02-14 15:30"}, at("cache-01", "ticket.closed"))
	assert.Equal(t, []string{"02-11 09:20"}, at("shop-01", "ticket.closed"))
}

// TestRefusals shows that each refusal is recorded with the text of the error.
func TestRefusals(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	var refusals []event
	for _, e := range events {
		if strings.HasSuffix(e.Kind, ".refused") {
			refusals = append(refusals, e)
		}
	}
	for _, want := range []struct{ server, who, reason, words string }{
		{"shop-01", "Bruno Keller", "conflict", "is open for server shop-01 already"},
		{"shop-01", "Ada Lindqvist", "not found", "not found"},
		{"web-01", "Ada Lindqvist", "forbidden", "end of the billing period"},
		{"web-01", "Ada Lindqvist", "conflict", "already has a cancellation by the client"},
		{"web-01", "Ada Lindqvist", "forbidden", "ask the reseller"},
		{"render-01", "Oscar Lund", "forbidden", "open a cancel_at_provider ticket"},
		{"render-01", resellerName, "forbidden", `belongs to Northwind Metal, under the name "NW-31002"`},
	} {
		require.NotEmpty(t, refusals, want.words)
		e := refusals[0]
		refusals = refusals[1:]
		assert.Equal(t, want.server, e.Server)
		assert.Equal(t, want.who, e.Who)
		assert.Equal(t, want.reason, e.Data["reason"])
		assert.Contains(t, e.Data["error"], want.words)
		assert.Contains(t, e.Text, "-> refused: "+e.Data["error"].(string))
	}
	assert.Empty(t, refusals)
}

// TestBadges reads the scheduled cancellations in the list of servers.
func TestBadges(t *testing.T) {
	t.Parallel()
	badges := ofKind(simulated(t), "cancellation.badges")
	require.Len(t, badges, 1)
	assert.Equal(t, []any{
		map[string]any{"server": "web-01", "for": "2026-02-27T23:00:00Z", "by": "client"},
		map[string]any{"server": "game-01", "for": "2026-03-01T09:00:00Z", "by": "reseller"},
		map[string]any{"server": "spare-01", "for": "2026-02-26T09:00:00Z", "by": "reseller"},
	}, badges[0].Data["badges"])
	assert.Contains(t, badges[0].Text, "its backup on Wed 4 Mar 2026 03:00 Europe/Berlin will not run")
}

// TestTextHasTheEventsOfJSON finds the text of each JSON event in the text output, in the same order.
func TestTextHasTheEventsOfJSON(t *testing.T) {
	t.Parallel()
	text := embeddedText()
	rest := strings.Join(strings.Fields(text), " ")
	for _, e := range simulated(t) {
		words := strings.Join(strings.Fields(e.Text), " ")
		_, after, found := strings.Cut(rest, words)
		require.True(t, found, "%s at %s is not in the text, or not in order: %s", e.Kind, e.Time, words)
		rest = after
	}
	assert.Empty(t, rest)
	for line := range strings.Lines(text) {
		assert.NotContains(t, strings.TrimLeft(line, " ")[1:], "\t")
		assert.LessOrEqual(t, len([]rune(line)), width+1, line)
	}
}

// TestSteps checks that scenarios have different names, and that their steps are in order and within the simulation.
func TestSteps(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, sc := range scenarios() {
		assert.False(t, names[sc.name], sc.name)
		names[sc.name] = true
		for i, st := range sc.steps {
			assert.NotNil(t, st.do)
			assert.Positive(t, st.day)
			assert.Less(t, st.at, 24*time.Hour)
			if sc.name != "routine" {
				assert.LessOrEqual(t, st.day, 56, "February and March")
			}
			if i > 0 && sc.name != "routine" {
				before := sc.steps[i-1]
				assert.Less(t, hm(24*before.day, 0)+before.at, hm(24*st.day, 0)+st.at, "%s, day %d", sc.name, st.day)
			}
		}
	}
}
