package tickettest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

func (s suite) unique(t *testing.T) {
	reseller := uuid.New()
	a, b := makeTicket(reseller, 1), makeTicket(uuid.New(), 2)
	b.UniqueKey = a.UniqueKey
	store := s.store(t, a)
	if err := store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{b}}); !errors.Is(err, ticket.ErrConflict) {
		t.Errorf("a second ticket of one unique key gave %v, want ErrConflict", err)
	}
	a.Version = 1
	free := a
	free.UniqueKey = ""
	if err := store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{free, b}}); err != nil {
		t.Fatalf("a key given up and taken in one call: %v", err)
	}
	a.Version = 2
	if err := store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{a}}); !errors.Is(err, ticket.ErrConflict) {
		t.Errorf("taking back a unique key that another ticket has gave %v, want ErrConflict", err)
	}
	b.Version = 1
	if err := store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{b}}); err != nil {
		t.Errorf("who keeps its unique key got %v", err)
	}
	none, nothing := makeTicket(reseller, 3), makeTicket(reseller, 4)
	none.UniqueKey, nothing.UniqueKey = "", ""
	if err := store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{none, nothing}}); err != nil {
		t.Errorf("two tickets without a unique key: %v", err)
	}
}

// uniqueRace: without a start barrier and many rounds, a store that looks first and writes afterwards passes.
func (s suite) uniqueRace(t *testing.T) {
	store, reseller := s.store(t), uuid.New()
	for round := range 200 {
		key := fmt.Sprint("key ", round)
		start, results := make(chan struct{}), make(chan error, 2)
		for range 2 {
			own := makeTicket(reseller, round)
			own.UniqueKey = key
			go func() {
				<-start
				results <- store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{own}})
			}()
		}
		close(start)
		a, b := <-results, <-results
		if (a == nil) == (b == nil) || a != nil && !errors.Is(a, ticket.ErrConflict) || b != nil && !errors.Is(b, ticket.ErrConflict) {
			t.Fatalf("two that want one unique key got %v and %v: one must win, the other must get ErrConflict", a, b)
		}
	}
}

// shelf is three tickets of one reseller, the oldest first, and one of another that is like the first.
func shelf(reseller uuid.UUID) (a, b, c, other ticket.Ticket) {
	a, b, c = makeTicket(reseller, 0), makeTicket(reseller, 1), makeTicket(reseller, 2)
	a.Subject, a.Kind, a.Status, a.Priority, a.UrgentAt = "Alpha request", ticket.Reboot, ticket.Open, 10, instant(30)
	a.Ref, a.ServerName, a.Upstream = "T-AAAAAA", "node-one", nil
	a.Thread = []ticket.Comment{{ID: uuid.New(), Text: "Plain Words"}, {ID: uuid.New(), Text: "hushed", Internal: true}}
	b.Subject, b.Kind, b.Status, b.Priority, b.UrgentAt = "beta ÄRGER", ticket.Other, ticket.NeedsDetails, 50, instant(20)
	b.Ref, b.ServerName, b.Upstream, b.Thread = "T-BBBBBB", "node-two", nil, nil
	c.Subject, c.Status, c.Priority, c.UrgentAt = "gamma 100%_", ticket.Forwarded, 99, instant(10)
	c.Ref, c.ServerName, c.Thread = "T-CCCCCC", "node-three", nil
	c.Upstream.Provider, c.Upstream.Reference, c.Upstream.Ref = "Upstairs", "rack/9", "U-SECRETREFERENCE"
	c.Upstream.Thread = []ticket.Comment{{ID: uuid.New(), Text: "pressed it", Internal: true}}
	other = a
	other.ID, other.ResellerID, other.UniqueKey = uuid.New(), uuid.New(), "another"
	return a, b, c, other
}

// look is a query and what it must find, in order.
type look struct {
	name string
	q    ticket.Query
	want []ticket.Ticket
}

func (s suite) look(t *testing.T, looks func(a, b, c ticket.Ticket) []look) {
	reseller := uuid.New()
	a, b, c, other := shelf(reseller)
	store := s.store(t, c, other, a, b)
	for _, l := range looks(a, b, c) {
		l.q.Sort = "age"
		got, next, err := store.Tickets(t.Context(), reseller, l.q)
		if err != nil || next != "" {
			t.Errorf("%s: cursor %q, %v", l.name, next, err)
		}
		if !same(got, l.want) {
			t.Errorf("%s: got %s, want %s", l.name, describe(got), describe(l.want))
		}
	}
}

func same(got, want []ticket.Ticket) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		if got[i].ID != want[i].ID {
			return false
		}
	}
	return true
}

func (s suite) criteria(t *testing.T) {
	type list = []ticket.Ticket
	s.look(t, func(a, b, c ticket.Ticket) []look {
		return []look{
			{"everything", ticket.Query{}, list{a, b, c}},
			{"kinds", ticket.Query{Kinds: []ticket.Kind{ticket.Other, "host_kind"}}, list{b, c}},
			{"statuses", ticket.Query{States: []ticket.Status{ticket.Forwarded, ticket.Open}}, list{a, c}},
			{"a client's", ticket.Query{ClientID: b.ClientID}, list{b}},
			{"a server's", ticket.Query{ServerID: c.ServerID}, list{c}},
			{"somebody's", ticket.Query{Assignee: a.Assignee}, list{a}},
			{"nobody's", ticket.Query{Assignee: uuid.New()}, nil},
			{"priority as it was set", ticket.Query{MinPriority: 50}, list{b, c}},
			{"urgent by an instant", ticket.Query{UrgentBy: b.UrgentAt}, list{b, c}},
			{"urgent by just before", ticket.Query{UrgentBy: b.UrgentAt.Add(-1000)}, list{c}},
			{"all at once", ticket.Query{
				ClientID: a.ClientID, ServerID: a.ServerID, Assignee: a.Assignee, MinPriority: 10, UrgentBy: a.UrgentAt, Text: "alpha",
				Kinds: []ticket.Kind{ticket.Reboot}, States: []ticket.Status{ticket.Open}, WaitingOn: dedicated.Reseller, Public: true,
			}, list{a}},
		}
	})
}

func (s suite) words(t *testing.T) {
	type list = []ticket.Ticket
	s.look(t, func(a, b, c ticket.Ticket) []look {
		return []look{
			{"whatever the case", ticket.Query{Text: "ALPHA"}, list{a}},
			{"whatever the case of other letters", ticket.Query{Text: "ärger"}, list{b}},
			{"every word, in any order and place", ticket.Query{Text: " words\talpha "}, list{a}},
			{"one word is not there", ticket.Query{Text: "alpha beta"}, nil},
			{"part of a word", ticket.Query{Text: "node"}, list{a, b, c}},
			{"no pattern", ticket.Query{Text: "0%_"}, list{c}},
			{"what is a pattern elsewhere", ticket.Query{Text: "b_ta"}, nil},
			{"a reference", ticket.Query{Text: "t-bbbbbb"}, list{b}},
			{"a server's name", ticket.Query{Text: "node-two"}, list{b}},
			{"a server's ID", ticket.Query{Text: strings.ToUpper(a.ServerID.String())}, list{a}},
			{"an internal comment", ticket.Query{Text: "hushed"}, list{a}},
			{"a provider", ticket.Query{Text: "upstairs"}, list{c}},
			{"a provider's reference", ticket.Query{Text: "rack/9"}, list{c}},
			{"an upstream reference", ticket.Query{Text: "u-secretreference"}, list{c}},
			{"an upstream comment", ticket.Query{Text: "pressed"}, list{c}},
			{"public: subject and comment", ticket.Query{Text: "alpha plain", Public: true}, list{a}},
			{"public: a reference", ticket.Query{Text: "t-cccccc", Public: true}, list{c}},
			{"public: no internal comment", ticket.Query{Text: "hushed", Public: true}, nil},
			{"public: no provider", ticket.Query{Text: "upstairs", Public: true}, nil},
			{"public: no provider's reference", ticket.Query{Text: "rack/9", Public: true}, nil},
			{"public: no upstream reference", ticket.Query{Text: "u-secretreference", Public: true}, nil},
			{"public: no upstream comment", ticket.Query{Text: "pressed", Public: true}, nil},
		}
	})
}

func (s suite) waiting(t *testing.T) {
	type list = []ticket.Ticket
	s.look(t, func(a, b, c ticket.Ticket) []look {
		return []look{
			{"on the client", ticket.Query{WaitingOn: dedicated.Client}, list{b}},
			{"on the reseller, the provider having answered", ticket.Query{WaitingOn: dedicated.Reseller}, list{a, c}},
		}
	})
}

func (s suite) defaultSort(t *testing.T) {
	reseller := uuid.New()
	a, b, c, _ := shelf(reseller)
	store := s.store(t, b, a, c)
	for _, sort := range []string{"", "urgency"} {
		got, _, err := store.Tickets(t.Context(), reseller, ticket.Query{Sort: sort})
		if want := []ticket.Ticket{c, b, a}; err != nil || !same(got, want) {
			t.Errorf("sort %q: got %s, %v, want %s", sort, describe(got), err, describe(want))
		}
	}
}

func (s suite) cursorOfOrder(t *testing.T) {
	reseller := uuid.New()
	a, b, c, _ := shelf(reseller)
	store := s.store(t, a, b, c)
	_, next, err := store.Tickets(t.Context(), reseller, ticket.Query{Sort: "age", Limit: 1})
	if err != nil || next == "" {
		t.Fatalf("the first page of three: cursor %q, %v", next, err)
	}
	if _, _, err := store.Tickets(t.Context(), reseller, ticket.Query{Sort: "urgency", After: next}); !errors.Is(err, ticket.ErrInvalid) {
		t.Errorf("a cursor by age in the list by urgency gave %v, want ErrInvalid", err)
	}
}

func (s suite) unknownSort(t *testing.T) {
	if _, _, err := s.store(t).Tickets(t.Context(), uuid.New(), ticket.Query{Sort: "beauty"}); !errors.Is(err, ticket.ErrInvalid) {
		t.Errorf("the sort %q gave %v, want ErrInvalid", "beauty", err)
	}
}

func (s suite) counts(t *testing.T) {
	reseller := uuid.New()
	a, b, c, other := shelf(reseller)
	d := makeTicket(reseller, 3)
	d.Status, d.Subject = ticket.Open, "Alpha again"
	store := s.store(t, a, b, c, d, other)
	tests := []struct {
		name string
		q    ticket.Query
		want map[ticket.Status]int
	}{
		{"everything", ticket.Query{}, map[ticket.Status]int{ticket.Open: 2, ticket.NeedsDetails: 1, ticket.Forwarded: 1}},
		{"limit and cursor aside", ticket.Query{Text: "alpha", Limit: 1, After: "nonsense"}, map[ticket.Status]int{ticket.Open: 2}},
		{"nothing", ticket.Query{Text: "hushed", Public: true}, map[ticket.Status]int{}},
	}
	for _, tt := range tests {
		got, err := store.Counts(t.Context(), reseller, tt.q)
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func (s suite) cancelledCount(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.store(t).Counts(ctx, uuid.New(), ticket.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("counting under a cancelled context gave %v", err)
	}
}
