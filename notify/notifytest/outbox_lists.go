package notifytest

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// all reads all pages. It calls onPage after each page except the last.
func (f *outboxFixture) all(limit int, onPage func()) []notify.Delivery {
	f.Helper()
	q := notify.DeliveryQuery{Limit: limit}
	var found []notify.Delivery
	for page := range 1000 {
		items, next, err := f.Deliveries(f.Context(), q)
		if err != nil {
			f.Fatalf("page %d: %v", page+1, err)
		}
		if len(items) > limit {
			f.Fatalf("page %d has %d deliveries, the limit was %d", page+1, len(items), limit)
		}
		found = append(found, items...)
		if next == "" {
			return found
		}
		onPage()
		q.After = next
	}
	f.Fatal("the list does not end")
	return nil
}

func (f *outboxFixture) pages() {
	f.register("c")
	f.register("b")
	var events []notify.Event
	for n := range 11 {
		events = append(events, event(n*7%5))
	}
	f.with(events...)
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
		f.same("all pages", want, f.all(limit, func() {}))
	}
	items, next, err := f.Deliveries(f.Context(), notify.DeliveryQuery{})
	if err != nil || len(items) == 0 || len(items) < len(want) && next == "" {
		f.Errorf("with limit 0, the default: %d deliveries, cursor %q, %v", len(items), next, err)
	}
}

func (f *outboxFixture) filters() {
	first, second, third := event(1), event(2), event(3)
	third.ResellerID = first.ResellerID
	f.register("b")
	f.with(first, second, third)
	dead := f.list(notify.DeliveryQuery{Subscriber: "b", Event: third.ID})
	f.want("one event of one subscriber", dead, third)
	dead[0].Dead = true
	done := f.list(notify.DeliveryQuery{Subscriber: "b", Event: second.ID})
	f.want("another", done, second)
	done[0].Delivered = true
	f.settle(dead[0], done[0])
	reseller := first.ResellerID
	f.want("of a subscriber, in any state", f.list(notify.DeliveryQuery{Subscriber: "b"}), first, second, third)
	f.want("of a reseller", f.list(notify.DeliveryQuery{ResellerID: reseller}), first, first, third, third)
	f.want("of an event", f.list(notify.DeliveryQuery{Event: second.ID}), second, second)
	f.want("dead", f.list(notify.DeliveryQuery{Dead: true}), third)
	f.want("dead of a reseller", f.list(notify.DeliveryQuery{Dead: true, ResellerID: second.ResellerID}))
	f.want("dead of a subscriber", f.list(notify.DeliveryQuery{Dead: true, Subscriber: "a"}))
	f.want("of both", f.list(notify.DeliveryQuery{Subscriber: "a", ResellerID: reseller}), first, third)
}

func (f *outboxFixture) cursorStands() {
	var old []notify.Event
	for n := range 20 {
		old = append(old, event(n%4))
	}
	f.with(old...)
	n := 0
	got := f.all(3, func() {
		n++
		f.add(event(n%5), event(n%3))
	})
	times := map[uuid.UUID]int{}
	for _, d := range got {
		times[d.Event.ID]++
	}
	for _, e := range old {
		if times[e.ID] != 1 {
			f.Errorf("event %s existed throughout and was listed %d times", e.ID, times[e.ID])
		}
	}
	for id, n := range times {
		if n > 1 {
			f.Errorf("event %s was listed %d times", id, n)
		}
	}
}

func (f *outboxFixture) badPages() {
	f.with(event(1), event(2))
	for _, after := range []string{"?", "nonsense", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		_, _, err := f.Deliveries(f.Context(), notify.DeliveryQuery{After: after})
		f.wantError("the cursor "+after, err, notify.ErrInvalid)
	}
	_, _, err := f.Deliveries(f.Context(), notify.DeliveryQuery{Limit: -1})
	f.wantError("a negative limit", err, notify.ErrInvalid)
}
