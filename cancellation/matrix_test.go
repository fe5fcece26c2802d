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

// answer is the result of an operation for an actor.
type answer int

const (
	done answer = iota
	empty
	forbidden
	notFound
	conflict
)

func (a answer) String() string {
	return [...]string{"done", "empty", "forbidden", "not found", "conflict"}[a]
}

// matrixFixture has one server, with a cancellation in a state that the operation takes.
type matrixFixture struct {
	*fixture
	server       dedicated.Server
	cancellation cancellation.Cancellation
}

// matrixRow is an operation with its answers. do runs it as an actor, and reports whether the result holds anything.
type matrixRow struct {
	name      string
	fixture   func(*testing.T, dedicated.Owner) *matrixFixture
	do        func(context.Context, *matrixFixture, dedicated.Actor) (nonEmpty bool, err error)
	own       columns
	providers columns // on a provider's server
}

// columns are the answers for each actor.
type columns struct {
	reseller, system, client, formerClient, anyoneElse answer
}

func operations() []matrixRow {
	managers := func(reseller, client answer) columns {
		return columns{reseller: reseller, system: reseller, client: client, formerClient: client, anyoneElse: notFound}
	}
	orders := func(reseller, client answer) columns {
		return columns{reseller: reseller, system: reseller, client: client, formerClient: notFound, anyoneElse: notFound}
	}
	// After the server has left its client, the client's cancellation has no date to move, but it may be discarded,
	// also if a provider owns the machine by then.
	withdraws := func(all, former answer) columns {
		return columns{reseller: all, system: all, client: all, formerClient: former, anyoneElse: notFound}
	}
	nothing := columns{reseller: empty, system: empty, client: empty, formerClient: empty, anyoneElse: empty}
	settings := columns{client: forbidden, formerClient: forbidden, anyoneElse: notFound}
	return []matrixRow{
		{"schedule a date", withoutCancellation, scheduleDate, orders(done, forbidden), orders(forbidden, forbidden)},
		{"schedule the end of the period", withoutCancellation, scheduleEnd, orders(done, done), orders(forbidden, forbidden)},
		{"schedule the first allowed end", withoutCancellation, scheduleFirstAllowed, orders(done, done), orders(forbidden, forbidden)},
		{"schedule now", withoutCancellation, scheduleNow, orders(done, forbidden), orders(forbidden, forbidden)},
		{"schedule a past date", withoutCancellation, schedulePast, orders(done, forbidden), orders(forbidden, forbidden)},
		{"schedule a date with ClientMayChooseDate", whereClientsChoose, scheduleDate, orders(done, done), orders(forbidden, forbidden)},
		{"schedule now with ClientMayChooseDate", whereClientsChoose, scheduleNow, orders(done, forbidden), orders(forbidden, forbidden)},
		{"schedule a past date with ClientMayChooseDate", whereClientsChoose, schedulePast, orders(done, forbidden), orders(forbidden, forbidden)},
		{"preview a date", withoutCancellation, previewDate, orders(done, forbidden), orders(forbidden, forbidden)},
		{"preview the end of the period", withoutCancellation, previewEnd, orders(done, done), orders(forbidden, forbidden)},
		{"policy", withoutCancellation, policy, orders(done, done), orders(done, done)},
		{"quote", withoutCancellation, quote, orders(done, done), orders(forbidden, forbidden)},
		{"quotes of ends", withoutCancellation, quoteEnds, orders(done, done), orders(forbidden, forbidden)},
		{"quotes of dates", withoutCancellation, quoteDates, orders(done, forbidden), orders(forbidden, forbidden)},
		{"quotes of dates with ClientMayChooseDate", whereClientsChoose, quoteDates, orders(done, done), orders(forbidden, forbidden)},
		{"reschedule an order of the reseller", byReseller, reschedule, managers(done, forbidden), managers(forbidden, forbidden)},
		{"reschedule the client's own order", byClient, reschedule, managers(done, forbidden), managers(forbidden, forbidden)},
		{"reschedule the client's own order with ClientMayDiscard", byClientWhoMayDiscard, reschedule, withdraws(done, conflict), withdraws(forbidden, conflict)},
		{"reschedule the client's own order to now", byClientWhoMayDiscard, rescheduleNow, columns{client: forbidden, formerClient: conflict, anyoneElse: notFound}, withdraws(forbidden, conflict)},
		{"reschedule the client's own order that the reseller has moved", byClientMoved, reschedule, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard the client's own order that the reseller has moved", byClientMoved, discard, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard an order of the reseller", byReseller, discard, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard the client's own order", byClient, discard, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard the client's own order with ClientMayDiscard", byClientWhoMayDiscard, discard, withdraws(done, done), withdraws(forbidden, done)},
		{"read", byClient, readCancellation, managers(done, done), managers(done, done)},
		{"list", byClient, listCancellations, columns{client: done, formerClient: done, anyoneElse: empty}, columns{client: done, formerClient: done, anyoneElse: empty}},
		{"badges", byClient, badges, columns{client: done, formerClient: empty, anyoneElse: empty}, nothing},
		{"retry", withStuckExecution, retry, managers(done, forbidden), managers(done, forbidden)},
		{"abandon", withStuckExecution, abandon, managers(done, forbidden), managers(done, forbidden)},
		{"settings", withoutCancellation, readSettings, settings, settings},
		{"save settings", withoutCancellation, saveSettings, settings, settings},
	}
}

// withoutCancellation makes a server without a cancellation.
func withoutCancellation(t *testing.T, owner dedicated.Owner) *matrixFixture {
	f := newFixture(t)
	return &matrixFixture{fixture: f, server: f.serverOf(t, owner)}
}

// withCancellation makes a server with a cancellation that an actor ordered. A provider gets the server afterwards.
func withCancellation(t *testing.T, owner dedicated.Owner, by func(*fixture) dedicated.Actor, s cancellation.Settings) *matrixFixture {
	altered := &alteredServers{}
	f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
	f.saveSettings(t, s)
	server := f.server(t)
	c, err := f.Schedule(t.Context(), by(f), cancellation.Order{ServerID: server.ID, When: endOfPeriod()})
	require.NoError(t, err)
	if !owner.Own() {
		altered.change = func(s *dedicated.Server) { s.Owner = owner }
	}
	return &matrixFixture{f, server, c}
}

func byReseller(t *testing.T, owner dedicated.Owner) *matrixFixture {
	return withCancellation(t, owner, theReseller, cancellation.Settings{ClientMayDiscard: true})
}

func byClient(t *testing.T, owner dedicated.Owner) *matrixFixture {
	return withCancellation(t, owner, theClient, cancellation.Settings{})
}

func byClientWhoMayDiscard(t *testing.T, owner dedicated.Owner) *matrixFixture {
	return withCancellation(t, owner, theClient, cancellation.Settings{ClientMayDiscard: true})
}

// byClientMoved has a client's order that the reseller has moved.
func byClientMoved(t *testing.T, owner dedicated.Owner) *matrixFixture {
	f := withCancellation(t, dedicated.Owner{}, theClient, cancellation.Settings{ClientMayDiscard: true})
	_, err := f.Reschedule(t.Context(), f.reseller, f.cancellation.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	if !owner.Own() {
		f.config.Servers = &alteredServers{Servers: f.config.Servers, change: func(s *dedicated.Server) { s.Owner = owner }}
		f.Manager, err = cancellation.New(f.config)
		require.NoError(t, err)
	}
	return f
}

// whereClientsChoose is withoutCancellation, with ClientMayChooseDate.
func whereClientsChoose(t *testing.T, owner dedicated.Owner) *matrixFixture {
	f := withoutCancellation(t, owner)
	f.saveSettings(t, cancellation.Settings{ClientMayChooseDate: true})
	return f
}

func withStuckExecution(t *testing.T, _ dedicated.Owner) *matrixFixture {
	f, _, c := newStuckFixture(t)
	return &matrixFixture{f, f.readServer(t, c.ServerID), c}
}

func scheduleDate(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Schedule(ctx, a, cancellation.Order{ServerID: f.server.ID, When: cancellation.When{At: at("2026-11-20 12:00")}})
	return true, err
}

func scheduleEnd(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Schedule(ctx, a, cancellation.Order{ServerID: f.server.ID, When: endOfPeriod()})
	return true, err
}

func scheduleFirstAllowed(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Schedule(ctx, a, cancellation.Order{ServerID: f.server.ID, When: firstAllowed()})
	return true, err
}

func scheduleNow(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Schedule(ctx, a, cancellation.Order{ServerID: f.server.ID, When: cancellation.When{Now: true}})
	return true, err
}

func schedulePast(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	f.clock.Set(at("2026-11-12 09:00"))
	_, err := f.Schedule(ctx, a, cancellation.Order{ServerID: f.server.ID, When: cancellation.When{At: at("2026-11-11 09:00")}, Backdated: true})
	return true, err
}

func previewDate(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Preview(ctx, a, cancellation.Order{ServerID: f.server.ID, When: cancellation.When{At: at("2026-11-20 12:00")}})
	return true, err
}

func previewEnd(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Preview(ctx, a, cancellation.Order{ServerID: f.server.ID, When: endOfPeriod()})
	return true, err
}

func policy(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Policy(ctx, a, f.server.ID)
	return true, err
}

func quoteEnds(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Quotes(ctx, a, f.server.ID, endOfNovember(), at("2026-12-31 23:00"))
	return true, err
}

func quoteDates(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Quotes(ctx, a, f.server.ID, endOfNovember(), at("2026-11-20 12:00"))
	return true, err
}

func rescheduleNow(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Reschedule(ctx, a, f.cancellation.ID, cancellation.When{Now: true})
	return true, err
}

func quote(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Quote(ctx, a, f.server.ID, endOfPeriod())
	return true, err
}

func reschedule(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Reschedule(ctx, a, f.cancellation.ID, cancellation.When{FirstAllowed: true})
	return true, err
}

func discard(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Discard(ctx, a, f.cancellation.ID, "")
	return true, err
}

func readCancellation(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Cancellation(ctx, a, f.cancellation.ID)
	return true, err
}

func listCancellations(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	items, next, err := f.Cancellations(ctx, a, cancellation.Query{})
	return len(items) > 0 || next != "", err
}

func badges(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	found, err := f.Badges(ctx, a, []uuid.UUID{f.server.ID})
	return len(found) > 0, err
}

func retry(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Retry(ctx, a, f.cancellation.ID)
	return true, err
}

func abandon(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Abandon(ctx, a, f.cancellation.ID, "")
	return true, err
}

func readSettings(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Settings(ctx, a)
	return true, err
}

func saveSettings(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.SaveSettings(ctx, a, cancellation.Settings{NoticeDays: 3})
	return true, err
}

// TestMatrix checks who may do what: every actor, every operation, on own servers and on a provider's.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, op := range operations() {
		for _, provider := range []bool{false, true} {
			owner, want := dedicated.Owner{}, op.own
			if provider {
				owner, want = dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"}, op.providers
			}
			for who, column := range allColumns(want) {
				name := op.name + "/" + map[bool]string{false: "own", true: "provider's"}[provider] + "/" + who
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f := op.fixture(t, owner)
					actor := column.actor(t, f)
					nonEmpty, err := op.do(t.Context(), f, actor)
					assertAnswer(t, column.want(op.name), nonEmpty, err)
					if actor.Role == dedicated.Client && err != nil {
						assert.NotContains(t, err.Error(), "Upstream")
						assert.NotContains(t, err.Error(), "srv-4711")
					}
				})
			}
		}
	}
}

// column is an actor, and the answer that it must get to an operation.
type column struct {
	actor func(*testing.T, *matrixFixture) dedicated.Actor
	want  func(op string) answer
}

func allColumns(want columns) map[string]column {
	always := func(a answer) func(string) answer { return func(string) answer { return a } }
	// An actor of another reseller gets that reseller's settings and empty lists. An actor that matches nothing gets ErrNotFound.
	ofAnother := func(role dedicated.Role) func(string) answer {
		return func(op string) answer {
			switch {
			case op == "settings" || op == "save settings":
				if role == dedicated.Client {
					return forbidden
				}
				return done
			}
			return want.anyoneElse
		}
	}
	withoutAccess := func(op string) answer {
		if want.anyoneElse == empty {
			return notFound
		}
		return want.anyoneElse
	}
	as := func(change func(*matrixFixture, *dedicated.Actor)) func(*testing.T, *matrixFixture) dedicated.Actor {
		return func(_ *testing.T, f *matrixFixture) dedicated.Actor {
			a := f.reseller
			change(f, &a)
			return a
		}
	}
	return map[string]column{
		"reseller":                       {as(func(*matrixFixture, *dedicated.Actor) {}), always(want.reseller)},
		"system":                         {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ID = dedicated.System, uuid.Nil }), always(want.system)},
		"client":                         {as(func(f *matrixFixture, a *dedicated.Actor) { *a = f.client }), always(want.client)},
		"former client":                  {formerClient, always(want.formerClient)},
		"another client":                 {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ID = dedicated.Client, uuid.New() }), ofAnother(dedicated.Client)},
		"another reseller":               {as(func(_ *matrixFixture, a *dedicated.Actor) { a.ResellerID = uuid.New() }), ofAnother(dedicated.Reseller)},
		"another reseller's system":      {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ResellerID = dedicated.System, uuid.New() }), ofAnother(dedicated.System)},
		"the client of another reseller": {as(func(f *matrixFixture, a *dedicated.Actor) { *a = f.client; a.ResellerID = uuid.New() }), ofAnother(dedicated.Client)},
		"no role":                        {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role = 0 }), withoutAccess},
		"an unknown role":                {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role = 4 }), withoutAccess},
		"a nil reseller":                 {as(func(_ *matrixFixture, a *dedicated.Actor) { a.ResellerID = uuid.Nil }), withoutAccess},
		"a nil client":                   {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ID = dedicated.Client, uuid.Nil }), withoutAccess},
	}
}

// formerClient returns the client after its server was assigned to another client, of which the Manager was not told.
func formerClient(t *testing.T, f *matrixFixture) dedicated.Actor {
	if now := f.readServer(t, f.server.ID); now.Used() {
		f.reassign(t, f.server, uuid.New())
	}
	return f.client
}

func assertAnswer(t *testing.T, want answer, nonEmpty bool, err error) {
	t.Helper()
	switch want {
	case done, empty:
		require.NoError(t, err)
		assert.Equal(t, want == done, nonEmpty)
		return
	case forbidden:
		require.ErrorIs(t, err, cancellation.ErrForbidden)
	case notFound:
		require.ErrorIs(t, err, cancellation.ErrNotFound)
	case conflict:
		require.ErrorIs(t, err, cancellation.ErrConflict)
	}
	var e *cancellation.Error
	assert.True(t, errors.As(err, &e))
}
