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

// TestOutbox holds an outbox to the contract of notify.Outbox. open returns a fresh, empty one and how events get into it,
// which is what the Commit of a Store does: all of a call in their order, in one transaction. It may be called by many
// goroutines at once; where it fails it calls t.Error.
func TestOutbox(t *testing.T, open func(t *testing.T) (o notify.Outbox, add func(...notify.Event))) {
	run := func(name string, test func(*box)) {
		t.Run(name, func(t *testing.T) {
			o, add := open(t)
			test(&box{t, o, add})
		})
	}
	run("1 concurrency: each delivery is claimed once by many", (*box).claimRace)
	run("1 concurrency: of two who settle one version one wins", (*box).settleRace)
	run("1 concurrency: no event is lost among many that arrive", (*box).addRace)
	run("2 missing: an unknown subscriber is ErrNotFound", (*box).unknownSubscriber)
	run("2 missing: an unknown delivery is ErrNotFound", (*box).unknownDelivery)
	run("2 missing: a list of nothing is empty", (*box).emptyList)
	run("3 duplicates: an event is taken once", (*box).eventTwice)
	run("3 duplicates: registering again replaces the kinds", (*box).registerTwice)
	run("3 duplicates: an empty name is ErrInvalid", (*box).emptyName)
	run("4 atomicity: a stale version is ErrConflict", (*box).stale)
	run("4 atomicity: all of a call or none", (*box).allOrNone)
	run("4 atomicity: stored as given, the version raised", (*box).storedAsGiven)
	run("5 ownership: keeps nothing it was given", (*box).keepsNothing)
	run("5 ownership: hands out nothing it keeps", (*box).handsOutNothing)
	run("6 time: UTC, to the microsecond, zero survives", (*box).times)
	run("7 data: an event comes back as it was", (*box).data)
	run("8 order and paging: by time, event and subscriber", (*box).pages)
	run("8 order and paging: by what is asked for", (*box).filters)
	run("8 order and paging: a cursor stands while others arrive", (*box).cursorStands)
	run("8 order and paging: bad cursors and limits are ErrInvalid", (*box).badPages)
	run("9 context: an ended one writes nothing", (*box).ended)
	run("10 leases: due alone is claimed, oldest first", (*box).claimsDue)
	run("10 leases: of the same time in order of arrival", (*box).claimsInOrder)
	run("10 leases: hidden until the lease ends", (*box).hidden)
	run("10 leases: says when the next is due", (*box).saysNext)
	run("10 leases: claiming sets the lease and raises the version", (*box).claimRaises)
	run("10 leases: who lost its lease cannot settle", (*box).lostLease)
	run("10 leases: a limit below one is ErrInvalid", (*box).claimLimit)
	run("12 fan-out: one for each subscriber that wants the kind", (*box).fanOut)
	run("12 fan-out: a new subscriber starts at its registration", (*box).newSubscriber)
	run("12 fan-out: fresh deliveries are due at the event's time", (*box).fresh)
	run("13 subjects: the next waits until the one before is delivered", (*box).subjectWaits)
	run("13 subjects: the next goes on when the one before is dead", (*box).subjectGoesOn)
	run("13 subjects: only the first counts for Next", (*box).subjectNext)
	run("13 subjects: no subject waits for nothing", (*box).noSubject)
	run("13 subjects: each subscriber for itself", (*box).subjectOfEach)
	run("13 subjects: a dead one that lives again has its old place", (*box).revived)
	run("14 depth: what waits, what is dead, the oldest", (*box).depth)
}

// box is an outbox under one sub-test.
type box struct {
	*testing.T
	notify.Outbox
	add func(...notify.Event)
}

// hour is the n-th hour of the suite's own time.
func hour(n int) time.Time { return time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC) }

// event is due at the n-th hour, about a subject of its own.
func event(n int) notify.Event {
	return notify.Event{
		ID: uuid.New(), Kind: "suite.event", At: hour(n), ResellerID: uuid.New(), SubjectID: uuid.New(), Data: []byte(`{"n":1}`),
	}
}

func (b *box) register(name string, kinds ...notify.Kind) {
	b.Helper()
	if err := b.Register(b.Context(), name, kinds); err != nil {
		b.Fatalf("Register(%q): %v", name, err)
	}
}

// with registers the subscriber "a" and adds events.
func (b *box) with(events ...notify.Event) {
	b.Helper()
	b.register("a")
	b.add(events...)
}

// claim is for subscriber "a".
func (b *box) claim(now, until time.Time, limit int) notify.Due {
	b.Helper()
	return b.claimFor("a", now, until, limit)
}

func (b *box) claimFor(name string, now, until time.Time, limit int) notify.Due {
	b.Helper()
	due, err := b.ClaimDue(b.Context(), name, now, until, limit)
	if err != nil {
		b.Fatalf("ClaimDue for %q: %v", name, err)
	}
	return due
}

func (b *box) settle(d ...notify.Delivery) {
	b.Helper()
	if err := b.Settle(b.Context(), d...); err != nil {
		b.Fatalf("Settle: %v", err)
	}
}

func (b *box) list(q notify.DeliveryQuery) []notify.Delivery {
	b.Helper()
	items, _, err := b.Deliveries(b.Context(), q)
	if err != nil {
		b.Fatalf("Deliveries: %v", err)
	}
	return items
}

// want says which events a list must be about, in order.
func (b *box) want(what string, got []notify.Delivery, want ...notify.Event) {
	b.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = got[i].Event.ID == want[i].ID
	}
	if !same {
		b.Fatalf("%s: got %s, want %s", what, describe(got), describe(of(want)))
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

// one is the only delivery in the outbox.
func (b *box) one() notify.Delivery {
	b.Helper()
	return b.only(notify.DeliveryQuery{})
}

// ofEvent is the delivery of an event to a subscriber.
func (b *box) ofEvent(id uuid.UUID, subscriber string) notify.Delivery {
	b.Helper()
	return b.only(notify.DeliveryQuery{Event: id, Subscriber: subscriber})
}

func (b *box) only(q notify.DeliveryQuery) notify.Delivery {
	b.Helper()
	items := b.list(q)
	if len(items) != 1 {
		b.Fatalf("%d deliveries are listed, want 1", len(items))
	}
	return items[0]
}

func (b *box) wantError(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s gave %v, want %v", what, err, want)
	}
}

func (b *box) same(what string, want, got any) {
	b.Helper()
	if d := storetest.Diff(want, got); d != "" {
		b.Errorf("%s: %s", what, d)
	}
}

func (b *box) unknownSubscriber() {
	b.with(event(1))
	_, err := b.ClaimDue(b.Context(), "nobody", hour(1), hour(2), 1)
	b.wantError("ClaimDue for a subscriber that was never registered", err, notify.ErrNotFound)
}

func (b *box) unknownDelivery() {
	b.with(event(1))
	known := b.one()
	unknown, other := known, known
	unknown.Event.ID, other.Subscriber = uuid.New(), "nobody"
	for _, d := range []notify.Delivery{unknown, other} {
		b.wantError("Settle of what is not stored", b.Settle(b.Context(), d), notify.ErrNotFound)
	}
}

func (b *box) emptyList() {
	b.with(event(1))
	for _, q := range []notify.DeliveryQuery{{Subscriber: "nobody"}, {Dead: true}, {ResellerID: uuid.New()}, {Event: uuid.New()}} {
		items, next, err := b.Deliveries(b.Context(), q)
		if len(items) > 0 || next != "" || err != nil {
			b.Errorf("%+v: %d deliveries, cursor %q, %v", q, len(items), next, err)
		}
	}
}

func (b *box) eventTwice() {
	e := event(1)
	b.with(e, e)
	b.add(e)
	b.same("listed", notify.Delivery{Event: e, Subscriber: "a", Due: e.At, Version: 1}, b.one())
	done := b.one()
	done.Delivered = true
	b.settle(done)
	b.add(e)
	if !b.one().Delivered {
		b.Error("an event that was delivered and arrives again is delivered again")
	}
}

func (b *box) registerTwice() {
	before, other, after := event(1), event(2), event(3)
	other.Kind = "suite.other"
	b.register("a", "suite.event")
	b.add(before)
	b.register("a", "suite.other")
	b.add(other, after)
	b.want("after a change of kinds", b.list(notify.DeliveryQuery{}), before, other)
	b.want("claimed after a change of kinds", b.claim(hour(9), hour(10), 9).Deliveries, before, other)
}

func (b *box) emptyName() {
	b.wantError("a subscriber without a name", b.Register(b.Context(), "", nil), notify.ErrInvalid)
}

func (b *box) ended() {
	b.with(event(1))
	d := b.one()
	changed := d
	changed.Dead = true
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	_, err := b.ClaimDue(ctx, "a", hour(1), hour(2), 1)
	b.wantError("ClaimDue", err, context.Canceled)
	b.wantError("Settle", b.Settle(ctx, changed), context.Canceled)
	b.wantError("Register", b.Register(ctx, "late", nil), context.Canceled)
	_, _, err = b.Deliveries(ctx, notify.DeliveryQuery{})
	b.wantError("Deliveries", err, context.Canceled)
	_, _, _, err = b.Depth(ctx)
	b.wantError("Depth", err, context.Canceled)
	b.same("after calls under an ended context", d, b.one())
	b.add(event(2))
	if n := len(b.list(notify.DeliveryQuery{Subscriber: "late"})); n > 0 {
		b.Error("a subscriber was registered under an ended context")
	}
}

func (b *box) depth() {
	wantDepth := func(what string, waiting, dead int, oldest time.Time) {
		b.Helper()
		w, d, o, err := b.Depth(b.Context())
		if err != nil || w != waiting || d != dead || !o.Equal(oldest) {
			b.Errorf("%s: %d waiting, %d dead, oldest %v, %v; want %d, %d, %v", what, w, d, o, err, waiting, dead, oldest)
		}
	}
	wantDepth("empty", 0, 0, time.Time{})
	first := event(1)
	b.register("b")
	b.with(event(3), first, event(2))
	wantDepth("three events for two", 6, 0, hour(1))
	got := b.claim(hour(1), hour(9), 1).Deliveries
	b.want("the oldest", got, first)
	wantDepth("under a lease", 6, 0, hour(1))
	got[0].Delivered = true
	b.settle(got...)
	got = b.claimFor("b", hour(1), hour(9), 1).Deliveries
	b.want("the oldest for the other", got, first)
	got[0].Dead = true
	b.settle(got...)
	wantDepth("one delivered, one dead", 4, 1, hour(2))
	alive := b.list(notify.DeliveryQuery{Dead: true})
	b.want("the dead one", alive, first)
	alive[0].Dead = false
	b.settle(alive...)
	wantDepth("none dead any more", 5, 0, hour(1))
}
