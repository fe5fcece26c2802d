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

// MemoryOutbox is the Outbox of the MemoryStores. The zero value is empty and ready; it must not be copied once used. What
// a claim costs follows what is claimed, not what waits or was delivered. What was delivered is kept, for Deliveries, whose
// pages hold 100 by default and 1000 at most and cost as much as all that is kept.
type MemoryOutbox struct {
	mu   sync.Mutex
	held *outboxState
}

var _ Outbox = (*MemoryOutbox)(nil)

type outboxState struct {
	events  map[uuid.UUID]struct{}
	rows    map[rowKey]*row
	queues  map[string]*queue // by subscriber
	arrived uint64
}

type rowKey struct {
	event      uuid.UUID
	subscriber string
}

// state is called under the lock.
func (o *MemoryOutbox) state() *outboxState {
	if o.held == nil {
		o.held = &outboxState{
			events: map[uuid.UUID]struct{}{},
			rows:   map[rowKey]*row{},
			queues: map[string]*queue{},
		}
	}
	return o.held
}

// Append adds events. It checks nothing, cannot fail, and ignores an event whose ID it has. A Store calls it inside its
// Commit.
func (o *MemoryOutbox) Append(events ...Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.state()
	for _, e := range events {
		if _, known := s.events[e.ID]; !known {
			s.events[e.ID] = struct{}{}
			s.fanOut(e)
		}
	}
}

func (s *outboxState) fanOut(e Event) {
	s.arrived++
	e.Data = bytes.Clone(e.Data)
	for name, q := range s.queues {
		if q.all || slices.Contains(q.kinds, e.Kind) {
			r := &row{
				Delivery: Delivery{Event: e, Subscriber: name, Due: e.At, Version: 1},
				place:    placeOf(s.arrived),
			}
			s.rows[rowKey{e.ID, name}] = r
			q.place(r)
		}
	}
}

// Register makes the subscriber known, or replaces its kinds.
func (o *MemoryOutbox) Register(ctx context.Context, subscriber string, kinds []Kind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if subscriber == "" {
		return fmt.Errorf("%w: a subscriber without a name", ErrInvalid)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.state()
	if s.queues[subscriber] == nil {
		s.queues[subscriber] = newQueue()
	}
	s.queues[subscriber].all = kinds == nil
	s.queues[subscriber].kinds = slices.Clone(kinds)
	return nil
}

// ClaimDue leases what is due.
func (o *MemoryOutbox) ClaimDue(ctx context.Context, subscriber string, now, until time.Time, limit int) (Due, error) {
	if err := ctx.Err(); err != nil {
		return Due{}, err
	}
	if limit < 1 {
		return Due{}, fmt.Errorf("%w: a claim of %d deliveries: 1 or more are wanted", ErrInvalid, limit)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.state().queues[subscriber]
	if q == nil {
		return Due{}, fmt.Errorf("subscriber %q: %w: it was never registered", subscriber, ErrNotFound)
	}
	return q.claim(now, until, limit), nil
}

// Settle writes what became of deliveries.
func (o *MemoryOutbox) Settle(ctx context.Context, deliveries ...Delivery) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.state()
	if err := s.checkVersions(deliveries); err != nil {
		return err
	}
	for _, d := range deliveries {
		r := s.rows[rowKey{d.Event.ID, d.Subscriber}]
		d.Event = r.Event
		d.Version++
		s.queues[d.Subscriber].settle(r, d)
	}
	return nil
}

// checkVersions compares each delivery with what is stored once those before it are.
func (s *outboxState) checkVersions(deliveries []Delivery) error {
	raised := map[*row]int64{}
	for _, d := range deliveries {
		r := s.rows[rowKey{d.Event.ID, d.Subscriber}]
		if r == nil {
			return fmt.Errorf("delivery of event %s to %q: %w", d.Event.ID, d.Subscriber, ErrNotFound)
		}
		if stored := r.Version + raised[r]; d.Version != stored {
			return fmt.Errorf("delivery of event %s to %q is at version %d, not %d: %w",
				d.Event.ID, d.Subscriber, stored, d.Version, ErrConflict)
		}
		raised[r]++
	}
	return nil
}

// Deliveries lists what waits, what is dead and what was delivered.
func (o *MemoryOutbox) Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []*row
	for _, r := range o.state().rows {
		if q.matches(&r.Delivery) {
			found = append(found, r)
		}
	}
	rows, next, err := page.Of("deliveries", found, (*row).key, q.Limit, q.After)
	if err != nil {
		return nil, "", err
	}
	items := make([]Delivery, len(rows))
	for i, r := range rows {
		items[i] = r.copy()
	}
	return items, next, nil
}

func (q DeliveryQuery) matches(d *Delivery) bool {
	return (q.Subscriber == "" || q.Subscriber == d.Subscriber) &&
		(q.Event == uuid.Nil || q.Event == d.Event.ID) &&
		(q.ResellerID == uuid.Nil || q.ResellerID == d.Event.ResellerID) &&
		(!q.Dead || d.Dead)
}

// Depth counts what waits and what is dead.
func (o *MemoryOutbox) Depth(ctx context.Context) (waiting, dead int, oldest time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, time.Time{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range o.state().queues {
		dead += q.dead
		waiting += len(q.rows)
		for _, r := range q.rows {
			if oldest.IsZero() || r.Event.At.Before(oldest) {
				oldest = r.Event.At
			}
		}
	}
	return waiting, dead, oldest, nil
}
