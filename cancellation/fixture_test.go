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

// fixture is a Manager with everything around it.
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

// fixedClock are a clock that is set by hand. It has nothing but the time: who asks more of it crashes.
type fixedClock struct {
	clock.Clock
	mu  sync.Mutex
	now time.Time
}

func (h *fixedClock) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *fixedClock) Set(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = now
}

// setup makes a fixture at 9 in the morning of 10 November 2026, in UTC.
func newFixture(t testing.TB, change ...func(*cancellation.Config)) *fixture {
	t.Helper()
	f := &fixture{outbox: &notify.MemoryOutbox{}, clock: &fixedClock{}, biller: &biller{}}
	f.clock.Set(at("2026-11-10 09:00"))
	f.store = &cancellation.MemoryStore{Outbox: f.outbox}
	var err error
	f.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}, Clock: f.clock})
	require.NoError(t, err)
	f.config = cancellation.Config{Store: f.store, Servers: f.servers, Biller: f.biller, Clock: f.clock}
	for _, do := range change {
		do(&f.config)
	}
	f.Manager, err = cancellation.New(f.config)
	require.NoError(t, err)
	tenant := uuid.New()
	f.reseller = dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: tenant}
	f.client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant}
	require.NoError(t, f.outbox.Register(t.Context(), "all", nil))
	return f
}

// at reads a time in UTC.
func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// monthly is billed from the first of each month, local time in Berlin.
func monthly() dedicated.Billing {
	return dedicated.Billing{
		Anchor: at("2026-09-30 22:00"), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Zone: "Europe/Berlin", Currency: "EUR", Places: 2,
	}
}

// endOfNovember is when the period ends in which the tests begin.
func endOfNovember() time.Time { return at("2026-11-30 23:00") }

// server adds a server and gives it to the client.
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

// at orders a cancellation as the reseller.
func (f *fixture) scheduleAt(t testing.TB, server uuid.UUID, when time.Time) cancellation.Cancellation {
	t.Helper()
	c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: server, When: cancellation.When{At: when}})
	require.NoError(t, err)
	return c
}

// endOfPeriod orders a cancellation as the client.
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

// told are the events so far, in the order in which they were recorded.
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

// kinds counts what was told of a cancellation.
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

// payloads are the payloads of a kind, oldest first.
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

// history is what the record says has happened.
func history(c cancellation.Cancellation) []string {
	var what []string
	for _, e := range c.History {
		what = append(what, e.What)
	}
	return what
}

// biller remembers what it has paid back, by key.
type biller struct {
	mu        sync.Mutex
	charges   []refund.Charge // nil: one of 30.00 for November 2026
	err       error           // of Paid
	refundErr error
	paid      map[uuid.UUID]cancellation.Refund
	calls     int
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

// refunds are what was paid back, by key.
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

// failRefund makes Refund fail, Paid not.
func (b *biller) failRefund(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refundErr = err
}
