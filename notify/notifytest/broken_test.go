package notifytest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/notify/notifytest"
)

// outbox is a MemoryOutbox, but for the functions that are set.
type outbox struct {
	*notify.MemoryOutbox
	mu       sync.Mutex // held by what changes deliveries and events
	add      func(e ...notify.Event)
	register func(ctx context.Context, name string, kinds []notify.Kind) error
	claim    func(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error)
	settle   func(ctx context.Context, d ...notify.Delivery) error
	list     func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error)
	count    func(ctx context.Context) (int, int, time.Time, error)
}

func (o *outbox) Register(ctx context.Context, name string, kinds []notify.Kind) error {
	if o.register != nil {
		return o.register(ctx, name, kinds)
	}
	return o.MemoryOutbox.Register(ctx, name, kinds)
}

func (o *outbox) ClaimDue(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
	if o.claim != nil {
		return o.claim(ctx, name, now, until, limit)
	}
	return o.MemoryOutbox.ClaimDue(ctx, name, now, until, limit)
}

func (o *outbox) Settle(ctx context.Context, d ...notify.Delivery) error {
	if o.settle != nil {
		return o.settle(ctx, d...)
	}
	return o.MemoryOutbox.Settle(ctx, d...)
}

func (o *outbox) Deliveries(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
	if o.list != nil {
		return o.list(ctx, q)
	}
	return o.MemoryOutbox.Deliveries(ctx, q)
}

func (o *outbox) Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error) {
	if o.count != nil {
		return o.count(ctx)
	}
	return o.MemoryOutbox.Depth(ctx)
}

// stored reads a delivery as it is.
func (o *outbox) stored(ctx context.Context, d notify.Delivery) (notify.Delivery, bool) {
	items, _, err := o.MemoryOutbox.Deliveries(ctx, notify.DeliveryQuery{Subscriber: d.Subscriber, Event: d.Event.ID})
	if err != nil || len(items) == 0 {
		return notify.Delivery{}, false
	}
	return items[0], true
}

// force writes a delivery whatever its version.
func (o *outbox) force(ctx context.Context, d notify.Delivery) error {
	for {
		now, ok := o.stored(ctx, d)
		if !ok {
			return notify.ErrNotFound
		}
		d.Version = now.Version
		if o.MemoryOutbox.Settle(ctx, d) == nil {
			return nil
		}
	}
}

// changeAll changes every delivery that is handed out.
func (o *outbox) changeAll(change func(*notify.Delivery)) {
	o.changeListed(change)
	o.changeClaimed(change)
}

func (o *outbox) changeListed(change func(*notify.Delivery)) {
	o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
		items, next, err := o.MemoryOutbox.Deliveries(ctx, q)
		o.mu.Lock()
		defer o.mu.Unlock()
		for i := range items {
			change(&items[i])
		}
		return items, next, err
	}
}

func (o *outbox) changeClaimed(change func(*notify.Delivery)) {
	o.claim = func(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
		due, err := o.MemoryOutbox.ClaimDue(ctx, name, now, until, limit)
		o.mu.Lock()
		defer o.mu.Unlock()
		for i := range due.Deliveries {
			change(&due.Deliveries[i])
		}
		return due, err
	}
}

// changeQuery changes what is asked for.
func (o *outbox) changeQuery(change func(*notify.DeliveryQuery)) {
	o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
		change(&q)
		return o.MemoryOutbox.Deliveries(ctx, q)
	}
}

// changeAdded changes events before they are stored.
func (o *outbox) changeAdded(change func(*notify.Event)) {
	o.add = func(events ...notify.Event) {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, e := range events {
			change(&e)
			o.Append(e)
		}
	}
}

// breaks makes a case of an outbox that breaks a line.
func breaks(line, name string, harm func(o *outbox)) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		notifytest.TestOutbox(t, func(*testing.T) (notify.Outbox, func(...notify.Event)) {
			o := &outbox{MemoryOutbox: &notify.MemoryOutbox{}}
			o.add = o.Append
			harm(o)
			return o, func(e ...notify.Event) { o.add(e...) }
		})
	}}
}

// TestBrokenOutboxes: the suite finds what breaks any of its lines.
func TestBrokenOutboxes(t *testing.T) {
	t.Parallel()
	var cases []storetest.Broken
	cases = append(cases, brokenWrites()...)
	cases = append(cases, brokenReads()...)
	cases = append(cases, brokenClaims()...)
	storetest.Fails(t, cases...)
}
