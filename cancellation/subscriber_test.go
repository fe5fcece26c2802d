package cancellation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// newEventFixture makes a fixture whose Subscriber gets the events of the inventory, at each Tick of the Dispatcher.
func newEventFixture(t *testing.T) (*fixture, *notify.Dispatcher) {
	t.Helper()
	f := newFixture(t)
	outbox := &notify.MemoryOutbox{}
	var err error
	f.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: outbox}, Clock: f.clock})
	require.NoError(t, err)
	f.config.Servers = f.servers
	f.Manager, err = cancellation.New(f.config)
	require.NoError(t, err)
	d, err := notify.New(notify.Config{Outbox: outbox, Clock: f.clock}, f.Subscriber())
	require.NoError(t, err)
	_, err = d.Tick(t.Context())
	require.NoError(t, err)
	return f, d
}

func quarterly() dedicated.Billing {
	b := monthly()
	b.Cycle.Count = 3
	return b
}

func TestEndOfPeriodFollowsTheBilling(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"subscriber", "tick"} {
		f, d := newEventFixture(t)
		f.saveSettings(t, warnings(30))
		s := f.server(t)
		fixedServer := f.server(t)
		c, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: endOfPeriod()})
		require.NoError(t, err)
		fixed := f.scheduleAt(t, fixedServer.ID, at("2026-11-30 23:00"))
		f.tick(t)
		require.Equal(t, []int{30}, warnedDays(f.get(t, c.ID)))
		for _, id := range []uuid.UUID{s.ID, fixedServer.ID} {
			_, err := f.servers.ChangeBilling(t.Context(), f.reseller, id, quarterly())
			require.NoError(t, err)
		}
		if way == "subscriber" {
			_, err := d.Tick(t.Context())
			require.NoError(t, err)
		} else {
			f.tickAt(t, endOfNovember())
		}
		got := f.get(t, c.ID)
		assert.Equal(t, at("2026-12-31 23:00"), got.At, "%s: the end of the period that contains the order", way)
		assert.Equal(t, []string{"scheduled", "moved"}, history(got), way)
		assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindRescheduled], way)
		assert.Equal(t, fixed.At, f.get(t, fixed.ID).At, "%s: a fixed date does not move", way)
		f.tickUntil(t, at("2026-12-30 00:00"))
		assert.Equal(t, []int{30, 30}, warnedDays(f.get(t, c.ID)), "%s: a warning of each date", way)
		f.tickUntil(t, at("2026-12-31 23:00"))
		assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
		assert.Equal(t, cancellation.Executed, f.get(t, fixed.ID).State)
	}
}

// TestPeriodEndsBeforeTheChangeOfBilling: under the new billing the period has ended before the change. The cancellation is due as
// of the change, whether the Subscriber or a Tick finds it, early or late.
func TestPeriodEndsBeforeTheChangeOfBilling(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"subscriber", "late subscriber", "early tick", "tick"} {
		f, d := newEventFixture(t)
		s := f.server(t)
		_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, quarterly())
		require.NoError(t, err)
		c := f.scheduleAsClient(t, s.ID)
		require.Equal(t, at("2026-12-31 23:00"), c.At)
		f.tick(t)
		changed := at("2026-12-10 12:00")
		f.clock.Set(changed)
		_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, monthly()) // the period of 10 November has ended under it
		require.NoError(t, err)
		renews, err := f.ShouldRenew(t.Context(), s.ID, changed)
		require.NoError(t, err)
		assert.False(t, renews, "by the present billing, before anything has followed it")
		switch way {
		case "subscriber":
			_, err = d.Tick(t.Context())
			require.NoError(t, err)
			assert.Equal(t, changed, f.get(t, c.ID).At)
			f.tick(t)
		case "late subscriber":
			f.clock.Set(at("2026-12-12 00:00"))
			_, err = d.Tick(t.Context())
			require.NoError(t, err)
			f.tick(t)
		case "early tick":
			f.saveSettings(t, warnings(20)) // makes it due
			f.tickUntil(t, at("2026-12-11 23:00"))
		case "tick":
			f.tickUntil(t, at("2027-01-01 00:00"))
		}
		got := f.get(t, c.ID)
		assert.Equal(t, cancellation.Executed, got.State, way)
		assert.Equal(t, changed, got.At, way)
	}
}

// TestInventoryWithoutBilledAt: an end of period that has passed is due as of the time in the event.
func TestInventoryWithoutBilledAt(t *testing.T) {
	t.Parallel()
	altered := &alteredServers{change: func(s *dedicated.Server) { s.BilledAt, s.Billing = time.Time{}, quarterly() }}
	f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	f.tick(t)
	altered.change = func(s *dedicated.Server) { s.BilledAt, s.Billing = time.Time{}, monthly() }
	f.clock.Set(at("2026-12-12 00:00"))
	data, err := json.Marshal(dedicated.BillingChanged{ServerID: s.ID, Assignment: s.Assignment, At: at("2026-12-10 12:00")})
	require.NoError(t, err)
	event := notify.Event{Kind: dedicated.KindBillingChanged, ResellerID: c.ResellerID, Data: data}
	for range 2 {
		require.NoError(t, f.Subscriber().Handle(t.Context(), event))
		assert.Equal(t, at("2026-12-10 12:00"), f.get(t, c.ID).At)
		f.tick(t)
	}
	assert.Equal(t, at("2026-12-10 12:00"), f.get(t, c.ID).At)
}

func TestReleaseDiscards(t *testing.T) {
	t.Parallel()
	f, d := newEventFixture(t)
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	reassigned := f.reassign(t, s, f.client.ID)
	second, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: reassigned.ID, When: endOfPeriod()})
	require.NoError(t, err, "another assignment")
	signs, err := f.Badges(t.Context(), f.client, []uuid.UUID{s.ID})
	require.NoError(t, err)
	assert.Equal(t, second.ID, signs[s.ID].CancellationID)
	_, err = d.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Discarded, f.get(t, c.ID).State)
	assert.Equal(t, cancellation.Scheduled, f.get(t, second.ID).State)
	assert.Equal(t, []string{"scheduled", "discarded: server left"}, history(f.get(t, c.ID)))
	assert.Equal(t, map[notify.Kind]int{
		cancellation.KindScheduled: 1, cancellation.KindScheduledByClient: 1, cancellation.KindServerLeft: 1,
	}, f.countEvents(t, c.ID), "the release told the client")

	data, err := json.Marshal(dedicated.Released{ServerID: s.ID, Assignment: s.Assignment})
	require.NoError(t, err)
	again := notify.Event{Kind: dedicated.KindReleased, ResellerID: c.ResellerID, Data: data}
	require.NoError(t, f.Subscriber().Handle(t.Context(), again), "events are delivered at least once")
	assert.Equal(t, cancellation.Scheduled, f.get(t, second.ID).State, "an event about one assignment does not change the next")
}

// TestReleaseByTheExecution: the event about the execution's own release changes nothing.
func TestReleaseByTheExecution(t *testing.T) {
	t.Parallel()
	f, d := newEventFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	_, err := d.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
	assert.Zero(t, f.countEvents(t, c.ID)[cancellation.KindServerLeft])
}

func TestSubscriberWithInvalidEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, kind := range []notify.Kind{dedicated.KindBillingChanged, dedicated.KindReleased} {
		err := f.Subscriber().Handle(t.Context(), notify.Event{Kind: kind, Data: []byte("[]"), At: time.Now()})
		require.Error(t, err)
	}
	require.NoError(t, f.Subscriber().Handle(t.Context(), notify.Event{Kind: "another", Data: []byte("[]")}))
	for _, e := range []notify.Event{
		{Kind: dedicated.KindBillingChanged, Data: []byte(`{}`)}, {Kind: dedicated.KindReleased, Data: []byte(`{}`)},
	} {
		require.NoError(t, f.Subscriber().Handle(t.Context(), e), "a server without a cancellation")
	}
}

// TestMoveIsKeptAfterARefusal: a claim moves the date, and a gate refuses the execution. The new date is stored, and is recorded
// once.
func TestMoveIsKeptAfterARefusal(t *testing.T) {
	t.Parallel()
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install)
	s := f.server(t)
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, quarterly())
	require.NoError(t, err)
	c := f.scheduleAsClient(t, s.ID)
	f.clock.Set(at("2026-12-10 12:00"))
	_, err = f.servers.ChangeBilling(t.Context(), f.reseller, s.ID, monthly())
	require.NoError(t, err)
	hooks.gateErr = dedicated.Refuse("a backup is running")
	f.tickAt(t, at("2026-12-31 23:00"))
	f.tickAt(t, at("2027-01-01 01:00"))
	got := f.get(t, c.ID)
	assert.Equal(t, at("2026-12-10 12:00"), got.At)
	assert.Equal(t, 2, got.Attempts)
	assert.Equal(t, []string{"scheduled", "moved"}, history(got))
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindRescheduled])
	hooks.gateErr = nil
	f.tickAt(t, at("2027-01-01 09:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}
