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

// panel is a reseller's panel with backups, one client and one server of its own that the client uses.
type panel struct {
	*backup.Manager
	clock   *clock.Mock
	outbox  *notify.MemoryOutbox
	store   *backup.MemoryStore
	servers *dedicated.Manager
	stock   *dedicated.MemoryStore

	reseller, client dedicated.Actor
	server           dedicated.Server
}

// setup makes a panel; change may alter the Config.
func setup(t *testing.T, change ...func(*backup.Config)) *panel {
	t.Helper()
	p := &panel{clock: clock.NewMock(), outbox: &notify.MemoryOutbox{}}
	p.clock.Set(start)
	require.NoError(t, p.outbox.Register(t.Context(), "test", nil))
	p.store = &backup.MemoryStore{Outbox: p.outbox}
	p.stock = &dedicated.MemoryStore{}
	servers, err := dedicated.New(dedicated.Config{Store: p.stock, Clock: p.clock})
	require.NoError(t, err)
	p.servers = servers
	c := backup.Config{Store: p.store, Servers: servers, Clock: p.clock}
	for _, f := range change {
		f(&c)
	}
	p.Manager, err = backup.New(c)
	require.NoError(t, err)
	p.reseller = dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: uuid.New()}
	p.client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: p.reseller.ResellerID}
	p.server = p.rent(t, "web-07", dedicated.Owner{}, p.client.ID)
	return p
}

func billing() dedicated.Billing {
	return dedicated.Billing{Anchor: start, Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1}, Currency: "EUR", Places: 2}
}

// rent adds a server and assigns it to a client.
func (p *panel) rent(t *testing.T, name string, owner dedicated.Owner, client uuid.UUID) dedicated.Server {
	t.Helper()
	s, err := p.servers.Add(t.Context(), p.reseller, dedicated.NewServer{Name: name, Owner: owner})
	require.NoError(t, err)
	s, err = p.servers.Assign(t.Context(), p.reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: billing()})
	require.NoError(t, err)
	return s
}

// release takes the server from its client, and tells the backups nothing.
func (p *panel) release(t *testing.T, s dedicated.Server) {
	t.Helper()
	_, err := p.servers.Release(t.Context(), p.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
}

func daily(hour int) backup.Schedule { return backup.Schedule{Frequency: backup.Daily, Hour: hour} }

func (p *panel) submit(t *testing.T, s backup.Schedule) backup.Request {
	t.Helper()
	r, err := p.Submit(t.Context(), p.client, backup.Form{ServerID: p.server.ID, What: "the database", Schedule: s})
	require.NoError(t, err)
	return r
}

func (p *panel) list(t *testing.T, q backup.TaskQuery) []backup.Task {
	t.Helper()
	tasks, next, err := p.Tasks(t.Context(), p.reseller, q)
	require.NoError(t, err)
	require.Empty(t, next)
	return tasks
}

// planned is the pending task that a request's series made ahead.
func (p *panel) planned(t *testing.T, r backup.Request) backup.Task {
	t.Helper()
	tasks := p.list(t, backup.TaskQuery{RequestID: r.ID, States: []backup.State{backup.Pending}})
	for _, task := range tasks {
		if task.Attempt == 0 {
			return task
		}
	}
	t.Fatal("no planned task")
	return backup.Task{}
}

func (p *panel) tick(t *testing.T) time.Time {
	t.Helper()
	next, err := p.Tick(t.Context())
	require.NoError(t, err)
	return next
}

// told are the kinds of the events so far, in the order in which they came.
func (p *panel) told(t *testing.T) []notify.Kind {
	t.Helper()
	var kinds []notify.Kind
	for _, e := range p.events(t) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (p *panel) events(t *testing.T) []notify.Event {
	t.Helper()
	var events []notify.Event
	for after := ""; ; {
		items, next, err := p.outbox.Deliveries(t.Context(), notify.DeliveryQuery{Subscriber: "test", After: after})
		require.NoError(t, err)
		for _, d := range items {
			events = append(events, d.Event)
		}
		if after = next; next == "" {
			return events
		}
	}
}

// count is how many events of a kind there are.
func (p *panel) count(t *testing.T, kind notify.Kind) int {
	t.Helper()
	n := 0
	for _, k := range p.told(t) {
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

// outage is an inventory that fails for one server.
type outage struct {
	backup.Servers
	of    uuid.UUID
	fault func() error // nil: it is over
}

func (o *outage) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
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
