package backup_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/backup"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// start is a Thursday.
var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// fixture is a Manager with a reseller, one client, and one server of the reseller's own that the client uses.
type fixture struct {
	*backup.Manager
	clock   *fixedClock
	outbox  *notify.MemoryOutbox
	store   *backup.MemoryStore
	servers *dedicated.Manager
	stock   *dedicated.MemoryStore

	reseller, client dedicated.Actor
	server           dedicated.Server
}

// fixedClock is a clock that shows the time that it was set to. Its timers run in real time.
type fixedClock struct {
	clock.Clock
	now time.Time
}

func newClock(now time.Time) *fixedClock { return &fixedClock{clock.New(), now} }

func (c *fixedClock) Now() time.Time          { return c.now }
func (c *fixedClock) Set(now time.Time)       { c.now = now }
func (c *fixedClock) Add(after time.Duration) { c.now = c.now.Add(after) }

// setup makes a fixture; change may alter the Config.
func setup(t *testing.T, change ...func(*backup.Config)) *fixture {
	t.Helper()
	f := &fixture{clock: newClock(start), outbox: &notify.MemoryOutbox{}}
	require.NoError(t, f.outbox.Register(t.Context(), "test", nil))
	f.store = &backup.MemoryStore{Outbox: f.outbox}
	f.stock = &dedicated.MemoryStore{}
	servers, err := dedicated.New(dedicated.Config{Store: f.stock, Clock: f.clock})
	require.NoError(t, err)
	f.servers = servers
	c := backup.Config{Store: f.store, Servers: servers, Clock: f.clock}
	for _, apply := range change {
		apply(&c)
	}
	f.Manager, err = backup.New(c)
	require.NoError(t, err)
	f.reseller = dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
	f.client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: f.reseller.ResellerID}
	f.server = f.rent(t, "web-07", dedicated.Owner{}, f.client.ID)
	return f
}

func billing() dedicated.Billing {
	return dedicated.Billing{Anchor: start, Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Currency: "EUR", Places: 2}
}

// rent adds a server and assigns it to a client.
func (f *fixture) rent(t *testing.T, name string, owner dedicated.Owner, client uuid.UUID) dedicated.Server {
	t.Helper()
	s, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: name, Owner: owner})
	require.NoError(t, err)
	s, err = f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: billing()})
	require.NoError(t, err)
	return s
}

// restore makes requests those of an earlier epoch, as after the restore of a copy of the database.
func (f *fixture) restore(t *testing.T, requests ...backup.Request) {
	t.Helper()
	for _, r := range requests {
		stored, err := f.store.Request(t.Context(), r.ID)
		require.NoError(t, err)
		stored.Epoch = "before"
		require.NoError(t, f.store.Commit(t.Context(), backup.Change{Requests: []backup.Request{stored}}))
	}
}

// unconfirmed returns the requests that wait for a person.
func (f *fixture) unconfirmed(t *testing.T) (found []uuid.UUID) {
	t.Helper()
	requests, next, err := f.Requests(t.Context(), f.reseller, backup.RequestQuery{Unconfirmed: true})
	require.NoError(t, err)
	require.Empty(t, next)
	for _, r := range requests {
		found = append(found, r.ID)
	}
	return found
}

// release takes the server from its client. The Manager is not told.
func (f *fixture) release(t *testing.T, s dedicated.Server) {
	t.Helper()
	_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
}

func daily(hour int) backup.Schedule { return backup.Schedule{Frequency: backup.Daily, Hour: hour} }

func (f *fixture) submit(t *testing.T, s backup.Schedule) backup.Request {
	t.Helper()
	r, err := f.Submit(t.Context(), f.client, backup.Form{ServerID: f.server.ID, What: "the database", Schedule: s})
	require.NoError(t, err)
	return r
}

func (f *fixture) list(t *testing.T, q backup.TaskQuery) []backup.Task {
	t.Helper()
	tasks, next, err := f.Tasks(t.Context(), f.reseller, q)
	require.NoError(t, err)
	require.Empty(t, next)
	return tasks
}

// planned returns the pending task that was planned ahead for a request.
func (f *fixture) planned(t *testing.T, r backup.Request) backup.Task {
	t.Helper()
	tasks := f.list(t, backup.TaskQuery{RequestID: r.ID, States: []backup.State{backup.Pending}})
	for _, task := range tasks {
		if task.Attempt == 0 {
			return task
		}
	}
	t.Fatal("no planned task")
	return backup.Task{}
}

func (f *fixture) tick(t *testing.T) time.Time {
	t.Helper()
	next, err := f.Tick(t.Context())
	require.NoError(t, err)
	return next
}

// kinds returns the kinds of the events so far, in the order in which they came.
func (f *fixture) kinds(t *testing.T) []notify.Kind {
	t.Helper()
	var kinds []notify.Kind
	for _, e := range f.events(t) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (f *fixture) events(t *testing.T) []notify.Event {
	t.Helper()
	var events []notify.Event
	for after := ""; ; {
		items, next, err := f.outbox.Deliveries(t.Context(), notify.DeliveryQuery{Subscriber: "test", After: after})
		require.NoError(t, err)
		for _, d := range items {
			events = append(events, d.Event)
		}
		if after = next; next == "" {
			return events
		}
	}
}

// count counts the events of a kind.
func (f *fixture) count(t *testing.T, kind notify.Kind) int {
	t.Helper()
	n := 0
	for _, k := range f.kinds(t) {
		if k == kind {
			n++
		}
	}
	return n
}

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

// failingInventory is an inventory that fails for one server.
type failingInventory struct {
	backup.Servers
	of    uuid.UUID
	fault func() error // nil: it does not fail
}

func (o *failingInventory) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if o.fault != nil && id == o.of {
		return dedicated.Server{}, o.fault()
	}
	return o.Servers.Server(ctx, a, id)
}

var errDown = errors.New("inventory is down")

// serversFunc is an inventory in a function.
type serversFunc func(id uuid.UUID) (dedicated.Server, error)

func (f serversFunc) Server(_ context.Context, _ dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	return f(id)
}
