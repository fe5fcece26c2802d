package cancellation_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// TestBoundedRecord: a record does not grow with the number of its moves. Its history keeps the first entry and the newest hundred; a
// warning of the planned date is not repeated.
func TestBoundedRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, warnings(30, 20))
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-20 12:00"))
	f.tick(t)
	for i := range 2000 {
		when := at("2026-11-21 12:00").Add(time.Duration(i) * time.Second)
		_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: when})
		require.NoError(t, err)
		f.tick(t)
	}
	got := f.get(t, c.ID)
	assert.Len(t, got.History, 101)
	assert.Equal(t, c.History[0], got.History[0])
	assert.Equal(t, got.At, got.History[100].To)
	assert.Len(t, got.Warned, 100)
	data, err := json.Marshal(got)
	require.NoError(t, err)
	assert.Less(t, len(data), 60_000)
	f.tick(t)
	assert.Equal(t, got.Warned, f.get(t, c.ID).Warned)
	assert.Equal(t, 2001, f.countEvents(t, c.ID)[cancellation.KindWarning], "one of each date")

	// The record is planned for the oldest of the dates of which a warning is kept.
	first, back := got.Warned[0], got
	require.NotEqual(t, first.For, back.At)
	back.At, back.When.At, back.Due = first.For, first.For, f.clock.Now()
	require.NoError(t, f.store.Commit(t.Context(), cancellation.Change{Cancellations: []cancellation.Cancellation{back}}))
	f.tick(t)
	assert.Equal(t, got.Warned, f.get(t, c.ID).Warned, "it was warned of already")
	f.tickUntil(t, back.At)
	assert.Equal(t, cancellation.Executed, f.get(t, c.ID).State)
}

// askedGate is a question to a gate.
type askedGate struct {
	Actor   dedicated.Actor
	Op      string
	State   cancellation.State
	Version int64
}

// TestGates: which operations ask the gates, in whose name, and about what.
func TestGates(t *testing.T) {
	t.Parallel()
	var asked []askedGate
	failure := errors.New("no answer")
	f := newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, a dedicated.Actor, op string, c cancellation.Cancellation) error {
			asked = append(asked, askedGate{a, op, c.State, c.Version})
			return nil
		})
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(context.Context, cancellation.Cancellation, dedicated.Server) error { return failure })
	})
	ctx, system := t.Context(), dedicated.Actor{Role: dedicated.System, ResellerID: f.reseller.ResellerID}
	s := f.server(t)
	order := cancellation.Order{ServerID: s.ID, When: endOfPeriod()}
	f.saveSettings(t, cancellation.Settings{ClientMayDiscard: true})
	_, err := f.Preview(ctx, f.client, order)
	require.NoError(t, err)
	c, err := f.Schedule(ctx, f.client, order)
	require.NoError(t, err)
	_, err = f.Discard(ctx, f.client, c.ID, "")
	require.NoError(t, err)
	c = f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	_, err = f.Reschedule(ctx, f.reseller, c.ID, cancellation.When{Now: true})
	require.NoError(t, err)
	_, err = f.Tick(ctx)
	require.ErrorIs(t, err, failure)
	_, err = f.Retry(ctx, f.reseller, c.ID)
	require.NoError(t, err)
	_, err = f.Tick(ctx)
	require.ErrorIs(t, err, failure)
	_, err = f.Abandon(ctx, f.reseller, c.ID, "")
	require.NoError(t, err)
	for i := range asked {
		if asked[i].Version > 1 {
			asked[i].Version = 1 // claims raise it
		}
	}
	assert.Equal(t, []askedGate{
		{f.client, "Schedule", cancellation.Scheduled, 0},
		{f.client, "Discard", cancellation.Discarded, 1},
		{f.reseller, "Schedule", cancellation.Scheduled, 0},
		{f.reseller, "Reschedule", cancellation.Scheduled, 1},
		{system, "Execution", cancellation.Executing, 1},
		{f.reseller, "Retry", cancellation.Executing, 1},
	}, asked)
}

// TestSwitchedOff: a gate that refuses only what is new lets everything that is open finish.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	off := false
	f := newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
			if off && c.Version == 0 {
				return dedicated.Refuse("we cancel nothing this week")
			}
			return nil
		})
	})
	first, second := f.scheduleAsClient(t, f.server(t).ID), f.scheduleAsClient(t, f.server(t).ID)
	off = true
	_, err := f.Schedule(t.Context(), f.client, cancellation.Order{ServerID: f.server(t).ID, When: endOfPeriod()})
	assertError(t, err, cancellation.ErrForbidden)
	_, err = f.Discard(t.Context(), f.reseller, first.ID, "")
	require.NoError(t, err)
	f.tickUntil(t, endOfNovember())
	assert.Equal(t, cancellation.Executed, f.get(t, second.ID).State)
}

// TestGateOfRetry: the gates see the record as it would become.
func TestGateOfRetry(t *testing.T) {
	t.Parallel()
	var seen []cancellation.Cancellation
	f, _, c := newStuckFixture(t)
	m := f.newManager(t, func(config *cancellation.Config) {
		config.Hooks.Gate = append(config.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
			seen = append(seen, c)
			return dedicated.Refuse("not today")
		})
	})
	before := f.get(t, c.ID)
	_, err := m.Retry(t.Context(), f.reseller, c.ID)
	assertError(t, err, cancellation.ErrForbidden)
	require.ErrorContains(t, err, "not today")
	require.Len(t, seen, 1)
	assert.Equal(t, f.clock.Now(), seen[0].RetryAt)
	assert.Equal(t, before, f.get(t, c.ID), "nothing is written")
}

// TestLeftWithoutASubscriber: a Tick finds that the server has left. The client is told nothing: the release was told.
func TestLeftWithoutASubscriber(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.saveSettings(t, warnings(30))
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	f.tick(t)
	_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, c.Assignment, "unpaid")
	require.NoError(t, err)
	f.tickAt(t, at("2026-11-11 09:00"))
	assert.Equal(t, cancellation.Discarded, f.get(t, c.ID).State, "within a day")
	count := f.countEvents(t, c.ID)
	assert.Zero(t, count[cancellation.KindDiscarded])
	assert.Equal(t, 1, count[cancellation.KindServerLeft])
}

// TestSameDateInOtherWords: the date becomes an intent for the same date. The mail names no date before.
func TestSameDateInOtherWords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.scheduleAsClient(t, f.server(t).ID)
	_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: endOfNovember()})
	require.NoError(t, err)
	notice := payloads[cancellation.Notice](t, f, cancellation.KindRescheduled)
	require.Len(t, notice, 1)
	assert.Equal(t, "2026-12-01T00:00:00+01:00", notice[0].Date)
	assert.Empty(t, notice[0].FromDate+notice[0].FromLocalDate)
}
