package notify

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Delivery is one event on its way to one subscriber. It is waiting until it is Delivered or Dead.
type Delivery struct {
	Event      Event
	Subscriber string    // Subscriber.Name
	Attempts   int       // failed attempts since the delivery was created or sent again
	Due        time.Time // no attempt is made before this time; at first it is the event's At
	LeaseUntil time.Time // until this time one Dispatcher has claimed the delivery; zero: it is not claimed
	Delivered  bool
	Dead       bool   // a dead letter: no more attempts are made until Dispatcher.Resend
	LastError  string // the text of the last failure, at most 1000 bytes; "": none failed, or it is delivered
	Version    int64  // 1 for a new delivery; each claim and each Settle adds 1
}

// DeliveryQuery selects the deliveries to list. The zero value selects all.
type DeliveryQuery struct {
	Subscriber string    // "": any
	Event      uuid.UUID // deliveries of this event; nil: of any event
	Dead       bool      // true: dead letters only; false: any state
	ResellerID uuid.UUID // nil: any
	Limit      int       // the largest number of deliveries on a page; 0: the outbox's default
	After      string    // the cursor that the previous page returned; "": the first page
}

// Due is the result of a claim.
type Due struct {
	Deliveries []Delivery // the claimed deliveries
	// Unreadable are due deliveries that the outbox has, but cannot read; it has put them aside. See rule 15 of Outbox.
	Unreadable []Unreadable
	// Next is when the earliest delivery becomes due that was not claimed, is not under a lease and not put aside. Zero: no delivery does.
	Next time.Time
}

// Outbox stores events until every subscriber has handled them. The Commit of a Store adds events to it, in the transaction
// that stores the change. The outbox then makes one Delivery of the event for each registered subscriber.
//
// An implementation must keep these rules. The suite notifytest.TestOutbox tests each of them, except the promises in 11:
//
//  1. concurrency: many goroutines and processes call it at once.
//  2. missing: ClaimDue of an unknown subscriber and Settle of an unknown delivery return ErrNotFound, by errors.Is. Event.ID
//     and Subscriber identify a delivery. Deliveries returns an empty list if nothing matches.
//  3. duplicates: the outbox ignores an event whose ID it has. Register replaces the kinds of a registered subscriber, for
//     events that are added later. An empty name is ErrInvalid.
//  4. atomicity: Settle compares each Version with the stored one, writes the delivery and adds 1 to Version, in one step. If
//     a Version is not the stored one, it returns ErrConflict. It writes all deliveries of a call or none. It stores
//     LeaseUntil, Due, Attempts, Delivered, Dead and LastError as given. It does not change the stored Event.
//  5. ownership: it does not keep a slice that it was given, and does not return a slice that it keeps.
//  6. time: UTC, at least to the microsecond. The zero time is stored as the zero time.
//  7. data: an event comes back unchanged, its Data byte for byte. A delivery may be kept as its JSON: json.Unmarshal gives back
//     exactly what json.Marshal got.
//  8. order and paging: Deliveries sorts by the event's At, then by the event's ID, then by the subscriber. A cursor marks a
//     position in this sequence: paging returns each delivery that exists throughout exactly once, whatever is added
//     meanwhile. A negative limit and a cursor of another list are ErrInvalid.
//  9. context: if the context has ended before the call, return its error and write nothing. If it ends during the call, the
//     outcome may be unknown.
//  10. leases: ClaimDue claims deliveries that are due (Due ≤ now) and not under a lease at now. It begins with the earliest
//     Due; those with the same Due follow in the sequence in which they were added. It sets LeaseUntil to until and adds 1
//     to Version in the same step. A claimed delivery cannot be claimed again before until. A lease further ahead of now than
//     an hour plus twice until − now counts as ended: a clock was wrong when it was set. A limit below 1 is ErrInvalid.
//  11. promises to the implementation: a subscriber's name is not empty. IDs are not nil, except SubjectID, ClientID and
//     ServerID. Times are UTC, truncated to the microsecond. No subscriber runs inside a call of the outbox.
//  12. fan-out: an event becomes one delivery for each subscriber that is registered when the event is committed, and whose
//     kinds include that of the event. Nil kinds include all, an empty list includes none. A new subscriber gets only events
//     that are committed after its registration. A new delivery has Version 1, and its Due is the event's At.
//  13. subjects: among the waiting deliveries of one subscriber with the same SubjectID, only the one that was added first
//     can be claimed, and only that one counts for Next. Deliveries with a nil SubjectID do not wait for each other. A dead letter that
//     Settle makes waiting again returns to its former position.
//  14. depth: Depth counts the waiting deliveries (neither delivered nor dead) and the dead ones.
//  15. unreadable deliveries: a delivery that the outbox has but cannot read holds up no other subject. ClaimDue names it in
//     Due.Unreadable and puts it aside: for a minute the first time, twice as long each time after that, and for a day at most. It keeps
//     its Due. Meanwhile ClaimDue ignores it, and the deliveries of its subject that were added later wait for it, as rule 13
//     says. Deliveries leaves it out, goes past it, and tells the host in a way of the outbox's own. An outbox without such
//     deliveries has nothing to do here.
type Outbox interface {
	// Register adds a subscriber, or replaces the kinds of one. It is safe to repeat. Rules 3 and 12.
	Register(ctx context.Context, subscriber string, kinds []Kind) error
	// ClaimDue claims at most limit deliveries of a subscriber that are due at now. The lease ends at until. Rules 2, 10 and
	// 13.
	ClaimDue(ctx context.Context, subscriber string, now, until time.Time, limit int) (Due, error)
	// Settle stores the results of delivery attempts. Without arguments it does nothing. Rules 2 and 4.
	Settle(ctx context.Context, d ...Delivery) error
	// Deliveries returns one page of the selected deliveries, and the cursor of the next page; "": this is the last page.
	// Rule 8.
	Deliveries(ctx context.Context, q DeliveryQuery) (items []Delivery, next string, err error)
	// Depth counts the waiting and the dead deliveries. oldest is the At of the oldest event that is waiting; zero: no event is
	// waiting. Rule 14.
	Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error)
}
