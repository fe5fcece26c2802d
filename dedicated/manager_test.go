package dedicated_test

import (
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

// fixture is a Manager with its parts, a reseller and a client. f.clock.Set sets its clock.
type fixture struct {
	*dedicated.Manager
	store    dedicated.Store
	outbox   *notify.MemoryOutbox
	clock    *clock.Mock
	reseller dedicated.Actor
	client   dedicated.Actor
}

// newFixture makes a fixture at 2026-11-24 09:00 UTC. change may alter the Config.
func newFixture(t *testing.T, change ...func(*dedicated.Config)) *fixture {
	t.Helper()
	f := &fixture{outbox: &notify.MemoryOutbox{}, clock: clock.NewMock()}
	f.clock.Set(time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC))
	c := dedicated.Config{Store: &dedicated.MemoryStore{Outbox: f.outbox}, Clock: f.clock}
	for _, apply := range change {
		apply(&c)
	}
	m, err := dedicated.New(c)
	require.NoError(t, err)
	f.Manager, f.store = m, c.Store
	tenant := uuid.New()
	f.reseller = dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: tenant}
	f.client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant}
	require.NoError(t, f.outbox.Register(t.Context(), "all", nil))
	return f
}

// events returns the kinds of the events so far.
func (f *fixture) events(t *testing.T) []notify.Kind {
	t.Helper()
	all, _, err := f.outbox.Deliveries(t.Context(), notify.DeliveryQuery{Limit: 1000})
	require.NoError(t, err)
	var kinds []notify.Kind
	for _, d := range all {
		kinds = append(kinds, d.Event.Kind)
	}
	return kinds
}

// add puts a server in stock.
func (f *fixture) add(t *testing.T) dedicated.Server {
	t.Helper()
	s, err := f.Add(t.Context(), f.reseller, dedicated.NewServer{Name: "web-01"})
	require.NoError(t, err)
	return s
}

// addAssigned adds a server and assigns it to the client.
func (f *fixture) addAssigned(t *testing.T) dedicated.Server {
	t.Helper()
	s, err := f.Assign(t.Context(), f.reseller, f.add(t).ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly()})
	require.NoError(t, err)
	return s
}

// monthly is billing by months.
func monthly() dedicated.Billing {
	return dedicated.Billing{
		Anchor: time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Zone: "Europe/Berlin", Currency: "EUR", Places: 2,
	}
}

func TestLifeOfAServer(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := f.add(t)
	assert.Equal(t, dedicated.InStock, s.State)
	assert.EqualValues(t, 1, s.Version)

	s, err := f.Assign(ctx, f.reseller, s.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly()})
	require.NoError(t, err)
	assert.Equal(t, dedicated.InUse, s.State)
	assert.Equal(t, f.client.ID, s.ClientID)
	assert.Equal(t, time.Date(2026, 11, 24, 9, 0, 0, 123456000, time.UTC), s.AssignedAt, "to the microsecond, in UTC")
	first := s.Assignment
	assert.NotEqual(t, uuid.Nil, first)

	s, err = f.Suspend(ctx, f.reseller, s.ID, "unpaid")
	require.NoError(t, err)
	assert.Equal(t, dedicated.Suspended, s.State)
	s, err = f.Resume(ctx, f.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, dedicated.InUse, s.State)

	s, err = f.Release(ctx, f.reseller, s.ID, first, uuid.Nil, "end of contract")
	require.NoError(t, err)
	assert.Equal(t, dedicated.CleanUp, s.State)
	assert.Equal(t, first, s.Assignment, "it stays until Restock")
	s, err = f.Restock(ctx, f.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, dedicated.Server{ID: s.ID, ResellerID: s.ResellerID, Name: "web-01", State: dedicated.InStock, Version: s.Version}, s)

	s, err = f.Assign(ctx, f.reseller, s.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: monthly()})
	require.NoError(t, err)
	assert.NotEqual(t, first, s.Assignment, "each Assign makes a new one")
	_, err = f.Release(ctx, f.reseller, s.ID, first, uuid.Nil, "late")
	require.ErrorIs(t, err, dedicated.ErrConflict, "a late repeat must not end the next assignment")

	assert.ElementsMatch(t, []notify.Kind{
		dedicated.KindAssigned, dedicated.KindSuspended, dedicated.KindResumed, dedicated.KindReleased, dedicated.KindEnded, dedicated.KindAssigned,
	}, f.events(t))
	stored, err := f.Server(ctx, f.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, s, stored, "what an operation returns is what is stored")
}

func TestInvalidParametersChangeNothing(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := f.addAssigned(t)
	stock := f.add(t)
	noZone := monthly()
	noZone.Zone = "Local"
	tests := []struct {
		name, field string
		call        func() (dedicated.Server, error)
	}{
		{"add without a name", "Name", func() (dedicated.Server, error) {
			return f.Add(ctx, f.reseller, dedicated.NewServer{Name: "  "})
		}},
		{"add with a line break in the name", "Name", func() (dedicated.Server, error) {
			return f.Add(ctx, f.reseller, dedicated.NewServer{Name: "a\r\nBcc: x"})
		}},
		{"add with a reference and no provider", "Owner.Provider", func() (dedicated.Server, error) {
			return f.Add(ctx, f.reseller, dedicated.NewServer{Name: "a", Owner: dedicated.Owner{Reference: "r"}})
		}},
		{"add with a control character in the reference", "Owner.Reference", func() (dedicated.Server, error) {
			return f.Add(ctx, f.reseller, dedicated.NewServer{Name: "a", Owner: dedicated.Owner{Provider: "p", Reference: "\x00"}})
		}},
		{"rename to a name that is too long", "Name", func() (dedicated.Server, error) {
			return f.Rename(ctx, f.reseller, s.ID, strings.Repeat("x", dedicated.MaxName+1))
		}},
		{"assign to no client", "ClientID", func() (dedicated.Server, error) {
			return f.Assign(ctx, f.reseller, stock.ID, dedicated.NewAssignment{ClientID: uuid.Nil, Billing: monthly()})
		}},
		{"assign without billing", "Billing.Anchor", func() (dedicated.Server, error) {
			return f.Assign(ctx, f.reseller, stock.ID, dedicated.NewAssignment{ClientID: f.client.ID, Billing: dedicated.Billing{}})
		}},
		{"change billing to an unknown zone", "Billing.Zone", func() (dedicated.Server, error) {
			return f.ChangeBilling(ctx, f.reseller, s.ID, noZone)
		}},
		{"suspend with a reason of two lines", "reason", func() (dedicated.Server, error) {
			return f.Suspend(ctx, f.reseller, s.ID, "a\nb")
		}},
		{"release with a reason of two lines", "reason", func() (dedicated.Server, error) {
			return f.Release(ctx, f.reseller, s.ID, s.Assignment, uuid.Nil, "a\nb")
		}},
		{"unlock without a key", "key", func() (dedicated.Server, error) {
			return f.Unlock(ctx, f.reseller, s.ID, uuid.Nil)
		}},
	}
	before := f.events(t)
	for _, tt := range tests {
		_, err := tt.call()
		require.ErrorIs(t, err, dedicated.ErrInvalid, tt.name)
		var e *dedicated.Error
		require.ErrorAs(t, err, &e, tt.name)
		assert.Equal(t, tt.field, e.Field, tt.name)
	}
	for _, want := range []dedicated.Server{s, stock} {
		got, err := f.Server(ctx, f.reseller, want.ID)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	assert.Equal(t, before, f.events(t))
	_, err := f.Server(ctx, f.reseller, uuid.Nil)
	require.ErrorIs(t, err, dedicated.ErrNotFound)
	_, err = f.Release(ctx, f.reseller, s.ID, uuid.Nil, uuid.Nil, "")
	require.ErrorIs(t, err, dedicated.ErrConflict, "the nil assignment matches nothing")
}

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := dedicated.New(dedicated.Config{})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
	_, err = dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}, Epoch: "the second"})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
	var refused *dedicated.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "Config.Epoch", refused.Field)
	m, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}})
	require.NoError(t, err)
	a := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	s, err := m.Add(t.Context(), a, dedicated.NewServer{Name: "web-01"})
	require.NoError(t, err)
	s, err = m.Assign(t.Context(), a, s.ID, dedicated.NewAssignment{ClientID: uuid.New(), Billing: monthly()})
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), s.AssignedAt, time.Minute)
}

func TestAddIsRepeatable(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	p := dedicated.NewServer{ID: uuid.New(), Name: "web-01", Owner: dedicated.Owner{Provider: "p", Reference: "r"}}
	first, err := f.Add(ctx, f.reseller, p)
	require.NoError(t, err)
	again, err := f.Add(ctx, f.reseller, p)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	p.Name = "web-02"
	_, err = f.Add(ctx, f.reseller, p)
	require.ErrorIs(t, err, dedicated.ErrConflict)
	p.Name = "web-01"
	_, err = f.Add(ctx, dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}, p)
	require.ErrorIs(t, err, dedicated.ErrConflict, "another reseller has the ID")
}

func TestUnchangedIsNotWritten(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s := f.addAssigned(t)
	before := f.events(t)
	same, err := f.ChangeBilling(ctx, f.reseller, s.ID, monthly())
	require.NoError(t, err)
	assert.Equal(t, s, same)
	same, err = f.Rename(ctx, f.reseller, s.ID, s.Name)
	require.NoError(t, err)
	assert.Equal(t, s, same)
	assert.Equal(t, before, f.events(t))
}

func TestLocked(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s, key, other := f.addAssigned(t), uuid.New(), uuid.New()
	release := func(lock uuid.UUID) (dedicated.Server, error) {
		return f.Release(ctx, f.reseller, s.ID, s.Assignment, lock, "cancelled")
	}
	locked, err := release(key)
	require.NoError(t, err)
	assert.Equal(t, key, locked.LockedBy)
	assert.NotContains(t, f.events(t), dedicated.KindEnded, "the cancellation tells the client")

	for _, again := range []uuid.UUID{key, uuid.Nil} {
		same, err := release(again)
		require.NoError(t, err)
		assert.Equal(t, locked, same)
	}
	_, err = release(other)
	require.ErrorIs(t, err, dedicated.ErrConflict)
	for _, op := range []string{"Restock", "Retire"} {
		_, err = f.do(t, op, f.reseller, s)
		require.ErrorIs(t, err, dedicated.ErrConflict, op)
		assert.ErrorContains(t, err, "locked", op)
	}
	_, err = f.Unlock(ctx, f.reseller, s.ID, other)
	require.ErrorIs(t, err, dedicated.ErrConflict)

	unlocked, err := f.Unlock(ctx, f.reseller, s.ID, key)
	require.NoError(t, err)
	assert.Equal(t, uuid.Nil, unlocked.LockedBy)
	assert.Equal(t, dedicated.CleanUp, unlocked.State)
	same, err := f.Unlock(ctx, f.reseller, s.ID, key)
	require.NoError(t, err)
	assert.Equal(t, unlocked, same, "a repeat does nothing")

	late, err := release(key)
	require.NoError(t, err)
	assert.Equal(t, key, late.LockedBy, "a cancellation locks a server that was released before")
	_, err = f.Unlock(ctx, f.reseller, s.ID, key)
	require.NoError(t, err)
	_, err = f.Restock(ctx, f.reseller, s.ID)
	require.NoError(t, err)
	_, err = release(key)
	require.ErrorIs(t, err, dedicated.ErrConflict)
}

func TestReleasedEvent(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	s, key := f.addAssigned(t), uuid.New()
	f.clock.Set(time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC))
	_, err := f.Release(ctx, f.reseller, s.ID, s.Assignment, key, "cancelled")
	require.NoError(t, err)
	all, _, err := f.outbox.Deliveries(ctx, notify.DeliveryQuery{})
	require.NoError(t, err)
	last := all[len(all)-1].Event
	require.Equal(t, dedicated.KindReleased, last.Kind)
	got, err := dedicated.ParseReleased(last)
	require.NoError(t, err)
	assert.Equal(t, dedicated.Released{
		ResellerID: s.ResellerID, ServerID: s.ID, ClientID: f.client.ID, Assignment: s.Assignment, CancellationID: key,
		At: f.clock.Now().UTC(), Reason: "cancelled",
	}, got)
	assert.Equal(t, s.ID, last.SubjectID)
	_, err = dedicated.ParseReleased(all[0].Event)
	require.ErrorIs(t, err, dedicated.ErrInvalid)
	_, err = dedicated.ParseReleased(notify.Event{Kind: dedicated.KindReleased, Data: []byte("{")})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
}

func TestKindsMakeACatalog(t *testing.T) {
	t.Parallel()
	_, err := notify.NewCatalog(dedicated.Kinds())
	require.NoError(t, err)
}
