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

// TestServerGivenToSomebodyElse: nothing is done to it, the record says so, the reseller is told.
func TestServerGivenToSomebodyElse(t *testing.T) {
	t.Parallel()
	p := &plugins{}
	w := setup(t, p.hooks)
	s := w.server(t)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	w.give(t, s, uuid.New())
	w.tickAt(t, at("2026-11-20 12:00"))
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Discarded, got.State)
	assert.Equal(t, []string{"scheduled", "discarded: server left"}, history(got))
	assert.Equal(t, dedicated.System, got.History[1].By.Role)
	assert.Equal(t, dedicated.InUse, w.serverNow(t, s.ID).State)
	assert.Empty(t, p.wiped)
	assert.Empty(t, w.biller.refunds())
	assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindServerLeft])
}

// give takes the server from its client and gives it to another.
func (w *fixture) give(t *testing.T, s dedicated.Server, client uuid.UUID) dedicated.Server {
	t.Helper()
	_, err := w.servers.Release(t.Context(), w.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	_, err = w.servers.Restock(t.Context(), w.reseller, s.ID)
	require.NoError(t, err)
	s, err = w.servers.Assign(t.Context(), w.reseller, s.ID, dedicated.NewAssignment{ClientID: client, Billing: monthly()})
	require.NoError(t, err)
	return s
}

// inventory changes what its Servers says of a server.
type inventory struct {
	cancellation.Servers
	change func(*dedicated.Server)
}

func (i *inventory) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	s, err := i.Servers.Server(ctx, a, id)
	if i.change != nil {
		i.change(&s)
	}
	return s, err
}

func TestOwnerChanged(t *testing.T) {
	t.Parallel()
	i := &inventory{}
	w := setup(t, func(c *cancellation.Config) { i.Servers, c.Servers = c.Servers, i })
	s := w.server(t)
	c := w.endOfPeriod(t, s.ID)
	i.change = func(s *dedicated.Server) { s.Owner = dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"} }
	for _, op := range []func() error{
		func() error { _, err := w.Discard(t.Context(), w.reseller, c.ID, ""); return err },
		func() error {
			_, err := w.Reschedule(t.Context(), w.reseller, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
			return err
		},
	} {
		assert.Equal(t, "Upstream Ltd", problem(t, op(), cancellation.ErrForbidden).Provider)
	}
	w.tickAt(t, endOfNovember())
	got := w.get(t, c.ID)
	assert.Equal(t, cancellation.Failed, got.State)
	assert.Contains(t, got.LastError, "provider")
	assert.Equal(t, dedicated.InUse, w.serverNow(t, s.ID).State)
	assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindFailed])
	assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindDiscarded], "the client knew of it")
	for _, n := range payloads[cancellation.Notice](t, w, cancellation.KindDiscarded) {
		assert.Empty(t, n.Reason, "and must not learn of the provider")
	}
}

// TestLostWhileExecuting: between two steps the server turns out not to be what it was.
func TestLostWhileExecuting(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*dedicated.Server)
		busy   bool // the mark stays as it is
	}{
		{"another assignment", func(s *dedicated.Server) { s.Assignment, s.LockedBy = uuid.New(), uuid.Nil }, true},
		{"another cancellation", func(s *dedicated.Server) { s.LockedBy = uuid.New() }, true},
		{"in stock", func(s *dedicated.Server) { s.State, s.LockedBy = dedicated.InStock, uuid.Nil }, true},
		{"a provider's", func(s *dedicated.Server) { s.Owner.Provider = "Upstream Ltd" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, i := &plugins{wipe: errors.New("no answer")}, &inventory{}
			w := setup(t, p.hooks, func(c *cancellation.Config) { i.Servers, c.Servers = c.Servers, i })
			s := w.server(t)
			c := w.schedule(t, s.ID, at("2026-11-10 09:00"))
			next, err := w.Tick(t.Context())
			require.Error(t, err)
			i.change = tt.change
			w.tickAt(t, next)
			got := w.get(t, c.ID)
			assert.Equal(t, cancellation.Failed, got.State)
			assert.NotEmpty(t, got.LastError)
			assert.Len(t, p.wiped, 1, "it is not touched again")
			assert.Empty(t, w.biller.refunds())
			assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindFailed])
			assert.Equal(t, tt.busy, w.serverNow(t, s.ID).LockedBy == c.ID)
			assert.True(t, got.Due.IsZero())
		})
	}
}

// TestServerReleasedByHand: it waits in clean-up, still under the assignment; there is nothing left to cancel.
func TestServerReleasedByHand(t *testing.T) {
	t.Parallel()
	p := &plugins{}
	w := setup(t, p.hooks)
	s := w.server(t)
	c := w.schedule(t, s.ID, at("2026-11-20 12:00"))
	_, err := w.servers.Release(t.Context(), w.reseller, s.ID, s.Assignment, uuid.Nil, "")
	require.NoError(t, err)
	w.tickAt(t, at("2026-11-20 12:00"))
	assert.Equal(t, cancellation.Discarded, w.get(t, c.ID).State)
	assert.Empty(t, p.wiped)
	assert.Empty(t, w.biller.refunds())
}

// deafServers lifts a mark, and loses the answer.
type deafServers struct {
	cancellation.Servers
	deaf bool
	gone bool
}

var errNoAnswer = errors.New("no answer")

func (d *deafServers) Unlock(ctx context.Context, a dedicated.Actor, id, busy uuid.UUID) (dedicated.Server, error) {
	if d.gone {
		return dedicated.Server{}, dedicated.ErrNotFound
	}
	s, err := d.Servers.Unlock(ctx, a, id, busy)
	if d.deaf {
		return dedicated.Server{}, errNoAnswer
	}
	return s, err
}

func (d *deafServers) Server(ctx context.Context, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if d.gone {
		return dedicated.Server{}, dedicated.ErrNotFound
	}
	return d.Servers.Server(ctx, a, id)
}

// TestMarkLiftedBefore: the answer was lost, and the server has gone its way since: what remains is to say that it is done.
func TestMarkLiftedBefore(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		d := &deafServers{deaf: true}
		w := setup(t, func(c *cancellation.Config) { d.Servers, c.Servers = c.Servers, d })
		s := w.server(t)
		c := w.schedule(t, s.ID, at("2026-11-10 09:00"))
		_, err := w.Tick(t.Context())
		require.ErrorIs(t, err, errNoAnswer)
		_, err = w.servers.Restock(t.Context(), w.reseller, s.ID)
		require.NoError(t, err)
		next, err := w.servers.Assign(t.Context(), w.reseller, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: monthly()})
		require.NoError(t, err)
		_, err = w.servers.Release(t.Context(), w.reseller, s.ID, next.Assignment, uuid.New(), "")
		require.NoError(t, err, "by another cancellation, which has marked it")
		d.deaf, d.gone = false, gone
		w.tickAt(t, at("2026-11-10 10:00"))
		got := w.get(t, c.ID)
		assert.Equal(t, cancellation.Executed, got.State)
		assert.Equal(t, 1, w.kinds(t, c.ID)[cancellation.KindExecuted])
		assert.NotEqual(t, uuid.Nil, w.serverNow(t, s.ID).LockedBy, "the other mark stays")
	}
}
