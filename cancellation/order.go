package cancellation

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Order is a cancellation to schedule.
type Order struct {
	ID       uuid.UUID // optional; a repeat with the same ID and content returns the stored cancellation
	ServerID uuid.UUID
	When     When
	Reason   string // one line of at most dedicated.MaxReason bytes, or ""; the client sees it
	// Expect is the date that the person saw. If it is not zero and When means another date by now, it is ErrConflict, with Error.At.
	// A repeat is not compared with it.
	Expect time.Time
	// TellClient tells the client of a reseller's order at once, and not only by the warnings. A client is always told of its own.
	TellClient bool
	// Backdated lets When.At lie in the past: back to the start of the current billing period, or of the assignment if that is
	// later. Refund and mails are as of it, and there is no warning. Only for resellers.
	Backdated bool
}

// decide returns what Schedule makes of an order.
func (o Order) decide(a dedicated.Actor, r reading, now time.Time) (d decision, write bool, err error) {
	if r.stored {
		return decision{cancellation: r.cancellation}, false, o.checkRepeat(a, r.cancellation)
	}
	c, err := o.draft(a, r, now)
	return decision{c, c.orderFacts(now)}, true, err
}

// draft returns the cancellation that an order makes, if all rules allow it.
func (o Order) draft(a dedicated.Actor, r reading, now time.Time) (Cancellation, error) {
	if err := r.checkServer(OpSchedule, a, o.ServerID); err != nil {
		return Cancellation{}, err
	}
	s := r.server
	if err := checkNoneActive(a, s, r.active); err != nil {
		return Cancellation{}, err
	}
	if err := checkReason(OpSchedule, "Order.Reason", o.Reason); err != nil {
		return Cancellation{}, err
	}
	order, err := r.choose(choice{op: OpSchedule, actor: a, when: o.When, backdated: o.Backdated, now: now})
	if err != nil {
		return Cancellation{}, err
	}
	if err := o.checkExpected(order.at, location(s.Billing.Zone)); err != nil {
		return Cancellation{}, err
	}
	c := Cancellation{
		ID: o.ID, ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, Assignment: s.Assignment, ServerName: s.Name,
		State: Scheduled, At: order.at, Zone: s.Billing.Zone, By: a, Reason: o.Reason, TellClient: o.TellClient, Epoch: r.epoch,
	}
	c.order(order, s.Billing, now)
	c.record(now, a, entryScheduled, o.Reason, time.Time{}, order.at)
	// The next tick looks at it under the settings that are valid then: a batch that follows changed settings may have
	// passed its position already.
	c.SettingsVersion, c.Due = r.settings.Saved, now
	return c, nil
}

// orderFacts are the facts about a new cancellation. A client's order is announced; of a reseller's order the client is told or warned.
func (c Cancellation) orderFacts(now time.Time) []manage.Fact {
	switch {
	case c.By.Role != dedicated.Client && c.TellClient:
		return []manage.Fact{c.notice(KindScheduled, now, c.Reason)}
	case c.By.Role != dedicated.Client:
		return nil
	}
	return []manage.Fact{c.notice(KindScheduled, now, c.Reason), c.notice(KindScheduledByClient, now, c.Reason)}
}

// order sets what an order or a move freezes.
func (c *Cancellation) order(o chosen, b dedicated.Billing, now time.Time) {
	c.When, c.Asked, c.Ordered, c.NoticeDays, c.LockDays = o.when, now, o.at, o.noticeDays, o.lockDays
	c.setCycle(b)
	c.OrderedCycle = c.Cycle
}

// setCycle keeps the billing cycle under which the end of a period became At.
func (c *Cancellation) setCycle(b dedicated.Billing) {
	c.Cycle = dedicated.Cycle{}
	if c.When.isEnd() {
		c.Cycle = b.Cycle
	}
}

// checkExpected refuses an order whose date is not the one that its actor saw.
func (o Order) checkExpected(at time.Time, loc *time.Location) error {
	expected := zone.Instant(o.Expect)
	if expected.IsZero() || expected.Equal(at) {
		return nil
	}
	return &Error{Op: OpSchedule, ServerID: o.ServerID, Field: "Order.Expect", At: at, Err: ErrConflict,
		Msg: fmt.Sprintf("the date is now %s, and not %s as expected: confirm the new date", date(at, loc), date(expected, loc))}
}

// mayBe reports whether the order that made the record may have said w. After a move the record does not hold the first When any
// more.
func (c Cancellation) mayBe(w When) bool {
	if c.MovedBy != 0 || c.When.same(w) {
		return true
	}
	late := c.When.At.Sub(w.At)
	return !w.At.IsZero() && c.When.At.Equal(c.Asked) && late > 0 && late <= nowTolerance
}

// checkRepeat refuses an order whose ID is stored, unless it repeats the order that made the record.
func (o Order) checkRepeat(a dedicated.Actor, stored Cancellation) error {
	w, err := o.When.normalize(OpSchedule)
	if err != nil {
		return err
	}
	if stored.By == a && stored.ServerID == o.ServerID && stored.Reason == o.Reason && stored.TellClient == o.TellClient && stored.mayBe(w) {
		return nil
	}
	e := &Error{Op: OpSchedule, ServerID: o.ServerID, Field: "Order.ID", Err: ErrConflict,
		Msg: fmt.Sprintf("another cancellation has the ID %s", o.ID)}
	if stored.visibleTo(a) {
		e.Existing = stored.viewOf(a)
	}
	return e
}
