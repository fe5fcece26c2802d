package cancellationtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

func testOneActive(t *testing.T, open Open) {
	store, outbox := open(t)
	assignment := uuid.New()
	first, second := scheduled(assignment), scheduled(assignment)
	second.State = cancellation.Executing
	commit(t, store, change(first))
	storetest.Register(t, outbox)
	refused := change(second)
	refused.Events = []notify.Event{storetest.Event(second.ID)}
	wantConflict(t, store, "a second active cancellation of an assignment", refused)
	_, err := store.Cancellation(t.Context(), second.ID)
	storetest.WantNotFound(t, "reading the refused cancellation", err)
	storetest.WantNoEvents(t, outbox)
	wantConflict(t, store, "two active cancellations of an assignment in one call", change(scheduled(second.ID)), change(scheduled(second.ID)))

	first.Version, first.State = 1, cancellation.Discarded
	commit(t, store, change(first), change(second))
	first.Version, first.State = 2, cancellation.Scheduled
	wantConflict(t, store, "a discarded cancellation that becomes a second active one", change(first))
	for _, state := range []cancellation.State{cancellation.Executed, cancellation.Discarded, cancellation.Failed} {
		inactive := scheduled(assignment)
		inactive.State = state
		commit(t, store, change(inactive))
	}
	commit(t, store, change(scheduled(uuid.Nil)), change(scheduled(uuid.Nil)))
	second.Version = 1
	commit(t, store, change(second))
}

func testActiveRace(t *testing.T, open Open) {
	store, _ := open(t)
	for range storetest.Rounds {
		assignment := uuid.New()
		schedule := func() error { return store.Commit(t.Context(), change(scheduled(assignment))) }
		storetest.Race(t, "two active cancellations of one assignment", [2]func() error{schedule, schedule})
	}
}

func testActive(t *testing.T, open Open) {
	store, _ := open(t)
	server, other := uuid.New(), uuid.New()
	add := func(server uuid.UUID, state cancellation.State) cancellation.Cancellation {
		c := scheduled(uuid.New())
		c.ServerID, c.State = server, state
		commit(t, store, change(c))
		return c
	}
	a, b := add(server, cancellation.Scheduled), add(server, cancellation.Executing)
	c := add(other, cancellation.Scheduled)
	add(server, cancellation.Discarded)
	add(server, cancellation.Executed)
	add(server, cancellation.Failed)
	discarded := add(server, cancellation.Scheduled)
	discarded.Version, discarded.State = 1, cancellation.Discarded
	commit(t, store, change(discarded))
	wantActive(t, store, nil)
	wantActive(t, store, []uuid.UUID{uuid.New()})
	wantActive(t, store, []uuid.UUID{server, server}, a, b)
	wantActive(t, store, []uuid.UUID{server, uuid.New(), other}, a, b, c)
}

func wantActive(t *testing.T, store cancellation.Store, servers []uuid.UUID, want ...cancellation.Cancellation) {
	t.Helper()
	got, err := store.Active(t.Context(), servers)
	if err != nil || len(got) != len(want) {
		t.Errorf("Active returns %d cancellations of %d servers, %v, want %d", len(got), len(servers), err, len(want))
		return
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g cancellation.Cancellation) bool { return g.ID == w.ID && g.Version == 1 }) {
			t.Errorf("Active does not return %s of server %s, which is %s", w.ID, w.ServerID, w.State)
		}
	}
}

func testCancelledActive(t *testing.T, open Open) {
	store, _ := open(t)
	storetest.WantCancelled(t, "Active", func(ctx context.Context) error {
		_, err := store.Active(ctx, []uuid.UUID{uuid.New()})
		return err
	})
}

func testTogether(t *testing.T, open Open) {
	store, _ := open(t)
	c, s := scheduled(uuid.New()), cancellation.Settings{ResellerID: uuid.New()}
	commit(t, store, cancellation.Change{Settings: []cancellation.Settings{s}})
	wantConflict(t, store, "a call with stale settings",
		cancellation.Change{Cancellations: []cancellation.Cancellation{c}, Settings: []cancellation.Settings{s}})
	_, err := store.Cancellation(t.Context(), c.ID)
	storetest.WantNotFound(t, "reading a cancellation that was committed with stale settings", err)
	stale, fresh := c, cancellation.Settings{ResellerID: uuid.New()}
	stale.Version = 5
	wantConflict(t, store, "a call with a stale cancellation", cancellation.Change{Settings: []cancellation.Settings{fresh}}, change(stale))
	_, err = store.Settings(t.Context(), fresh.ResellerID)
	storetest.WantNotFound(t, "reading settings that were committed with a stale cancellation", err)
}

func testBothDue(t *testing.T, open Open) {
	store, _ := open(t)
	for n := 1; n <= 3; n++ {
		c := scheduled(uuid.New())
		c.Due = instant(n)
		commit(t, store, cancellation.Change{
			Cancellations: []cancellation.Cancellation{c},
			Settings:      []cancellation.Settings{{ResellerID: uuid.New(), Due: instant(n).Add(time.Hour)}},
		})
	}
	claims := []struct {
		now                     time.Time
		cancellations, settings int
		next                    time.Time
	}{
		{instant(0), 0, 0, instant(1)},
		{instant(1), 1, 0, instant(1).Add(time.Hour)},
		{instant(3), 2, 2, instant(3).Add(time.Hour)},
		{instant(4), 0, 1, time.Time{}},
	}
	for _, w := range claims {
		due, err := store.ClaimDue(t.Context(), w.now, instant(50), 2)
		if err != nil || len(due.Cancellations) != w.cancellations || len(due.Settings) != w.settings || !due.Next.Equal(w.next) {
			t.Errorf("at %v: %d cancellations, %d settings, next %v, %v; want %d, %d, %v",
				w.now, len(due.Cancellations), len(due.Settings), due.Next, err, w.cancellations, w.settings, w.next)
		}
	}
}

func testCriteria(t *testing.T, open Open) {
	store, _ := open(t)
	reseller, client, server := uuid.New(), uuid.New(), uuid.New()
	newCancellation := func(n int, state cancellation.State, by dedicated.Role) cancellation.Cancellation {
		c := scheduled(uuid.New())
		c.ResellerID, c.At, c.State, c.By = reseller, instant(n), state, dedicated.Actor{Role: by}
		return c
	}
	a := newCancellation(1, cancellation.Scheduled, dedicated.Client)
	a.ClientID, a.ServerID = client, server
	b := newCancellation(2, cancellation.Executing, dedicated.Reseller)
	b.ClientID, b.Attempts = client, 1
	c := newCancellation(3, cancellation.Executed, dedicated.Reseller)
	c.ServerID, c.Attempts = server, 7
	d := newCancellation(4, cancellation.Scheduled, dedicated.System)
	d.Attempts, d.Epoch = 2, "old"
	c.Epoch, c.Held, b.Held = "old", true, true
	other := a
	other.ID, other.Assignment, other.ResellerID = uuid.New(), uuid.New(), uuid.New()
	commit(t, store, change(d, other, a, c, b))
	type (
		query = cancellation.Query
		list  = []cancellation.Cancellation
	)
	storetest.TestCriteria(t,
		func(c cancellation.Cancellation) uuid.UUID { return c.ID },
		func(c cancellation.Cancellation) string { return string(c.State) + " at " + c.At.Format(time.DateOnly) },
		func(q query) (list, string, error) { return store.Cancellations(t.Context(), reseller, q) },
		[]storetest.Criteria[cancellation.Cancellation, query]{
			{Name: "no criteria", Want: list{a, b, c, d}},
			{Name: "states", Query: query{States: []cancellation.State{cancellation.Executed, cancellation.Scheduled}}, Want: list{a, c, d}},
			{Name: "From", Query: query{From: instant(2)}, Want: list{b, c, d}},
			{Name: "To, which is exclusive", Query: query{To: instant(2)}, Want: list{a}},
			{Name: "From and To", Query: query{From: instant(2), To: instant(4)}, Want: list{b, c}},
			{Name: "a client", Query: query{ClientID: client}, Want: list{a, b}},
			{Name: "a server", Query: query{ServerID: server}, Want: list{a, c}},
			{Name: "by the client", Query: query{By: dedicated.Client}, Want: list{a}},
			{Name: "by the reseller", Query: query{By: dedicated.Reseller}, Want: list{b, c}},
			{Name: "stuck", Query: query{Stuck: true}, Want: list{b, d}},
			{Name: "unconfirmed", Query: query{Unconfirmed: true}, Want: list{b, d}},
			{Name: "unconfirmed in an epoch", Query: query{Unconfirmed: true, Epoch: "old"}, Want: list{a, b}},
			{Name: "all criteria", Query: query{Stuck: true, ClientID: client, By: dedicated.Reseller, From: instant(1)}, Want: list{b}},
			{Name: "no match", Query: query{ClientID: client, By: dedicated.System}},
		}...)
}
