package notify

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/page"
)

// MemoryOutbox is the Outbox of the MemoryStores. It is for tests and small hosts. The zero value is empty and ready. It must
// not be copied after first use. Many goroutines may use it at once.
//
// The cost of a claim grows with the number of claimed deliveries only. The outbox keeps delivered events, and Deliveries
// lists them. A page holds 100 deliveries by default and at most 1000; its cost grows with everything that is kept.
type MemoryOutbox struct {
	mu      sync.Mutex
	content *outboxContent
}

var _ Outbox = (*MemoryOutbox)(nil)

type outboxContent struct {
	events map[uuid.UUID]struct{}
	rows   map[rowKey]*row
	queues map[string]*queue // by subscriber
	added  uint64            // the number of events so far
}

type rowKey struct {
	event      uuid.UUID
	subscriber string
}

// locked returns the content. The caller holds the lock.
func (o *MemoryOutbox) locked() *outboxContent {
	if o.content == nil {
		o.content = &outboxContent{
			events: map[uuid.UUID]struct{}{},
			rows:   map[rowKey]*row{},
			queues: map[string]*queue{},
		}
	}
	return o.content
}

// Append adds events. A Store calls it inside its Commit. It checks nothing and cannot fail. It ignores an event whose ID the
// outbox has.
func (o *MemoryOutbox) Append(events ...Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.locked()
	for _, e := range events {
		if _, exists := c.events[e.ID]; !exists {
			c.events[e.ID] = struct{}{}
			c.fanOut(e)
		}
	}
}

// fanOut makes a delivery for each subscriber of the event's kind.
func (c *outboxContent) fanOut(e Event) {
	c.added++
	e.Data = bytes.Clone(e.Data)
	for name, q := range c.queues {
		if q.allKinds || slices.Contains(q.kinds, e.Kind) {
			r := &row{
				Delivery: Delivery{Event: e, Subscriber: name, Due: e.At, Version: 1},
				sequence: sequenceID(c.added),
			}
			c.rows[rowKey{e.ID, name}] = r
			q.update(r)
		}
	}
}

// Register implements Outbox.
func (o *MemoryOutbox) Register(ctx context.Context, subscriber string, kinds []Kind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if subscriber == "" {
		return fmt.Errorf("%w: a subscriber without a name", ErrInvalid)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.locked()
	if c.queues[subscriber] == nil {
		c.queues[subscriber] = newQueue()
	}
	c.queues[subscriber].allKinds = kinds == nil
	c.queues[subscriber].kinds = slices.Clone(kinds)
	return nil
}

// ClaimDue implements Outbox.
func (o *MemoryOutbox) ClaimDue(ctx context.Context, subscriber string, now, until time.Time, limit int) (Due, error) {
	if err := ctx.Err(); err != nil {
		return Due{}, err
	}
	if limit < 1 {
		return Due{}, fmt.Errorf("%w: the limit of a claim is %d; it must be 1 or more", ErrInvalid, limit)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.locked().queues[subscriber]
	if q == nil {
		return Due{}, fmt.Errorf("subscriber %q: %w: it was never registered", subscriber, ErrNotFound)
	}
	return q.claim(now, until, limit), nil
}

// Settle implements Outbox.
func (o *MemoryOutbox) Settle(ctx context.Context, deliveries ...Delivery) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.locked()
	if err := c.checkVersions(deliveries); err != nil {
		return err
	}
	for _, d := range deliveries {
		r := c.rows[rowKey{d.Event.ID, d.Subscriber}]
		d.Event = r.Event
		d.Version++
		c.queues[d.Subscriber].replace(r, d)
	}
	return nil
}

// checkVersions compares the version of each delivery with the stored one. A delivery that occurs twice must have the next
// version at its second occurrence.
func (c *outboxContent) checkVersions(deliveries []Delivery) error {
	raised := map[*row]int64{}
	for _, d := range deliveries {
		r := c.rows[rowKey{d.Event.ID, d.Subscriber}]
		if r == nil {
			return fmt.Errorf("delivery of event %s to %q: %w", d.Event.ID, d.Subscriber, ErrNotFound)
		}
		if stored := r.Version + raised[r]; d.Version != stored {
			return fmt.Errorf("delivery of event %s to %q has version %d, not %d: %w",
				d.Event.ID, d.Subscriber, stored, d.Version, ErrConflict)
		}
		raised[r]++
	}
	return nil
}

// Deliveries implements Outbox.
func (o *MemoryOutbox) Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []*row
	for _, r := range o.locked().rows {
		if q.matches(&r.Delivery) {
			found = append(found, r)
		}
	}
	rows, next, err := page.Cut("deliveries", found, (*row).key, q.Limit, q.After)
	if err != nil {
		return nil, "", err
	}
	items := make([]Delivery, len(rows))
	for i, r := range rows {
		items[i] = r.clone()
	}
	return items, next, nil
}

func (q DeliveryQuery) matches(d *Delivery) bool {
	return (q.Subscriber == "" || q.Subscriber == d.Subscriber) &&
		(q.Event == uuid.Nil || q.Event == d.Event.ID) &&
		(q.ResellerID == uuid.Nil || q.ResellerID == d.Event.ResellerID) &&
		(!q.Dead || d.Dead)
}

// Depth implements Outbox.
func (o *MemoryOutbox) Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, time.Time{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range o.locked().queues {
		dead += q.dead
		waiting += len(q.waiting)
		for _, r := range q.waiting {
			if oldest.IsZero() || r.Event.At.Before(oldest) {
				oldest = r.Event.At
			}
		}
	}
	return waiting, dead, oldest, nil
}
