package cancellation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

func limit(n int) func(*cancellation.Config) {
	return func(c *cancellation.Config) { c.MaxExecutions = n }
}

// list returns the cancellations of the reseller that a query finds.
func (f *fixture) list(t testing.TB, q cancellation.Query) []cancellation.Cancellation {
	t.Helper()
	q.Limit = 1000
	all, _, err := f.Cancellations(t.Context(), f.reseller, q)
	require.NoError(t, err)
	return all
}

func (f *fixture) countState(t testing.TB, states ...cancellation.State) int {
	t.Helper()
	return len(f.list(t, cancellation.Query{States: states}))
}

func idsOf(all []cancellation.Cancellation) []uuid.UUID {
	var ids []uuid.UUID
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	return ids
}

// TestMaxExecutions: above the limit of a day, executions wait until the reseller confirms them. It is told once a day.
func TestMaxExecutions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(3))
	for range 8 {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	}
	other := f.another()
	others := other.scheduleAt(t, other.server(t).ID, at("2026-11-10 09:00"))
	assert.Zero(t, f.tick(t), "what waits is never due")
	assert.Equal(t, 3, f.countState(t, cancellation.Executed))
	assert.Equal(t, cancellation.Executed, other.get(t, others.ID).State, "another reseller has a limit of its own")
	held := f.list(t, cancellation.Query{Unconfirmed: true})
	require.Len(t, held, 5)
	for _, c := range held {
		assert.True(t, c.Held)
		assert.Equal(t, cancellation.Scheduled, c.State)
		assert.Zero(t, c.Due)
		assert.Zero(t, c.BegunAt)
		assert.Equal(t, "held", c.History[len(c.History)-1].What)
		seen, err := f.Cancellation(t.Context(), f.client, c.ID)
		require.NoError(t, err)
		assert.False(t, seen.Held)
		assert.Equal(t, []string{"scheduled"}, history(seen))
	}
	told := payloads[cancellation.HeldNotice](t, f, cancellation.KindHeld)
	require.Len(t, told, 1)
	assert.Equal(t, 3, told[0].Limit)
	assert.Equal(t, "2026-11-10 10:00 CET", told[0].LocalDate)

	f.tickAt(t, at("2026-11-11 00:00"))
	assert.Equal(t, 3, f.countState(t, cancellation.Executed), "they wait for a person, not for the next day")
	for range 4 {
		f.scheduleAt(t, f.server(t).ID, f.clock.Now())
	}
	f.tick(t)
	assert.Equal(t, 6, f.countState(t, cancellation.Executed), "a day has a limit of its own")
	assert.Len(t, payloads[cancellation.HeldNotice](t, f, cancellation.KindHeld), 2)

	held = f.list(t, cancellation.Query{Unconfirmed: true})
	require.Len(t, held, 6)
	require.NoError(t, f.Confirm(t.Context(), f.reseller, idsOf(held)...))
	f.tick(t)
	assert.Equal(t, 12, f.countState(t, cancellation.Executed), "what was confirmed does not count")
	assert.Len(t, f.biller.refunds(), 13)
	assert.Contains(t, history(f.get(t, held[0].ID)), "confirmed")
}

// TestMaxExecutionsOfManyProcesses: the limit holds for all processes together.
func TestMaxExecutionsOfManyProcesses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(10))
	for range 60 {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	}
	same := func(*cancellation.Config) {}
	a, b := f.newManager(t, same), f.newManager(t, same)
	for range 20 { // conflicts give records back
		require.NoError(t, errors.Join(race(tickFunc(t.Context(), f.Manager), tickFunc(t.Context(), a), tickFunc(t.Context(), b))...))
		f.clock.Set(f.clock.Now().Add(20 * time.Minute))
	}
	assert.Equal(t, 10, f.countState(t, cancellation.Executed))
	assert.Len(t, f.list(t, cancellation.Query{Unconfirmed: true}), 50)
}

// TestMaxExecutionsDefault: 100 a day. A negative number is no limit.
func TestMaxExecutionsDefault(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 100, -1: 120} {
		f := newFixture(t, limit(n))
		for range 120 {
			f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
		}
		f.tick(t)
		assert.Equal(t, want, f.countState(t, cancellation.Executed))
		assert.Len(t, f.list(t, cancellation.Query{Unconfirmed: true}), 120-want)
	}
}

// TestClockYearsAhead: a Tick whose clock is nine years ahead executes no more than the limit of a day. With the right time, everything else
// goes on as planned as soon as it is confirmed.
func TestClockYearsAhead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(2))
	f.saveSettings(t, warnings(7))
	f.tick(t)
	for range 6 {
		f.scheduleAt(t, f.server(t).ID, at("2026-12-24 12:00"))
	}
	f.tickAt(t, at("2035-11-10 09:00"))
	f.clock.Set(at("2026-11-10 10:00"))
	assert.Equal(t, 2, f.countState(t, cancellation.Executed))
	held := f.list(t, cancellation.Query{Unconfirmed: true})
	require.Len(t, held, 4)
	require.NoError(t, f.Confirm(t.Context(), f.reseller, idsOf(held)...))
	f.tick(t)
	assert.Equal(t, 4, f.countState(t, cancellation.Scheduled), "they are confirmed, and not due")
	assert.Equal(t, at("2026-12-17 12:00"), f.tickAt(t, at("2026-12-01 00:00")), "the warning")
	f.tickAt(t, at("2026-12-24 12:00"))
	assert.Equal(t, 6, f.countState(t, cancellation.Executed))
}

// TestHeldAndMoved: moving what waits is a new decision, and the limit counts anew.
func TestHeldAndMoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(1))
	f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	held := f.list(t, cancellation.Query{Unconfirmed: true})[0]
	_, err := f.Retry(t.Context(), f.reseller, held.ID)
	assertError(t, err, cancellation.ErrConflict)
	moved, err := f.Reschedule(t.Context(), f.reseller, held.ID, cancellation.When{At: at("2026-11-12 09:00")})
	require.NoError(t, err)
	assert.False(t, moved.Held)
	f.tickAt(t, at("2026-11-12 09:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, held.ID).State)
}

func TestHeldAndDiscarded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(1))
	f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	held := f.list(t, cancellation.Query{Unconfirmed: true})[0]
	_, err := f.Discard(t.Context(), f.reseller, held.ID, "")
	require.NoError(t, err)
	require.NoError(t, f.Confirm(t.Context(), f.reseller, held.ID), "it does not wait any more")
	f.tickAt(t, at("2026-12-10 09:00"))
	assert.Equal(t, cancellation.Discarded, f.get(t, held.ID).State)
	assert.Empty(t, f.list(t, cancellation.Query{Unconfirmed: true}))
}

// TestConfirm: all are confirmed or none, and Confirm may be repeated.
func TestConfirm(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(1))
	for range 3 {
		f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	}
	f.tick(t)
	held := idsOf(f.list(t, cancellation.Query{Unconfirmed: true}))
	require.Len(t, held, 2)
	other := f.another()
	for name, err := range map[string]error{
		"an unknown ID":     f.Confirm(t.Context(), f.reseller, held[0], uuid.New()),
		"another reseller":  f.Confirm(t.Context(), other.reseller, held...),
		"no reseller":       f.Confirm(t.Context(), dedicated.Actor{Role: dedicated.Reseller}, held...),
		"the nil ID":        f.Confirm(t.Context(), f.reseller, held[0], uuid.Nil),
		"an unknown client": f.Confirm(t.Context(), dedicated.Actor{Role: dedicated.Client}, held...),
	} {
		require.ErrorIs(t, err, cancellation.ErrNotFound, name)
	}
	assertError(t, f.Confirm(t.Context(), f.client, held...), cancellation.ErrForbidden)
	assertError(t, f.Confirm(t.Context(), f.reseller, make([]uuid.UUID, cancellation.MaxConfirm+1)...), cancellation.ErrInvalid)
	require.NoError(t, f.Confirm(t.Context(), f.reseller))
	assert.Len(t, f.list(t, cancellation.Query{Unconfirmed: true}), 2, "nothing was confirmed so far")

	require.NoError(t, f.Confirm(t.Context(), f.reseller, held[0], held[0], held[1]))
	confirmed := f.get(t, held[0])
	require.NoError(t, f.Confirm(t.Context(), f.reseller, held...))
	assert.Equal(t, confirmed, f.get(t, held[0]), "a repeat changes nothing")
	assert.True(t, confirmed.Confirmed)
	assert.Equal(t, f.reseller, confirmed.History[len(confirmed.History)-1].By)
	_, _, err := f.Cancellations(t.Context(), f.client, cancellation.Query{Unconfirmed: true})
	assertError(t, err, cancellation.ErrForbidden)
}

// TestPaused: no execution begins or continues while the reseller has paused them. Warnings are sent.
func TestPaused(t *testing.T) {
	t.Parallel()
	f, h, begun := newStuckFixture(t)
	h.deprovisionErr = nil
	s := warnings(7)
	s.Paused = true
	s = f.saveSettings(t, s)
	planned := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	for f.clock.Now().Before(at("2026-11-25 00:00")) {
		f.tick(t)
		f.clock.Set(f.clock.Now().Add(7 * time.Minute))
	}
	assert.Len(t, h.deprovisioned, 1)
	assert.Equal(t, cancellation.Executing, f.get(t, begun.ID).State)
	assert.Equal(t, cancellation.Scheduled, f.get(t, planned.ID).State)
	assert.Equal(t, []int{7}, warnedDays(f.get(t, planned.ID)))
	s.Paused = false
	f.saveSettings(t, s)
	f.tick(t)
	assert.Equal(t, cancellation.Executed, f.get(t, planned.ID).State)
	assertMoney(t, "10.00", f.get(t, planned.ID).Refund.Total)
	f.tickAt(t, f.clock.Now().Add(10*time.Minute))
	assert.Equal(t, cancellation.Executed, f.get(t, begun.ID).State)
}

// TestPausedAbandon: a pause does not keep a server locked whose cancellation was given up.
func TestPausedAbandon(t *testing.T) {
	t.Parallel()
	f, _, c := newStuckFixture(t)
	f.saveSettings(t, cancellation.Settings{Paused: true})
	_, err := f.Abandon(t.Context(), f.reseller, c.ID, "")
	require.NoError(t, err)
	assert.Equal(t, uuid.Nil, f.readServer(t, c.ServerID).LockedBy)
}

// TestRestore: after the restore of a copy, nothing happens to a cancellation by itself, until a person confirms it.
func TestRestore(t *testing.T) {
	t.Parallel()
	f, h, begun := newStuckFixture(t)
	h.deprovisionErr = nil
	f.saveSettings(t, warnings(7))
	planned := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	f.tick(t)
	f.restore(t)
	before := len(f.events(t))
	assert.Len(t, f.list(t, cancellation.Query{Unconfirmed: true}), 2, "before any Tick")

	f.tickAt(t, at("2026-11-14 00:00"))
	s := f.saveSettings(t, warnings(10))
	f.tick(t)
	f.tickAt(t, at("2026-12-24 00:00"))
	assert.Zero(t, f.tick(t), "it costs nothing")
	assert.Len(t, f.events(t), before)
	assert.Len(t, h.deprovisioned, 1)
	assert.Equal(t, cancellation.Executing, f.get(t, begun.ID).State)
	assert.Len(t, f.list(t, cancellation.Query{Unconfirmed: true}), 2)

	f.clock.Set(at("2026-11-14 00:00"))
	require.NoError(t, f.Confirm(t.Context(), f.reseller, begun.ID, planned.ID))
	f.tick(t)
	assert.Equal(t, cancellation.Executed, f.get(t, begun.ID).State)
	confirmed := f.get(t, planned.ID)
	assert.Equal(t, s.Saved, confirmed.SettingsVersion)
	assert.Equal(t, []int{10}, warnedDays(confirmed))
	assert.False(t, confirmed.Confirmed, "it still counts for the limit")
	f.tickAt(t, at("2026-11-20 12:00"))
	assert.Equal(t, cancellation.Executed, f.get(t, planned.ID).State)
}

// TestDecisionAfterRestore: a decision of a person confirms, too. An event does not.
func TestDecisionAfterRestore(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(*testing.T, *fixture, cancellation.Cancellation) error{
		"Reschedule": func(t *testing.T, f *fixture, c cancellation.Cancellation) error {
			_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-22 12:00")})
			return err
		},
		"Reschedule to the same date": func(t *testing.T, f *fixture, c cancellation.Cancellation) error {
			_, err := f.Reschedule(t.Context(), f.reseller, c.ID, c.When)
			return err
		},
		"Confirm": func(t *testing.T, f *fixture, c cancellation.Cancellation) error {
			return f.Confirm(t.Context(), f.reseller, c.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			c := f.scheduleAsClient(t, f.server(t).ID)
			f.restore(t)
			_, err := f.servers.ChangeBilling(t.Context(), f.reseller, c.ServerID, quarterly())
			require.NoError(t, err)
			s := f.readServer(t, c.ServerID)
			event := notify.Event{Kind: dedicated.KindBillingChanged, ResellerID: c.ResellerID, Data: mustJSON(t, dedicated.BillingChanged{
				ServerID: c.ServerID, Assignment: c.Assignment, At: s.BilledAt,
			})}
			require.NoError(t, f.Subscriber().Handle(t.Context(), event))
			require.Len(t, f.list(t, cancellation.Query{Unconfirmed: true}), 1)
			require.NoError(t, decide(t, f, f.get(t, c.ID)))
			require.Empty(t, f.list(t, cancellation.Query{Unconfirmed: true}))
			assert.Empty(t, f.get(t, c.ID).Epoch)
			f.tick(t)
			f.tickAt(t, at("2027-12-01 00:00"))
			assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
		})
	}
}

// TestEpochOfAManager: a cancellation has the epoch of the process that a person decided in.
func TestEpochOfAManager(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	second := f.newManager(t, func(c *cancellation.Config) { c.Epoch = "second" })
	q := cancellation.Query{Unconfirmed: true}
	for m, want := range map[*cancellation.Manager]int{f.Manager: 0, second: 1} {
		found, _, err := m.Cancellations(t.Context(), f.reseller, q)
		require.NoError(t, err)
		assert.Len(t, found, want)
	}
	f.clock.Set(at("2026-11-20 12:00"))
	_, err := second.Tick(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Scheduled, f.get(t, c.ID).State)
	require.NoError(t, second.Confirm(t.Context(), f.reseller, c.ID))
	_, err = second.Tick(t.Context())
	require.NoError(t, err)
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Executed, got.State)
	assert.Equal(t, "second", got.Epoch)
}
