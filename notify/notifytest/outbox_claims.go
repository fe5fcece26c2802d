package notifytest

import (
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

func (f *outboxFixture) claimsDue() {
	late, soon, now, future := event(1), event(2), event(3), event(4)
	f.with(future, now, soon, late)
	f.want("the two oldest", f.claim(hour(3), hour(9), 2).Deliveries, late, soon)
	f.want("the third, which is due", f.claim(hour(3), hour(9), 9).Deliveries, now)
	f.want("before the fourth is due", f.claim(hour(4).Add(-time.Microsecond), hour(9), 9).Deliveries)
}

func (f *outboxFixture) claimsInOrder() {
	f.register("a")
	var events []notify.Event
	for n := range 12 {
		e := event(1)
		if n%3 == 0 {
			e.SubjectID = uuid.Nil
		}
		events = append(events, e)
	}
	f.add(events[:7]...)
	for _, e := range events[7:] {
		f.add(e)
	}
	f.want("with the same Due", f.claim(hour(1), hour(2), 20).Deliveries, events...)
}

func (f *outboxFixture) hidden() {
	e := event(1)
	f.with(e)
	f.want("due", f.claim(hour(1), hour(5), 1).Deliveries, e)
	f.want("before the lease ends", f.claim(hour(5).Add(-time.Microsecond), hour(9), 1).Deliveries)
	f.want("when the lease ends", f.claim(hour(5), hour(9), 1).Deliveries, e)
}

// farLease has one delivery claimed by a clock that is nine years ahead, and another one by a clock that is an hour ahead.
func (f *outboxFixture) farLease() {
	const length = 10 * time.Minute
	first, second := event(1), event(2)
	f.with(first)
	wrong := hour(1).AddDate(9, 0, 0)
	f.want("under a wrong clock", f.claim(wrong, wrong.Add(length), 9).Deliveries, first)
	f.add(second)
	if due := f.claim(hour(0), hour(0).Add(length), 9); len(due.Deliveries) > 0 || !due.Next.Equal(hour(1)) {
		f.Errorf("before both are due: got %s and Next %v, want none and %v", describe(due.Deliveries), due.Next, hour(1))
	}
	claimed := f.claim(hour(2), hour(2).Add(length), 9).Deliveries
	f.want("under the right clock", claimed, first, second)

	limit := hour(2).Add(length).Add(-time.Hour - 2*length) // here the lease is an hour and twice its length ahead
	claimed[0].Due, claimed[1].Due = limit.Add(-time.Hour), limit.Add(-time.Minute)
	claimed[0].LeaseUntil, claimed[1].LeaseUntil = hour(2).Add(length), hour(2).Add(length)
	f.settle(claimed...)
	if due := f.claim(limit, limit.Add(length), 9); len(due.Deliveries) > 0 || !due.Next.IsZero() {
		f.Errorf("with leases of a clock that is a little ahead: got %s and Next %v, want neither", describe(due.Deliveries), due.Next)
	}
	f.want("beyond the limit", f.claim(limit.Add(-time.Microsecond), limit.Add(length-time.Microsecond), 1).Deliveries, first)
}

// noneNamed relies on claimFor, which fails the test if a delivery is named.
func (f *outboxFixture) noneNamed() {
	first, second := event(1), event(2)
	second.ResellerID, second.Data = uuid.Nil, []byte(`null`)
	f.with(first, second)
	f.want("due", f.claim(hour(3), hour(4), 9).Deliveries, first, second)
}

func (f *outboxFixture) saysNext() {
	f.register("a")
	wantNext := func(what string, due notify.Due, want time.Time) {
		f.Helper()
		if !due.Next.Equal(want) {
			f.Errorf("%s: Next is %v, want %v", what, due.Next, want)
		}
	}
	wantNext("in an empty outbox", f.claim(hour(0), hour(9), 9), time.Time{})
	f.add(event(1), event(2), event(5))
	wantNext("before all are due", f.claim(hour(0), hour(9), 9), hour(1))
	wantNext("with one more due than the limit", f.claim(hour(3), hour(9), 1), hour(2))
	wantNext("with all due ones claimed", f.claim(hour(3), hour(9), 1), hour(5))
	wantNext("with all claimed", f.claim(hour(5), hour(9), 1), time.Time{})
	wantNext("after the leases, with one claimed", f.claim(hour(9), hour(10), 1), hour(2))
}

func (f *outboxFixture) claimRaises() {
	f.with(event(1))
	want := f.one()
	want.LeaseUntil = hour(5)
	want.Version++
	for _, got := range f.claim(hour(1), hour(5), 1).Deliveries {
		f.same("claimed", want, got)
	}
	f.same("listed after the claim", want, f.one())
}

func (f *outboxFixture) staleLease() {
	e := event(1)
	f.with(e)
	former := f.claim(hour(1), hour(2), 1).Deliveries
	current := f.claim(hour(2), hour(3), 1).Deliveries
	f.want("the second claim", current, e)
	former[0].Delivered = true
	f.wantError("settling a delivery that was claimed again", f.Settle(f.Context(), former...), notify.ErrConflict)
	current[0].LeaseUntil, current[0].Due = time.Time{}, hour(4)
	f.settle(current...)
	f.want("settled without a lease, before Due", f.claim(hour(3), hour(9), 1).Deliveries)
	again := f.claim(hour(4), hour(9), 1).Deliveries
	f.want("settled without a lease, at Due", again, e)
	again[0].Delivered = true
	f.settle(again...)
	f.want("delivered", f.claim(hour(99), hour(100), 1).Deliveries)
}

func (f *outboxFixture) claimLimit() {
	f.with(event(1))
	for _, limit := range []int{0, -1} {
		_, err := f.ClaimDue(f.Context(), "a", hour(1), hour(2), limit)
		f.wantError("a limit below one", err, notify.ErrInvalid)
	}
}

func (f *outboxFixture) fanOut() {
	f.register("some", "suite.other", "suite.third")
	if err := f.Register(f.Context(), "none", []notify.Kind{}); err != nil {
		f.Fatalf("Register without kinds: %v", err)
	}
	first, other := event(1), event(2)
	other.Kind = "suite.other"
	f.with(first, other)
	f.want("nil kinds", f.claim(hour(9), hour(10), 9).Deliveries, first, other)
	f.want("some kinds", f.claimFor("some", hour(9), hour(10), 9).Deliveries, other)
	f.want("no kinds", f.claimFor("none", hour(9), hour(10), 9).Deliveries)
	f.want("all deliveries", f.list(notify.DeliveryQuery{}), first, other, other)
}

func (f *outboxFixture) newSubscriber() {
	before, after := event(1), event(2)
	f.with(before)
	f.register("late")
	f.add(before, after)
	f.want("the subscriber that was registered later", f.claimFor("late", hour(9), hour(10), 9).Deliveries, after)
	f.want("the subscriber that was registered before", f.claim(hour(9), hour(10), 9).Deliveries, before, after)
}

func (f *outboxFixture) fresh() {
	e := event(3)
	f.with(e)
	f.same("a fresh delivery", notify.Delivery{Event: e, Subscriber: "a", Due: hour(3), Version: 1}, f.one())
}

// ofOneSubject makes n events about one subject, due at hours 1, 2, 3 ….
func ofOneSubject(n int) []notify.Event {
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

func (f *outboxFixture) subjectWaits() {
	events := ofOneSubject(3)
	f.with(events...)
	first := f.claim(hour(9), hour(10), 9).Deliveries
	f.want("of one subject", first, events[0])
	f.want("while the first is under a lease", f.claim(hour(9), hour(10), 9).Deliveries)
	first[0].LeaseUntil, first[0].Due = time.Time{}, hour(12)
	f.settle(first...)
	f.want("while the first waits to be tried again", f.claim(hour(11), hour(20), 9).Deliveries)
	first = f.claim(hour(12), hour(20), 9).Deliveries
	f.want("the first, tried again", first, events[0])
	first[0].Delivered = true
	f.settle(first...)
	f.want("after the first is delivered", f.claim(hour(12), hour(20), 9).Deliveries, events[1])
}

func (f *outboxFixture) subjectGoesOn() {
	events := ofOneSubject(2)
	f.with(events...)
	first := f.claim(hour(9), hour(10), 9).Deliveries
	f.want("of one subject", first, events[0])
	first[0].Dead = true
	f.settle(first...)
	f.want("after the first is dead", f.claim(hour(9), hour(10), 9).Deliveries, events[1])
}

func (f *outboxFixture) subjectNext() {
	events := ofOneSubject(3)
	events[0].At = hour(8)
	f.with(events...)
	if due := f.claim(hour(4), hour(9), 9); len(due.Deliveries) > 0 || !due.Next.Equal(hour(8)) {
		f.Errorf("two wait for one that is due at %v: %d claimed, Next is %v", hour(8), len(due.Deliveries), due.Next)
	}
	if due := f.claim(hour(8), hour(9), 9); len(due.Deliveries) != 1 || !due.Next.IsZero() {
		f.Errorf("two wait for one under a lease: %d claimed, Next is %v; want 1 and zero", len(due.Deliveries), due.Next)
	}
}

func (f *outboxFixture) noSubject() {
	events := ofOneSubject(3)
	for i := range events {
		events[i].SubjectID = uuid.Nil
	}
	f.with(events...)
	f.want("without a subject", f.claim(hour(9), hour(10), 9).Deliveries, events...)
}

func (f *outboxFixture) subjectOfEach() {
	events := ofOneSubject(2)
	f.register("b")
	f.with(events...)
	first := f.claim(hour(9), hour(10), 9).Deliveries
	f.want("the first event for a", first, events[0])
	f.want("the first event for b", f.claimFor("b", hour(9), hour(10), 9).Deliveries, events[0])
	first[0].Delivered = true
	f.settle(first...)
	f.want("the second event for a", f.claim(hour(9), hour(10), 9).Deliveries, events[1])
	f.want("the second event for b", f.claimFor("b", hour(9), hour(10), 9).Deliveries)
}

func (f *outboxFixture) resent() {
	events := ofOneSubject(3)
	f.with(events...)
	dead := f.claim(hour(9), hour(10), 9).Deliveries
	f.want("of one subject", dead, events[0])
	dead[0].Dead, dead[0].LeaseUntil = true, time.Time{}
	f.settle(dead...)
	letter := f.ofEvent(events[0].ID, "a")
	letter.Dead, letter.Due = false, hour(11)
	f.settle(letter)
	f.want("before the former dead letter is due", f.claim(hour(10), hour(20), 9).Deliveries)
	again := f.claim(hour(11), hour(20), 9).Deliveries
	f.want("the former dead letter", again, events[0])
	again[0].Delivered = true
	f.settle(again...)
	f.want("the event after it", f.claim(hour(11), hour(20), 9).Deliveries, events[1])
}
