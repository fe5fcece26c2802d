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
type scene struct {
	*fixture
	server dedicated.Server
	c      cancellation.Cancellation
}

// operation is a row of the table: op is done to the scene by an actor; it returns whether it saw anything.
type operation struct {
	name  string
	scene func(*testing.T, dedicated.Owner) *scene
	do    func(context.Context, *scene, dedicated.Actor) (saw bool, err error)
	own   answers
	prov  answers // on a provider's server
}

// answers are the columns: who asks.
type answers struct {
	reseller, system, client, formerClient, anyoneElse answer
}

func operations() []operation {
	managers := func(reseller, client answer) answers {
		return answers{reseller: reseller, system: reseller, client: client, formerClient: client, anyoneElse: notFound}
	}
	orders := func(reseller, client answer) answers {
		return answers{reseller: reseller, system: reseller, client: client, formerClient: notFound, anyoneElse: notFound}
	}
	// Whose server has left has nothing to move any more; to call it off is right, whosever machine it is by now.
	withdraws := func(all, former answer) answers {
		return answers{reseller: all, system: all, client: all, formerClient: former, anyoneElse: notFound}
	}
	settings := answers{client: forbidden, formerClient: forbidden, anyoneElse: notFound}
	return []operation{
		{"schedule a date", free, scheduleDate, orders(done, forbidden), orders(forbidden, forbidden)},
		{"schedule the end of the period", free, scheduleEnd, orders(done, done), orders(forbidden, forbidden)},
		{"quote", free, quote, orders(done, done), orders(forbidden, forbidden)},
		{"reschedule the reseller's", byReseller, reschedule, managers(done, forbidden), managers(forbidden, forbidden)},
		{"reschedule the client's own", byClient, reschedule, managers(done, forbidden), managers(forbidden, forbidden)},
		{"reschedule the client's own, which may", byFreeClient, reschedule, withdraws(done, conflict), withdraws(forbidden, conflict)},
		{"discard the reseller's", byReseller, discard, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard the client's own", byClient, discard, managers(done, forbidden), managers(forbidden, forbidden)},
		{"discard the client's own, which may", byFreeClient, discard, withdraws(done, done), withdraws(forbidden, done)},
		{"read", byClient, read, managers(done, done), managers(done, done)},
		{"list", byClient, list, answers{client: done, formerClient: done, anyoneElse: empty}, answers{client: done, formerClient: done, anyoneElse: empty}},
		{"signs", byClient, signs, answers{client: done, formerClient: done, anyoneElse: empty}, answers{client: done, formerClient: done, anyoneElse: empty}},
		{"retry", failing, retry, managers(done, forbidden), managers(done, forbidden)},
		{"abandon", failing, abandon, managers(done, forbidden), managers(done, forbidden)},
		{"settings", free, readSettings, settings, settings},
		{"save settings", free, saveSettings, settings, settings},
	}
}

// free is a server without a cancellation.
func free(t *testing.T, owner dedicated.Owner) *scene {
	w := setup(t)
	return &scene{fixture: w, server: w.serverOf(t, owner)}
}

// planned has a cancellation that was ordered by somebody; a provider's server became that afterwards.
func planned(t *testing.T, owner dedicated.Owner, by func(*fixture) dedicated.Actor, s cancellation.Settings) *scene {
	i := &inventory{}
	w := setup(t, func(c *cancellation.Config) { i.Servers, c.Servers = c.Servers, i })
	w.save(t, s)
	server := w.server(t)
	c, err := w.Schedule(t.Context(), by(w), cancellation.Order{ServerID: server.ID, When: endOfPeriod()})
	require.NoError(t, err)
	// Moved by the reseller, so that there is something to move back.
	_, err = w.Reschedule(t.Context(), w.reseller, c.ID, cancellation.When{At: at("2026-11-20 12:00")})
	require.NoError(t, err)
	if !owner.Own() {
		i.change = func(s *dedicated.Server) { s.Owner = owner }
	}
	return &scene{w, server, c}
}

func byReseller(t *testing.T, owner dedicated.Owner) *scene {
	return planned(t, owner, theReseller, cancellation.Settings{ClientMayDiscard: true})
}

func byClient(t *testing.T, owner dedicated.Owner) *scene {
	return planned(t, owner, theClient, cancellation.Settings{})
}

func byFreeClient(t *testing.T, owner dedicated.Owner) *scene {
	return planned(t, owner, theClient, cancellation.Settings{ClientMayDiscard: true})
}

func failing(t *testing.T, _ dedicated.Owner) *scene {
	w, _, c := stuck(t)
	return &scene{w, w.serverNow(t, c.ServerID), c}
}

func scheduleDate(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Schedule(ctx, a, cancellation.Order{ServerID: s.server.ID, When: cancellation.When{At: at("2026-11-20 12:00")}})
	return true, err
}

func scheduleEnd(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Schedule(ctx, a, cancellation.Order{ServerID: s.server.ID, When: endOfPeriod()})
	return true, err
}

func quote(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Quote(ctx, a, s.server.ID, endOfPeriod())
	return true, err
}

func reschedule(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Reschedule(ctx, a, s.c.ID, endOfPeriod())
	return true, err
}

func discard(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Discard(ctx, a, s.c.ID, "")
	return true, err
}

func read(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Cancellation(ctx, a, s.c.ID)
	return true, err
}

func list(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	items, next, err := s.Cancellations(ctx, a, cancellation.Query{})
	return len(items) > 0 || next != "", err
}

func signs(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	found, err := s.Badges(ctx, a, []uuid.UUID{s.server.ID})
	return len(found) > 0, err
}

func retry(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Retry(ctx, a, s.c.ID)
	return true, err
}

func abandon(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Abandon(ctx, a, s.c.ID, "")
	return true, err
}

func readSettings(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.Settings(ctx, a)
	return true, err
}

func saveSettings(ctx context.Context, s *scene, a dedicated.Actor) (bool, error) {
	_, err := s.SaveSettings(ctx, a, cancellation.Settings{NoticeDays: 3})
	return true, err
}

// TestMatrix is the table of who may do what: every role, every operation, own and provider's servers.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, op := range operations() {
		for _, provider := range []bool{false, true} {
			owner, want := dedicated.Owner{}, op.own
			if provider {
				owner, want = dedicated.Owner{Provider: "Upstream Ltd", Reference: "srv-4711"}, op.prov
			}
			for who, ask := range everybody(want) {
				name := op.name + "/" + map[bool]string{false: "own", true: "provider's"}[provider] + "/" + who
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := op.scene(t, owner)
					actor := ask.actor(t, s)
					saw, err := op.do(t.Context(), s, actor)
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
type asker struct {
	actor func(*testing.T, *scene) dedicated.Actor
	want  func(op string) answer
}

func everybody(want answers) map[string]asker {
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
	as := func(change func(*scene, *dedicated.Actor)) func(*testing.T, *scene) dedicated.Actor {
		return func(_ *testing.T, s *scene) dedicated.Actor {
			a := s.reseller
			change(s, &a)
			return a
		}
	}
	return map[string]asker{
		"reseller":                    {as(func(*scene, *dedicated.Actor) {}), always(want.reseller)},
		"system":                      {as(func(_ *scene, a *dedicated.Actor) { a.Role, a.ID = dedicated.System, uuid.Nil }), always(want.system)},
		"client":                      {as(func(s *scene, a *dedicated.Actor) { *a = s.client }), always(want.client)},
		"former client":               {formerClient, always(want.formerClient)},
		"another client":              {as(func(_ *scene, a *dedicated.Actor) { a.Role, a.ID = dedicated.Client, uuid.New() }), elsewhere(dedicated.Client)},
		"another panel's reseller":    {as(func(_ *scene, a *dedicated.Actor) { a.ResellerID = uuid.New() }), elsewhere(dedicated.Reseller)},
		"another panel's system":      {as(func(_ *scene, a *dedicated.Actor) { a.Role, a.ResellerID = dedicated.System, uuid.New() }), elsewhere(dedicated.System)},
		"the client in another panel": {as(func(s *scene, a *dedicated.Actor) { *a = s.client; a.ResellerID = uuid.New() }), elsewhere(dedicated.Client)},
		"no role":                     {as(func(_ *scene, a *dedicated.Actor) { a.Role = 0 }), nowhere},
		"an unknown role":             {as(func(_ *scene, a *dedicated.Actor) { a.Role = 4 }), nowhere},
		"a nil reseller":              {as(func(_ *scene, a *dedicated.Actor) { a.ResellerID = uuid.Nil }), nowhere},
		"a nil client":                {as(func(_ *scene, a *dedicated.Actor) { a.Role, a.ID = dedicated.Client, uuid.Nil }), nowhere},
	}
}

// formerClient is the scene's client after the server was given to another, which nobody has noticed yet.
func formerClient(t *testing.T, s *scene) dedicated.Actor {
	if now := s.serverNow(t, s.server.ID); now.Used() {
		s.give(t, s.server, uuid.New())
	}
	return s.client
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
