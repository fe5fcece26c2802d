// Package tickettest is the conformance suite for implementations of ticket.Store.
package tickettest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/ticket"
)

// TestStore tests an implementation against the contract in ticket.Store's comment. open returns a fresh, empty store and
// the outbox in which the events of its Commit arrive; it is called once for each sub-test, and each sub-test is named
// after the numbered line of the contract that it holds.
//
//	func TestStore(t *testing.T) {
//		tickettest.TestStore(t, func(t *testing.T) (ticket.Store, notify.Outbox) {
//			outbox := &notify.MemoryOutbox{}
//			return &ticket.MemoryStore{Outbox: outbox}, outbox
//		})
//	}
func TestStore(t *testing.T, open func(*testing.T) (ticket.Store, notify.Outbox)) {
	storetest.Test(t, tickets(open, "age"))
	t.Run("by urgency", func(t *testing.T) { storetest.TestLists(t, tickets(open, "urgency")) })
	s := suite{open}
	t.Run("4 atomicity: one ticket per unique key", s.unique)
	t.Run("4 atomicity: of two that want a unique key one wins", s.uniqueRace)
	t.Run("8 order: criteria", s.criteria)
	t.Run("8 order: words of the text", s.words)
	t.Run("8 order: whom a ticket waits on", s.waiting)
	t.Run("8 order: sorts by urgency where nothing is said", s.defaultSort)
	t.Run("8 order: a cursor is of its own order alone", s.cursorOfOrder)
	t.Run("8 order: an unknown sort is ErrInvalid", s.unknownSort)
	t.Run("8 order: counts agree with the list", s.counts)
	t.Run("9 context: a cancelled one counts nothing", s.cancelledCount)
}

// suite is what the lines need that only tickets have.
type suite struct {
	open func(*testing.T) (ticket.Store, notify.Outbox)
}

func (s suite) store(t *testing.T, tickets ...ticket.Ticket) ticket.Store {
	t.Helper()
	store, _ := s.open(t)
	if err := store.Commit(t.Context(), ticket.Change{Tickets: tickets}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return store
}

func tickets(open func(*testing.T) (ticket.Store, notify.Outbox), sort string) storetest.Kind[ticket.Ticket] {
	return storetest.Kind[ticket.Ticket]{
		Open: func(t *testing.T) storetest.Store[ticket.Ticket] {
			store, outbox := open(t)
			return adapt(store, outbox, sort)
		},
		Make: makeTicket,
		Edit: func(t ticket.Ticket) ticket.Ticket {
			t.Status, t.Decision, t.Upstream, t.Fields = ticket.Closed, ticket.Rejected, nil, nil
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
		Commit: func(ctx context.Context, changes ...storetest.Change[ticket.Ticket]) error {
			var own []ticket.Change
			for _, c := range changes {
				own = append(own, ticket.Change{Tickets: c.Records, Events: c.Events})
			}
			return store.Commit(ctx, own...)
		},
		Claim: func(ctx context.Context, now, until time.Time, limit int) ([]ticket.Ticket, time.Time, error) {
			due, err := store.ClaimDue(ctx, now, until, limit)
			return due.Tickets, due.Next, err
		},
		Outbox: outbox,
	}
}

// instant is the n-th minute of the suite's own time.
func instant(n int) time.Time {
	return time.Date(2026, 3, 1, 0, n, 59, 123456000, time.UTC)
}

func makeTicket(reseller uuid.UUID, n int) ticket.Ticket {
	id := uuid.New()
	staff := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: reseller}
	client := dedicated.Actor{Role: dedicated.Client, ID: uuid.New(), ResellerID: reseller}
	said := func(by dedicated.Actor, internal bool, text string) ticket.Comment {
		return ticket.Comment{
			ID: uuid.New(), By: by, At: instant(n), Op: "Comment", Internal: internal, Text: text,
			Attachments: []ticket.Attachment{{Name: "Fäden.png", MediaType: "image/png", Key: "k'1\"", Bytes: 1 << 40}},
		}
	}
	return ticket.Ticket{
		ID: id, ResellerID: reseller, ClientID: client.ID, ServerID: uuid.New(), Assignment: uuid.New(),
		Ref: "T-7F3K9Q", ServerName: "Wéb-07", Kind: "host_kind",
		Fields:  map[string]json.RawMessage{"count": []byte(`2`), "why": []byte(`"a \"b\" é"`), "now": []byte(`true`)},
		Subject: "Please & thank you", Status: ticket.Forwarded, Decision: ticket.Confirmed,
		Reminded: instant(n + 1), AnsweredAt: instant(n + 2),
		Thread:   []ticket.Comment{said(client, false, "one\ntwo"), said(staff, true, "%_")},
		Upstream: &ticket.Upstream{Ref: "U-" + id.String(), Provider: "Söhne", Reference: "srv'42\"", Thread: []ticket.Comment{said(staff, true, "three")}},
		Assignee: staff.ID, Priority: 61, UrgentAt: instant(100 - n%5), UniqueKey: id.String(),
		OpenedAt: instant(n % 5), ClosesAt: instant(n + 3), ClosedAt: instant(n + 4),
	}
}

// scribble overwrites everything that the ticket refers to.
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
	for _, thread := range threads {
		for i := range thread {
			for j := range thread[i].Attachments {
				thread[i].Attachments[j].Name = "scribbled"
			}
			thread[i].Text = "scribbled"
		}
	}
}

func describe(tickets []ticket.Ticket) string {
	var names []string
	for _, t := range tickets {
		names = append(names, t.Subject)
	}
	return fmt.Sprint(names)
}
