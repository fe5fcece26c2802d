package dedicated_test

import (
	"context"
	"errors"
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

// world is a Manager with everything around it.
type world struct {
	*dedicated.Manager
	store    dedicated.Store
	outbox   *notify.MemoryOutbox
	clock    *clock.Mock
	reseller dedicated.Actor
	client   dedicated.Actor
}

func setup(t *testing.T, change ...func(*dedicated.Config)) *world {
	t.Helper()
	w := &world{outbox: &notify.MemoryOutbox{}, clock: clock.NewMock()}
	w.clock.Set(time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC))
	c := dedicated.Config{Store: &dedicated.MemoryStore{Outbox: w.outbox}, Clock: w.clock}
	for _, do := range change {
		do(&c)
	}
	m, err := dedicated.New(c)
	require.NoError(t, err)
	w.Manager, w.store = m, c.Store
	tenant := uuid.New()
	w.reseller = dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: tenant}
	w.client = dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: tenant}
	require.NoError(t, w.outbox.Register(t.Context(), "all", nil))
	return w
}

// events are the kinds of everything that was told.
func (w *world) events(t *testing.T) []notify.Kind {
	t.Helper()
	all, _, err := w.outbox.Deliveries(t.Context(), notify.DeliveryQuery{Limit: 1000})
	require.NoError(t, err)
	var kinds []notify.Kind
	for _, d := range all {
		kinds = append(kinds, d.Event.Kind)
	}
	return kinds
}

func (w *world) add(t *testing.T) dedicated.Server {
	t.Helper()
	s, err := w.Add(t.Context(), w.reseller, dedicated.NewServer{Name: "web-01"})
	require.NoError(t, err)
	return s
}

func (w *world) assigned(t *testing.T) dedicated.Server {
	t.Helper()
	s, err := w.Assign(t.Context(), w.reseller, w.add(t).ID, w.client.ID, monthly())
	require.NoError(t, err)
	return s
}

func monthly() dedicated.Billing {
	return dedicated.Billing{
		Anchor: time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC), Cycle: dedicated.Cycle{Unit: dedicated.Month, Count: 1},
		Zone: "Europe/Berlin", Currency: "EUR", Places: 2,
	}
}

func TestLifeOfAServer(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s := w.add(t)
	assert.Equal(t, dedicated.InStock, s.State)
	assert.EqualValues(t, 1, s.Version)

	s, err := w.Assign(ctx, w.reseller, s.ID, w.client.ID, monthly())
	require.NoError(t, err)
	assert.Equal(t, dedicated.InUse, s.State)
	assert.Equal(t, w.client.ID, s.ClientID)
	assert.Equal(t, time.Date(2026, 11, 24, 9, 0, 0, 123456000, time.UTC), s.AssignedAt, "to the microsecond, in UTC")
	first := s.Assignment
	assert.NotEqual(t, uuid.Nil, first)

	s, err = w.Hold(ctx, w.reseller, s.ID, "unpaid")
	require.NoError(t, err)
	assert.Equal(t, dedicated.OnHold, s.State)
	s, err = w.Resume(ctx, w.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, dedicated.InUse, s.State)

	s, err = w.Release(ctx, w.reseller, s.ID, first, uuid.Nil, "end of contract")
	require.NoError(t, err)
	assert.Equal(t, dedicated.CleanUp, s.State)
	assert.Equal(t, first, s.Assignment, "stays until Restock")
	s, err = w.Restock(ctx, w.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, dedicated.Server{ID: s.ID, ResellerID: s.ResellerID, Name: "web-01", State: dedicated.InStock, Version: s.Version}, s)

	s, err = w.Assign(ctx, w.reseller, s.ID, w.client.ID, monthly())
	require.NoError(t, err)
	assert.NotEqual(t, first, s.Assignment, "fresh at each Assign")
	_, err = w.Release(ctx, w.reseller, s.ID, first, uuid.Nil, "late")
	require.ErrorIs(t, err, dedicated.ErrConflict, "a late retry must not hit the next user")

	assert.ElementsMatch(t, []notify.Kind{
		dedicated.KindAssigned, dedicated.KindHeld, dedicated.KindResumed, dedicated.KindReleased, dedicated.KindEnded, dedicated.KindAssigned,
	}, w.events(t))
	stored, err := w.Server(ctx, w.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, s, stored, "what an operation returns is what is stored")
}

// TestStates drives every operation from every state and compares with the table.
func TestStates(t *testing.T) {
	t.Parallel()
	states := []dedicated.State{dedicated.InStock, dedicated.InUse, dedicated.OnHold, dedicated.CleanUp, dedicated.Retired}
	for _, row := range dedicated.Transitions() {
		for _, from := range states {
			t.Run(row.Op+" from "+string(from), func(t *testing.T) {
				t.Parallel()
				w := setup(t)
				s := w.inState(t, from)
				var want dedicated.State
				for _, allowed := range row.From {
					if allowed == from {
						want = row.To
						if want == "" {
							want = from
						}
					}
				}
				if row.Op == "Release" && from == dedicated.CleanUp {
					want = dedicated.CleanUp // may be said again
				}
				got, err := w.do(t, row.Op, w.reseller, s)
				if want != "" {
					require.NoError(t, err)
					assert.Equal(t, want, got.State)
					return
				}
				require.ErrorIs(t, err, dedicated.ErrConflict)
				var e *dedicated.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, from, e.State)
				after, err := w.Server(t.Context(), w.reseller, s.ID)
				require.NoError(t, err)
				assert.Equal(t, s, after)
			})
		}
	}
}

// inState makes a server by the operations that lead there.
func (w *world) inState(t *testing.T, state dedicated.State) dedicated.Server {
	t.Helper()
	path := map[dedicated.State][]string{
		dedicated.InUse: {"Assign"}, dedicated.OnHold: {"Assign", "Hold"}, dedicated.CleanUp: {"Assign", "Release"}, dedicated.Retired: {"Retire"},
	}
	s := w.add(t)
	for _, op := range path[state] {
		var err error
		s, err = w.do(t, op, w.reseller, s)
		require.NoError(t, err)
	}
	return s
}

// do calls an operation by name, with good parameters.
func (w *world) do(t *testing.T, op string, a dedicated.Actor, s dedicated.Server) (dedicated.Server, error) {
	t.Helper()
	ctx := t.Context()
	switch op {
	case "Add":
		return w.Add(ctx, a, dedicated.NewServer{Name: "new"})
	case "Assign":
		return w.Assign(ctx, a, s.ID, w.client.ID, monthly())
	case "Rebill":
		b := monthly()
		b.Cycle.Count = 3
		return w.Rebill(ctx, a, s.ID, b)
	case "Rename":
		return w.Rename(ctx, a, s.ID, "renamed")
	case "Hold":
		return w.Hold(ctx, a, s.ID, "unpaid")
	case "Resume":
		return w.Resume(ctx, a, s.ID)
	case "Release":
		return w.Release(ctx, a, s.ID, s.Assignment, uuid.Nil, "over")
	case "Done":
		return w.Done(ctx, a, s.ID, uuid.New())
	case "Restock":
		return w.Restock(ctx, a, s.ID)
	case "Retire":
		return w.Retire(ctx, a, s.ID)
	case "Server":
		return w.Server(ctx, a, s.ID)
	}
	t.Fatalf("no operation %q", op)
	return dedicated.Server{}, nil
}

// TestWhoMayDoWhat is the matrix: every role, operation and ownership.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	operations := map[string]dedicated.State{ // and a state that it takes
		"Assign": dedicated.InStock, "Rebill": dedicated.InUse, "Rename": dedicated.InUse, "Hold": dedicated.InUse, "Resume": dedicated.OnHold,
		"Release": dedicated.InUse, "Done": dedicated.CleanUp, "Restock": dedicated.CleanUp, "Retire": dedicated.InStock,
		"Server": dedicated.InUse, "Add": dedicated.InStock,
	}
	for op, state := range operations {
		for _, owner := range []dedicated.Owner{{}, {Provider: "upstream", Reference: "u-1"}} {
			w := setup(t)
			stranger := uuid.New()
			used := state == dedicated.InUse || state == dedicated.OnHold
			ofClient := dedicated.ErrNotFound
			switch {
			case op == "Server":
				ofClient = nil
			case op == "Add" || used:
				ofClient = dedicated.ErrForbidden
			}
			otherClient := dedicated.ErrNotFound
			if op == "Add" {
				otherClient = dedicated.ErrForbidden
			}
			elsewhere := error(dedicated.ErrNotFound)
			if op == "Add" {
				elsewhere = nil // in a stock of its own
			}
			tests := []struct {
				name  string
				actor dedicated.Actor
				want  error
			}{
				{"reseller", w.reseller, nil},
				{"system", dedicated.Actor{Role: dedicated.System, ResellerID: w.reseller.ResellerID}, nil},
				{"client", w.client, ofClient},
				{"other client", dedicated.Actor{Role: dedicated.Client, ID: stranger, ResellerID: w.reseller.ResellerID}, otherClient},
				{"same client of another reseller", dedicated.Actor{Role: dedicated.Client, ID: w.client.ID, ResellerID: stranger}, otherClient},
				{"other reseller", dedicated.Actor{Role: dedicated.Reseller, ResellerID: stranger}, elsewhere},
				{"system of another reseller", dedicated.Actor{Role: dedicated.System, ResellerID: stranger}, elsewhere},
				{"reseller without an ID", dedicated.Actor{Role: dedicated.Reseller}, dedicated.ErrNotFound},
				{"system without an ID", dedicated.Actor{Role: dedicated.System}, dedicated.ErrNotFound},
				{"client without an ID", dedicated.Actor{Role: dedicated.Client, ResellerID: w.reseller.ResellerID}, dedicated.ErrNotFound},
				{"role 0", dedicated.Actor{ID: w.client.ID, ResellerID: w.reseller.ResellerID}, dedicated.ErrNotFound},
				{"an unknown role", dedicated.Actor{Role: 9, ID: w.client.ID, ResellerID: w.reseller.ResellerID}, dedicated.ErrNotFound},
			}
			for _, tt := range tests {
				t.Run(op+"/"+owner.Provider+"/"+tt.name, func(t *testing.T) {
					t.Parallel()
					w := *w
					s := w.inState(t, state)
					s.Owner = owner
					require.NoError(t, w.store.Commit(t.Context(), dedicated.Change{Servers: []dedicated.Server{s}}))
					got, err := w.do(t, op, tt.actor, s)
					if tt.want == nil {
						require.NoError(t, err)
						if tt.actor.Role == dedicated.Client {
							assert.Equal(t, dedicated.Owner{}, got.Owner)
						} else if op != "Add" {
							assert.Equal(t, owner, got.Owner)
						}
						return
					}
					require.ErrorIs(t, err, tt.want)
					assert.Equal(t, dedicated.Server{}, got)
					for _, other := range []error{dedicated.ErrNotFound, dedicated.ErrForbidden} {
						assert.Equal(t, other == tt.want, errors.Is(err, other))
					}
				})
			}
		}
	}
}

func TestClientSeesNoOwnerAndNoBusy(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s := w.assigned(t)
	s.Owner, s.Busy = dedicated.Owner{Provider: "upstream", Reference: "u-1"}, uuid.New()
	require.NoError(t, w.store.Commit(ctx, dedicated.Change{Servers: []dedicated.Server{s}}))
	got, err := w.Server(ctx, w.client, s.ID)
	require.NoError(t, err)
	listed, _, err := w.Servers(ctx, w.client, dedicated.Query{})
	require.NoError(t, err)
	require.Len(t, listed, 1)
	for _, seen := range []dedicated.Server{got, listed[0]} {
		assert.Equal(t, s.Name, seen.Name)
		assert.Equal(t, dedicated.Owner{}, seen.Owner)
		assert.Equal(t, uuid.Nil, seen.Busy)
	}
	for _, text := range []string{"upstream", "u-1"} {
		listed, _, err := w.Servers(ctx, w.client, dedicated.Query{Text: text})
		require.NoError(t, err)
		assert.Empty(t, listed, "a search by %q tells whose the server is", text)
	}
	for _, owner := range []string{"own", "provider"} {
		_, _, err = w.Servers(ctx, w.client, dedicated.Query{Owner: owner})
		require.ErrorIs(t, err, dedicated.ErrForbidden)
	}
}

func TestServersOfAClient(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	used, held := w.inState(t, dedicated.InUse), w.inState(t, dedicated.OnHold)
	w.inState(t, dedicated.CleanUp)
	w.inState(t, dedicated.InStock)
	other, err := w.Assign(ctx, w.reseller, w.add(t).ID, uuid.New(), monthly())
	require.NoError(t, err)
	tests := []struct {
		name string
		q    dedicated.Query
		want []uuid.UUID
	}{
		{"those it uses", dedicated.Query{}, []uuid.UUID{used.ID, held.ID}},
		{"those on hold", dedicated.Query{State: []dedicated.State{dedicated.OnHold, dedicated.CleanUp}}, []uuid.UUID{held.ID}},
		{"not those it used", dedicated.Query{State: []dedicated.State{dedicated.CleanUp}}, nil},
		{"not another's", dedicated.Query{ClientID: other.ClientID}, nil},
		{"its own by name", dedicated.Query{ClientID: w.client.ID, Text: "web"}, []uuid.UUID{used.ID, held.ID}},
	}
	for _, tt := range tests {
		items, next, err := w.Servers(ctx, w.client, tt.q)
		require.NoError(t, err, tt.name)
		assert.Empty(t, next, tt.name)
		var got []uuid.UUID
		for _, s := range items {
			got = append(got, s.ID)
		}
		assert.ElementsMatch(t, tt.want, got, tt.name)
	}
	all, _, err := w.Servers(ctx, w.reseller, dedicated.Query{})
	require.NoError(t, err)
	assert.Len(t, all, 5)
	for _, a := range []dedicated.Actor{{}, {Role: dedicated.Reseller}, {Role: dedicated.Client, ResellerID: w.reseller.ResellerID}} {
		_, _, err := w.Servers(ctx, a, dedicated.Query{})
		require.ErrorIs(t, err, dedicated.ErrNotFound)
	}
	none, _, err := w.Servers(ctx, dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}, dedicated.Query{})
	require.NoError(t, err)
	assert.Empty(t, none)
	_, _, err = w.Servers(ctx, w.reseller, dedicated.Query{After: "?"})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
}

func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s := w.assigned(t)
	stock := w.add(t)
	noZone := monthly()
	noZone.Zone = "Local"
	tests := []struct {
		name, field string
		call        func() (dedicated.Server, error)
	}{
		{"add without a name", "Name", func() (dedicated.Server, error) {
			return w.Add(ctx, w.reseller, dedicated.NewServer{Name: "  "})
		}},
		{"add with a header in its name", "Name", func() (dedicated.Server, error) {
			return w.Add(ctx, w.reseller, dedicated.NewServer{Name: "a\r\nBcc: x"})
		}},
		{"add with a reference to nobody", "Owner.Provider", func() (dedicated.Server, error) {
			return w.Add(ctx, w.reseller, dedicated.NewServer{Name: "a", Owner: dedicated.Owner{Reference: "r"}})
		}},
		{"add with a hostile reference", "Owner.Reference", func() (dedicated.Server, error) {
			return w.Add(ctx, w.reseller, dedicated.NewServer{Name: "a", Owner: dedicated.Owner{Provider: "p", Reference: "\x00"}})
		}},
		{"rename to a book", "Name", func() (dedicated.Server, error) {
			return w.Rename(ctx, w.reseller, s.ID, strings.Repeat("x", dedicated.MaxName+1))
		}},
		{"assign to nobody", "client", func() (dedicated.Server, error) {
			return w.Assign(ctx, w.reseller, stock.ID, uuid.Nil, monthly())
		}},
		{"assign without billing", "Billing.Anchor", func() (dedicated.Server, error) {
			return w.Assign(ctx, w.reseller, stock.ID, w.client.ID, dedicated.Billing{})
		}},
		{"rebill in no zone", "Billing.Zone", func() (dedicated.Server, error) {
			return w.Rebill(ctx, w.reseller, s.ID, noZone)
		}},
		{"hold for two lines", "reason", func() (dedicated.Server, error) {
			return w.Hold(ctx, w.reseller, s.ID, "a\nb")
		}},
		{"release for two lines", "reason", func() (dedicated.Server, error) {
			return w.Release(ctx, w.reseller, s.ID, s.Assignment, uuid.Nil, "a\nb")
		}},
		{"done with nothing", "busy", func() (dedicated.Server, error) {
			return w.Done(ctx, w.reseller, s.ID, uuid.Nil)
		}},
	}
	before := w.events(t)
	for _, tt := range tests {
		_, err := tt.call()
		require.ErrorIs(t, err, dedicated.ErrInvalid, tt.name)
		var e *dedicated.Error
		require.ErrorAs(t, err, &e, tt.name)
		assert.Equal(t, tt.field, e.Field, tt.name)
	}
	for _, want := range []dedicated.Server{s, stock} {
		got, err := w.Server(ctx, w.reseller, want.ID)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	assert.Equal(t, before, w.events(t))
	_, err := w.Server(ctx, w.reseller, uuid.Nil)
	require.ErrorIs(t, err, dedicated.ErrNotFound)
	_, err = w.Release(ctx, w.reseller, s.ID, uuid.Nil, uuid.Nil, "")
	require.ErrorIs(t, err, dedicated.ErrConflict, "the nil assignment matches nothing")
}

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := dedicated.New(dedicated.Config{})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
	m, err := dedicated.New(dedicated.Config{Store: &dedicated.MemoryStore{}})
	require.NoError(t, err)
	a := dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}
	s, err := m.Add(t.Context(), a, dedicated.NewServer{Name: "without a clock or an outbox"})
	require.NoError(t, err)
	s, err = m.Assign(t.Context(), a, s.ID, uuid.New(), monthly())
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), s.AssignedAt, time.Minute)
}

func TestAddIsRepeatable(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	p := dedicated.NewServer{ID: uuid.New(), Name: "web-01", Owner: dedicated.Owner{Provider: "p", Reference: "r"}}
	first, err := w.Add(ctx, w.reseller, p)
	require.NoError(t, err)
	again, err := w.Add(ctx, w.reseller, p)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	p.Name = "web-02"
	_, err = w.Add(ctx, w.reseller, p)
	require.ErrorIs(t, err, dedicated.ErrConflict)
	p.Name = "web-01"
	_, err = w.Add(ctx, dedicated.Actor{Role: dedicated.Reseller, ResellerID: uuid.New()}, p)
	require.ErrorIs(t, err, dedicated.ErrConflict, "the ID is taken elsewhere")
}

func TestUnchangedIsNotWritten(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s := w.assigned(t)
	before := w.events(t)
	same, err := w.Rebill(ctx, w.reseller, s.ID, monthly())
	require.NoError(t, err)
	assert.Equal(t, s, same)
	same, err = w.Rename(ctx, w.reseller, s.ID, s.Name)
	require.NoError(t, err)
	assert.Equal(t, s, same)
	assert.Equal(t, before, w.events(t))
}

func TestBusy(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s, key, other := w.assigned(t), uuid.New(), uuid.New()
	release := func(busy uuid.UUID) (dedicated.Server, error) {
		return w.Release(ctx, w.reseller, s.ID, s.Assignment, busy, "cancelled")
	}
	busy, err := release(key)
	require.NoError(t, err)
	assert.Equal(t, key, busy.Busy)
	assert.NotContains(t, w.events(t), dedicated.KindEnded, "the cancellation tells the client")

	for _, again := range []uuid.UUID{key, uuid.Nil} {
		same, err := release(again)
		require.NoError(t, err)
		assert.Equal(t, busy, same)
	}
	_, err = release(other)
	require.ErrorIs(t, err, dedicated.ErrConflict)
	for _, op := range []string{"Restock", "Retire"} {
		_, err = w.do(t, op, w.reseller, s)
		require.ErrorIs(t, err, dedicated.ErrConflict, op)
		assert.ErrorContains(t, err, "busy", op)
	}
	_, err = w.Done(ctx, w.reseller, s.ID, other)
	require.ErrorIs(t, err, dedicated.ErrConflict)

	free, err := w.Done(ctx, w.reseller, s.ID, key)
	require.NoError(t, err)
	assert.Equal(t, uuid.Nil, free.Busy)
	assert.Equal(t, dedicated.CleanUp, free.State)
	same, err := w.Done(ctx, w.reseller, s.ID, key)
	require.NoError(t, err)
	assert.Equal(t, free, same, "may be said again")

	late, err := release(key)
	require.NoError(t, err)
	assert.Equal(t, key, late.Busy, "released by hand, a cancellation takes it over")
	_, err = w.Done(ctx, w.reseller, s.ID, key)
	require.NoError(t, err)
	_, err = w.Restock(ctx, w.reseller, s.ID)
	require.NoError(t, err)
	_, err = release(key)
	require.ErrorIs(t, err, dedicated.ErrConflict)
}

func TestDeparture(t *testing.T) {
	t.Parallel()
	w, ctx := setup(t), t.Context()
	s, key := w.assigned(t), uuid.New()
	w.clock.Set(time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC))
	_, err := w.Release(ctx, w.reseller, s.ID, s.Assignment, key, "cancelled")
	require.NoError(t, err)
	all, _, err := w.outbox.Deliveries(ctx, notify.DeliveryQuery{})
	require.NoError(t, err)
	last := all[len(all)-1].Event
	require.Equal(t, dedicated.KindReleased, last.Kind)
	got, err := dedicated.ParseDeparture(last)
	require.NoError(t, err)
	assert.Equal(t, dedicated.Departure{
		ResellerID: s.ResellerID, ServerID: s.ID, ClientID: w.client.ID, Assignment: s.Assignment, CancellationID: key,
		At: w.clock.Now().UTC(), Reason: "cancelled",
	}, got)
	assert.Equal(t, s.ID, last.SubjectID)
	_, err = dedicated.ParseDeparture(all[0].Event)
	require.ErrorIs(t, err, dedicated.ErrInvalid)
	_, err = dedicated.ParseDeparture(notify.Event{Kind: dedicated.KindReleased, Data: []byte("{")})
	require.ErrorIs(t, err, dedicated.ErrInvalid)
}

func TestKindsMakeACatalog(t *testing.T) {
	t.Parallel()
	_, err := notify.NewCatalog(dedicated.Kinds())
	require.NoError(t, err)
}

func TestGates(t *testing.T) {
	t.Parallel()
	mine := errors.New("not on a Friday")
	var asked []string
	refuse := false
	gate := func(name string) func(context.Context, dedicated.Actor, dedicated.Server) error {
		return func(_ context.Context, a dedicated.Actor, s dedicated.Server) error {
			asked = append(asked, name+" "+string(s.State))
			if refuse {
				return mine
			}
			return nil
		}
	}
	w := setup(t, func(c *dedicated.Config) { c.Hooks.Gate = append(c.Hooks.Gate, gate("first"), gate("second")) })
	s := w.assigned(t)
	assert.Equal(t, []string{"first in_stock", "second in_stock", "first in_use", "second in_use"}, asked, "the server as it would become")

	asked, refuse = nil, true
	for _, op := range []string{"Add", "Rebill", "Rename", "Hold", "Release"} {
		_, err := w.do(t, op, w.reseller, s)
		require.ErrorIs(t, err, mine, op)
		require.ErrorIs(t, err, dedicated.ErrForbidden, op)
		assert.ErrorContains(t, err, "not on a Friday", op)
	}
	assert.Len(t, asked, 5, "the first refusal wins")
	got, err := w.Server(t.Context(), w.reseller, s.ID)
	require.NoError(t, err)
	assert.Equal(t, s, got)
}

func TestGateThatPanicsRefuses(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *dedicated.Config) {
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error { panic("oh") })
	})
	_, err := w.Add(t.Context(), w.reseller, dedicated.NewServer{Name: "web-01"})
	require.ErrorIs(t, err, dedicated.ErrForbidden)
	assert.ErrorContains(t, err, "gate 1 panicked: oh")
}

// flaky is a store whose first Commits fail.
type flaky struct {
	dedicated.Store
	failures []error
	commits  int
}

func (f *flaky) Commit(ctx context.Context, changes ...dedicated.Change) error {
	f.commits++
	if len(f.failures) > 0 {
		err := f.failures[0]
		f.failures = f.failures[1:]
		return err
	}
	return f.Store.Commit(ctx, changes...)
}

func TestConflictsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	store, gates := &flaky{Store: &dedicated.MemoryStore{}}, 0
	w := setup(t, func(c *dedicated.Config) {
		c.Store = store
		c.Hooks.Gate = append(c.Hooks.Gate, func(context.Context, dedicated.Actor, dedicated.Server) error {
			gates++
			return nil
		})
	})
	s := w.assigned(t)
	conflict := dedicated.ErrConflict

	gates, store.commits, store.failures = 0, 0, []error{conflict, conflict, conflict, conflict}
	_, err := w.Hold(t.Context(), w.reseller, s.ID, "")
	require.NoError(t, err)
	assert.Equal(t, 5, store.commits)
	assert.Equal(t, 1, gates, "gates are asked once")

	store.commits, store.failures = 0, []error{conflict, conflict, conflict, conflict, conflict, conflict}
	_, err = w.Resume(t.Context(), w.reseller, s.ID)
	require.ErrorIs(t, err, dedicated.ErrConflict)
	assert.Equal(t, 5, store.commits)
	var e *dedicated.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, s.ID, e.ServerID)

	down := errors.New("connection lost")
	store.failures = []error{down}
	_, err = w.Resume(t.Context(), w.reseller, s.ID)
	require.ErrorIs(t, err, down)
	assert.Equal(t, "dedicated: Resume: connection lost", err.Error())
}

// TestOneOfManyWins assigns one server to many clients at once.
func TestOneOfManyWins(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for range 50 {
		s, start, results := w.add(t), make(chan struct{}), make(chan error, 8)
		for range cap(results) {
			go func() {
				<-start
				_, err := w.Assign(t.Context(), w.reseller, s.ID, uuid.New(), monthly())
				results <- err
			}()
		}
		close(start)
		won := 0
		for range cap(results) {
			if err := <-results; err == nil {
				won++
			} else {
				assert.ErrorIs(t, err, dedicated.ErrConflict)
			}
		}
		require.Equal(t, 1, won)
	}
}
