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

// fixedClock is a clock that shows the time that it was set to.
type fixedClock struct {
	clock.Clock
	now time.Time
}

func (c *fixedClock) Now() time.Time          { return c.now }
func (c *fixedClock) Set(now time.Time)       { c.now = now }
func (c *fixedClock) Add(after time.Duration) { c.now = c.now.Add(after) }

// start is the time at which a fixture begins.
var start = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

// fixture is a Manager with a reseller, one client, and two servers that the client uses: one of the reseller's own, and one that
// the reseller rents from a provider.
type fixture struct {
	*ticket.Manager
	store            *ticket.MemoryStore
	outbox           *notify.MemoryOutbox
	clock            *fixedClock
	servers          inventory
	reseller, client dedicated.Actor
	own, rented      uuid.UUID
}

// newFixture makes a fixture; change may alter the Config.
func newFixture(t *testing.T, change ...func(*ticket.Config)) *fixture {
	t.Helper()
	tenant := uuid.New()
	d := &fixture{
		outbox: &notify.MemoryOutbox{}, clock: &fixedClock{now: start}, servers: inventory{},
		reseller: dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: tenant},
		client:   dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant},
	}
	require.NoError(t, d.outbox.Register(t.Context(), "all", nil))
	d.store = &ticket.MemoryStore{Outbox: d.outbox}
	d.own = d.add(dedicated.Owner{}, "web-07")
	d.rented = d.add(dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-42"}, "db-01")
	c := ticket.Config{Store: d.store, Servers: d.servers, Clock: d.clock}
	for _, apply := range change {
		apply(&c)
	}
	var err error
	d.Manager, err = ticket.New(c)
	require.NoError(t, err)
	return d
}

// errorOf returns the error of a call.
func errorOf[T any](_ T, err error) error { return err }

// add adds a server that the client uses to the inventory.
func (d *fixture) add(owner dedicated.Owner, name string) uuid.UUID {
	s := dedicated.Server{
		ID: uuid.New(), ResellerID: d.reseller.ResellerID, ClientID: d.client.ID, Name: name, Owner: owner,
		State: dedicated.InUse, Assignment: uuid.New(),
	}
	d.servers[s.ID] = s
	return s.ID
}

// events returns the events recorded since the last call, and their kinds.
func (d *fixture) events(t *testing.T) (kinds []notify.Kind, events []notify.Event) {
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

func (d *fixture) opened(t *testing.T, server uuid.UUID, kind ticket.Kind) uuid.UUID {
	t.Helper()
	v, err := d.Open(t.Context(), d.client, ticket.Form{ServerID: server, Kind: kind, Subject: "please", Text: "now"})
	require.NoError(t, err)
	return v.ID
}

func (d *fixture) get(t *testing.T, id uuid.UUID) ticket.Ticket {
	t.Helper()
	got, err := d.Ticket(t.Context(), d.reseller, id)
	require.NoError(t, err)
	return got
}

// view returns what the client sees of a ticket.
func (d *fixture) view(t *testing.T, id uuid.UUID) ticket.View {
	t.Helper()
	v, err := d.View(t.Context(), d.client, id)
	require.NoError(t, err)
	return v
}

// say returns a note with a text.
func say(text string) ticket.Note { return ticket.Note{Text: text} }

// moveFunc is an operation on a ticket with a note.
type moveFunc func(context.Context, dedicated.Actor, uuid.UUID, ticket.Note) error

func adapt[T any](f func(context.Context, dedicated.Actor, uuid.UUID, ticket.Note) (T, error)) moveFunc {
	return func(ctx context.Context, a dedicated.Actor, id uuid.UUID, n ticket.Note) error {
		return errorOf(f(ctx, a, id, n))
	}
}

// moves returns the operations on a ticket with a note, by name.
func (d *fixture) moves() map[string]moveFunc {
	return map[string]moveFunc{
		"Comment": adapt(d.Comment), "Confirm": adapt(d.Confirm), "AskDetails": adapt(d.AskDetails), "Reject": adapt(d.Reject),
		"Complete": adapt(d.Complete), "Forward": adapt(d.Forward), "Relay": adapt(d.Relay), "Close": adapt(d.Close),
		"Reopen": adapt(d.Reopen),
	}
}

// TestStory follows one request from its opening, through a provider, to its end.
func TestStory(t *testing.T) {
	t.Parallel()
	d, ctx := newFixture(t), t.Context()
	id := d.opened(t, d.rented, ticket.Reboot)
	kinds, _ := d.events(t)
	assert.ElementsMatch(t, []notify.Kind{ticket.KindOpened, ticket.KindReceived}, kinds)

	require.NoError(t, errorOf(d.AskDetails(ctx, d.reseller, id, say("which one?"))))
	require.NoError(t, errorOf(d.Comment(ctx, d.client, id, say("that one"))))
	require.NoError(t, errorOf(d.Comment(ctx, d.reseller, id, ticket.Note{Text: "the usual", Internal: true})))
	kinds, _ = d.events(t)
	assert.Equal(t, []notify.Kind{ticket.KindDetailsWanted, ticket.KindReplied}, kinds)

	require.NoError(t, errorOf(d.Forward(ctx, d.reseller, id, say("press the button"))))
	got := d.get(t, id)
	require.NotNil(t, got.Upstream)
	assert.Equal(t, "Server: db-01\nYour reference: srv-42\nRequest: Reboot\n\npress the button", got.Upstream.Thread[0].Text)
	assert.Equal(t, ticket.Forwarded, got.Status)
	kinds, _ = d.events(t)
	assert.Equal(t, []notify.Kind{ticket.KindForwarded, ticket.KindConfirmed}, kinds)

	require.NoError(t, errorOf(d.ProviderReplied(ctx, d.reseller, " ["+got.Upstream.Ref+"]", say("pressed"))))
	require.NoError(t, errorOf(d.Relay(ctx, d.reseller, id, say("it is up again"))))
	require.NoError(t, errorOf(d.Complete(ctx, d.reseller, id, ticket.Note{})))
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
