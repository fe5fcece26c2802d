// Package memory is the shared part of the library's in-memory stores: a table of versioned records, and a queue of due records
// with leases. Neither of them locks: the store that owns them does.
package memory

import (
	"bytes"
	"container/heap"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/lease"
)

// DueQueue finds the due records that are not under a lease. The cost of a claim depends on the number of claimed records, and
// hardly on the number of stored ones. The zero value is an empty queue.
//
// A leased record is in two heaps, because its lease can end in two ways: at its end, and because it is too far ahead (see package
// lease). The first of leased ends first; the first of farthest is the furthest ahead.
type DueQueue struct {
	items    map[uuid.UUID]*dueItem
	free     dueHeap // items whose lease had ended at the last Claim, by due
	leased   dueHeap // the others, by the end of their lease
	farthest dueHeap // the same items as in leased, in reverse
}

type dueItem struct {
	id         uuid.UUID
	due, lease time.Time
	leased     bool           // the item is in DueQueue.leased and farthest, otherwise in free
	index      [heapSorts]int // in each heap
}

// Set stores when the record is due and when its lease ends. A zero due means never: Set removes the record from the queue.
func (q *DueQueue) Set(id uuid.UUID, due, leaseUntil time.Time) {
	q.Remove(id)
	if due.IsZero() {
		return
	}
	if q.items == nil {
		q.items = map[uuid.UUID]*dueItem{}
	}
	item := &dueItem{id: id, due: due, lease: leaseUntil, leased: !leaseUntil.IsZero()}
	q.items[id] = item
	q.push(item)
}

// Remove removes the record from the queue.
func (q *DueQueue) Remove(id uuid.UUID) {
	item, ok := q.items[id]
	if !ok {
		return
	}
	delete(q.items, id)
	q.pull(item)
}

// Claim leases the records that are due at now until the time until, at most limit of them, and returns their IDs: oldest first,
// records with equal due by ID. A lease that ends later than lease.Limit for this claim counts as ended. next is the earliest due of
// the other records that are not under a lease; zero: there are no such records.
func (q *DueQueue) Claim(now, until time.Time, limit int) (ids []uuid.UUID, next time.Time) {
	length := until.Sub(now)
	for len(q.leased.items) > 0 && !lease.Held(now, q.leased.items[0].lease, length) {
		q.move(q.leased.items[0], false)
	}
	for len(q.farthest.items) > 0 && !lease.Held(now, q.farthest.items[0].lease, length) {
		q.move(q.farthest.items[0], false)
	}
	var claimed []*dueItem
	item := q.earliest(now, length)
	for item != nil && !item.due.After(now) && len(claimed) < limit {
		q.pull(item)
		claimed = append(claimed, item)
		item = q.earliest(now, length)
	}
	if item != nil {
		next = item.due
	}
	for _, item := range claimed {
		item.lease, item.leased = until, true
		q.push(item)
		ids = append(ids, item.id)
	}
	return ids, next
}

// earliest returns the record with the earliest due that is not under a lease at now, or nil. If an earlier call had another now or
// another length, a record in free may be under a lease again; earliest moves it back to leased.
func (q *DueQueue) earliest(now time.Time, length time.Duration) *dueItem {
	for len(q.free.items) > 0 {
		item := q.free.items[0]
		if !lease.Held(now, item.lease, length) {
			return item
		}
		q.move(item, true)
	}
	return nil
}

// move moves an item to free or to the heaps of the leased ones.
func (q *DueQueue) move(item *dueItem, leased bool) {
	q.pull(item)
	item.leased = leased
	q.push(item)
}

func (q *DueQueue) push(item *dueItem) {
	for _, h := range q.heapsOf(item) {
		heap.Push(h, item)
	}
}

func (q *DueQueue) pull(item *dueItem) {
	for _, h := range q.heapsOf(item) {
		heap.Remove(h, item.index[h.sort])
	}
}

func (q *DueQueue) heapsOf(item *dueItem) []*dueHeap {
	q.leased.sort, q.farthest.sort = byLease, byLeaseReversed
	if item.leased {
		return []*dueHeap{&q.leased, &q.farthest}
	}
	return []*dueHeap{&q.free}
}

// heapSort is how a dueHeap is sorted.
type heapSort uint8

const (
	byDue heapSort = iota
	byLease
	byLeaseReversed
	heapSorts
)

// dueHeap implements heap.Interface.
type dueHeap struct {
	items []*dueItem
	sort  heapSort
}

func (h *dueHeap) Len() int { return len(h.items) }

func (h *dueHeap) Less(i, j int) bool {
	a, b := h.items[i], h.items[j]
	at, bt := a.due, b.due
	switch h.sort {
	case byLease:
		at, bt = a.lease, b.lease
	case byLeaseReversed:
		at, bt = b.lease, a.lease
	}
	if c := at.Compare(bt); c != 0 {
		return c < 0
	}
	return bytes.Compare(a.id[:], b.id[:]) < 0
}

func (h *dueHeap) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.items[i].index[h.sort], h.items[j].index[h.sort] = i, j
}

func (h *dueHeap) Push(x any) {
	item := x.(*dueItem)
	item.index[h.sort] = len(h.items)
	h.items = append(h.items, item)
}

func (h *dueHeap) Pop() any {
	last := len(h.items) - 1
	item := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	return item
}
