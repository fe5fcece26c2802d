package notifytest

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// all pages through everything; between is called after each page but the last.
func (b *box) all(limit int, between func()) []notify.Delivery {
	b.Helper()
	q := notify.DeliveryQuery{Limit: limit}
	var found []notify.Delivery
	for page := range 1000 {
		items, next, err := b.Deliveries(b.Context(), q)
		if err != nil {
			b.Fatalf("page %d: %v", page+1, err)
		}
		if len(items) > limit {
			b.Fatalf("page %d has %d deliveries, the limit was %d", page+1, len(items), limit)
		}
		found = append(found, items...)
		if next == "" {
			return found
		}
		between()
		q.After = next
	}
	b.Fatal("the list does not end")
	return nil
}

func (b *box) pages() {
	b.register("c")
	b.register("b")
	var events []notify.Event
	for n := range 11 {
		events = append(events, event(n*7%5))
	}
	b.with(events...)
	var want []notify.Delivery
	for _, e := range events {
		for _, name := range []string{"a", "b", "c"} {
			want = append(want, notify.Delivery{Event: e, Subscriber: name, Due: e.At, Version: 1})
		}
	}
	slices.SortFunc(want, func(x, y notify.Delivery) int {
		return cmp.Or(x.Event.At.Compare(y.Event.At), bytes.Compare(x.Event.ID[:], y.Event.ID[:]),
			cmp.Compare(x.Subscriber, y.Subscriber))
	})
	for _, limit := range []int{1, 4, 33, 100} {
		b.same("all pages", want, b.all(limit, func() {}))
	}
	items, next, err := b.Deliveries(b.Context(), notify.DeliveryQuery{})
	if err != nil || len(items) == 0 || len(items) < len(want) && next == "" {
		b.Errorf("limit 0 is the outbox's default: got %d deliveries, cursor %q, %v", len(items), next, err)
	}
}

func (b *box) filters() {
	first, second, third := event(1), event(2), event(3)
	third.ResellerID = first.ResellerID
	b.register("b")
	b.with(first, second, third)
	dead := b.list(notify.DeliveryQuery{Subscriber: "b", Event: third.ID})
	b.want("one event of one subscriber", dead, third)
	dead[0].Dead = true
	done := b.list(notify.DeliveryQuery{Subscriber: "b", Event: second.ID})
	b.want("another", done, second)
	done[0].Delivered = true
	b.settle(dead[0], done[0])
	mine := first.ResellerID
	b.want("of a subscriber, in any state", b.list(notify.DeliveryQuery{Subscriber: "b"}), first, second, third)
	b.want("of a reseller", b.list(notify.DeliveryQuery{ResellerID: mine}), first, first, third, third)
	b.want("of an event", b.list(notify.DeliveryQuery{Event: second.ID}), second, second)
	b.want("dead", b.list(notify.DeliveryQuery{Dead: true}), third)
	b.want("dead of a reseller", b.list(notify.DeliveryQuery{Dead: true, ResellerID: second.ResellerID}))
	b.want("dead of a subscriber", b.list(notify.DeliveryQuery{Dead: true, Subscriber: "a"}))
	b.want("of both", b.list(notify.DeliveryQuery{Subscriber: "a", ResellerID: mine}), first, third)
}

func (b *box) cursorStands() {
	var old []notify.Event
	for n := range 20 {
		old = append(old, event(n%4))
	}
	b.with(old...)
	n := 0
	got := b.all(3, func() {
		n++
		b.add(event(n%5), event(n%3))
	})
	times := map[uuid.UUID]int{}
	for _, d := range got {
		times[d.Event.ID]++
	}
	for _, e := range old {
		if times[e.ID] != 1 {
			b.Errorf("event %s was there all the time and was listed %d times", e.ID, times[e.ID])
		}
	}
	for id, n := range times {
		if n > 1 {
			b.Errorf("event %s was listed %d times", id, n)
		}
	}
}

func (b *box) badPages() {
	b.with(event(1), event(2))
	for _, after := range []string{"?", "nonsense", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		_, _, err := b.Deliveries(b.Context(), notify.DeliveryQuery{After: after})
		b.wantError("the cursor "+after, err, notify.ErrInvalid)
	}
	_, _, err := b.Deliveries(b.Context(), notify.DeliveryQuery{Limit: -1})
	b.wantError("a negative limit", err, notify.ErrInvalid)
}
