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

// wired is a fixture whose inventory tells what happens.
func wired(t *testing.T) (*fixture, *notify.Dispatcher) {
	t.Helper()
	w := setup(t)
	outbox := &notify.MemoryOutbox{}
	var err error
	w.servers, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{Outbox: outbox}, Clock: w.clock})
	require.NoError(t, err)
	w.config.Servers = w.servers
	w.Manager, err = cancellation.New(w.config)
	require.NoError(t, err)
	d, err := notify.New(notify.Config{Outbox: outbox, Clock: w.clock}, w.Subscriber())
	require.NoError(t, err)
	_, err = d.Tick(t.Context())
	require.NoError(t, err)
	return w, d
}

func quarterly() dedicated.Billing {
	b := monthly()
	b.Cycle.Count = 3
	return b
}

func TestEndOfPeriodFollowsTheBilling(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"subscriber", "tick"} {
		w, d := wired(t)
		w.save(t, warnings(30))
		s := w.server(t)
		fixedServer := w.server(t)
		c, fixed := w.endOfPeriod(t, s.ID), w.schedule(t, fixedServer.ID, at("2026-11-30 23:00"))
		w.tick(t)
		require.Equal(t, []int{30}, leads(w.get(t, c.ID)))
		for _, id := range []uuid.UUID{s.ID, fixedServer.ID} {
			_, err := w.servers.ChangeBilling(t.Context(), w.reseller, id, quarterly())
			require.NoError(t, err)
		}
		if way == "subscriber" {
			_, err := d.Tick(t.Context())
			require.NoError(t, err)
		} else {
			w.tickAt(t, endOfNovember())
		}
		got := w.get(t, c.ID)
		assert.Equal(t, at("2026-12-31 23:00"), got.At, "%s: of the period in which it was asked for", way)
		assert.Equal(t, []string{"scheduled", "moved"}, history(got), way)
		assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindRescheduled], way)
		assert.Equal(t, fixed.At, w.get(t, fixed.ID).At, "%s: a date does not move", way)
		w.drain(t, at("2026-12-30 00:00"))
		assert.Equal(t, []int{30, 30}, leads(w.get(t, c.ID)), "%s: warned of the other date too", way)
		w.drain(t, at("2026-12-31 23:00"))
		assert.Equal(t, cancellation.Executed, w.get(t, c.ID).State)
		assert.Equal(t, cancellation.Executed, w.get(t, fixed.ID).State)
	}
}

// TestRebilledIntoThePast: the end of the period lies before the re-billing, so it is due as of that, whoever notices when.
func TestRebilledIntoThePast(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"subscriber", "late subscriber", "early tick", "tick"} {
		w, d := wired(t)
		s := w.server(t)
		_, err := w.servers.ChangeBilling(t.Context(), w.reseller, s.ID, quarterly())
		require.NoError(t, err)
		c := w.endOfPeriod(t, s.ID)
		require.Equal(t, at("2026-12-31 23:00"), c.At)
		w.tick(t)
		rebilled := at("2026-12-10 12:00")
		w.clock.Set(rebilled)
		_, err = w.servers.ChangeBilling(t.Context(), w.reseller, s.ID, monthly()) // in which the period of 10 November has ended
		require.NoError(t, err)
		renews, err := w.ShouldRenew(t.Context(), s.ID, rebilled)
		require.NoError(t, err)
		assert.False(t, renews, "by the billing, not by who has noticed")
		switch way {
		case "subscriber":
			_, err = d.Tick(t.Context())
			require.NoError(t, err)
			assert.Equal(t, rebilled, w.get(t, c.ID).At)
			w.tick(t)
		case "late subscriber":
			w.clock.Set(at("2026-12-12 00:00"))
			_, err = d.Tick(t.Context())
			require.NoError(t, err)
			w.tick(t)
		case "early tick":
			w.save(t, warnings(20)) // makes it due
			w.drain(t, at("2026-12-11 23:00"))
		case "tick":
			w.drain(t, at("2027-01-01 00:00"))
		}
		got := w.get(t, c.ID)
		assert.Equal(t, cancellation.Executed, got.State, way)
		assert.Equal(t, rebilled, got.At, way)
	}
}

// TestInventoryThatDoesNotSaySinceWhen: then what is past is due as of when it was noticed.
func TestInventoryThatDoesNotSaySinceWhen(t *testing.T) {
	t.Parallel()
	i := &inventory{change: func(s *dedicated.Server) { s.BilledAt, s.Billing = time.Time{}, quarterly() }}
	w := setup(t, func(c *cancellation.Config) { i.Servers, c.Servers = c.Servers, i })
	s := w.server(t)
	c := w.endOfPeriod(t, s.ID)
	w.tick(t)
	i.change = func(s *dedicated.Server) { s.BilledAt, s.Billing = time.Time{}, monthly() }
	w.clock.Set(at("2026-12-12 00:00"))
	data, err := json.Marshal(dedicated.BillingChanged{ServerID: s.ID, Assignment: s.Assignment, At: at("2026-12-10 12:00")})
	require.NoError(t, err)
	rebilled := notify.Event{Kind: dedicated.KindBillingChanged, ResellerID: c.ResellerID, Data: data}
	for range 2 {
		require.NoError(t, w.Subscriber().Handle(t.Context(), rebilled))
		assert.Equal(t, at("2026-12-10 12:00"), w.get(t, c.ID).At)
		w.tick(t)
	}
	assert.Equal(t, at("2026-12-10 12:00"), w.get(t, c.ID).At)
}

func TestReleasedDiscards(t *testing.T) {
	t.Parallel()
	w, d := wired(t)
	s := w.server(t)
	c := w.endOfPeriod(t, s.ID)
	mine := w.give(t, s, w.client.ID)
	second, err := w.Schedule(t.Context(), w.client, cancellation.Order{ServerID: mine.ID, When: endOfPeriod()})
	require.NoError(t, err, "another assignment, whatever became of the first")
	signs, err := w.Badges(t.Context(), w.client, []uuid.UUID{s.ID})
	require.NoError(t, err)
	assert.Contains(t, signs, s.ID)
	_, err = d.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Discarded, w.get(t, c.ID).State)
	assert.Equal(t, cancellation.Scheduled, w.get(t, second.ID).State)
	notice := payloads[cancellation.Notice](t, w, cancellation.KindDiscarded)
	require.Len(t, notice, 1)
	assert.Equal(t, "server left", notice[0].Reason)

	data, err := json.Marshal(dedicated.Released{ServerID: s.ID, Assignment: s.Assignment})
	require.NoError(t, err)
	again := notify.Event{Kind: dedicated.KindReleased, ResellerID: c.ResellerID, Data: data}
	require.NoError(t, w.Subscriber().Handle(t.Context(), again), "told at least once")
	assert.Equal(t, cancellation.Scheduled, w.get(t, second.ID).State, "what is about one use never hits the next")
}

// TestOwnReleaseIsNoSurprise: the event of the execution's own release changes nothing.
func TestOwnReleaseIsNoSurprise(t *testing.T) {
	t.Parallel()
	w, d := wired(t)
	c := w.schedule(t, w.server(t).ID, at("2026-11-10 09:00"))
	w.tick(t)
	_, err := d.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Executed, w.get(t, c.ID).State)
	assert.Zero(t, w.kinds(t, c.ID)[cancellation.KindServerLeft])
}

func TestSubscriberRefusesNonsense(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, kind := range []notify.Kind{dedicated.KindBillingChanged, dedicated.KindReleased} {
		err := w.Subscriber().Handle(t.Context(), notify.Event{Kind: kind, Data: []byte("[]"), At: time.Now()})
		require.Error(t, err)
	}
	require.NoError(t, w.Subscriber().Handle(t.Context(), notify.Event{Kind: "another", Data: []byte("[]")}))
	for _, e := range []notify.Event{
		{Kind: dedicated.KindBillingChanged, Data: []byte(`{}`)}, {Kind: dedicated.KindReleased, Data: []byte(`{}`)},
	} {
		require.NoError(t, w.Subscriber().Handle(t.Context(), e), "of a server that is not to be cancelled")
	}
}

// TestMovedAndRefused: what a claim finds is kept when the execution is refused, and found once.
func TestMovedAndRefused(t *testing.T) {
	t.Parallel()
	p := &plugins{}
	w := setup(t, p.hooks)
	s := w.server(t)
	_, err := w.servers.ChangeBilling(t.Context(), w.reseller, s.ID, quarterly())
	require.NoError(t, err)
	c := w.endOfPeriod(t, s.ID)
	w.clock.Set(at("2026-12-10 12:00"))
	_, err = w.servers.ChangeBilling(t.Context(), w.reseller, s.ID, monthly())
	require.NoError(t, err)
	p.gate = dedicated.Refuse("a backup is running")
	w.tickAt(t, at("2026-12-31 23:00"))
	w.tickAt(t, at("2027-01-01 01:00"))
	got := w.get(t, c.ID)
	assert.Equal(t, at("2026-12-10 12:00"), got.At)
	assert.Equal(t, 2, got.Attempts)
	assert.Equal(t, []string{"scheduled", "moved"}, history(got))
	assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindRescheduled])
	p.gate = nil
	w.tickAt(t, at("2027-01-01 09:00"))
	assert.Equal(t, cancellation.Executed, w.get(t, c.ID).State)
}
