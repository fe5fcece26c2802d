package cancellation_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
)

// TestServerReassigned: nothing is done to the server, the record says why, and the reseller is told.
func TestServerReassigned(t *testing.T) {
	t.Parallel()
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install)
	s := f.server(t)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	f.reassign(t, s, uuid.New())
	f.tickAt(t, at("2026-11-20 12:00"))
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Discarded, got.State)
	assert.Equal(t, []string{"scheduled", "discarded: server left"}, history(got))
	assert.Equal(t, dedicated.System, got.History[1].By.Role)
	assert.Equal(t, dedicated.InUse, f.readServer(t, s.ID).State)
	assert.Empty(t, hooks.deprovisioned)
	assert.Empty(t, f.biller.refunds())
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindServerLeft])
}

// reassign takes the server from its client and assigns it to another.
func (f *fixture) reassign(t *testing.T, s dedicated.Server, client uuid.UUID) dedicated.Server {
	t.Helper()
	_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	_, err = f.servers.Restock(t.Context(), f.reseller, s.ID)
	require.NoError(t, err)
	s, err = f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: monthly()})
	require.NoError(t, err)
	return s
}

// alteredServers changes the servers that its Servers returns.
type alteredServers struct {
	cancellation.Servers
	change func(*dedicated.Server)
}

func (altered *alteredServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s, err := altered.Servers.Server(ctx, a, id)
	if altered.change != nil {
		altered.change(&s)
	}
	return s, err
}

func TestOwnerChanged(t *testing.T) {
	t.Parallel()
	altered := &alteredServers{}
	f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
	s := f.server(t)
	c := f.scheduleAsClient(t, s.ID)
	altered.change = func(s *dedicated.Server) { s.Owner = dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"} }
	for _, op := range []func() error{
		func() error { _, err := f.Discard(t.Context(), f.reseller, c.ID, ""); return err },
		func() error {
			_, err := f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
			return err
		},
	} {
		assert.Equal(t, "Upstream Ltd", requireError(t, op(), cancellation.ErrForbidden).Provider)
	}
	f.tickAt(t, endOfNovember())
	got := f.get(t, c.ID)
	assert.Equal(t, cancellation.Failed, got.State)
	assert.Contains(t, got.LastError, "provider")
	assert.Equal(t, dedicated.InUse, f.readServer(t, s.ID).State)
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindFailed])
	assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindDiscarded], "the client ordered it")
	for _, n := range payloads[cancellation.Notice](t, f, cancellation.KindDiscarded) {
		assert.Empty(t, n.Reason, "the client must not learn of the provider")
	}
}

// TestServerChangesDuringExecution: between two steps the server leaves the assignment, or gets another owner or lock.
func TestServerChangesDuringExecution(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*dedicated.Server)
		locked bool // the lock stays
	}{
		{"another assignment", func(s *dedicated.Server) { s.Assignment, s.LockedBy = uuid.New(), uuid.Nil }, true},
		{"another cancellation", func(s *dedicated.Server) { s.LockedBy = uuid.New() }, true},
		{"in stock", func(s *dedicated.Server) { s.State, s.LockedBy = dedicated.InStock, uuid.Nil }, true},
		{"a provider's server", func(s *dedicated.Server) { s.Owner.Provider = "Upstream Ltd" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hooks, altered := &recordingHooks{deprovisionErr: errors.New("no answer")}, &alteredServers{}
			f := newFixture(t, hooks.install, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
			s := f.server(t)
			c := f.scheduleAt(t, s.ID, at("2026-11-10 09:00"))
			next, err := f.Tick(t.Context())
			require.Error(t, err)
			altered.change = tt.change
			f.tickAt(t, next)
			got := f.get(t, c.ID)
			assert.Equal(t, cancellation.Failed, got.State)
			assert.NotEmpty(t, got.LastError)
			assert.Len(t, hooks.deprovisioned, 1, "nothing more is done to the server")
			assert.Empty(t, f.biller.refunds())
			assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindFailed])
			assert.Equal(t, tt.locked, f.readServer(t, s.ID).LockedBy == c.ID)
			assert.True(t, got.Due.IsZero())
		})
	}
}

// TestServerReleasedByReseller: the server is in clean_up, still under the assignment. The cancellation is discarded.
func TestServerReleasedByReseller(t *testing.T) {
	t.Parallel()
	hooks := &recordingHooks{}
	f := newFixture(t, hooks.install)
	s := f.server(t)
	c := f.scheduleAt(t, s.ID, at("2026-11-20 12:00"))
	_, err := f.servers.Release(t.Context(), f.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	f.tickAt(t, at("2026-11-20 12:00"))
	assert.Equal(t, cancellation.Discarded, f.get(t, c.ID).State)
	assert.Empty(t, hooks.deprovisioned)
	assert.Empty(t, f.biller.refunds())
}

// unansweredUnlock unlocks a server, and returns an error if answerLost. If missing, it has no server at all.
type unansweredUnlock struct {
	cancellation.Servers
	answerLost bool
	missing    bool
}

var errNoAnswer = errors.New("no answer")

func (servers *unansweredUnlock) Unlock(ctx context.Context, a dedicated.Actor, id, key uuid.UUID) (dedicated.Server, error) {
	if servers.missing {
		return dedicated.Server{}, dedicated.ErrNotFound
	}
	s, err := servers.Servers.Unlock(ctx, a, id, key)
	if servers.answerLost {
		return dedicated.Server{}, errNoAnswer
	}
	return s, err
}

func (servers *unansweredUnlock) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if servers.missing {
		return dedicated.Server{}, dedicated.ErrNotFound
	}
	return servers.Servers.Server(ctx, a, id)
}

// TestServerAlreadyUnlocked: the answer of Unlock was lost, and another cancellation has locked the server since. The execution
// ends, and the other lock stays.
func TestServerAlreadyUnlocked(t *testing.T) {
	t.Parallel()
	for _, missing := range []bool{false, true} {
		servers := &unansweredUnlock{answerLost: true}
		f := newFixture(t, func(c *cancellation.Config) { servers.Servers, c.Servers = c.Servers, servers })
		s := f.server(t)
		c := f.scheduleAt(t, s.ID, at("2026-11-10 09:00"))
		_, err := f.Tick(t.Context())
		require.ErrorIs(t, err, errNoAnswer)
		_, err = f.servers.Restock(t.Context(), f.reseller, s.ID)
		require.NoError(t, err)
		next, err := f.servers.Assign(t.Context(), f.reseller, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: monthly()})
		require.NoError(t, err)
		_, err = f.servers.Release(t.Context(), f.reseller, s.ID, next.Assignment, uuid.New(), "")
		require.NoError(t, err, "another cancellation releases and locks it")
		servers.answerLost, servers.missing = false, missing
		f.tickAt(t, at("2026-11-10 10:00"))
		got := f.get(t, c.ID)
		assert.Equal(t, cancellation.Executed, got.State)
		assert.Equal(t, 1, f.countEvents(t, c.ID)[cancellation.KindExecuted])
		assert.NotEqual(t, uuid.Nil, f.readServer(t, s.ID).LockedBy, "the other lock stays")
	}
}

// TestScheduleForAnotherClientThanTheGateSaw: the server changes hands while a gate is asked. Nothing is stored for a client whom no
// gate has seen.
func TestScheduleForAnotherClientThanTheGateSaw(t *testing.T) {
	t.Parallel()
	store := &refusingStore{err: cancellation.ErrConflict}
	var seen []uuid.UUID
	var f *fixture
	var s dedicated.Server
	f = newFixture(t, func(c *cancellation.Config) {
		store.Store, c.Store = c.Store, store
		c.Hooks.Gate = append(c.Hooks.Gate, func(_ context.Context, _ dedicated.Actor, _ string, c cancellation.Cancellation) error {
			seen = append(seen, c.ClientID)
			f.reassign(t, s, uuid.New())
			return nil
		})
	})
	s = f.server(t)
	store.refuses = func(cancellation.Cancellation) bool {
		store.refuses = nil
		return true
	}
	_, err := f.Schedule(t.Context(), f.reseller, cancellation.Order{ServerID: s.ID, When: cancellation.When{At: at("2026-11-20 12:00")}})
	require.ErrorIs(t, err, cancellation.ErrConflict)
	assert.Equal(t, []uuid.UUID{f.client.ID}, seen)
	all, _, err := f.Cancellations(t.Context(), f.reseller, cancellation.Query{})
	require.NoError(t, err)
	assert.Empty(t, all)
}
