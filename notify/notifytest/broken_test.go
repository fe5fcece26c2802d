package notifytest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/storetest"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/notify/notifytest"
)

// outbox is a MemoryOutbox, but for the functions that are set.
type outbox struct {
	*notify.MemoryOutbox
	mu       sync.Mutex // held during edits of deliveries and events
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

// stored returns the stored state of a delivery.
func (o *outbox) stored(ctx context.Context, d notify.Delivery) (notify.Delivery, bool) {
	items, _, err := o.MemoryOutbox.Deliveries(ctx, notify.DeliveryQuery{Subscriber: d.Subscriber, Event: d.Event.ID})
	if err != nil || len(items) == 0 {
		return notify.Delivery{}, false
	}
	return items[0], true
}

// overwrite writes deliveries one by one and checks no versions.
func (o *outbox) overwrite(ctx context.Context, list ...notify.Delivery) error {
	var all error
	for _, d := range list {
		err := notify.ErrConflict
		for errors.Is(err, notify.ErrConflict) {
			stored, ok := o.stored(ctx, d)
			if !ok {
				err = notify.ErrNotFound
				break
			}
			d.Version = stored.Version
			err = o.MemoryOutbox.Settle(ctx, d)
		}
		all = errors.Join(all, err)
	}
	return all
}

// editAll edits every delivery that the outbox returns.
func (o *outbox) editAll(edit func(*notify.Delivery)) {
	o.editListed(edit)
	o.editClaimed(edit)
}

func (o *outbox) editListed(edit func(*notify.Delivery)) {
	o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
		items, next, err := o.MemoryOutbox.Deliveries(ctx, q)
		o.mu.Lock()
		defer o.mu.Unlock()
		for i := range items {
			edit(&items[i])
		}
		return items, next, err
	}
}

func (o *outbox) editClaimed(edit func(*notify.Delivery)) {
	o.claim = func(ctx context.Context, name string, now, until time.Time, limit int) (notify.Due, error) {
		due, err := o.MemoryOutbox.ClaimDue(ctx, name, now, until, limit)
		o.mu.Lock()
		defer o.mu.Unlock()
		for i := range due.Deliveries {
			edit(&due.Deliveries[i])
		}
		return due, err
	}
}

// editQueries edits the queries of lists.
func (o *outbox) editQueries(edit func(*notify.DeliveryQuery)) {
	o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
		edit(&q)
		return o.MemoryOutbox.Deliveries(ctx, q)
	}
}

// editAdded edits events before the outbox stores them.
func (o *outbox) editAdded(edit func(*notify.Event)) {
	o.add = func(events ...notify.Event) {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, e := range events {
			edit(&e)
			o.Append(e)
		}
	}
}

// deliveries breaks lists and claims in the ways that package storetest has for all stores.
func deliveries() storetest.Fields[notify.Delivery, notify.DeliveryQuery, struct{}, notify.Due] {
	return storetest.Fields[notify.Delivery, notify.DeliveryQuery, struct{}, notify.Due]{
		Meta:    func(d *notify.Delivery) storetest.Meta { return storetest.Meta{ID: &d.Event.ID, Version: &d.Version} },
		Page:    func(q *notify.DeliveryQuery) (limit *int, after *string) { return &q.Limit, &q.After },
		Claimed: func(d *notify.Due) (*[]notify.Delivery, *time.Time) { return &d.Deliveries, &d.Next },
		Unread:  func(d *notify.Due) *[]notify.Unreadable { return &d.Unreadable },
	}
}

type (
	claimFunc = storetest.ClaimFunc[notify.Due]
	listFunc  = storetest.ListFunc[notify.Delivery, notify.DeliveryQuery]
)

// breaks returns a run of the suite on outboxes that change has changed. The run must fail at line.
func breaks(line, name string, change func(o *outbox)) storetest.Broken {
	return storetest.Broken{Name: name, Line: line, Run: func(t *testing.T) {
		notifytest.TestOutbox(t, func(*testing.T) (notify.Outbox, func(...notify.Event)) {
			o := &outbox{MemoryOutbox: &notify.MemoryOutbox{}}
			o.add = o.Append
			change(o)
			return o, func(e ...notify.Event) { o.add(e...) }
		})
	}}
}

// breaksClaims returns a run on outboxes with a broken ClaimDue.
func breaksClaims(line, name string, change func(claimFunc) claimFunc) storetest.Broken {
	return breaks(line, name, func(o *outbox) {
		o.claim = func(ctx context.Context, subscriber string, now, until time.Time, limit int) (notify.Due, error) {
			return change(func(ctx context.Context, now, until time.Time, limit int) (notify.Due, error) {
				return o.MemoryOutbox.ClaimDue(ctx, subscriber, now, until, limit)
			})(ctx, now, until, limit)
		}
	})
}

// breaksLists returns a run on outboxes with broken Deliveries. They ignore the reseller of the list.
func breaksLists(line, name string, change func(listFunc) listFunc) storetest.Broken {
	return breaks(line, name, func(o *outbox) {
		broken := change(func(ctx context.Context, _ uuid.UUID, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
			return o.MemoryOutbox.Deliveries(ctx, q)
		})
		o.list = func(ctx context.Context, q notify.DeliveryQuery) ([]notify.Delivery, string, error) {
			return broken(ctx, q.ResellerID, q)
		}
	})
}

// TestBrokenOutboxes checks that the suite fails for every sort of broken outbox.
func TestBrokenOutboxes(t *testing.T) {
	t.Parallel()
	storetest.Fails(t, slices.Concat(brokenWrites(), brokenReads(), brokenClaims(), brokenSubjects())...)
}
