package ticket_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/ticket"
)

var vocabulary = []string{"alpha", "Beta", "gamma", "DELTA", "über", "10%", "a_b", "reboot"}

// searchFixture is a fixture with random tickets of several resellers.
type searchFixture struct {
	*fixture
	rnd     *rand.Rand
	all     []ticket.Ticket
	clients []dedicated.Actor
	staff   []uuid.UUID
	hosts   []uuid.UUID // servers
}

func newSearchFixture(t *testing.T, seed uint64, n int) *searchFixture {
	l := &searchFixture{fixture: newFixture(t), rnd: rand.New(rand.NewPCG(seed, 3))}
	for range 3 {
		l.clients = append(l.clients, dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: l.reseller.ResellerID})
		l.staff = append(l.staff, uuid.New())
		l.hosts = append(l.hosts, uuid.New())
	}
	for range n {
		l.put(t)
	}
	return l
}

func pick[E any](rnd *rand.Rand, from []E) E { return from[rnd.IntN(len(from))] }

func (l *searchFixture) text() string {
	var words []string
	for range l.rnd.IntN(4) {
		words = append(words, pick(l.rnd, vocabulary))
	}
	return strings.Join(words, " ")
}

func (l *searchFixture) comments(internal func() bool) []ticket.Comment {
	var thread []ticket.Comment
	for range l.rnd.IntN(4) {
		thread = append(thread, ticket.Comment{
			ID: uuid.New(), By: dedicated.Actor{Role: dedicated.Role(l.rnd.IntN(4))}, Internal: internal(), Text: l.text(),
		})
	}
	return thread
}

// put stores one more ticket. Times repeat, so that the order of ties is tested.
func (l *searchFixture) put(t *testing.T) {
	hours := func() time.Time { return l.clock.Now().Add(time.Duration(l.rnd.IntN(20)-10) * time.Hour) }
	client := pick(l.rnd, l.clients)
	one := ticket.Ticket{
		ID: uuid.New(), ResellerID: client.ResellerID, ClientID: client.ID, ServerID: pick(l.rnd, l.hosts),
		Ref: fmt.Sprint("T-", l.rnd.IntN(30)), ServerName: "node-" + pick(l.rnd, vocabulary), Subject: l.text(),
		Kind: pick(l.rnd, []ticket.Kind{ticket.Reboot, ticket.Other, "gone"}), Status: pick(l.rnd, ticket.Statuses()),
		Thread: l.comments(func() bool { return l.rnd.IntN(2) == 0 }), Assignee: pick(l.rnd, append(l.staff, uuid.Nil)),
		Priority: 1 + l.rnd.IntN(80), UrgentAt: hours(), OpenedAt: hours(),
	}
	if l.rnd.IntN(2) == 0 {
		one.Upstream = &ticket.Upstream{
			Ref: "U-" + pick(l.rnd, vocabulary), Provider: l.text(), Reference: l.text(), Thread: l.comments(func() bool { return true }),
		}
	}
	if l.rnd.IntN(5) == 0 {
		one.ResellerID = uuid.New()
	}
	if (one.Status == ticket.Done || one.Status == ticket.Rejected) && l.rnd.IntN(2) == 0 {
		one.UnansweredSince = hours()
	}
	if waits(one) != dedicated.Reseller && l.rnd.IntN(4) > 0 {
		one.PausedAt, one.UrgentAt = hours(), one.UrgentAt.AddDate(2000, 0, 0)
	}
	require.NoError(t, l.store.Commit(t.Context(), ticket.Change{Tickets: []ticket.Ticket{one}}))
	one.Version = 1
	l.all = append(l.all, one)
}

func (l *searchFixture) query() ticket.Query {
	q := ticket.Query{Text: strings.ToUpper(l.text()), Sort: pick(l.rnd, []string{"", "urgency", "age"}), Public: l.rnd.IntN(4) == 0}
	maybe := func(set func()) {
		if l.rnd.IntN(4) == 0 {
			set()
		}
	}
	maybe(func() { q.Text = pick(l.rnd, []string{"t-1", "node", "u-", pick(l.rnd, l.hosts).String()[:6]}) })
	maybe(func() { q.Kinds = []ticket.Kind{ticket.Reboot, "gone"} })
	maybe(func() { q.States = []ticket.Status{pick(l.rnd, ticket.Statuses()), pick(l.rnd, ticket.Statuses())} })
	maybe(func() { q.ClientID = pick(l.rnd, l.clients).ID })
	maybe(func() { q.ServerID = pick(l.rnd, l.hosts) })
	maybe(func() { q.Assignee = pick(l.rnd, l.staff) })
	maybe(func() { q.MinPriority = l.rnd.IntN(100) })
	maybe(func() { q.WaitingOn = dedicated.Role(1 + l.rnd.IntN(2)) })
	return q
}

// risen computes the priority in another way: hour by hour, at 24 a day. During a pause it does not rise.
func (l *searchFixture) risen(one ticket.Ticket) int {
	left := one.UrgentAt.Sub(l.clock.Now())
	if !one.PausedAt.IsZero() {
		left = one.UrgentAt.AddDate(-2000, 0, 0).Sub(one.PausedAt)
	}
	p := 99
	for ; left > 0; left -= time.Hour {
		p--
	}
	return max(p, one.Priority)
}

// matches reports whether a ticket matches a query, by reading all of it.
func (l *searchFixture) matches(one ticket.Ticket, q ticket.Query, hidden bool) bool {
	var text []string
	text = append(text, one.Subject, one.Ref, one.ServerName, one.ServerID.String())
	for _, c := range one.Thread {
		if hidden || !c.Internal {
			text = append(text, c.Text)
		}
	}
	if one.Upstream != nil && hidden {
		text = append(text, one.Upstream.Ref, one.Upstream.Provider, one.Upstream.Reference)
		for _, c := range one.Upstream.Thread {
			text = append(text, c.Text)
		}
	}
	for word := range strings.FieldsSeq(q.Text) {
		found := false
		for _, part := range text {
			found = found || strings.Contains(strings.ToUpper(part), strings.ToUpper(word))
		}
		if !found {
			return false
		}
	}
	return one.ResellerID == l.reseller.ResellerID &&
		(q.Kinds == nil || slices.Contains(q.Kinds, one.Kind)) && (q.States == nil || slices.Contains(q.States, one.Status)) &&
		(q.ClientID == uuid.Nil || q.ClientID == one.ClientID) && (q.ServerID == uuid.Nil || q.ServerID == one.ServerID) &&
		(q.Assignee == uuid.Nil || q.Assignee == one.Assignee) &&
		(q.MinPriority <= 1 || one.PausedAt.IsZero() && l.risen(one) >= q.MinPriority) &&
		(q.WaitingOn == 0 || waits(one) == q.WaitingOn)
}

func waits(one ticket.Ticket) dedicated.Role {
	switch one.Status {
	case ticket.Open, ticket.Confirmed:
		return dedicated.Reseller
	case ticket.NeedsDetails:
		return dedicated.Client
	case ticket.Forwarded:
		if u := one.Upstream; u != nil && len(u.Thread) > 0 && u.Thread[len(u.Thread)-1].By.Role == 0 {
			return dedicated.Reseller
		}
	case ticket.Done, ticket.Rejected:
		if !one.UnansweredSince.IsZero() {
			return dedicated.Reseller
		}
	}
	return 0
}

func (l *searchFixture) wanted(q ticket.Query, hidden bool) []uuid.UUID {
	var found []ticket.Ticket
	for _, one := range l.all {
		if l.matches(one, q, hidden) {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b ticket.Ticket) int {
		at, bt := a.UrgentAt, b.UrgentAt
		if q.Sort == "age" {
			at, bt = a.OpenedAt, b.OpenedAt
		}
		if c := at.Compare(bt); c != 0 {
			return c
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	ids := []uuid.UUID{}
	for _, one := range found {
		ids = append(ids, one.ID)
	}
	return ids
}

// hourly returns a Manager that raises a priority by one each hour.
func hourly(t *testing.T, d *fixture) *ticket.Manager {
	m, err := ticket.New(ticket.Config{Store: d.store, Servers: d.servers, Clock: d.clock, AgingPerDay: 24})
	require.NoError(t, err)
	return m
}

// TestSearch compares lists, pages and counts with a comparison of every ticket.
func TestSearch(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		l := newSearchFixture(t, seed, 80)
		m := hourly(t, l.fixture)
		for range 60 {
			q := l.query()
			want := l.wanted(q, !q.Public)
			counted := map[ticket.Status]int{}
			got := []uuid.UUID{}
			for q.Limit = 1 + l.rnd.IntN(30); ; {
				items, next, err := m.Tickets(t.Context(), l.reseller, q)
				require.NoError(t, err)
				require.LessOrEqual(t, len(items), q.Limit)
				for _, one := range items {
					got = append(got, one.ID)
					counted[one.Status]++
					i := slices.IndexFunc(l.all, func(stored ticket.Ticket) bool { return stored.ID == one.ID })
					require.Equal(t, l.risen(l.all[i]), one.Priority)
				}
				if q.After = next; next == "" {
					break
				}
			}
			require.Equal(t, want, got, "%+v", q)
			counts, err := m.Counts(t.Context(), l.reseller, q)
			require.NoError(t, err)
			require.Equal(t, counted, counts, "%+v", q)
		}
	}
}

// TestClientSearch does the same for a client, for whom a forwarded ticket is confirmed.
func TestClientSearch(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		l := newSearchFixture(t, seed, 80)
		for range 60 {
			client, q := pick(l.rnd, l.clients), l.query()
			q.Assignee, q.MinPriority, q.Sort = uuid.Nil, 0, pick(l.rnd, []string{"", "age"})
			got := []uuid.UUID{}
			for q.Limit = 1 + l.rnd.IntN(10); ; {
				items, next, err := l.Views(t.Context(), client, q)
				require.NoError(t, err)
				for _, v := range items {
					got = append(got, v.ID)
				}
				if q.After = next; next == "" {
					break
				}
			}
			require.Equal(t, l.wantedBy(client, q), got, "%+v", q)
		}
	}
}

// wantedBy returns the tickets that a client should find. It compares the statuses that the client sees.
func (l *searchFixture) wantedBy(client dedicated.Actor, q ticket.Query) []uuid.UUID {
	if q.ClientID != uuid.Nil && q.ClientID != client.ID {
		return []uuid.UUID{}
	}
	visible := &searchFixture{fixture: l.fixture}
	for _, one := range l.all {
		if one.Status == ticket.Forwarded {
			one.Status = ticket.Confirmed
		}
		if q.WaitingOn == dedicated.Reseller && one.Status != ticket.Open && one.Status != ticket.Confirmed {
			continue // a client's WaitingOn does not include tickets that are done or rejected
		}
		visible.all = append(visible.all, one)
	}
	q.ClientID, q.Sort = client.ID, "age"
	return visible.wanted(q, false)
}

// TestPagesAreStable: priorities rise and tickets are added between pages. Each ticket that was there is returned once.
func TestPagesAreStable(t *testing.T) {
	t.Parallel()
	l := newSearchFixture(t, 1, 60)
	m := hourly(t, l.fixture)
	want := l.wanted(ticket.Query{}, true)
	times := map[uuid.UUID]int{}
	for q := (ticket.Query{Limit: 7}); ; {
		items, next, err := m.Tickets(t.Context(), l.reseller, q)
		require.NoError(t, err)
		for _, one := range items {
			times[one.ID]++
		}
		if q.After = next; next == "" {
			break
		}
		l.clock.Add(3 * time.Hour)
		l.put(t)
	}
	for _, id := range want {
		require.Equal(t, 1, times[id])
	}
}
