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

// rounds is how often a race is run. With few rounds, or without a start barrier, an outbox that checks first and writes later
// passes.
const rounds = 200

func (f *outboxFixture) claimRace() {
	var events []notify.Event
	for range rounds {
		events = append(events, event(1))
	}
	f.with(events...)
	var mu sync.Mutex
	var workers sync.WaitGroup
	start, times := make(chan struct{}), map[uuid.UUID]int{}
	for range 8 {
		workers.Go(func() {
			<-start
			for range rounds {
				due, err := f.ClaimDue(f.Context(), "a", hour(1), hour(2), 3)
				if err != nil {
					f.Errorf("ClaimDue: %v", err)
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
			f.Fatalf("of 8 goroutines that claim at once %d got event %s; one must", times[e.ID], e.ID)
		}
	}
}

func (f *outboxFixture) settleRace() {
	f.with(event(1))
	for range rounds {
		d := f.one()
		start, results := make(chan struct{}), make(chan error, 2)
		for range 2 {
			go func() {
				<-start
				results <- f.Settle(f.Context(), d)
			}()
		}
		close(start)
		first, second := <-results, <-results
		if (first == nil) == (second == nil) || !errors.Is(errors.Join(first, second), notify.ErrConflict) {
			f.Fatalf("two calls that settle one version returned %v and %v: one must succeed, the other must return ErrConflict", first, second)
		}
	}
}

func (f *outboxFixture) addRace() {
	f.register("a")
	var workers sync.WaitGroup
	start := make(chan struct{})
	for range 8 {
		workers.Go(func() {
			<-start
			for range rounds / 8 {
				f.add(event(1))
			}
		})
	}
	var claimed int
	workers.Go(func() {
		<-start
		for range rounds {
			due, err := f.ClaimDue(f.Context(), "a", hour(1), hour(2), 1)
			if err != nil {
				f.Errorf("ClaimDue: %v", err)
			}
			claimed += len(due.Deliveries)
		}
	})
	close(start)
	workers.Wait()
	if claimed += len(f.claim(hour(1), hour(2), 2*rounds).Deliveries); claimed != rounds {
		f.Errorf("of %d events that were added during claims, %d were claimed", rounds, claimed)
	}
}

func (f *outboxFixture) stale() {
	f.with(event(1))
	old := f.one()
	f.settle(old)
	now := f.one()
	newer, changed := now, old
	newer.Version += 5
	changed.Dead = true
	f.wantError("settling an old version", f.Settle(f.Context(), changed), notify.ErrConflict)
	f.wantError("settling a version that was never stored", f.Settle(f.Context(), newer), notify.ErrConflict)
	f.same("after refused writes", now, f.one())
	f.wantError("settling one version twice in a call", f.Settle(f.Context(), now, now), notify.ErrConflict)
	f.same("after a call with one version twice", now, f.one())
}

func (f *outboxFixture) allOrNone() {
	first, second := event(1), event(2)
	f.with(first, second)
	before := f.list(notify.DeliveryQuery{})
	f.want("listed", before, first, second)
	good, stale, unknown := before[0], before[1], before[1]
	good.Delivered, stale.Version, unknown.Event.ID = true, 77, uuid.New()
	f.wantError("a call with one stale version", f.Settle(f.Context(), good, stale), notify.ErrConflict)
	f.wantError("a call with one unknown delivery", f.Settle(f.Context(), good, unknown), notify.ErrNotFound)
	f.same("after calls that failed", before, f.list(notify.DeliveryQuery{}))
	if err := f.Settle(f.Context()); err != nil {
		f.Errorf("Settle without deliveries returned %v", err)
	}
}

func (f *outboxFixture) storedAsGiven() {
	f.with(event(1))
	want := f.one()
	for i, d := range []notify.Delivery{
		{Attempts: 3, Due: hour(4), LeaseUntil: hour(5).Add(time.Microsecond), LastError: "421 try ägain"},
		{Attempts: 0, Due: hour(2), Dead: true},
		{Attempts: 7, Due: hour(9), Delivered: true, LastError: "late"},
	} {
		d.Event, d.Subscriber, d.Version = want.Event, want.Subscriber, want.Version
		given := d
		given.Event = notify.Event{ID: d.Event.ID, Kind: "suite.other", At: hour(99)}
		f.settle(given)
		d.Version++
		want = f.one()
		f.same("settled delivery", d, want)
		if want.Version != int64(i+2) {
			f.Errorf("after %d calls the version is %d, want %d", i+1, want.Version, i+2)
		}
	}
}

func (f *outboxFixture) keepsNothing() {
	kinds := []notify.Kind{"suite.event"}
	f.register("a", kinds...)
	kinds = slices.Clone(kinds)
	if err := f.Register(f.Context(), "b", kinds); err != nil {
		f.Fatalf("Register: %v", err)
	}
	kinds[0] = "overwritten"
	e := event(1)
	data := slices.Clone(e.Data)
	f.add(e)
	copy(e.Data, "XXXXXXXX")
	items := f.list(notify.DeliveryQuery{})
	if len(items) != 2 {
		f.Fatalf("a change of the slice of kinds after Register has changed the kinds: %d deliveries, want 2", len(items))
	}
	for _, d := range items {
		if !bytes.Equal(d.Event.Data, data) {
			f.Error("a change of an event's data after it was added has changed the stored event")
		}
	}
	d := items[0]
	d.Event.Data = []byte(`{"n":2}`)
	f.settle(d)
	if got := f.ofEvent(e.ID, d.Subscriber).Event.Data; !bytes.Equal(got, data) {
		f.Errorf("Settle stored the data %s", got)
	}
}

func (f *outboxFixture) handsOutNothing() {
	e := event(1)
	data := slices.Clone(e.Data)
	f.with(e)
	check := func(what string, d notify.Delivery) {
		copy(d.Event.Data, "XXXXXXXX")
		if got := f.one().Event.Data; !bytes.Equal(got, data) {
			f.Errorf("a change of a %s delivery's data has changed the stored event", what)
		}
	}
	check("listed", f.one())
	for _, d := range f.claim(hour(1), hour(2), 1).Deliveries {
		check("claimed", d)
	}
}

func (f *outboxFixture) times() {
	e := event(1)
	e.At = hour(1).Add(123456 * time.Microsecond)
	f.with(e)
	want := notify.Delivery{Event: e, Subscriber: "a", Due: e.At, Version: 1}
	f.same("listed", want, f.one())
	d := f.one()
	d.Due, d.LeaseUntil = hour(2).Add(time.Microsecond), hour(3).Add(-time.Microsecond)
	f.settle(d)
	d.Version++
	f.same("settled", d, f.one())
	got := f.claim(hour(3), hour(4).Add(999999*time.Microsecond), 1)
	if len(got.Deliveries) != 1 {
		f.Fatal("nothing was claimed at the end of the lease")
	}
	d.Version++
	d.LeaseUntil = hour(4).Add(999999 * time.Microsecond)
	f.same("claimed", d, got.Deliveries[0])
	d.LeaseUntil = time.Time{}
	f.settle(d)
	if got := f.one(); !got.LeaseUntil.IsZero() {
		f.Errorf("a zero LeaseUntil came back as %v", got.LeaseUntil)
	}
}

func (f *outboxFixture) data() {
	e := event(1)
	e.ClientID, e.ServerID = uuid.New(), uuid.New()
	e.Data = []byte(`{"z":1.50, "a":"<b>ß\u2028 \u0000","n":123456789012345678901234567890,"list":[]}`)
	bare := notify.Event{ID: uuid.New(), Kind: "suite.event", At: hour(2), ResellerID: uuid.New(), Data: []byte(`{}`)}
	f.with(e, bare)
	items := f.list(notify.DeliveryQuery{})
	f.want("listed", items, e, bare)
	claimed := f.claim(hour(9), hour(10), 2).Deliveries
	f.want("claimed", claimed, e, bare)
	for i, want := range []notify.Event{e, bare} {
		f.same("a listed event", want, items[i].Event)
		f.same("a claimed event", want, claimed[i].Event)
	}
}
