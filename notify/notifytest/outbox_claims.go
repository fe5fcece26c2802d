package notifytest

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

func (b *box) claimsDue() {
	late, soon, now, future := event(1), event(2), event(3), event(4)
	b.with(future, now, soon, late)
	b.want("the two oldest", b.claim(hour(3), hour(9), 2).Deliveries, late, soon)
	b.want("the rest that is due", b.claim(hour(3), hour(9), 9).Deliveries, now)
	b.want("nothing more", b.claim(hour(4).Add(-time.Microsecond), hour(9), 9).Deliveries)
}

func (b *box) claimsInOrder() {
	b.register("a")
	var events []notify.Event
	for n := range 12 {
		e := event(1)
		if n%3 == 0 {
			e.SubjectID = uuid.Nil
		}
		events = append(events, e)
	}
	b.add(events[:7]...)
	for _, e := range events[7:] {
		b.add(e)
	}
	b.want("of one time", b.claim(hour(1), hour(2), 20).Deliveries, events...)
}

func (b *box) hidden() {
	e := event(1)
	b.with(e)
	b.want("due", b.claim(hour(1), hour(5), 1).Deliveries, e)
	b.want("under the lease", b.claim(hour(5).Add(-time.Microsecond), hour(9), 1).Deliveries)
	b.want("when the lease ends", b.claim(hour(5), hour(9), 1).Deliveries, e)
}

func (b *box) saysNext() {
	b.register("a")
	wantNext := func(what string, due notify.Due, want time.Time) {
		b.Helper()
		if !due.Next.Equal(want) {
			b.Errorf("%s the next is due at %v, want %v", what, due.Next, want)
		}
	}
	wantNext("in an empty outbox", b.claim(hour(0), hour(9), 9), time.Time{})
	b.add(event(1), event(2), event(5))
	wantNext("before all", b.claim(hour(0), hour(9), 9), hour(1))
	wantNext("beyond the limit", b.claim(hour(3), hour(9), 1), hour(2))
	wantNext("after the due ones", b.claim(hour(3), hour(9), 1), hour(5))
	wantNext("when all are claimed", b.claim(hour(5), hour(9), 1), time.Time{})
	wantNext("when the leases have ended and one is claimed", b.claim(hour(9), hour(10), 1), hour(2))
}

func (b *box) claimRaises() {
	b.with(event(1))
	want := b.one()
	want.LeaseUntil = hour(5)
	want.Version++
	for _, got := range b.claim(hour(1), hour(5), 1).Deliveries {
		b.same("claimed", want, got)
	}
	b.same("listed after the claim", want, b.one())
}

func (b *box) lostLease() {
	e := event(1)
	b.with(e)
	mine := b.claim(hour(1), hour(2), 1).Deliveries
	theirs := b.claim(hour(2), hour(3), 1).Deliveries
	b.want("the second claim", theirs, e)
	mine[0].Delivered = true
	b.wantError("settling what somebody else claimed since", b.Settle(b.Context(), mine...), notify.ErrConflict)
	theirs[0].LeaseUntil, theirs[0].Due = time.Time{}, hour(4)
	b.settle(theirs...)
	b.want("given back, not due", b.claim(hour(3), hour(9), 1).Deliveries)
	again := b.claim(hour(4), hour(9), 1).Deliveries
	b.want("given back, due", again, e)
	again[0].Delivered = true
	b.settle(again...)
	b.want("delivered", b.claim(hour(99), hour(100), 1).Deliveries)
}

func (b *box) claimLimit() {
	b.with(event(1))
	for _, limit := range []int{0, -1} {
		_, err := b.ClaimDue(b.Context(), "a", hour(1), hour(2), limit)
		b.wantError("a limit below one", err, notify.ErrInvalid)
	}
}

func (b *box) fanOut() {
	b.register("some", "suite.other", "suite.third")
	if err := b.Register(b.Context(), "none", []notify.Kind{}); err != nil {
		b.Fatalf("Register without kinds: %v", err)
	}
	first, other := event(1), event(2)
	other.Kind = "suite.other"
	b.with(first, other)
	b.want("nil kinds", b.claim(hour(9), hour(10), 9).Deliveries, first, other)
	b.want("some kinds", b.claimFor("some", hour(9), hour(10), 9).Deliveries, other)
	b.want("no kinds", b.claimFor("none", hour(9), hour(10), 9).Deliveries)
	b.want("all deliveries", b.list(notify.DeliveryQuery{}), first, other, other)
}

func (b *box) newSubscriber() {
	before, after := event(1), event(2)
	b.with(before)
	b.register("late")
	b.add(before, after)
	b.want("who came late", b.claimFor("late", hour(9), hour(10), 9).Deliveries, after)
	b.want("who was there", b.claim(hour(9), hour(10), 9).Deliveries, before, after)
}

func (b *box) fresh() {
	e := event(3)
	b.with(e)
	b.same("a fresh delivery", notify.Delivery{Event: e, Subscriber: "a", Due: hour(3), Version: 1}, b.one())
}

// row makes events about one subject, due at hours 1, 2, 3 ….
func row(n int) []notify.Event {
	var events []notify.Event
	for i := range n {
		e := event(i + 1)
		if i > 0 {
			e.SubjectID = events[0].SubjectID
		}
		events = append(events, e)
	}
	return events
}

func (b *box) subjectWaits() {
	events := row(3)
	b.with(events...)
	first := b.claim(hour(9), hour(10), 9).Deliveries
	b.want("of one subject", first, events[0])
	b.want("while it is under a lease", b.claim(hour(9), hour(10), 9).Deliveries)
	first[0].LeaseUntil, first[0].Due = time.Time{}, hour(12)
	b.settle(first...)
	b.want("while it waits to be tried again", b.claim(hour(11), hour(20), 9).Deliveries)
	first = b.claim(hour(12), hour(20), 9).Deliveries
	b.want("tried again", first, events[0])
	first[0].Delivered = true
	b.settle(first...)
	b.want("once it is delivered", b.claim(hour(12), hour(20), 9).Deliveries, events[1])
}

func (b *box) subjectGoesOn() {
	events := row(2)
	b.with(events...)
	first := b.claim(hour(9), hour(10), 9).Deliveries
	b.want("of one subject", first, events[0])
	first[0].Dead = true
	b.settle(first...)
	b.want("once the first is dead", b.claim(hour(9), hour(10), 9).Deliveries, events[1])
}

func (b *box) subjectNext() {
	events := row(3)
	events[0].At = hour(8)
	b.with(events...)
	if due := b.claim(hour(4), hour(9), 9); len(due.Deliveries) > 0 || !due.Next.Equal(hour(8)) {
		b.Errorf("two wait for one that is due at %v: claimed %d, next %v", hour(8), len(due.Deliveries), due.Next)
	}
	if due := b.claim(hour(8), hour(9), 9); len(due.Deliveries) != 1 || !due.Next.IsZero() {
		b.Errorf("two wait for one under a lease: claimed %d, next %v; want 1 and none", len(due.Deliveries), due.Next)
	}
}

func (b *box) noSubject() {
	events := row(3)
	for i := range events {
		events[i].SubjectID = uuid.Nil
	}
	b.with(events...)
	b.want("without a subject", b.claim(hour(9), hour(10), 9).Deliveries, events...)
}

func (b *box) subjectOfEach() {
	events := row(2)
	b.register("b")
	b.with(events...)
	first := b.claim(hour(9), hour(10), 9).Deliveries
	b.want("the first for one", first, events[0])
	b.want("the first for the other", b.claimFor("b", hour(9), hour(10), 9).Deliveries, events[0])
	first[0].Delivered = true
	b.settle(first...)
	b.want("the second for the one", b.claim(hour(9), hour(10), 9).Deliveries, events[1])
	b.want("the second for the other", b.claimFor("b", hour(9), hour(10), 9).Deliveries)
}

func (b *box) revived() {
	events := row(3)
	b.with(events...)
	dead := b.claim(hour(9), hour(10), 9).Deliveries
	b.want("of one subject", dead, events[0])
	dead[0].Dead, dead[0].LeaseUntil = true, time.Time{}
	b.settle(dead...)
	alive := b.ofEvent(events[0].ID, "a")
	alive.Dead, alive.Due = false, hour(11)
	b.settle(alive)
	b.want("before the revived one is due", b.claim(hour(10), hour(20), 9).Deliveries)
	again := b.claim(hour(11), hour(20), 9).Deliveries
	b.want("the revived one", again, events[0])
	again[0].Delivered = true
	b.settle(again...)
	b.want("what waited for it", b.claim(hour(11), hour(20), 9).Deliveries, events[1])
}
