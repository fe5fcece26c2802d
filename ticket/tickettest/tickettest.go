// Package tickettest tests implementations of ticket.Store.
//
// A store with a subtle error loses an answer or shows a client an internal comment, and manual tests seldom find such errors.
// TestStore tests a store against each numbered line of the contract in the comment of ticket.Store, with concurrent calls and failed
// commits. The smallest use is a test of your own store:
//
//	func TestTicketStore(t *testing.T) {
//		tickettest.TestStore(t, func(t *testing.T) (ticket.Store, notify.Outbox) {
//			db := openEmptyDatabase(t)
//			return db.Tickets(), db.Outbox()
//		})
//	}
//
// The name of a failed sub-test has the number of the line that the store breaks.
package tickettest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestStore tests a store against the contract in the comment of ticket.Store. open returns a fresh, empty store and the outbox that
// receives the events of its Commit. TestStore calls open once for each sub-test.
func TestStore(t *testing.T, open func(*testing.T) (ticket.Store, notify.Outbox)) {
	storetest.Test(t, tickets(open, "age"))
	t.Run("by urgency", func(t *testing.T) { storetest.TestLists(t, tickets(open, "urgency")) })
	s := suite{open}
	t.Run("4 atomicity: a unique key belongs to one ticket", s.testUniqueKey)
	t.Run("4 atomicity: one of two concurrent tickets with the same unique key wins", s.testUniqueKeyRace)
	t.Run("8 order: criteria", s.testCriteria)
	t.Run("8 order: words of the text", s.testWords)
	t.Run("8 order: tickets that wait on a role", s.testWaitingOn)
	t.Run("8 order: the default order is by urgency", s.testDefaultOrder)
	t.Run("8 order: the cursor of another order is ErrInvalid", s.testCursorOfOtherOrder)
	t.Run("8 order: counts agree with the list", s.testCounts)
	t.Run("9 context: a cancelled context is an error of counts", s.testCancelledCounts)
}

// suite has the tests that only stores of tickets need.
type suite struct {
	open func(*testing.T) (ticket.Store, notify.Outbox)
}

// store returns a store with these tickets.
func (s suite) store(t *testing.T, tickets ...ticket.Ticket) ticket.Store {
	t.Helper()
	store, _ := s.open(t)
	if err := store.Commit(t.Context(), change(tickets...)); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return store
}

func change(tickets ...ticket.Ticket) ticket.Change { return ticket.Change{Tickets: tickets} }

func tickets(open func(*testing.T) (ticket.Store, notify.Outbox), sort string) storetest.Kind[ticket.Ticket] {
	return storetest.Kind[ticket.Ticket]{
		Open: func(t *testing.T) storetest.Store[ticket.Ticket] {
			store, outbox := open(t)
			return adapt(store, outbox, sort)
		},
		Make: makeTicket,
		Edit: func(t ticket.Ticket) ticket.Ticket {
			t.Status, t.Decision, t.Upstream, t.Former, t.Fields = ticket.Closed, ticket.Rejected, nil, nil, nil
			t.UnansweredSince, t.ClientMails, t.TellAt, t.PausedAt = time.Time{}, 0, time.Time{}, time.Time{}
			t.LastAt = t.LastAt.Add(time.Microsecond)
			t.Thread = append(t.Thread, ticket.Comment{ID: uuid.New(), Text: "one more"})
			return t
		},
		Scribble: scribble,
		Meta: func(t *ticket.Ticket) storetest.Meta {
			return storetest.Meta{ID: &t.ID, Version: &t.Version, Due: &t.Due, Lease: &t.LeaseUntil}
		},
		Compare: func(a, b ticket.Ticket) int {
			at, bt := a.OpenedAt, b.OpenedAt
			if sort == "urgency" {
				at, bt = a.UrgentAt, b.UrgentAt
			}
			return cmp.Or(at.Compare(bt), bytes.Compare(a.ID[:], b.ID[:]))
		},
	}
}

func adapt(store ticket.Store, outbox notify.Outbox, sort string) storetest.Store[ticket.Ticket] {
	return storetest.Store[ticket.Ticket]{
		Get: store.Ticket,
		List: func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]ticket.Ticket, string, error) {
			return store.Tickets(ctx, reseller, ticket.Query{Sort: sort, Limit: limit, After: after})
		},
		Commit: storetest.AdaptCommit(store.Commit, func(tickets []ticket.Ticket, events []notify.Event) ticket.Change {
			return ticket.Change{Tickets: tickets, Events: events}
		}),
		Claim: func(ctx context.Context, now, until time.Time, limit int) ([]ticket.Ticket, time.Time, error) {
			due, err := store.ClaimDue(ctx, now, until, limit)
			return due.Tickets, due.Next, storetest.NoUnreadable(due.Unreadable, err)
		},
		Outbox: outbox,
	}
}

// instant returns the n-th minute of the suite's time.
func instant(n int) time.Time {
	return time.Date(2026, 3, 1, 0, n, 59, 123456000, time.UTC)
}

func makeTicket(reseller uuid.UUID, n int) ticket.Ticket {
	id := uuid.New()
	staff := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: reseller}
	client := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller}
	comment := func(by dedicated.Actor, internal bool, text string) ticket.Comment {
		return ticket.Comment{
			ID: uuid.New(), By: by, At: instant(n), Op: "Comment", Internal: internal, Text: text,
			Attachments: []ticket.Attachment{{Name: "Fäden.png", MediaType: "image/png", Key: "k'1\"", Bytes: 1 << 40}},
		}
	}
	urgent := instant(100 - n%5)
	if n%2 == 1 { // the reseller is not waited for
		urgent = urgent.AddDate(2000, 0, 0)
	}
	return ticket.Ticket{
		ID: id, ResellerID: reseller, ClientID: client.ID, ServerID: uuid.New(), Assignment: uuid.New(),
		Ref: "T-7F3K9Q", ServerName: "Wéb-07", Kind: "host_kind",
		Fields:  map[string]json.RawMessage{"count": []byte(`2`), "why": []byte(`"a \"b\" é"`), "now": []byte(`true`)},
		Subject: "Please & thank you", Status: ticket.Forwarded, Decision: ticket.Confirmed,
		Reminded: instant(n + 1), AnsweredAt: instant(n + 2), UnansweredSince: instant(n + 5), ClientMails: 3, TellAt: instant(n + 6),
		Thread: []ticket.Comment{comment(client, false, "one\ntwo"), comment(staff, true, "%_")},
		Upstream: &ticket.Upstream{
			Ref: "U-" + id.String(), Provider: "Söhne", Reference: "srv'42\"", Thread: []ticket.Comment{comment(staff, true, "three")},
		},
		Former: []ticket.Upstream{
			{Ref: "U-1-" + id.String(), Provider: "Töchter", Thread: []ticket.Comment{comment(staff, true, "four")}},
			{Ref: "U-2-" + id.String(), Provider: "%_", Reference: "7"},
		},
		Assignee: staff.ID, Priority: 61, UrgentAt: urgent, UniqueKey: id.String(),
		PausedAt: instant(n + 7), OpenedAt: instant(n % 5), LastAt: instant(n + 8), ClosesAt: instant(n + 3), ClosedAt: instant(n + 4),
	}
}

// scribble overwrites every slice, map and pointer of the ticket.
func scribble(t ticket.Ticket) {
	for name, value := range t.Fields {
		for i := range value {
			value[i] = '9'
		}
		t.Fields[name+"x"] = []byte(`0`)
	}
	threads := [][]ticket.Comment{t.Thread}
	if t.Upstream != nil {
		threads = append(threads, t.Upstream.Thread)
		t.Upstream.Provider = "scribbled"
	}
	for i := range t.Former {
		threads = append(threads, t.Former[i].Thread)
		t.Former[i].Provider = "scribbled"
	}
	for _, thread := range threads {
		for i := range thread {
			for j := range thread[i].Attachments {
				thread[i].Attachments[j].Name = "scribbled"
			}
			thread[i].Text = "scribbled"
		}
	}
}
