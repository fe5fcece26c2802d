package ticket_test

import (
	"context"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// inventory is a host's own table of servers.
type inventory map[uuid.UUID]dedicated.Server

func (i inventory) Server(_ context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s, ok := i[id]
	if !ok || s.ResellerID != a.ResellerID {
		return dedicated.Server{}, dedicated.ErrNotFound
	}
	return s, nil
}

// watch is a clock that is set by hand; the mock's Add sleeps each time.
type watch struct {
	clock.Clock
	now time.Time
}

func (w *watch) Now() time.Time      { return w.now }
func (w *watch) Set(t time.Time)     { w.now = t }
func (w *watch) Add(d time.Duration) { w.now = w.now.Add(d) }

// desk is a reseller with a client, a server of its own and one of a provider.
type desk struct {
	*ticket.Manager
	store            *ticket.MemoryStore
	outbox           *notify.MemoryOutbox
	clock            *watch
	servers          inventory
	reseller, client dedicated.Actor
	own, rented      uuid.UUID
}

func setup(t *testing.T, change ...func(*ticket.Config)) *desk {
	t.Helper()
	tenant := uuid.New()
	d := &desk{
		outbox: &notify.MemoryOutbox{}, clock: &watch{}, servers: inventory{},
		reseller: dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: tenant},
		client:   dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant},
	}
	require.NoError(t, d.outbox.Register(t.Context(), "all", nil))
	d.clock.Set(time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC))
	d.store = &ticket.MemoryStore{Outbox: d.outbox}
	d.own = d.add(dedicated.Owner{}, "web-07")
	d.rented = d.add(dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-42"}, "db-01")
	c := ticket.Config{Store: d.store, Servers: d.servers, Clock: d.clock}
	for _, f := range change {
		f(&c)
	}
	var err error
	d.Manager, err = ticket.New(c)
	require.NoError(t, err)
	return d
}

func (d *desk) add(owner dedicated.Owner, name string) uuid.UUID {
	s := dedicated.Server{
		ID: uuid.New(), ResellerID: d.reseller.ResellerID, ClientID: d.client.ID, Name: name, Owner: owner,
		State: dedicated.InUse, Assignment: uuid.New(),
	}
	d.servers[s.ID] = s
	return s.ID
}

// events are the kinds recorded since the last call, with their events.
func (d *desk) events(t *testing.T) (kinds []notify.Kind, events []notify.Event) {
	t.Helper()
	for {
		due, err := d.outbox.ClaimDue(t.Context(), "all", d.clock.Now(), d.clock.Now().Add(time.Hour), 100)
		require.NoError(t, err)
		if len(due.Deliveries) == 0 {
			return kinds, events
		}
		for _, e := range due.Deliveries {
			kinds, events = append(kinds, e.Event.Kind), append(events, e.Event)
			e.Delivered = true
			require.NoError(t, d.outbox.Settle(t.Context(), e))
		}
	}
}

func (d *desk) opened(t *testing.T, server uuid.UUID, kind ticket.Kind) uuid.UUID {
	t.Helper()
	v, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: server, Kind: kind, Subject: "please", Text: "now"})
	require.NoError(t, err)
	return v.ID
}

func (d *desk) get(t *testing.T, id uuid.UUID) ticket.Ticket {
	t.Helper()
	got, err := d.Ticket(t.Context(), d.reseller, id)
	require.NoError(t, err)
	return got
}

func say(text string) ticket.Note { return ticket.Note{Text: text} }

// TestStory plays a request that a provider has to carry out.
func TestStory(t *testing.T) {
	t.Parallel()
	d, ctx := setup(t), t.Context()
	id := d.opened(t, d.rented, ticket.Reboot)
	kinds, _ := d.events(t)
	assert.ElementsMatch(t, []notify.Kind{ticket.KindOpened, ticket.KindReceived}, kinds)

	require.NoError(t, d.AskDetails(ctx, d.reseller, id, say("which one?")))
	require.NoError(t, d.Comment(ctx, d.client, id, say("that one")))
	require.NoError(t, d.Comment(ctx, d.reseller, id, ticket.Note{Text: "the usual", Internal: true}))
	kinds, _ = d.events(t)
	assert.Equal(t, []notify.Kind{ticket.KindDetailsWanted, ticket.KindReplied}, kinds)

	require.NoError(t, d.Forward(ctx, d.reseller, id, say("press the button")))
	got := d.get(t, id)
	require.NotNil(t, got.Upstream)
	assert.Equal(t, "Server: db-01\nYour reference: srv-42\nRequest: Reboot\n\npress the button", got.Upstream.Thread[0].Text)
	assert.Equal(t, ticket.Forwarded, got.Status)
	kinds, _ = d.events(t)
	assert.Equal(t, []notify.Kind{ticket.KindForwarded, ticket.KindConfirmed}, kinds)

	require.NoError(t, d.ProviderReplied(ctx, d.reseller, " ["+got.Upstream.Ref+"]", say("pressed")))
	require.NoError(t, d.Relay(ctx, d.reseller, id, say("it is up again")))
	require.NoError(t, d.Complete(ctx, d.reseller, id, ticket.Note{}))
	kinds, _ = d.events(t)
	assert.Equal(t, []notify.Kind{ticket.KindProviderReplied, ticket.KindCommented, ticket.KindDone}, kinds)

	v, err := d.View(ctx, d.client, id)
	require.NoError(t, err)
	assert.Equal(t, ticket.Done, v.Status)
	assert.Equal(t, ticket.Confirmed, v.Decision)
	var texts []string
	for _, c := range v.Thread {
		texts = append(texts, c.Text)
	}
	assert.Equal(t, []string{"now", "which one?", "that one", ticket.DefaultWorking, "it is up again"}, texts)

	d.clock.Add(ticket.DefaultAutoClose)
	next, err := d.Tick(ctx)
	require.NoError(t, err)
	assert.True(t, next.IsZero())
	assert.Equal(t, ticket.Closed, d.get(t, id).Status)
}
