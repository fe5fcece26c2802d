package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRefunds compares each refund with its quote, line by line, and with the mails about it.
func TestRefunds(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	for server, total := range map[string]string{"mail-01": "40.26", "spare-01": "79.00"} {
		own := ofServer(events, server)
		quoted, refunded, executed := ofKind(own, "cancellation.quoted"), ofKind(own, "money.refunded"), ofKind(own, "cancellation.executed")
		require.Len(t, quoted, 1)
		require.Len(t, refunded, 1)
		require.Len(t, executed, 1)
		assert.Equal(t, total, refunded[0].Data["total"])
		assert.Equal(t, quoted[0].Data["total"], refunded[0].Data["total"])
		assert.Equal(t, quoted[0].Data["lines"], refunded[0].Data["lines"])
		assert.Equal(t, total, executed[0].Data["total"])
		assert.Equal(t, refunded[0].Time, executed[0].Time)
		for _, m := range own {
			if m.Data["event"] == "cancellation.executed" || m.Data["event"] == "cancellation.completed" {
				assert.Contains(t, m.Data["body"], total)
			}
		}
	}
	lines := ofKind(ofServer(events, "mail-01"), "money.refunded")[0].Data["lines"].([]any)
	var amounts []string
	for _, l := range lines {
		if line := l.(map[string]any); line["amount"] != "0.00" {
			amounts = append(amounts, fmt.Sprint(line["label"], ": ", line["amount"], " of ", line["paid"], ", ", line["unused"], "/", line["total"]))
		}
	}
	assert.Equal(t, []string{
		"rent, 5 Mar to 5 Apr 2026: 33.55 of 65.00, 16/31",
		"2 additional addresses, 5 Mar to 5 Apr 2026: 6.71 of 13.00, 16/31",
	}, amounts)

	quoted := ofKind(ofServer(events, "web-01"), "cancellation.quoted")
	require.Len(t, quoted, 1)
	assert.Equal(t, "0.00", quoted[0].Data["total"], "at the end of a period no day is unused")
	assert.Empty(t, ofKind(ofServer(events, "web-01"), "money.refunded"))
}

// TestCharges shows that each period is charged when it begins, and none after the cancellation of the server.
func TestCharges(t *testing.T) {
	t.Parallel()
	events := simulated(t)
	charges := map[string][]string{}
	for _, e := range ofKind(events, "money.charged") {
		for _, c := range e.Data["charges"].([]any) {
			charge := c.(map[string]any)
			assert.Equal(t, e.Time.Format(time.RFC3339), charge["start"])
			name := charge["server"].(string)
			charges[name] = append(charges[name], e.Time.Format("01-02"))
		}
	}
	assert.Empty(t, charges["web-01"], "it is cancelled on the day of its next charge")
	assert.Empty(t, charges["render-02"][2:])
	assert.Equal(t, []string{"02-02"}, charges["render-01"])
	assert.Equal(t, []string{"02-04", "02-09", "03-04"}, charges["mail-01"])
	assert.Equal(t, []string{"02-18"}, charges["spare-01"])
	assert.Equal(t, []string{"02-27", "03-28"}, charges["db-01"], "from the 29th: 28 February and 29 March, in Berlin")
	assert.Equal(t, []string{"02-27"}, charges["ftp-01"], "from 29 February, yearly")
	assert.Len(t, charges["ci-02"], 9, "weekly")
	assert.Empty(t, charges["spare-02"])
}
