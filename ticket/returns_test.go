package ticket_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestMovesReturnTheTicket: each operation of the reseller returns what Manager.Ticket returns then, with the priority that
// waiting has raised.
func TestMovesReturnTheTicket(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Reboot)
	check := func(name string) func(ticket.Ticket, error) ticket.Ticket {
		return func(got ticket.Ticket, err error) ticket.Ticket {
			t.Helper()
			require.NoError(t, err, name)
			assert.Equal(t, d.get(t, id), got, name)
			d.clock.Add(24 * time.Hour)
			return got
		}
	}
	check("AskDetails")(d.AskDetails(ctx, d.reseller, id, say("which?")))
	got := check("Confirm")(d.Confirm(ctx, d.reseller, id, say("yes")))
	assert.Equal(t, ticket.DefaultPriority, got.Priority, "a day of waiting for the client does not count")
	check("Assign")(d.Assign(ctx, d.reseller, id, uuid.New()))
	got = check("Assign again")(d.Assign(ctx, d.reseller, id, d.get(t, id).Assignee))
	assert.Equal(t, ticket.DefaultPriority+2*ticket.DefaultAgingPerDay, got.Priority)
	got = check("SetPriority")(d.SetPriority(ctx, d.reseller, id, 7))
	assert.Equal(t, 7, got.Priority)
	got = check("Forward")(d.Forward(ctx, d.reseller, id, say("press it")))
	check("ProviderReplied")(d.ProviderReplied(ctx, d.reseller, got.Upstream.Ref, say("pressed")))
	check("Relay")(d.Relay(ctx, d.reseller, id, say("it was pressed")))
	check("Complete")(d.Complete(ctx, d.reseller, id, ticket.Note{}))
	for _, a := range []dedicated.Actor{d.client, d.reseller} {
		for name, call := range map[string]func() (ticket.View, error){
			"Comment": func() (ticket.View, error) { return d.Comment(ctx, a, id, say("thanks")) },
			"Close":   func() (ticket.View, error) { return d.Close(ctx, a, id, ticket.Note{}) },
			"Reopen":  func() (ticket.View, error) { return d.Reopen(ctx, a, id, ticket.Note{}) },
		} {
			if name == "Reopen" {
				_, _ = d.Close(ctx, d.reseller, id, ticket.Note{})
			}
			if name == "Close" {
				_, _ = d.Reopen(ctx, d.reseller, id, ticket.Note{})
			}
			v, err := call()
			require.NoError(t, err, name)
			assert.Equal(t, d.view(t, id), v, name)
		}
	}
	_, _ = d.Reopen(ctx, d.reseller, id, ticket.Note{})
	check("Reject")(d.Reject(ctx, d.reseller, id, say("no")))
}

// TestRepeatsReturnWhatIsStored: a repeat by Note.ID returns the ticket as it has become since.
func TestRepeatsReturnWhatIsStored(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Other)
	confirm := ticket.Note{ID: uuid.New(), Text: "yes"}
	require.NoError(t, errorOf(d.Confirm(ctx, d.reseller, id, confirm)))
	comment := ticket.Note{ID: uuid.New(), Text: "thanks"}
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, comment)))
	forward := ticket.Note{ID: uuid.New(), Text: "press it"}
	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, forward)))
	d.bring(t, id, ticket.Closed)
	d.clock.Add(48 * time.Hour)
	d.events(t)
	want := d.get(t, id)
	assert.Equal(t, ticket.DefaultPriority, want.Priority, "nobody waits for the reseller")
	clear(d.servers) // a repeat asks for no server
	got, err := d.Confirm(ctx, d.reseller, id, confirm)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = d.Forward(ctx, d.reseller, id, forward)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	v, err := d.Comment(ctx, d.client, id, comment)
	require.NoError(t, err)
	assert.Equal(t, d.view(t, id), v)
	assert.Equal(t, want, d.get(t, id), "nothing is written")
	kinds, _ := d.events(t)
	assert.Empty(t, kinds)
}

// TestExisting: the error of an ID that another ticket has shows that ticket only to an actor who may see it.
func TestExisting(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.own, ticket.Other)
	form := ticket.Form{ID: id, ServerID: d.own, Kind: ticket.Other, Subject: "something else"}
	for _, a := range []dedicated.Actor{d.client, d.reseller} {
		_, err := d.Open(ctx, a, form)
		require.ErrorIs(t, err, ticket.ErrConflict)
		e := refusal(t, err)
		require.NotNil(t, e.Existing)
		assert.Equal(t, d.view(t, id), *e.Existing)
		assert.Equal(t, "ID", e.Field)
	}
	neighbour := d.reassign(d.rented)
	stranger := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	foreign := dedicated.Server{
		ID: uuid.New(), ResellerID: stranger.ResellerID, ClientID: uuid.New(), State: dedicated.InUse, Assignment: uuid.New(),
	}
	d.servers[foreign.ID] = foreign
	for server, a := range map[uuid.UUID]dedicated.Actor{d.rented: neighbour, foreign.ID: stranger} {
		form.ServerID = server
		_, err := d.Open(ctx, a, form)
		require.ErrorIs(t, err, ticket.ErrConflict)
		assert.Nil(t, refusal(t, err).Existing)
		assert.NotContains(t, err.Error(), "please")
	}
}
