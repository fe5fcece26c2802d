package notify

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Delivery is one event on its way to one subscriber. It waits until it is Delivered or Dead.
type Delivery struct {
	Event      Event
	Subscriber string
	Attempts   int       // how often it has failed since it was made or sent again
	Due        time.Time // not handled before; at first the event's At
	LeaseUntil time.Time // until then it belongs to who claimed it; zero: to nobody
	Delivered  bool
	Dead       bool   // given up: a dead letter, see Dispatcher.Resend
	LastError  string // of the last failure; "" where there was none, or it was delivered
	Version    int64  // 1 when made, one more at each claim and Settle
}

// DeliveryQuery says which deliveries to list. The zero value is all.
type DeliveryQuery struct {
	Subscriber string    // "": any
	Event      uuid.UUID // of this event alone; nil: any
	Dead       bool      // dead letters alone; false: whatever their state
	ResellerID uuid.UUID // nil: any
	Limit      int       // 0: the outbox's default
	After      string    // the cursor that the page before returned; "": from the beginning
}

// Due is what a claim got.
type Due struct {
	Deliveries []Delivery
	// Next is when the earliest delivery is due that was neither claimed nor is under a lease; zero: there is none.
	Next time.Time
}

// Outbox holds what is still to be told, and to whom. It is filled by the Commit of the Stores, in their transaction:
// events are fanned out at once into one delivery for each registered subscriber, and never read by a cursor, which loses
// events, because transactions commit in another order than they number their rows. What an Outbox must do, line by line;
// the suite notifytest.TestOutbox holds an implementation to each:
//
//  1. concurrency: many goroutines and processes call it at once.
//  2. missing: ErrNotFound, by errors.Is: an unknown subscriber in ClaimDue, an unknown delivery in Settle (told by
//     Event.ID and Subscriber). A list of what is not there is empty.
//  3. duplicates: an event ID that is known is ignored. Register of a name that is known replaces its kinds, for the events
//     that come after. An empty name is ErrInvalid.
//  4. atomicity: Settle compares each Version with the stored one and writes in one step, raising it by one; ErrConflict
//     where one is not the stored one. All deliveries of a call are written or none. LeaseUntil, Due, Attempts, Delivered,
//     Dead and LastError are stored as given, the Event is not.
//  5. ownership: it keeps no slice that it was given, and hands out none that it keeps.
//  6. time: UTC, to the microsecond at least; the zero time survives.
//  7. data: an event comes back as it was, its Data byte for byte.
//  8. order and paging: Deliveries sorts by the event's At, then by its ID, then by subscriber. The cursor is a place in
//     that order: what was there from the first page to the last is listed once, whatever comes in between. A negative
//     limit and a cursor of something else are ErrInvalid.
//  9. context: an ended one is its error, and nothing is written, or it is unknown whether it was.
//  10. leases: ClaimDue hands out what is due (Due ≤ now) and under no lease at now, oldest Due first, then in the order of
//     arrival, setting LeaseUntil to until and raising Version in the same step. Claimed is hidden before until, and
//     claimable again from until on. A limit below 1 is ErrInvalid.
//  11. promises: subscribers' names, and IDs but for SubjectID, ClientID and ServerID, are not empty; times are UTC, to the
//     microsecond; no subscriber runs inside a call.
//  12. fan-out: an event becomes one delivery for each subscriber that is registered when it is committed and wants its
//     kind: nil kinds are all, none are none. A new subscriber starts at its registration. A fresh delivery has Version 1
//     and Due, the event's At.
//  13. subjects: of one subscriber's deliveries with the same SubjectID, one is claimable, and counts for Next, when all
//     those of events that arrived earlier are delivered or dead. A nil SubjectID waits for nothing. One dead that is
//     settled as not dead waits in its old place.
//  14. depth: Depth counts what is waiting (neither delivered nor dead) and what is dead, and says the At of the oldest
//     event that is waiting; zero: nothing is.
type Outbox interface {
	Register(ctx context.Context, subscriber string, kinds []Kind) error
	ClaimDue(ctx context.Context, subscriber string, now, until time.Time, limit int) (Due, error)
	Settle(ctx context.Context, d ...Delivery) error
	Deliveries(ctx context.Context, q DeliveryQuery) (items []Delivery, next string, err error)
	Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error)
}
