package notifytest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
)

// TestOutbox tests an outbox against the contract of notify.Outbox. open returns a fresh, empty outbox, and a function that
// adds events to it as the Commit of a Store does: all events of a call in their sequence, in one transaction. Many goroutines
// may call that function at once. If it fails, it calls t.Error.
func TestOutbox(t *testing.T, open func(t *testing.T) (o notify.Outbox, add func(...notify.Event))) {
	run := func(name string, test func(*outboxFixture)) {
		t.Run(name, func(t *testing.T) {
			o, add := open(t)
			test(&outboxFixture{t, o, add})
		})
	}
	run("1 concurrency: each delivery is claimed once by many", (*outboxFixture).claimRace)
	run("1 concurrency: of two who settle one version one succeeds", (*outboxFixture).settleRace)
	run("1 concurrency: no event is lost among many that are added at once", (*outboxFixture).addRace)
	run("2 missing: an unknown subscriber is ErrNotFound", (*outboxFixture).unknownSubscriber)
	run("2 missing: an unknown delivery is ErrNotFound", (*outboxFixture).unknownDelivery)
	run("2 missing: a list of nothing is empty", (*outboxFixture).emptyList)
	run("3 duplicates: an event is taken once", (*outboxFixture).eventTwice)
	run("3 duplicates: registering again replaces the kinds", (*outboxFixture).registerTwice)
	run("3 duplicates: an empty name is ErrInvalid", (*outboxFixture).emptyName)
	run("4 atomicity: a stale version is ErrConflict", (*outboxFixture).stale)
	run("4 atomicity: all of a call or none", (*outboxFixture).allOrNone)
	run("4 atomicity: stored as given, the version raised", (*outboxFixture).storedAsGiven)
	run("5 ownership: keeps nothing it was given", (*outboxFixture).keepsNothing)
	run("5 ownership: hands out nothing it keeps", (*outboxFixture).handsOutNothing)
	run("6 time: UTC, to the microsecond, zero survives", (*outboxFixture).times)
	run("7 data: an event comes back unchanged", (*outboxFixture).data)
	run("8 order and paging: by time, event and subscriber", (*outboxFixture).pages)
	run("8 order and paging: by what is asked for", (*outboxFixture).filters)
	run("8 order and paging: a cursor stands while events are added", (*outboxFixture).cursorStands)
	run("8 order and paging: bad cursors and limits are ErrInvalid", (*outboxFixture).badPages)
	run("9 context: after its end nothing is written", (*outboxFixture).ended)
	run("10 leases: due alone is claimed, oldest first", (*outboxFixture).claimsDue)
	run("10 leases: of the same time, in the sequence of their events", (*outboxFixture).claimsInOrder)
	run("10 leases: hidden until the lease ends", (*outboxFixture).hidden)
	run("10 leases: a lease too far ahead counts as ended", (*outboxFixture).farLease)
	run("10 leases: says when the next is due", (*outboxFixture).saysNext)
	run("10 leases: claiming sets the lease and raises the version", (*outboxFixture).claimRaises)
	run("10 leases: who lost its lease cannot settle", (*outboxFixture).staleLease)
	run("10 leases: a limit below one is ErrInvalid", (*outboxFixture).claimLimit)
	run("12 fan-out: one for each subscriber of the kind", (*outboxFixture).fanOut)
	run("12 fan-out: a new subscriber starts at its registration", (*outboxFixture).newSubscriber)
	run("12 fan-out: fresh deliveries are due at the event's time", (*outboxFixture).fresh)
	run("13 subjects: the next waits until the one before is delivered", (*outboxFixture).subjectWaits)
	run("13 subjects: the next goes on when the one before is dead", (*outboxFixture).subjectGoesOn)
	run("13 subjects: only the first counts for Next", (*outboxFixture).subjectNext)
	run("13 subjects: no subject waits for nothing", (*outboxFixture).noSubject)
	run("13 subjects: each subscriber has its own sequence", (*outboxFixture).subjectOfEach)
	run("13 subjects: a dead one that is sent again returns to its position", (*outboxFixture).resent)
	run("14 depth: waiting, dead, oldest", (*outboxFixture).depth)
	run("15 unreadable deliveries: a readable one is not named", (*outboxFixture).noneNamed)
}

// outboxFixture is the outbox of one sub-test.
type outboxFixture struct {
	*testing.T
	notify.Outbox
	add func(...notify.Event)
}

// hour returns the n-th hour of the day in which the suite's events happen.
func hour(n int) time.Time { return time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC) }

// event makes an event that is due at the n-th hour, about a new subject.
func event(n int) notify.Event {
	return notify.Event{
		ID: uuid.New(), Kind: "suite.event", At: hour(n), ResellerID: uuid.New(), SubjectID: uuid.New(), Data: []byte(`{"n":1}`),
	}
}

func (f *outboxFixture) register(name string, kinds ...notify.Kind) {
	f.Helper()
	if err := f.Register(f.Context(), name, kinds); err != nil {
		f.Fatalf("Register(%q): %v", name, err)
	}
}

// with registers the subscriber "a" and adds events.
func (f *outboxFixture) with(events ...notify.Event) {
	f.Helper()
	f.register("a")
	f.add(events...)
}

// claim claims deliveries of the subscriber "a".
func (f *outboxFixture) claim(now, until time.Time, limit int) notify.Due {
	f.Helper()
	return f.claimFor("a", now, until, limit)
}

func (f *outboxFixture) claimFor(name string, now, until time.Time, limit int) notify.Due {
	f.Helper()
	due, err := f.ClaimDue(f.Context(), name, now, until, limit)
	if err != nil {
		f.Fatalf("ClaimDue for %q: %v", name, err)
	}
	if len(due.Unreadable) > 0 {
		f.Errorf("the claim names deliveries in Unreadable, although the suite has stored readable ones only: %v", due.Unreadable)
	}
	return due
}

func (f *outboxFixture) settle(d ...notify.Delivery) {
	f.Helper()
	if err := f.Settle(f.Context(), d...); err != nil {
		f.Fatalf("Settle: %v", err)
	}
}

func (f *outboxFixture) list(q notify.DeliveryQuery) []notify.Delivery {
	f.Helper()
	items, _, err := f.Deliveries(f.Context(), q)
	if err != nil {
		f.Fatalf("Deliveries: %v", err)
	}
	return items
}

// want fails the test if a list is not about these events, in this sequence.
func (f *outboxFixture) want(what string, got []notify.Delivery, want ...notify.Event) {
	f.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = got[i].Event.ID == want[i].ID
	}
	if !same {
		f.Fatalf("%s: got %s, want %s", what, describe(got), describe(of(want)))
	}
}

func of(events []notify.Event) []notify.Delivery {
	var list []notify.Delivery
	for _, e := range events {
		list = append(list, notify.Delivery{Event: e})
	}
	return list
}

func describe(list []notify.Delivery) string {
	var ids []string
	for _, d := range list {
		ids = append(ids, d.Event.ID.String()[:8])
	}
	return fmt.Sprint(ids)
}

// one returns the only delivery in the outbox.
func (f *outboxFixture) one() notify.Delivery {
	f.Helper()
	return f.only(notify.DeliveryQuery{})
}

// ofEvent returns the delivery of an event to a subscriber.
func (f *outboxFixture) ofEvent(id uuid.UUID, subscriber string) notify.Delivery {
	f.Helper()
	return f.only(notify.DeliveryQuery{Event: id, Subscriber: subscriber})
}

func (f *outboxFixture) only(q notify.DeliveryQuery) notify.Delivery {
	f.Helper()
	items := f.list(q)
	if len(items) != 1 {
		f.Fatalf("%d deliveries are listed, want 1", len(items))
	}
	return items[0]
}

func (f *outboxFixture) wantError(what string, err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%s returned %v, want %v", what, err, want)
	}
}

func (f *outboxFixture) same(what string, want, got any) {
	f.Helper()
	if d := storetest.Diff(want, got); d != "" {
		f.Errorf("%s: %s", what, d)
	}
}

func (f *outboxFixture) unknownSubscriber() {
	f.with(event(1))
	_, err := f.ClaimDue(f.Context(), "nobody", hour(1), hour(2), 1)
	f.wantError("ClaimDue for a subscriber that was never registered", err, notify.ErrNotFound)
}

func (f *outboxFixture) unknownDelivery() {
	f.with(event(1))
	stored := f.one()
	unknown, other := stored, stored
	unknown.Event.ID, other.Subscriber = uuid.New(), "nobody"
	for _, d := range []notify.Delivery{unknown, other} {
		f.wantError("Settle of an unknown delivery", f.Settle(f.Context(), d), notify.ErrNotFound)
	}
}

func (f *outboxFixture) emptyList() {
	f.with(event(1))
	for _, q := range []notify.DeliveryQuery{{Subscriber: "nobody"}, {Dead: true}, {ResellerID: uuid.New()}, {Event: uuid.New()}} {
		items, next, err := f.Deliveries(f.Context(), q)
		if len(items) > 0 || next != "" || err != nil {
			f.Errorf("%+v: %d deliveries, cursor %q, %v", q, len(items), next, err)
		}
	}
}

func (f *outboxFixture) eventTwice() {
	e := event(1)
	f.with(e, e)
	f.add(e)
	f.same("listed", notify.Delivery{Event: e, Subscriber: "a", Due: e.At, Version: 1}, f.one())
	done := f.one()
	done.Delivered = true
	f.settle(done)
	f.add(e)
	if !f.one().Delivered {
		f.Error("an event that is added again after its delivery is delivered again")
	}
}

func (f *outboxFixture) registerTwice() {
	before, other, after := event(1), event(2), event(3)
	other.Kind = "suite.other"
	f.register("a", "suite.event")
	f.add(before)
	f.register("a", "suite.other")
	f.add(other, after)
	f.want("after a change of kinds", f.list(notify.DeliveryQuery{}), before, other)
	f.want("claimed after a change of kinds", f.claim(hour(9), hour(10), 9).Deliveries, before, other)
}

func (f *outboxFixture) emptyName() {
	f.wantError("a subscriber without a name", f.Register(f.Context(), "", nil), notify.ErrInvalid)
}

func (f *outboxFixture) ended() {
	f.with(event(1))
	d := f.one()
	changed := d
	changed.Dead = true
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	_, err := f.ClaimDue(ctx, "a", hour(1), hour(2), 1)
	f.wantError("ClaimDue", err, context.Canceled)
	f.wantError("Settle", f.Settle(ctx, changed), context.Canceled)
	f.wantError("Register", f.Register(ctx, "late", nil), context.Canceled)
	_, _, err = f.Deliveries(ctx, notify.DeliveryQuery{})
	f.wantError("Deliveries", err, context.Canceled)
	_, _, _, err = f.Depth(ctx)
	f.wantError("Depth", err, context.Canceled)
	f.same("after calls with an ended context", d, f.one())
	f.add(event(2))
	if n := len(f.list(notify.DeliveryQuery{Subscriber: "late"})); n > 0 {
		f.Error("Register with an ended context registered a subscriber")
	}
}

func (f *outboxFixture) depth() {
	wantDepth := func(what string, waiting, dead int, oldest time.Time) {
		f.Helper()
		w, d, o, err := f.Depth(f.Context())
		if err != nil || w != waiting || d != dead || !o.Equal(oldest) {
			f.Errorf("%s: %d waiting, %d dead, oldest %v, %v; want %d, %d, %v", what, w, d, o, err, waiting, dead, oldest)
		}
	}
	wantDepth("empty", 0, 0, time.Time{})
	first := event(1)
	f.register("b")
	f.with(event(3), first, event(2))
	wantDepth("three events for two subscribers", 6, 0, hour(1))
	got := f.claim(hour(1), hour(9), 1).Deliveries
	f.want("the oldest", got, first)
	wantDepth("under a lease", 6, 0, hour(1))
	got[0].Delivered = true
	f.settle(got...)
	got = f.claimFor("b", hour(1), hour(9), 1).Deliveries
	f.want("the oldest for the other subscriber", got, first)
	got[0].Dead = true
	f.settle(got...)
	wantDepth("one delivered, one dead", 4, 1, hour(2))
	letters := f.list(notify.DeliveryQuery{Dead: true})
	f.want("the dead letter", letters, first)
	letters[0].Dead = false
	f.settle(letters...)
	wantDepth("after the dead letter is waiting again", 5, 0, hour(1))
}
