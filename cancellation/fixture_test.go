package cancellation_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// fixture is a Manager with its parts, a reseller and a client.
type fixture struct {
	*cancellation.Manager
	config   cancellation.Config
	servers  *dedicated.Manager
	store    *cancellation.MemoryStore
	outbox   *notify.MemoryOutbox
	clock    *fixedClock
	biller   *biller
	reseller dedicated.Actor
	client   dedicated.Actor
}

// fixedClock is a clock that shows the time which Set was given. Its other methods panic.
type fixedClock struct {
	clock.Clock
	mu  sync.Mutex
	now time.Time
}

func (c *fixedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fixedClock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// newFixture makes a fixture at 2026-11-10 09:00 UTC. change may alter the Config.
func newFixture(t testing.TB, change ...func(*cancellation.Config)) *fixture {
	t.Helper()
	f := &fixture{outbox: &notify.MemoryOutbox{}, clock: &fixedClock{}, biller: &biller{}}
	f.clock.Set(at("2026-11-10 09:00"))
	f.store = &cancellation.MemoryStore{Outbox: f.outbox}
	var err error
	f.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}, Clock: f.clock})
	require.NoError(t, err)
	f.config = cancellation.Config{Store: f.store, Servers: f.servers, Biller: f.biller, Clock: f.clock}
	for _, apply := range change {
		apply(&f.config)
	}
	f.Manager, err = cancellation.New(f.config)
	require.NoError(t, err)
	tenant := uuid.New()
	f.reseller = dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: tenant}
	f.client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant}
	require.NoError(t, f.outbox.Register(t.Context(), "all", nil))
	return f
}

// at parses a time in UTC.
func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

// monthly is billing by calendar months, in local time of Berlin.
func monthly() dedicated.Billing {
	return dedicated.Billing{
		Anchor: at("2026-09-30 22:00"), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Zone: "Europe/Berlin", Currency: "EUR", Places: 2,
	}
}

// endOfNovember is the end of the billing period in which a fixture starts.
func endOfNovember() time.Time { return at("2026-11-30 23:00") }

// server adds a server of the reseller's own and assigns it to the client.
func (f *fixture) server(t testing.TB) dedicated.Server {
	t.Helper()
	return f.serverOf(t, dedicated.Owner{})
}

func (f *fixture) serverOf(t testing.TB, owner dedicated.Owner) dedicated.Server {
	t.Helper()
	s, err := f.servers.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "web-01", Owner: owner})
	require.NoError(t, err)
	s, err = f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly()})
	require.NoError(t, err)
	return s
}

// scheduleAt schedules a cancellation for a date, as the reseller.
func (f *fixture) scheduleAt(t testing.TB, server uuid.UUID, when time.Time) cancellation.Cancellation {
	t.Helper()
	c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: server, When: cancellation.When{At: when}})
	require.NoError(t, err)
	return c
}

// scheduleAsClient schedules a cancellation for the end of the period, as the client.
func (f *fixture) scheduleAsClient(t testing.TB, server uuid.UUID) cancellation.Cancellation {
	t.Helper()
	c, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: server, When: endOfPeriod()})
	require.NoError(t, err)
	return c
}

func endOfPeriod() cancellation.When { return cancellation.When{EndOfPeriod: true} }

func (f *fixture) saveSettings(t testing.TB, s cancellation.Settings) cancellation.Settings {
	t.Helper()
	s, err := f.SaveSettings(t.Context(), f.reseller, s)
	require.NoError(t, err)
	return s
}

func (f *fixture) tick(t testing.TB) time.Time {
	t.Helper()
	next, err := f.Tick(t.Context())
	require.NoError(t, err)
	return next
}

// tickAt sets the clock and ticks.
func (f *fixture) tickAt(t testing.TB, when time.Time) time.Time {
	t.Helper()
	f.clock.Set(when)
	return f.tick(t)
}

func (f *fixture) get(t testing.TB, id uuid.UUID) cancellation.Cancellation {
	t.Helper()
	c, err := f.Cancellation(t.Context(), f.reseller, id)
	require.NoError(t, err)
	return c
}

func (f *fixture) readServer(t testing.TB, id uuid.UUID) dedicated.Server {
	t.Helper()
	s, err := f.servers.Server(t.Context(), f.reseller, id)
	require.NoError(t, err)
	return s
}

// restore makes all cancellations those of an earlier epoch, as after the restore of a copy of the database.
func (f *fixture) restore(t testing.TB) []cancellation.Cancellation {
	t.Helper()
	all, _, err := f.store.Cancellations(t.Context(), f.reseller.ResellerID, cancellation.Query{})
	require.NoError(t, err)
	for i := range all {
		all[i].Epoch = "the one before"
		require.NoError(t, f.store.Commit(t.Context(), cancellation.Change{Cancellations: all[i : i+1]}))
	}
	return all
}

// events returns the events so far, in the order in which they were recorded.
func (f *fixture) events(t testing.TB) []notify.Event {
	t.Helper()
	var all []notify.Event
	for after := ""; ; {
		page, next, err := f.outbox.Deliveries(t.Context(), notify.DeliveryQuery{Subscriber: "all", Limit: 1000, After: after})
		require.NoError(t, err)
		for _, d := range page {
			all = append(all, d.Event)
		}
		if after = next; after == "" {
			return all
		}
	}
}

// countEvents counts the events about a cancellation, by kind.
func (f *fixture) countEvents(t testing.TB, id uuid.UUID) map[notify.Kind]int {
	t.Helper()
	count := map[notify.Kind]int{}
	for _, e := range f.events(t) {
		if e.SubjectID == id {
			count[e.Kind]++
		}
	}
	return count
}

// payloads returns the payloads of the events of a kind, oldest first.
func payloads[P any](t testing.TB, f *fixture, kind notify.Kind) []P {
	t.Helper()
	var all []P
	for _, e := range f.events(t) {
		if e.Kind == kind {
			var p P
			require.NoError(t, json.Unmarshal(e.Data, &p))
			all = append(all, p)
		}
	}
	return all
}

// history returns the words of the history entries.
func history(c cancellation.Cancellation) []string {
	var what []string
	for _, e := range c.History {
		what = append(what, e.What)
	}
	return what
}

// biller is a Biller in memory.
type biller struct {
	mu        sync.Mutex
	charges   []refund.Charge // nil: one of 30.00 for November 2026
	err       error           // of Paid
	refundErr error
	paid      map[uuid.UUID]cancellation.Refund // by key
	calls     int                               // of Refund
}

func (b *biller) Paid(_ context.Context, _ dedicated.Server, _ dedicated.Period) ([]refund.Charge, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	if b.charges == nil {
		return []refund.Charge{november()}, nil
	}
	return b.charges, nil
}

func november() refund.Charge {
	return refund.Charge{
		Label: "web-01, November", Paid: decimal.New(3000, -2), Start: at("2026-10-31 23:00"), End: at("2026-11-30 23:00"),
	}
}

// booked returns the refund of a key.
func (b *biller) booked(key uuid.UUID) (r cancellation.Refund, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, found = b.paid[key]
	return r, found
}

func (b *biller) Refund(_ context.Context, r cancellation.Refund) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.refundErr != nil {
		return b.refundErr
	}
	if b.paid == nil {
		b.paid = map[uuid.UUID]cancellation.Refund{}
	}
	b.paid[r.Key] = r
	return nil
}

// refunds returns the paid refunds, one for each key.
func (b *biller) refunds() []cancellation.Refund {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []cancellation.Refund
	for _, r := range b.paid {
		all = append(all, r)
	}
	return all
}

func assertMoney(t testing.TB, want string, got decimal.Decimal) {
	t.Helper()
	assert.Equal(t, want, got.StringFixed(max(0, -got.Exponent())))
}

// failRefund sets the error of Refund.
func (b *biller) failRefund(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refundErr = err
}

// deafGate is a gate that does not return until it is released.
func deafGate(release chan struct{}) func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
	return func(context.Context, dedicated.Actor, string, cancellation.Cancellation) error {
		<-release
		return nil
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}
