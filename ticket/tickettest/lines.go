package tickettest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/ticket"
)

func (s suite) testUniqueKey(t *testing.T) {
	reseller := uuid.New()
	a, b := makeTicket(reseller, 1), makeTicket(uuid.New(), 2)
	b.UniqueKey = a.UniqueKey
	store := s.store(t, a)
	storetest.WantConflict(t, "a second ticket with the same unique key", store.Commit(t.Context(), change(b)))
	a.Version = 1
	keyless := a
	keyless.UniqueKey = ""
	if err := store.Commit(t.Context(), change(keyless, b)); err != nil {
		t.Fatalf("a call that moves a unique key from one ticket to another: %v", err)
	}
	a.Version = 2
	storetest.WantConflict(t, "a ticket that takes the unique key of another ticket", store.Commit(t.Context(), change(a)))
	b.Version = 1
	if err := store.Commit(t.Context(), change(b)); err != nil {
		t.Errorf("writing a ticket with an unchanged unique key: %v", err)
	}
	c, d := makeTicket(reseller, 3), makeTicket(reseller, 4)
	c.UniqueKey, d.UniqueKey = "", ""
	if err := store.Commit(t.Context(), change(c, d)); err != nil {
		t.Errorf("two tickets without a unique key: %v", err)
	}
}

func (s suite) testUniqueKeyRace(t *testing.T) {
	store, reseller := s.store(t), uuid.New()
	for round := range storetest.Rounds {
		var calls [2]func() error
		for i := range calls {
			own := makeTicket(reseller, round)
			own.UniqueKey = fmt.Sprint("key ", round)
			calls[i] = func() error { return store.Commit(t.Context(), change(own)) }
		}
		storetest.Race(t, "two tickets with the same unique key", calls)
	}
}

// threeTickets returns three tickets of one reseller, the oldest first, and a ticket of another reseller that equals the first.
func threeTickets(reseller uuid.UUID) (a, b, c, other ticket.Ticket) {
	a, b, c = makeTicket(reseller, 0), makeTicket(reseller, 1), makeTicket(reseller, 2)
	a.Subject, a.Kind, a.Status, a.Priority, a.UrgentAt = "Alpha request", ticket.Reboot, ticket.Open, 10, instant(30)
	a.Ref, a.ServerName, a.Upstream, a.Former = "T-AAAAAA", "node-one", nil, nil
	a.Thread = []ticket.Comment{{ID: uuid.New(), Text: "Plain Words"}, {ID: uuid.New(), Text: "hushed", Internal: true}}
	b.Subject, b.Kind, b.Status, b.Priority, b.UrgentAt = "beta ÄRGER", ticket.Other, ticket.NeedsDetails, 50, instant(20)
	b.Ref, b.ServerName, b.Upstream, b.Former, b.Thread = "T-BBBBBB", "node-two", nil, nil, nil
	c.Subject, c.Status, c.Priority, c.UrgentAt = "gamma 100%_", ticket.Forwarded, 99, instant(10)
	c.Ref, c.ServerName, c.Thread = "T-CCCCCC", "node-three", nil
	c.Upstream.Provider, c.Upstream.Reference, c.Upstream.Ref = "Upstairs", "rack/9", "U-SECRETREFERENCE"
	c.Upstream.Thread = []ticket.Comment{{ID: uuid.New(), Text: "pressed it", Internal: true}}
	c.Former = []ticket.Upstream{{
		Ref: "U-OLDREFERENCE", Provider: "Downstairs", Reference: "shelf/3",
		Thread: []ticket.Comment{{ID: uuid.New(), Text: "plugged it", Internal: true}},
	}}
	other = a
	other.ID, other.ResellerID, other.UniqueKey = uuid.New(), uuid.New(), "another"
	return a, b, c, other
}

type (
	query    = ticket.Query
	list     = []ticket.Ticket
	criteria = storetest.Criteria[ticket.Ticket, ticket.Query]
)

// compare stores three tickets and compares lists by age with what cases returns for these tickets.
func (s suite) compare(t *testing.T, cases func(a, b, c ticket.Ticket) []criteria) {
	t.Helper()
	reseller := uuid.New()
	a, b, c, other := threeTickets(reseller)
	compareLists(t, s.store(t, c, other, a, b), reseller, "age", cases(a, b, c)...)
}

func compareLists(t *testing.T, store ticket.Store, reseller uuid.UUID, sort string, cases ...criteria) {
	t.Helper()
	storetest.TestCriteria(t,
		func(t ticket.Ticket) uuid.UUID { return t.ID }, func(t ticket.Ticket) string { return t.Subject },
		func(q query) (list, string, error) {
			q.Sort = sort
			return store.Tickets(t.Context(), reseller, q)
		}, cases...)
}

func (s suite) testCriteria(t *testing.T) {
	s.compare(t, func(a, b, c ticket.Ticket) []criteria {
		return []criteria{
			{Name: "no criteria", Want: list{a, b, c}},
			{Name: "kinds", Query: query{Kinds: []ticket.Kind{ticket.Other, "host_kind"}}, Want: list{b, c}},
			{Name: "statuses", Query: query{States: []ticket.Status{ticket.Forwarded, ticket.Open}}, Want: list{a, c}},
			{Name: "a client", Query: query{ClientID: b.ClientID}, Want: list{b}},
			{Name: "a server", Query: query{ServerID: c.ServerID}, Want: list{c}},
			{Name: "an assignee", Query: query{Assignee: a.Assignee}, Want: list{a}},
			{Name: "an assignee without tickets", Query: query{Assignee: uuid.New()}},
			{Name: "the stored priority", Query: query{MinPriority: 50}, Want: list{b, c}},
			{Name: "urgent by a time", Query: query{UrgentBy: b.UrgentAt}, Want: list{b, c}},
			{Name: "urgent by a microsecond earlier", Query: query{UrgentBy: b.UrgentAt.Add(-time.Microsecond)}, Want: list{c}},
			{Name: "all criteria", Query: query{
				ClientID: a.ClientID, ServerID: a.ServerID, Assignee: a.Assignee, MinPriority: 10, UrgentBy: a.UrgentAt, Text: "alpha",
				Kinds: []ticket.Kind{ticket.Reboot}, States: []ticket.Status{ticket.Open}, WaitingOn: dedicated.Reseller, Public: true,
			}, Want: list{a}},
		}
	})
}

func (s suite) testWords(t *testing.T) {
	text := func(name, text string, want ...ticket.Ticket) criteria {
		return criteria{Name: name, Query: query{Text: text}, Want: want}
	}
	public := func(name, text string, want ...ticket.Ticket) criteria {
		return criteria{Name: "public: " + name, Query: query{Text: text, Public: true}, Want: want}
	}
	s.compare(t, func(a, b, c ticket.Ticket) []criteria {
		return []criteria{
			text("another case", "ALPHA", a),
			text("another case, not ASCII", "ärger", b),
			text("several words, in another order", " words\talpha ", a),
			text("two words of different tickets", "alpha beta"),
			text("a part of a word", "node", a, b, c),
			text("wildcards of LIKE", "0%_", c),
			text("a text that matches only as a pattern", "b_ta"),
			text("a reference", "t-bbbbbb", b),
			text("the name of a server", "node-two", b),
			text("the ID of a server", strings.ToUpper(a.ServerID.String()), a),
			text("an internal comment", "hushed", a),
			text("a provider", "upstairs", c),
			text("the reference of a provider", "rack/9", c),
			text("an upstream reference", "u-secretreference", c),
			text("an upstream comment", "pressed", c),
			text("a former provider", "downstairs", c),
			text("the reference of a former provider", "shelf/3", c),
			text("a former upstream reference", "u-oldreference", c),
			text("a comment of a former provider", "plugged", c),
			public("the subject and a comment", "alpha plain", a),
			public("a reference", "t-cccccc", c),
			public("an internal comment", "hushed"),
			public("a provider", "upstairs"),
			public("the reference of a provider", "rack/9"),
			public("an upstream reference", "u-secretreference"),
			public("an upstream comment", "pressed"),
			public("a former provider", "downstairs"),
			public("a former upstream reference", "u-oldreference"),
			public("a comment of a former provider", "plugged"),
		}
	})
}

func (s suite) testWaitingOn(t *testing.T) {
	s.testUnanswered(t)
	s.compare(t, func(a, b, c ticket.Ticket) []criteria {
		return []criteria{
			{Name: "on the client", Query: query{WaitingOn: dedicated.Client}, Want: list{b}},
			{Name: "on the reseller, after an answer of the provider too", Query: query{WaitingOn: dedicated.Reseller}, Want: list{a, c}},
		}
	})
}

// testUnanswered tests tickets that are done: one has a comment that waits for an answer, and one has not.
func (s suite) testUnanswered(t *testing.T) {
	reseller := uuid.New()
	a, b, _, _ := threeTickets(reseller)
	a.Status, a.UnansweredSince = ticket.Done, instant(40)
	b.Status, b.UnansweredSince = ticket.Done, time.Time{}
	compareLists(t, s.store(t, a, b), reseller, "age",
		criteria{Name: "on the reseller, because of a comment on what is done", Query: query{WaitingOn: dedicated.Reseller}, Want: list{a}})
}

func (s suite) testDefaultOrder(t *testing.T) {
	reseller := uuid.New()
	a, b, c, _ := threeTickets(reseller)
	store := s.store(t, b, a, c)
	for _, sort := range []string{"", "urgency"} {
		compareLists(t, store, reseller, sort, criteria{Name: fmt.Sprintf("sort %q", sort), Want: list{c, b, a}})
	}
}

func (s suite) testCursorOfOtherOrder(t *testing.T) {
	reseller := uuid.New()
	a, b, c, _ := threeTickets(reseller)
	store := s.store(t, a, b, c)
	_, next, err := store.Tickets(t.Context(), reseller, query{Sort: "age", Limit: 1})
	if err != nil || next == "" {
		t.Fatalf("the first of three tickets: cursor %q, %v", next, err)
	}
	_, _, err = store.Tickets(t.Context(), reseller, query{Sort: "urgency", After: next})
	storetest.WantInvalid(t, "a cursor by age in the list by urgency", err)
}

func (s suite) testCounts(t *testing.T) {
	reseller := uuid.New()
	a, b, c, other := threeTickets(reseller)
	d := makeTicket(reseller, 3)
	d.Status, d.Subject = ticket.Open, "Alpha again"
	store := s.store(t, a, b, c, d, other)
	tests := []struct {
		name string
		q    query
		want map[ticket.Status]int
	}{
		{"no criteria", query{}, map[ticket.Status]int{ticket.Open: 2, ticket.NeedsDetails: 1, ticket.Forwarded: 1}},
		{"Limit and After are ignored", query{Text: "alpha", Limit: 1, After: "nonsense"}, map[ticket.Status]int{ticket.Open: 2}},
		{"no match", query{Text: "hushed", Public: true}, map[ticket.Status]int{}},
	}
	for _, tt := range tests {
		got, err := store.Counts(t.Context(), reseller, tt.q)
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%s: got the counts %v and the error %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func (s suite) testCancelledCounts(t *testing.T) {
	store := s.store(t)
	storetest.WantCancelled(t, "Counts", func(ctx context.Context) error {
		_, err := store.Counts(ctx, uuid.New(), query{})
		return err
	})
}
