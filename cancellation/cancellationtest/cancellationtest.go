// Package cancellationtest tests implementations of cancellation.Store.
//
// A store with a subtle error cancels a server twice or never, and manual tests seldom find such errors. TestStore tests a store
// against each numbered line of the contract in the comment of cancellation.Store, with concurrent calls and failed commits. The
// smallest use is a test of your own store:
//
//	func TestCancellationStore(t *testing.T) {
//		cancellationtest.TestStore(t, func(t *testing.T) (cancellation.Store, notify.Outbox) {
//			db := openEmptyDatabase(t)
//			return db.Cancellations(), db.Outbox()
//		})
//	}
//
// The name of a failed sub-test has the number of the line that the store breaks.
package cancellationtest

import (
	"bytes"
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/cancellation"
	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// Open returns a fresh, empty store and the outbox that receives the events of its Commit.
type Open = func(*testing.T) (cancellation.Store, notify.Outbox)

// TestStore tests a store against the contract in the comment of cancellation.Store. open returns a fresh, empty store and the outbox
// that receives the events of its Commit. TestStore calls open once for each sub-test.
func TestStore(t *testing.T, open func(*testing.T) (cancellation.Store, notify.Outbox)) {
	t.Run("cancellations", func(t *testing.T) {
		storetest.Test(t, cancellations(open))
		t.Run("1 concurrency: one of two active cancellations of an assignment wins", func(t *testing.T) { testActiveRace(t, open) })
		t.Run("4 atomicity: an assignment has one active cancellation", func(t *testing.T) { testOneActive(t, open) })
		t.Run("8 order: criteria", func(t *testing.T) { testCriteria(t, open) })
		t.Run("8 order: Active returns scheduled and executing cancellations", func(t *testing.T) { testActive(t, open) })
		t.Run("9 context: a cancelled context is an error of Active", func(t *testing.T) { testCancelledActive(t, open) })
	})
	t.Run("settings", func(t *testing.T) { storetest.Test(t, settings(open)) })
	t.Run("both kinds", func(t *testing.T) {
		t.Run("4 atomicity: cancellations and settings are stored together", func(t *testing.T) { testTogether(t, open) })
		t.Run("10 leases: the limit is for each kind, Next for both", func(t *testing.T) { testBothDue(t, open) })
	})
}

func cancellations(open Open) storetest.Kind[cancellation.Cancellation] {
	return storetest.Kind[cancellation.Cancellation]{
		Open: func(t *testing.T) storetest.Store[cancellation.Cancellation] { return adaptCancellations(open(t)) },
		Make: makeCancellation,
		Edit: func(c cancellation.Cancellation) cancellation.Cancellation {
			c.State, c.Reason, c.Attempts, c.LastError = cancellation.Failed, "", 4, "ändert'\""
			c.Steps, c.Warned, c.History, c.Refund = nil, nil, nil, refund.Result{}
			return c
		},
		Scribble: func(c cancellation.Cancellation) {
			for i := range c.Steps {
				c.Steps[i].Name = "scribble"
			}
			for i := range c.Warned {
				c.Warned[i].Days = -1
			}
			for i := range c.History {
				c.History[i].What = "scribble"
			}
			for i := range c.Refund.Lines {
				c.Refund.Lines[i].Note = "scribble"
			}
		},
		Meta: func(c *cancellation.Cancellation) storetest.Meta {
			return storetest.Meta{ID: &c.ID, Version: &c.Version, Due: &c.Due, Lease: &c.LeaseUntil}
		},
		Compare: func(a, b cancellation.Cancellation) int {
			return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.ID[:], b.ID[:]))
		},
	}
}

func adaptCancellations(store cancellation.Store, outbox notify.Outbox) storetest.Store[cancellation.Cancellation] {
	return storetest.Store[cancellation.Cancellation]{
		Get: store.Cancellation,
		List: func(ctx context.Context, reseller uuid.UUID, limit int, after string) ([]cancellation.Cancellation, string, error) {
			return store.Cancellations(ctx, reseller, cancellation.Query{Limit: limit, After: after})
		},
		Commit: storetest.AdaptCommit(store.Commit, func(c []cancellation.Cancellation, events []notify.Event) cancellation.Change {
			return cancellation.Change{Cancellations: c, Events: events}
		}),
		Claim: func(ctx context.Context, now, until time.Time, limit int) ([]cancellation.Cancellation, time.Time, error) {
			due, err := store.ClaimDue(ctx, now, until, limit)
			return due.Cancellations, due.Next, storetest.NoUnreadable(due.Unreadable, err)
		},
		Outbox: outbox,
	}
}

// instant returns the n-th day of the suite's time.
func instant(n int) time.Time { return time.Date(2026, 3, 1+n, 23, 59, 59, 123456000, time.UTC) }

func makeCancellation(reseller uuid.UUID, n int) cancellation.Cancellation {
	by := dedicated.Actor{Role: dedicated.Reseller, ID: uuid.New(), ResellerID: reseller}
	return cancellation.Cancellation{
		ID: uuid.New(), ResellerID: reseller, ClientID: uuid.New(), ServerID: uuid.New(), Assignment: uuid.New(),
		ServerName: "wéb'01\"", State: cancellation.Executing,
		When:  cancellation.When{At: instant(n % 5), EndOfPeriod: true, FirstAllowed: true, Now: true},
		Asked: instant(-1), Ordered: instant(n % 4), At: instant(n % 5), Zone: "Europe/Berlin",
		By: by, Reason: "größer;--", TellClient: true, MovedBy: dedicated.System, Cycle: dedicated.Cycle{Unit: dedicated.Week, Count: 13},
		OrderedCycle: dedicated.Cycle{Unit: dedicated.Day, Count: 30},
		NoticeDays:   31, LockDays: 7,
		Steps:    []cancellation.Step{{Name: cancellation.StepRelease, Done: instant(7)}, {Name: cancellation.StepDeprovision}},
		Attempts: 3, LastError: "the switch does not answer", RetryAt: instant(8), BegunAt: instant(5),
		PendingUntil: instant(6), Abandoned: true, Held: true, Confirmed: true, Epoch: "zweite", Postponed: instant(9),
		Refund: refund.Result{Total: decimal.RequireFromString("12345678901234567890.10"), Lines: []refund.Line{{
			Charge: refund.Charge{
				Label: "März", Kind: refund.Flat, Paid: decimal.RequireFromString("0.100"), Refunded: decimal.New(5, 1),
				Start: instant(-3), End: instant(28),
			},
			Unused: 17, Total: 31, Amount: decimal.RequireFromString("12345678901234567890.10"), Clamped: true, Note: "cut",
		}}},
		Currency: "EUR", Places: 2,
		Warned: []cancellation.Warning{{Days: 7, For: instant(n % 5), Sent: instant(1)}, {Days: 1, For: instant(n % 5), Sent: instant(2)}},
		History: []cancellation.Entry{
			{At: instant(-1), By: by, What: "scheduled", To: instant(4)},
			{At: instant(0), By: dedicated.Actor{Role: dedicated.System, ResellerID: reseller}, What: "moved", From: instant(4), To: instant(n % 5)},
		},
		SettingsVersion: 12,
	}
}

func settings(open Open) storetest.Kind[cancellation.Settings] {
	return storetest.Kind[cancellation.Settings]{
		Unlisted: true,
		Open:     func(t *testing.T) storetest.Store[cancellation.Settings] { return adaptSettings(open(t)) },
		Make: func(uuid.UUID, int) cancellation.Settings {
			return cancellation.Settings{
				ResellerID: uuid.New(), Warn: true, DaysAhead: []int{14, 7, 1}, ClientMayDiscard: true,
				ClientMayChooseDate: true, Paused: true, NoticeDays: 3, LockDays: 2,
				MinWarningDays: 5, Formula: "paid * unused_days / period_days - 5", Saved: 9, Rearm: "a cursor", RearmAgain: true,
				Day: instant(1), Begun: 99, HeldOn: instant(2),
			}
		},
		Edit: func(s cancellation.Settings) cancellation.Settings {
			s.Warn, s.DaysAhead, s.Formula = false, nil, "it's 50 % \"paid\""
			return s
		},
		Scribble: func(s cancellation.Settings) {
			for i := range s.DaysAhead {
				s.DaysAhead[i] = -1
			}
		},
		Meta: func(s *cancellation.Settings) storetest.Meta {
			return storetest.Meta{ID: &s.ResellerID, Version: &s.Version, Due: &s.Due, Lease: &s.LeaseUntil}
		},
	}
}

func adaptSettings(store cancellation.Store, outbox notify.Outbox) storetest.Store[cancellation.Settings] {
	return storetest.Store[cancellation.Settings]{
		Get: store.Settings,
		Commit: storetest.AdaptCommit(store.Commit, func(s []cancellation.Settings, events []notify.Event) cancellation.Change {
			return cancellation.Change{Settings: s, Events: events}
		}),
		Claim: func(ctx context.Context, now, until time.Time, limit int) ([]cancellation.Settings, time.Time, error) {
			due, err := store.ClaimDue(ctx, now, until, limit)
			return due.Settings, due.Next, storetest.NoUnreadable(due.Unreadable, err)
		},
		Outbox: outbox,
	}
}

func commit(t *testing.T, store cancellation.Store, changes ...cancellation.Change) {
	t.Helper()
	if err := store.Commit(t.Context(), changes...); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func wantConflict(t *testing.T, store cancellation.Store, what string, changes ...cancellation.Change) {
	t.Helper()
	storetest.WantConflict(t, what, store.Commit(t.Context(), changes...))
}

func change(c ...cancellation.Cancellation) cancellation.Change {
	return cancellation.Change{Cancellations: c}
}

// scheduled returns a scheduled cancellation with the fields that every test needs.
func scheduled(assignment uuid.UUID) cancellation.Cancellation {
	return cancellation.Cancellation{
		ID: uuid.New(), ResellerID: uuid.New(), ServerID: uuid.New(), Assignment: assignment, State: cancellation.Scheduled, At: instant(1),
	}
}
