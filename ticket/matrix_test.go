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

// verb is one operation of the Manager, on a ticket that is brought to a status in which it is allowed.
type verb struct {
	name   string
	status ticket.Status
	do     func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error
}

func verbs() []verb {
	note := func(call func(*ticket.Manager, context.Context, dedicated.Actor, uuid.UUID, ticket.Note) error) func(context.Context, *desk, dedicated.Actor, uuid.UUID) error {
		return func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			return call(d.Manager, ctx, a, id, say("words"))
		}
	}
	return []verb{
		{"View", ticket.Open, func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			_, err := d.View(ctx, a, id)
			return err
		}},
		{"Ticket", ticket.Open, func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			_, err := d.Ticket(ctx, a, id)
			return err
		}},
		{"Comment", ticket.Open, note((*ticket.Manager).Comment)},
		{"Comment, internal", ticket.Open, func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			return d.Comment(ctx, a, id, ticket.Note{Text: "words", Internal: true})
		}},
		{"Confirm", ticket.Open, note((*ticket.Manager).Confirm)},
		{"Reject", ticket.Open, note((*ticket.Manager).Reject)},
		{"AskDetails", ticket.Open, note((*ticket.Manager).AskDetails)},
		{"Complete", ticket.Confirmed, note((*ticket.Manager).Complete)},
		{"Close", ticket.Open, note((*ticket.Manager).Close)},
		{"Reopen", ticket.Closed, note((*ticket.Manager).Reopen)},
		{"Assign", ticket.Open, func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			return d.Assign(ctx, a, id, uuid.New())
		}},
		{"SetPriority", ticket.Open, func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			return d.SetPriority(ctx, a, id, 77)
		}},
		{"Forward", ticket.Open, note((*ticket.Manager).Forward)},
		{"Draft", ticket.Open, func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			_, err := d.Draft(ctx, a, id, "words")
			return err
		}},
		{"Relay", ticket.Forwarded, note((*ticket.Manager).Relay)},
		{"ProviderReplied", ticket.Forwarded, func(ctx context.Context, d *desk, a dedicated.Actor, id uuid.UUID) error {
			ref := "U-2222222222222222"
			if stored, err := d.store.Ticket(ctx, id); err == nil && stored.Upstream != nil {
				ref = stored.Upstream.Ref
			}
			return d.ProviderReplied(ctx, a, ref, say("words"))
		}},
	}
}

// bring moves a ticket that is open to a status, as the reseller.
func (d *desk) bring(t *testing.T, id uuid.UUID, status ticket.Status) {
	t.Helper()
	steps := map[ticket.Status][]func(context.Context, dedicated.Actor, uuid.UUID, ticket.Note) error{
		ticket.NeedsDetails: {d.AskDetails},
		ticket.Confirmed:    {d.Confirm},
		ticket.Forwarded:    {d.Forward},
		ticket.Done:         {d.Confirm, d.Complete},
		ticket.Rejected:     {d.Reject},
		ticket.Closed:       {d.Close},
	}
	for _, step := range steps[status] {
		require.NoError(t, step(t.Context(), d.reseller, id, say("step")))
	}
	require.Equal(t, status, d.get(t, id).Status)
}

// TestMatrix: every role, every operation, every ownership.
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
		"Assign": {no, no, nil}, "SetPriority": {no, no, nil},
		"Forward": {no, no, nil}, "Draft": {no, no, nil}, "Relay": {no, no, nil}, "ProviderReplied": {no, no, nil},
	}
	ownServer := map[string]error{"Forward": no, "Draft": no, "Relay": no, "ProviderReplied": gone}
	roles := []struct {
		name  string
		actor func(d *desk) dedicated.Actor
		class int
	}{
		{"client", func(d *desk) dedicated.Actor { return d.client }, forClient},
		{"former client", func(d *desk) dedicated.Actor { return d.client }, forFormer},
		{"reseller", func(d *desk) dedicated.Actor { return d.reseller }, forStaff},
		{"reseller without a person", func(d *desk) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Reseller, ResellerID: d.reseller.ResellerID}
		}, forStaff},
		{"system", func(d *desk) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.System, ResellerID: d.reseller.ResellerID}
		}, forStaff},
	}
	for _, v := range verbs() {
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

// TestMatrixOfStrangers: for all others the ticket does not exist, and ErrForbidden would say that it does.
func TestMatrixOfStrangers(t *testing.T) {
	t.Parallel()
	strangers := map[string]func(d *desk) dedicated.Actor{
		"another client": func(d *desk) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: d.client.ResellerID}
		},
		"client elsewhere": func(d *desk) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Client, ID: d.client.ID, ResellerID: uuid.New()}
		},
		"client without an ID": func(d *desk) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Client, ResellerID: d.client.ResellerID}
		},
		"another reseller": func(d *desk) dedicated.Actor {
			return dedicated.Actor{Role: dedicated.Reseller, ID: d.reseller.ID, ResellerID: uuid.New()}
		},
		"another system":         func(*desk) dedicated.Actor { return dedicated.Actor{Role: dedicated.System, ResellerID: uuid.New()} },
		"reseller without an ID": func(d *desk) dedicated.Actor { return dedicated.Actor{Role: dedicated.Reseller, ID: d.reseller.ID} },
		"nobody": func(d *desk) dedicated.Actor {
			return dedicated.Actor{ID: d.client.ID, ResellerID: d.client.ResellerID}
		},
		"role 9": func(d *desk) dedicated.Actor {
			return dedicated.Actor{Role: 9, ID: d.client.ID, ResellerID: d.client.ResellerID}
		},
		"zero": func(*desk) dedicated.Actor { return dedicated.Actor{} },
	}
	for _, v := range verbs() {
		for name, actor := range strangers {
			for _, rented := range []bool{false, true} {
				t.Run(v.name+"/"+name+"/"+ownership(rented), func(t *testing.T) {
					t.Parallel()
					d, id := v.ready(t, rented)
					before := d.get(t, id)
					expected := ticket.ErrNotFound
					if v.name == "ProviderReplied" && (name == "another client" || name == "client elsewhere") {
						expected = ticket.ErrForbidden // whatever the reference: nothing is looked up
					}
					require.ErrorIs(t, v.do(t.Context(), d, actor(d), id), expected)
					assert.Equal(t, before, d.get(t, id))
				})
			}
		}
		t.Run(v.name+"/no such ticket", func(t *testing.T) {
			t.Parallel()
			d := setup(t)
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

func (d *desk) server(rented bool) uuid.UUID {
	if rented {
		return d.rented
	}
	return d.own
}

// release ends the client's use of a server.
func (d *desk) release(id uuid.UUID) {
	s := d.servers[id]
	s.State = dedicated.CleanUp
	d.servers[id] = s
}

// ready opens a ticket and brings it to the verb's status; what cannot be forwarded is confirmed.
func (v verb) ready(t *testing.T, rented bool) (*desk, uuid.UUID) {
	t.Helper()
	d := setup(t)
	id := d.opened(t, d.server(rented), ticket.Other)
	status := v.status
	if status == ticket.Forwarded && !rented {
		status = ticket.Confirmed
	}
	d.bring(t, id, status)
	return d, id
}

// TestMatrixOfLists: who may open, and list, and what of.
func TestMatrixOfLists(t *testing.T) {
	t.Parallel()
	d, ctx := setup(t), t.Context()
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
	assert.Empty(t, forms, "nobody uses it")
	_, err = d.Open(ctx, d.reseller, ticket.Form{ServerID: d.own, Kind: ticket.Other})
	require.ErrorIs(t, err, ticket.ErrConflict)
	for _, a := range []dedicated.Actor{d.client, tests[1].a} {
		_, err = d.Open(ctx, a, ticket.Form{ServerID: d.own, Kind: ticket.Other})
		require.ErrorIs(t, err, ticket.ErrNotFound)
		_, err = d.Forms(ctx, a, d.own)
		require.ErrorIs(t, err, ticket.ErrNotFound)
	}
}
