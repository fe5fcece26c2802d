package ticket_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestTable runs every operation in every status, and compares the result with the status table.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, status := range ticket.Statuses() {
		for name, call := range newFixture(t).calls() {
			_ = call
			t.Run(fmt.Sprintf("%s/%s", status, name), func(t *testing.T) {
				t.Parallel()
				d := newFixture(t)
				id := d.opened(t, d.rented, ticket.Other)
				d.bring(t, id, ticket.Forwarded) // a ticket that was never forwarded cannot be relayed
				if status != ticket.Forwarded {
					require.NoError(t, errorOf(d.Close(t.Context(), d.reseller, id, ticket.Note{})))
					require.NoError(t, errorOf(d.Reopen(t.Context(), d.reseller, id, ticket.Note{})))
					d.bring(t, id, status)
				}
				to, ok := tableSays(name, status)
				err := d.calls()[name](t.Context(), id, say("words"))
				got := d.get(t, id)
				if !ok {
					require.Error(t, err)
					assert.True(t, errors.Is(err, ticket.ErrConflict) || errors.Is(err, ticket.ErrForbidden), err)
					assert.Equal(t, status, got.Status)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, to, got.Status)
			})
		}
	}
}

// tableSays returns what the status table says.
func tableSays(name string, from ticket.Status) (to ticket.Status, ok bool) {
	by := map[byte]dedicated.Role{'c': dedicated.Client, 'r': dedicated.Reseller}[name[0]]
	op := name[2:]
	if op == "Internal" {
		op = "Comment"
	}
	for _, row := range ticket.Transitions() {
		if string(row.Op) != op || row.By != 0 && row.By != by {
			continue
		}
		for _, s := range row.From {
			if s == from {
				if row.To == "" {
					return from, true
				}
				return row.To, true
			}
		}
	}
	return from, false
}
