package notifytest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/notify"
)

// rounds is how often a race is run: without a start barrier and many rounds, an outbox that checks first and writes
// afterwards passes.
const rounds = 200

func (b *box) claimRace() {
	var events []notify.Event
	for range rounds {
		events = append(events, event(1))
	}
	b.with(events...)
	var mu sync.Mutex
	var workers sync.WaitGroup
	start, times := make(chan struct{}), map[uuid.UUID]int{}
	for range 8 {
		workers.Go(func() {
			<-start
			for range rounds {
				due, err := b.ClaimDue(b.Context(), "a", hour(1), hour(2), 3)
				if err != nil {
					b.Errorf("ClaimDue: %v", err)
				}
				if len(due.Deliveries) == 0 {
					return
				}
				mu.Lock()
				for _, d := range due.Deliveries {
					times[d.Event.ID]++
				}
				mu.Unlock()
			}
		})
	}
	close(start)
	workers.Wait()
	for _, e := range events {
		if times[e.ID] != 1 {
			b.Fatalf("of 8 workers claiming at once %d got event %s; one must", times[e.ID], e.ID)
		}
	}
}

func (b *box) settleRace() {
	b.with(event(1))
	for range rounds {
		d := b.one()
		start, results := make(chan struct{}), make(chan error, 2)
		for range 2 {
			go func() {
				<-start
				results <- b.Settle(b.Context(), d)
			}()
		}
		close(start)
		first, second := <-results, <-results
		if (first == nil) == (second == nil) || !errors.Is(errors.Join(first, second), notify.ErrConflict) {
			b.Fatalf("two who settled one version got %v and %v: one must win, the other must get ErrConflict", first, second)
		}
	}
}

func (b *box) addRace() {
	b.register("a")
	var workers sync.WaitGroup
	start := make(chan struct{})
	for range 8 {
		workers.Go(func() {
			<-start
			for range rounds / 8 {
				b.add(event(1))
			}
		})
	}
	var claimed int
	workers.Go(func() {
		<-start
		for range rounds {
			due, err := b.ClaimDue(b.Context(), "a", hour(1), hour(2), 1)
			if err != nil {
				b.Errorf("ClaimDue: %v", err)
			}
			claimed += len(due.Deliveries)
		}
	})
	close(start)
	workers.Wait()
	if claimed += len(b.claim(hour(1), hour(2), 2*rounds).Deliveries); claimed != rounds {
		b.Errorf("of %d events that arrived while others claimed, %d were claimed", rounds, claimed)
	}
}

func (b *box) stale() {
	b.with(event(1))
	old := b.one()
	b.settle(old)
	now := b.one()
	ahead, changed := now, old
	ahead.Version += 5
	changed.Dead = true
	b.wantError("settling an old version", b.Settle(b.Context(), changed), notify.ErrConflict)
	b.wantError("settling a version that was never stored", b.Settle(b.Context(), ahead), notify.ErrConflict)
	b.same("after refused writes", now, b.one())
	b.wantError("settling one version twice in a call", b.Settle(b.Context(), now, now), notify.ErrConflict)
	b.same("after a call with one version twice", now, b.one())
}

func (b *box) allOrNone() {
	first, second := event(1), event(2)
	b.with(first, second)
	before := b.list(notify.DeliveryQuery{})
	b.want("listed", before, first, second)
	good, stale, unknown := before[0], before[1], before[1]
	good.Delivered, stale.Version, unknown.Event.ID = true, 77, uuid.New()
	b.wantError("a call with one stale version", b.Settle(b.Context(), good, stale), notify.ErrConflict)
	b.wantError("a call with one unknown delivery", b.Settle(b.Context(), good, unknown), notify.ErrNotFound)
	b.same("after calls that failed", before, b.list(notify.DeliveryQuery{}))
	if err := b.Settle(b.Context()); err != nil {
		b.Errorf("settling nothing gave %v", err)
	}
}

func (b *box) storedAsGiven() {
	b.with(event(1))
	want := b.one()
	for i, d := range []notify.Delivery{
		{Attempts: 3, Due: hour(4), LeaseUntil: hour(5).Add(time.Microsecond), LastError: "421 try ägain"},
		{Attempts: 0, Due: hour(2), Dead: true},
		{Attempts: 7, Due: hour(9), Delivered: true, LastError: "late"},
	} {
		d.Event, d.Subscriber, d.Version = want.Event, want.Subscriber, want.Version
		given := d
		given.Event = notify.Event{ID: d.Event.ID, Kind: "suite.other", At: hour(99)}
		b.settle(given)
		d.Version++
		want = b.one()
		b.same("settled delivery", d, want)
		if want.Version != int64(i+2) {
			b.Errorf("after %d calls the version is %d, want %d", i+1, want.Version, i+2)
		}
	}
}

func (b *box) keepsNothing() {
	kinds := []notify.Kind{"suite.event"}
	b.register("a", kinds...)
	kinds = slices.Clone(kinds)
	if err := b.Register(b.Context(), "b", kinds); err != nil {
		b.Fatalf("Register: %v", err)
	}
	kinds[0] = "overwritten"
	e := event(1)
	data := slices.Clone(e.Data)
	b.add(e)
	copy(e.Data, "XXXXXXXX")
	items := b.list(notify.DeliveryQuery{})
	if len(items) != 2 {
		b.Fatalf("who overwrites the kinds it registered changes what the outbox delivers: %d deliveries, want 2", len(items))
	}
	for _, d := range items {
		if !bytes.Equal(d.Event.Data, data) {
			b.Error("who overwrites an event's data overwrites the outbox")
		}
	}
	d := items[0]
	d.Event.Data = []byte(`{"n":2}`)
	b.settle(d)
	if got := b.ofEvent(e.ID, d.Subscriber).Event.Data; !bytes.Equal(got, data) {
		b.Errorf("Settle stored the data %s", got)
	}
}

func (b *box) handsOutNothing() {
	e := event(1)
	data := slices.Clone(e.Data)
	b.with(e)
	check := func(what string, d notify.Delivery) {
		copy(d.Event.Data, "XXXXXXXX")
		if got := b.one().Event.Data; !bytes.Equal(got, data) {
			b.Errorf("who overwrites what it %s overwrites the outbox", what)
		}
	}
	check("listed", b.one())
	for _, d := range b.claim(hour(1), hour(2), 1).Deliveries {
		check("claimed", d)
	}
}

func (b *box) times() {
	e := event(1)
	e.At = hour(1).Add(123456 * time.Microsecond)
	b.with(e)
	want := notify.Delivery{Event: e, Subscriber: "a", Due: e.At, Version: 1}
	b.same("listed", want, b.one())
	d := b.one()
	d.Due, d.LeaseUntil = hour(2).Add(time.Microsecond), hour(3).Add(-time.Microsecond)
	b.settle(d)
	d.Version++
	b.same("settled", d, b.one())
	got := b.claim(hour(3), hour(4).Add(999999*time.Microsecond), 1)
	if len(got.Deliveries) != 1 {
		b.Fatal("nothing was claimed at the end of the lease")
	}
	d.Version++
	d.LeaseUntil = hour(4).Add(999999 * time.Microsecond)
	b.same("claimed", d, got.Deliveries[0])
	d.LeaseUntil = time.Time{}
	b.settle(d)
	if got := b.one(); !got.LeaseUntil.IsZero() {
		b.Errorf("a zero LeaseUntil came back as %v", got.LeaseUntil)
	}
}

func (b *box) data() {
	e := event(1)
	e.ClientID, e.ServerID = uuid.New(), uuid.New()
	e.Data = []byte(`{"z":1.50, "a":"<b>ß\u2028 \u0000","n":123456789012345678901234567890,"list":[]}`)
	bare := notify.Event{ID: uuid.New(), Kind: "suite.event", At: hour(2), ResellerID: uuid.New(), Data: []byte(`{}`)}
	b.with(e, bare)
	items := b.list(notify.DeliveryQuery{})
	b.want("listed", items, e, bare)
	claimed := b.claim(hour(9), hour(10), 2).Deliveries
	b.want("claimed", claimed, e, bare)
	for i, want := range []notify.Event{e, bare} {
		b.same("a listed event", want, items[i].Event)
		b.same("a claimed event", want, claimed[i].Event)
	}
}
