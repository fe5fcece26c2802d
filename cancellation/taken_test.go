package cancellation_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

func (f *fixture) handle(t *testing.T, s dedicated.Server) error {
	t.Helper()
	data, err := json.Marshal(dedicated.BillingChanged{ServerID: s.ID, Assignment: s.Assignment, At: s.BilledAt})
	require.NoError(t, err)
	return f.Subscriber().Handle(t.Context(), notify.Event{ID: uuid.New(), Kind: dedicated.KindBillingChanged, ResellerID: s.ResellerID, Data: data})
}

func TestHeldIsMovedByTheSubscriber(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(1))
	for range 2 {
		_, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: f.server(t).ID, When: endOfPeriod()})
		require.NoError(t, err)
	}
	f.tickAt(t, at("2035-11-10 09:00"))
	f.clock.Set(at("2026-11-11 09:00"))
	held := f.list(t, cancellation.Query{Unconfirmed: true})
	require.Len(t, held, 1)
	b := monthly()
	b.Anchor = at("2026-10-14 22:00")
	_, err := f.servers.ChangeBilling(t.Context(), f.reseller, held[0].ServerID, b)
	require.NoError(t, err)
	require.NoError(t, f.handle(t, f.readServer(t, held[0].ServerID)))
	got := f.get(t, held[0].ID)
	assert.True(t, got.Held, "it still waits; At was %s and is %s", held[0].At, got.At)
	f.tickAt(t, at("2026-12-31 00:00"))
	assert.Equal(t, cancellation.Scheduled, f.get(t, held[0].ID).State, "nobody has confirmed it")
}

func TestMaxExecutionsAtMidnight(t *testing.T) {
	t.Parallel()
	f := newFixture(t, limit(1))
	slow := &fixedClock{}
	other := f.newManager(t, func(c *cancellation.Config) { c.Clock = slow })
	f.clock.Set(at("2026-11-11 00:10"))
	slow.Set(at("2026-11-10 23:50"))
	for i := range 10 {
		m := []*cancellation.Manager{other, f.Manager}[i%2]
		_, err := m.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: f.server(t).ID, When: cancellation.When{Now: true}})
		require.NoError(t, err)
		_, err = m.Tick(t.Context())
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, f.countState(t, cancellation.Executed), 2, "one a day")
}

func TestPausedWhileAnExecutionBegins(t *testing.T) {
	t.Parallel()
	var f *fixture
	f = newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, op string, _ cancellation.Cancellation) error {
			if op == "Execution" {
				f.saveSettings(t, cancellation.Settings{Paused: true})
			}
			return nil
		})
	})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	assert.Equal(t, cancellation.Scheduled, f.get(t, c.ID).State, "no execution begins")
	assert.Equal(t, dedicated.InUse, f.readServer(t, c.ServerID).State)
}

func TestPausedBetweenSteps(t *testing.T) {
	t.Parallel()
	var f *fixture
	h := &recordingHooks{}
	servers := &releaseThen{}
	f = newFixture(t, h.install, func(c *cancellation.Config) { servers.Servers, c.Servers = c.Servers, servers })
	servers.then = func() { f.saveSettings(t, cancellation.Settings{Paused: true}) }
	f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	f.tick(t)
	assert.Empty(t, h.deprovisioned, "no execution continues")
	assert.Empty(t, f.biller.refunds())
}

type lostRelease struct{ cancellation.Servers }

func (s lostRelease) Release(ctx context.Context, a dedicated.Actor, id, assignment, key uuid.UUID, reason string) (dedicated.Server, error) {
	if _, err := s.Servers.Release(ctx, a, id, assignment, key, reason); err != nil {
		return dedicated.Server{}, err
	}
	return dedicated.Server{}, errors.New("the answer is lost")
}

func TestTakenButNotRecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) { c.Servers = lostRelease{c.Servers} })
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	_, err := f.Tick(t.Context())
	require.Error(t, err)
	_, err = f.Abandon(t.Context(), f.reseller, c.ID, "")
	require.NoError(t, err)
	require.Equal(t, dedicated.CleanUp, f.readServer(t, c.ServerID).State, "the client has lost its server")
	assert.Len(t, payloads[cancellation.Statement](t, f, cancellation.KindServerTaken), 1, "the client is told")
}

func TestTakenThenRestocked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *cancellation.Config) { c.Servers = lostRelease{c.Servers} })
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	next, err := f.Tick(t.Context())
	require.Error(t, err)
	_, err = f.servers.Unlock(t.Context(), f.reseller, c.ServerID, c.ID)
	require.NoError(t, err)
	_, err = f.servers.Restock(t.Context(), f.reseller, c.ServerID)
	require.NoError(t, err)
	f.tickAt(t, next)
	require.Equal(t, cancellation.Failed, f.get(t, c.ID).State)
	assert.Len(t, payloads[cancellation.Statement](t, f, cancellation.KindServerTaken), 1, "the client is told")
}

func TestUnlockedByHand(t *testing.T) {
	t.Parallel()
	var f *fixture
	calls, locked := 0, true
	f = newFixture(t, func(c *cancellation.Config) {
		c.Hooks.Deprovision = append(c.Hooks.Deprovision, func(ctx context.Context, c cancellation.Cancellation, s dedicated.Server) error {
			if calls++; calls == 1 {
				return errors.New("no answer")
			}
			locked = f.readServer(t, s.ID).LockedBy == c.ID
			return nil
		})
	})
	c := f.scheduleAt(t, f.server(t).ID, at("2026-11-10 09:00"))
	next, err := f.Tick(t.Context())
	require.Error(t, err)
	_, err = f.servers.Unlock(t.Context(), f.reseller, c.ServerID, c.ID)
	require.NoError(t, err)
	f.tickAt(t, next)
	assert.True(t, locked, "a wipe runs only while the server is locked (calls: %d)", calls)
}
