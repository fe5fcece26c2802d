package ticket_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

// operation is one operation of the Manager on a ticket, and a status in which it is allowed.
type operation struct {
	name   string
	status ticket.Status
	do     func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error
}

func operations() []operation {
	note := func(name string) func(context.Context, *fixture, dedicated.Actor, uuid.UUID) error {
		return func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			return d.moves()[name](ctx, a, id, say("words"))
		}
	}
	return []operation{
		{"View", ticket.Open, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			_, err := d.View(ctx, a, id)
			return err
		}},
		{"Ticket", ticket.Open, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			_, err := d.Ticket(ctx, a, id)
			return err
		}},
		{"Comment", ticket.Open, note("Comment")},
		{"Comment, internal", ticket.Open, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			return errorOf(d.Comment(ctx, a, id, ticket.Note{Text: "words", Internal: true}))
		}},
		{"Confirm", ticket.Open, note("Confirm")},
		{"Reject", ticket.Open, note("Reject")},
		{"AskDetails", ticket.Open, note("AskDetails")},
		{"Complete", ticket.Confirmed, note("Complete")},
		{"Close", ticket.Open, note("Close")},
		{"Reopen", ticket.Closed, note("Reopen")},
		{"Assign", ticket.Open, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			return errorOf(d.Assign(ctx, a, id, uuid.New()))
		}},
		{"SetPriority", ticket.Open, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			return errorOf(d.SetPriority(ctx, a, id, 77))
		}},
		{"Forward", ticket.Open, note("Forward")},
		{"Draft", ticket.Open, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			_, err := d.Draft(ctx, a, id, "words")
			return err
		}},
		{"Relay", ticket.Forwarded, note("Relay")},
		{"ProviderReplied", ticket.Forwarded, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			ref := "U-2222222222222222"
			if stored, err := d.store.Ticket(ctx, id); err == nil && stored.Upstream != nil {
				ref = stored.Upstream.Ref
			}
			return errorOf(d.ProviderReplied(ctx, a, ref, say("words")))
		}},
		{"Dismiss", ticket.Done, func(ctx context.Context, d *fixture, a dedicated.Actor, id uuid.UUID) error {
			return errorOf(d.Dismiss(ctx, a, id, d.newestOfClient(ctx, id)))
		}},
	}
}

// bring moves an open ticket to a status, as the reseller.
func (d *fixture) bring(t *testing.T, id uuid.UUID, status ticket.Status) {
	t.Helper()
	steps := map[ticket.Status][]string{
		ticket.NeedsDetails: {"AskDetails"},
		ticket.Confirmed:    {"Confirm"},
		ticket.Forwarded:    {"Forward"},
		ticket.Done:         {"Confirm", "Complete"},
		ticket.Rejected:     {"Reject"},
		ticket.Closed:       {"Close"},
	}
	for _, step := range steps[status] {
		require.NoError(t, d.moves()[step](t.Context(), d.reseller, id, say("step")))
	}
	require.Equal(t, status, d.get(t, id).Status)
}

// TestMatrix tests every operation for every role that may see the ticket and for every owner of the server.
func TestMatrix(t *testing.T) {
	t.Parallel()
	const (
		forClient = iota // the client that uses the server
		forFormer        // the author, whose server has left
		forStaff         // the reseller and System
	)
	no, gone := ticket.ErrForbidden, ticket.ErrNotFound
	want := map[string][3]error{ // by forClient, forFormer, forStaff
		"View": {nil, nil, nil}, "Ticket": {no, no, nil},
		"Comment": {nil, no, nil}, "Comment, internal": {no, no, nil},
		"Confirm": {no, no, nil}, "Reject": {no, no, nil}, "AskDetails": {no, no, nil}, "Complete": {no, no, nil},
		"Close": {nil, no, nil}, "Reopen": {nil, no, nil},
		"Assign": {no, no, nil}, "SetPriority": {no, no, nil}, "Dismiss": {no, no, nil},
		"Forward": {no, no, nil}, "Draft": {no, no, nil}, "Relay": {no, no, nil}, "ProviderReplied": {no, no, nil},
	}
	ownServer := map[string]error{"Forward": no, "Draft": no, "Relay": no, "ProviderReplied": gone}
	roles := []struct {
		name  string
		actor func(d *fixture) dedicated.Actor
		class int
	}{
		{"client", func(d *fixture) dedicated.Actor { return d.client }, forClient},
		{"former client", func(d *fixture) dedicated.Actor { return d.client }, forFormer},
		{"reseller", func(d *fixture) dedicated.Actor { return d.reseller }, forStaff},
		{"reseller without a person", func(d *fixture) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Reseller, ResellerID: d.reseller.ResellerID}
		}, forStaff},
		{"system", func(d *fixture) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.System, ResellerID: d.reseller.ResellerID}
		}, forStaff},
	}
	for _, v := range operations() {
		for _, r := range roles {
			for _, rented := range []bool{false, true} {
				t.Run(v.name+"/"+r.name+"/"+ownership(rented), func(t *testing.T) {
					t.Parallel()
					d, id := v.ready(t, rented)
					if r.class == forFormer {
						d.release(d.server(rented))
					}
					expected := want[v.name][r.class]
					if own, ok := ownServer[v.name]; ok && !rented && r.class == forStaff {
						expected = own
					}
					require.ErrorIs(t, v.do(t.Context(), d, r.actor(d), id), expected)
				})
			}
		}
	}
}

// TestMatrixOfStrangers: for all other actors the ticket does not exist. ErrForbidden would show that it does.
func TestMatrixOfStrangers(t *testing.T) {
	t.Parallel()
	strangers := map[string]func(d *fixture) dedicated.Actor{
		"another client": func(d *fixture) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: d.client.ResellerID}
		},
		"client elsewhere": func(d *fixture) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Client, ID: d.client.ID, ResellerID: uuid.New()}
		},
		"client without an ID": func(d *fixture) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Client, ResellerID: d.client.ResellerID}
		},
		"another reseller": func(d *fixture) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Reseller, ID: d.reseller.ID, ResellerID: uuid.New()}
		},
		"another system":         func(*fixture) dedicated.Actor { return dedicated.Actor{Role: dedicated.System, ResellerID: uuid.New()} },
		"reseller without an ID": func(d *fixture) dedicated.Actor { return dedicated.Actor{Role: dedicated.Reseller, ID: d.reseller.ID} },
		"nobody": func(d *fixture) dedicated.Actor {
			return dedicated.Actor{ID: d.client.ID, ResellerID: d.client.ResellerID}
		},
		"role 9": func(d *fixture) dedicated.Actor {
			return dedicated.Actor{Role: 9, ID: d.client.ID, ResellerID: d.client.ResellerID}
		},
		"zero": func(*fixture) dedicated.Actor { return dedicated.Actor{} },
	}
	for _, v := range operations() {
		for name, actor := range strangers {
			for _, rented := range []bool{false, true} {
				t.Run(v.name+"/"+name+"/"+ownership(rented), func(t *testing.T) {
					t.Parallel()
					d, id := v.ready(t, rented)
					before := d.get(t, id)
					expected := ticket.ErrNotFound
					if v.name == "ProviderReplied" && (name == "another client" || name == "client elsewhere") {
						expected = ticket.ErrForbidden // refused before the reference is read
					}
					require.ErrorIs(t, v.do(t.Context(), d, actor(d), id), expected)
					assert.Equal(t, before, d.get(t, id))
				})
			}
		}
		t.Run(v.name+"/no such ticket", func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			for _, id := range []uuid.UUID{uuid.New(), uuid.Nil} {
				require.ErrorIs(t, v.do(t.Context(), d, d.reseller, id), ticket.ErrNotFound)
			}
		})
	}
}

func ownership(rented bool) string {
	if rented {
		return "a provider's server"
	}
	return "own server"
}

func (d *fixture) server(rented bool) uuid.UUID {
	if rented {
		return d.rented
	}
	return d.own
}

// release takes a server from its client.
func (d *fixture) release(id uuid.UUID) {
	s := d.servers[id]
	s.State = dedicated.CleanUp
	d.servers[id] = s
}

// ready opens a ticket and brings it to the operation's status. Without a provider it is confirmed instead of forwarded.
func (v operation) ready(t *testing.T, rented bool) (*fixture, uuid.UUID) {
	t.Helper()
	d := newFixture(t)
	id := d.opened(t, d.server(rented), ticket.Other)
	status := v.status
	if status == ticket.Forwarded && !rented {
		status = ticket.Confirmed
	}
	d.bring(t, id, status)
	if v.name == "Dismiss" {
		require.NoError(t, errorOf(d.Comment(t.Context(), d.client, id, say("thanks"))))
	}
	return d, id
}

// TestMatrixOfLists tests for each actor what it may open and list.
func TestMatrixOfLists(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	d.opened(t, d.own, ticket.Other)
	d.opened(t, d.rented, ticket.Other)
	tests := []struct {
		name                 string
		a                    dedicated.Actor
		open, views, tickets error
		seen                 int
	}{
		{"client", d.client, nil, nil, ticket.ErrForbidden, 2},
		{"another client", dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: d.client.ResellerID}, ticket.ErrNotFound, nil, ticket.ErrForbidden, 0},
		{"client elsewhere", dedicated.Actor{Role: dedicated.Client, ID: d.client.ID, ResellerID: uuid.New()}, ticket.ErrNotFound, nil, ticket.ErrForbidden, 0},
		{"reseller", d.reseller, nil, nil, nil, 2},
		{"system", dedicated.Actor{Role: dedicated.System, ResellerID: d.client.ResellerID}, nil, nil, nil, 2},
		{"another reseller", dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}, ticket.ErrNotFound, nil, nil, 0},
		{"client without an ID", dedicated.Actor{Role: dedicated.Client, ResellerID: d.client.ResellerID}, ticket.ErrNotFound, ticket.ErrNotFound, ticket.ErrNotFound, 0},
		{"reseller without an ID", dedicated.Actor{Role: dedicated.Reseller}, ticket.ErrNotFound, ticket.ErrNotFound, ticket.ErrNotFound, 0},
		{"nobody", dedicated.Actor{ID: d.client.ID, ResellerID: d.client.ResellerID}, ticket.ErrNotFound, ticket.ErrNotFound, ticket.ErrNotFound, 0},
	}
	for _, tt := range tests {
		views, _, err := d.Views(ctx, tt.a, ticket.Query{})
		require.ErrorIs(t, err, tt.views, tt.name)
		assert.Len(t, views, tt.seen, tt.name)
		tickets, _, err := d.Tickets(ctx, tt.a, ticket.Query{})
		require.ErrorIs(t, err, tt.tickets, tt.name)
		counts, err := d.Counts(ctx, tt.a, ticket.Query{})
		require.ErrorIs(t, err, tt.tickets, tt.name)
		if tt.tickets == nil {
			assert.Len(t, tickets, tt.seen, tt.name)
			assert.Equal(t, tt.seen, counts[ticket.Open], tt.name)
		}
	}
	for _, tt := range tests {
		for _, server := range []uuid.UUID{d.own, d.rented} {
			forms, err := d.Forms(ctx, tt.a, server)
			require.ErrorIs(t, err, tt.open, tt.name)
			assert.Equal(t, tt.open == nil, len(forms) > 0, tt.name)
			_, err = d.Open(ctx, tt.a, ticket.Form{ServerID: server, Kind: ticket.Other})
			require.ErrorIs(t, err, tt.open, tt.name)
		}
	}
	d.release(d.own)
	forms, err := d.Forms(ctx, d.reseller, d.own)
	require.NoError(t, err)
	assert.Empty(t, forms, "no client uses the server")
	_, err = d.Open(ctx, d.reseller, ticket.Form{ServerID: d.own, Kind: ticket.Other})
	require.ErrorIs(t, err, ticket.ErrConflict)
	for _, a := range []dedicated.Actor{d.client, tests[1].a} {
		_, err = d.Open(ctx, a, ticket.Form{ServerID: d.own, Kind: ticket.Other})
		require.ErrorIs(t, err, ticket.ErrNotFound)
		_, err = d.Forms(ctx, a, d.own)
		require.ErrorIs(t, err, ticket.ErrNotFound)
	}
}
