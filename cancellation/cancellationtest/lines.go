package cancellationtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/notify"
)

func testUnique(t *testing.T, open Open) {
	store, outbox := open(t)
	assignment := uuid.New()
	first, second := scheduled(assignment), scheduled(assignment)
	second.State = cancellation.Executing
	commit(t, store, change(first))
	event := notify.Event{ID: uuid.New(), Kind: "suite.event", At: instant(0), SubjectID: second.ID, ResellerID: uuid.New(), Data: []byte(`{}`)}
	if err := outbox.Register(t.Context(), "suite", nil); err != nil {
		t.Fatalf("Register: %v", err)
	}
	wantConflict(t, store, "a second active one of an assignment",
		cancellation.Change{Cancellations: []cancellation.Cancellation{second}, Events: []notify.Event{event}})
	if _, err := store.Cancellation(t.Context(), second.ID); !errors.Is(err, cancellation.ErrNotFound) {
		t.Errorf("the refused one was stored (reading it gave %v)", err)
	}
	if got, _, err := outbox.Deliveries(t.Context(), notify.DeliveryQuery{}); err != nil || len(got) > 0 {
		t.Errorf("the event of the refused one is in the outbox: %v, %v", got, err)
	}
	wantConflict(t, store, "two active ones of an assignment in one call", change(scheduled(second.ID)), change(scheduled(second.ID)))

	first.Version, first.State = 1, cancellation.Discarded
	commit(t, store, change(first), change(second))
	first.Version, first.State = 2, cancellation.Scheduled
	wantConflict(t, store, "one that becomes active beside another", change(first))
	for _, state := range []cancellation.State{cancellation.Executed, cancellation.Discarded, cancellation.Failed} {
		over := scheduled(assignment)
		over.State = state
		commit(t, store, change(over))
	}
	commit(t, store, change(scheduled(uuid.Nil)), change(scheduled(uuid.Nil)))
	second.Version = 1
	commit(t, store, change(second))
}

func testUniqueRace(t *testing.T, open Open) {
	store, _ := open(t)
	for range 200 {
		assignment, start, results := uuid.New(), make(chan struct{}), make(chan error, 2)
		for range 2 {
			go func() {
				<-start
				results <- store.Commit(t.Context(), change(scheduled(assignment)))
			}()
		}
		close(start)
		a, b := <-results, <-results
		if (a == nil) == (b == nil) || a != nil && !errors.Is(a, cancellation.ErrConflict) || b != nil && !errors.Is(b, cancellation.ErrConflict) {
			t.Fatalf("two that became active for one assignment got %v and %v: one must win, the other must get ErrConflict", a, b)
		}
	}
}

func testActive(t *testing.T, open Open) {
	store, _ := open(t)
	server, other := uuid.New(), uuid.New()
	on := func(server uuid.UUID, state cancellation.State) cancellation.Cancellation {
		c := scheduled(uuid.New())
		c.ServerID, c.State = server, state
		commit(t, store, change(c))
		return c
	}
	a, b := on(server, cancellation.Scheduled), on(server, cancellation.Executing)
	c := on(other, cancellation.Scheduled)
	on(server, cancellation.Discarded)
	on(server, cancellation.Executed)
	on(server, cancellation.Failed)
	over := on(server, cancellation.Scheduled)
	over.Version, over.State = 1, cancellation.Discarded
	commit(t, store, change(over))
	wantActive(t, store, nil)
	wantActive(t, store, []uuid.UUID{uuid.New()})
	wantActive(t, store, []uuid.UUID{server, server}, a, b)
	wantActive(t, store, []uuid.UUID{server, uuid.New(), other}, a, b, c)
}

func wantActive(t *testing.T, store cancellation.Store, servers []uuid.UUID, want ...cancellation.Cancellation) {
	t.Helper()
	got, err := store.Active(t.Context(), servers)
	if err != nil || len(got) != len(want) {
		t.Errorf("of %d servers %d cancellations are active, %v; want %d", len(servers), len(got), err, len(want))
		return
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g cancellation.Cancellation) bool { return g.ID == w.ID && g.Version == 1 }) {
			t.Errorf("%s on server %s is %s, and not among the active ones", w.ID, w.ServerID, w.State)
		}
	}
}

func testActiveContext(t *testing.T, open Open) {
	store, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Active(ctx, []uuid.UUID{uuid.New()}); !errors.Is(err, context.Canceled) {
		t.Errorf("Active under a cancelled context gave %v", err)
	}
}

func testBothOrNone(t *testing.T, open Open) {
	store, _ := open(t)
	c, s := scheduled(uuid.New()), cancellation.Settings{ResellerID: uuid.New()}
	commit(t, store, cancellation.Change{Settings: []cancellation.Settings{s}})
	wantConflict(t, store, "a call with stale settings",
		cancellation.Change{Cancellations: []cancellation.Cancellation{c}, Settings: []cancellation.Settings{s}})
	if _, err := store.Cancellation(t.Context(), c.ID); !errors.Is(err, cancellation.ErrNotFound) {
		t.Errorf("a cancellation was stored beside stale settings (reading it gave %v)", err)
	}
	stale, fresh := c, cancellation.Settings{ResellerID: uuid.New()}
	stale.Version = 5
	wantConflict(t, store, "a call with a stale cancellation", cancellation.Change{Settings: []cancellation.Settings{fresh}}, change(stale))
	if _, err := store.Settings(t.Context(), fresh.ResellerID); !errors.Is(err, cancellation.ErrNotFound) {
		t.Errorf("settings were stored beside a stale cancellation (reading them gave %v)", err)
	}
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
	wants := []struct {
		now                     time.Time
		cancellations, settings int
		next                    time.Time
	}{
		{instant(0), 0, 0, instant(1)},
		{instant(1), 1, 0, instant(1).Add(time.Hour)},
		{instant(3), 2, 2, instant(3).Add(time.Hour)},
		{instant(4), 0, 1, time.Time{}},
	}
	for _, w := range wants {
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
	at := func(n int, state cancellation.State, by dedicated.Role) cancellation.Cancellation {
		c := scheduled(uuid.New())
		c.ResellerID, c.At, c.State, c.By = reseller, instant(n), state, dedicated.Actor{Role: by}
		return c
	}
	a := at(1, cancellation.Scheduled, dedicated.Client)
	a.ClientID, a.ServerID = client, server
	b := at(2, cancellation.Executing, dedicated.Reseller)
	b.ClientID, b.Attempts = client, 1
	c := at(3, cancellation.Executed, dedicated.Reseller)
	c.ServerID, c.Attempts = server, 7
	d := at(4, cancellation.Scheduled, dedicated.System)
	d.Attempts = 2
	other := a
	other.ID, other.Assignment, other.ResellerID = uuid.New(), uuid.New(), uuid.New()
	commit(t, store, change(d, other, a, c, b))
	type all = []cancellation.Cancellation
	tests := []struct {
		name string
		q    cancellation.Query
		want all
	}{
		{"everything", cancellation.Query{}, all{a, b, c, d}},
		{"states", cancellation.Query{States: []cancellation.State{cancellation.Executed, cancellation.Scheduled}}, all{a, c, d}},
		{"from a date", cancellation.Query{From: instant(2)}, all{b, c, d}},
		{"to a date, which is out", cancellation.Query{To: instant(2)}, all{a}},
		{"a range", cancellation.Query{From: instant(2), To: instant(4)}, all{b, c}},
		{"a client's", cancellation.Query{ClientID: client}, all{a, b}},
		{"a server's", cancellation.Query{ServerID: server}, all{a, c}},
		{"by the client", cancellation.Query{By: dedicated.Client}, all{a}},
		{"by the reseller", cancellation.Query{By: dedicated.Reseller}, all{b, c}},
		{"stuck", cancellation.Query{Stuck: true}, all{b, d}},
		{"all at once", cancellation.Query{Stuck: true, ClientID: client, By: dedicated.Reseller, From: instant(1)}, all{b}},
		{"nothing", cancellation.Query{ClientID: client, By: dedicated.System}, nil},
	}
	for _, tt := range tests {
		got, next, err := store.Cancellations(t.Context(), reseller, tt.q)
		if err != nil || next != "" {
			t.Errorf("%s: cursor %q, %v", tt.name, next, err)
		}
		if !slices.EqualFunc(got, tt.want, func(a, b cancellation.Cancellation) bool { return a.ID == b.ID }) {
			t.Errorf("%s: got %d cancellations, want %d, in the order of their dates", tt.name, len(got), len(tt.want))
		}
	}
}
