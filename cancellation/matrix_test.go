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

// answer is what an actor gets: the error, or done.
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

// scene is one server with a cancellation in a state that lets the operation succeed for who may.
type matrixFixture struct {
	*fixture
	server dedicated.Server
	cancellation      cancellation.Cancellation
}

// operation is a row of the table: op is done to the scene by an actor; it returns whether it saw anything.
type matrixRow struct {
	name  string
	fixture func(*testing.T, dedicated.Owner) *matrixFixture
	do    func(context.Context, *matrixFixture, dedicated.Actor) (saw bool, err error)
	own   columns
	providers  columns // on a provider's server
}

// answers are the columns: who asks.
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
	// Whose server has left has nothing to move any more; to call it off is right, whosever machine it is by now.
	withdraws := func(all, former answer) columns {
		return columns{reseller: all, system: all, client: all, formerClient: former, anyoneElse: notFound}
	}
	settings := columns{client: forbidden, formerClient: forbidden, anyoneElse: notFound}
	return []matrixRow{
		{"schedule a date", withoutCancellation, scheduleDate, orders(done, forbidden), orders(forbidden, forbidden)},
		{"schedule the end of the period", withoutCancellation, scheduleEnd, orders(done, done), orders(forbidden, forbidden)},
		{"quote", withoutCancellation, quote, orders(done, done), orders(forbidden, forbidden)},
		{"reschedule the reseller's", byReseller, reschedule, managers(done, forbidden), managers(forbidden, forbidden)},
		{"reschedule the client's own", byClient, reschedule, managers(done, forbidden), managers(forbidden, forbidden)},
		{"reschedule the client's own, which may", byClientWhoMayDiscard, reschedule, withdraws(done, conflict), withdraws(forbidden, conflict)},
		{"discard the reseller's", byReseller, discard, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard the client's own", byClient, discard, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard the client's own, which may", byClientWhoMayDiscard, discard, withdraws(done, done), withdraws(forbidden, done)},
		{"read", byClient, readCancellation, managers(done, done), managers(done, done)},
		{"list", byClient, listCancellations, columns{client: done, formerClient: done, anyoneElse: empty}, columns{client: done, formerClient: done, anyoneElse: empty}},
		{"signs", byClient, badges, columns{client: done, formerClient: done, anyoneElse: empty}, columns{client: done, formerClient: done, anyoneElse: empty}},
		{"retry", withStuckExecution, retry, managers(done, forbidden), managers(done, forbidden)},
		{"abandon", withStuckExecution, abandon, managers(done, forbidden), managers(done, forbidden)},
		{"settings", withoutCancellation, readSettings, settings, settings},
		{"save settings", withoutCancellation, saveSettings, settings, settings},
	}
}

// free is a server without a cancellation.
func withoutCancellation(t *testing.T, owner dedicated.Owner) *matrixFixture {
	f := newFixture(t)
	return &matrixFixture{fixture: f, server: f.serverOf(t, owner)}
}

// planned has a cancellation that was ordered by somebody; a provider's server became that afterwards.
func withCancellation(t *testing.T, owner dedicated.Owner, by func(*fixture) dedicated.Actor, s cancellation.Settings) *matrixFixture {
	altered := &alteredServers{}
	f := newFixture(t, func(c *cancellation.Config) { altered.Servers, c.Servers = c.Servers, altered })
	f.saveSettings(t, s)
	server := f.server(t)
	c, err := f.Schedule(t.Context(), by(f), cancellation.Order{ServerID: server.ID, When: endOfPeriod()})
	require.NoError(t, err)
	// Moved by the reseller, so that there is something to move back.
	_, err = f.Reschedule(t.Context(), f.reseller, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
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

func quote(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Quote(ctx, a, f.server.ID, endOfPeriod())
	return true, err
}

func reschedule(ctx context.Context, f *matrixFixture, a dedicated.Actor) (bool, error) {
	_, err := f.Reschedule(ctx, a, f.cancellation.ID, endOfPeriod())
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

// TestMatrix is the table of who may do what: every role, every operation, own and provider's servers.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, op := range operations() {
		for _, provider := range []bool{false, true} {
			owner, want := dedicated.Owner{}, op.own
			if provider {
				owner, want = dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"}, op.providers
			}
			for who, ask := range allColumns(want) {
				name := op.name + "/" + map[bool]string{false: "own", true: "provider's"}[provider] + "/" + who
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f := op.fixture(t, owner)
					actor := ask.actor(t, f)
					saw, err := op.do(t.Context(), f, actor)
					assertAnswer(t, ask.want(op.name), saw, err)
					if actor.Role == dedicated.Client && err != nil {
						assert.NotContains(t, err.Error(), "Upstream")
						assert.NotContains(t, err.Error(), "srv-4711")
					}
				})
			}
		}
	}
}

// asker is a column: an actor made for the scene, and what it must get.
type column struct {
	actor func(*testing.T, *matrixFixture) dedicated.Actor
	want  func(op string) answer
}

func allColumns(want columns) map[string]column {
	always := func(a answer) func(string) answer { return func(string) answer { return a } }
	// Whoever is somebody in some panel gets its own settings and its own, empty lists; who is nobody gets nothing.
	elsewhere := func(role dedicated.Role) func(string) answer {
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
	nowhere := func(op string) answer {
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
		"reseller":                    {as(func(*matrixFixture, *dedicated.Actor) {}), always(want.reseller)},
		"system":                      {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ID = dedicated.System, uuid.Nil }), always(want.system)},
		"client":                      {as(func(f *matrixFixture, a *dedicated.Actor) { *a = f.client }), always(want.client)},
		"former client":               {formerClient, always(want.formerClient)},
		"another client":              {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ID = dedicated.Client, uuid.New() }), elsewhere(dedicated.Client)},
		"another panel's reseller":    {as(func(_ *matrixFixture, a *dedicated.Actor) { a.ResellerID = uuid.New() }), elsewhere(dedicated.Reseller)},
		"another panel's system":      {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ResellerID = dedicated.System, uuid.New() }), elsewhere(dedicated.System)},
		"the client in another panel": {as(func(f *matrixFixture, a *dedicated.Actor) { *a = f.client; a.ResellerID = uuid.New() }), elsewhere(dedicated.Client)},
		"no role":                     {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role = 0 }), nowhere},
		"an unknown role":             {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role = 4 }), nowhere},
		"a nil reseller":              {as(func(_ *matrixFixture, a *dedicated.Actor) { a.ResellerID = uuid.Nil }), nowhere},
		"a nil client":                {as(func(_ *matrixFixture, a *dedicated.Actor) { a.Role, a.ID = dedicated.Client, uuid.Nil }), nowhere},
	}
}

// formerClient is the scene's client after the server was given to another, which nobody has noticed yet.
func formerClient(t *testing.T, f *matrixFixture) dedicated.Actor {
	if now := f.readServer(t, f.server.ID); now.Used() {
		f.reassign(t, f.server, uuid.New())
	}
	return f.client
}

func assertAnswer(t *testing.T, want answer, saw bool, err error) {
	t.Helper()
	switch want {
	case done, empty:
		require.NoError(t, err)
		assert.Equal(t, want == done, saw)
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
