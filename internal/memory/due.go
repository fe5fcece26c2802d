// Package memory is the shared part of the library's in-memory stores: a table of versioned records, and a queue of due records
// with leases. Neither of them locks: the store that owns them does.
package memory

import (
	"bytes"
	"container/heap"
	"time"

	"github.com/google/uuid"
)

// DueQueue finds the due records that are not under a lease. The cost of a claim depends on the number of claimed records, and
// hardly on the number of stored ones. The zero value is an empty queue.
type DueQueue struct {
	items  map[uuid.UUID]*dueItem
	free   dueHeap // items whose lease ended before the last Claim, by due
	leased dueHeap // the others, by the end of their lease
}

type dueItem struct {
	id         uuid.UUID
	due, lease time.Time
	leased     bool // the item is in DueQueue.leased
	index      int  // in its heap
}

// Set stores when the record is due and when its lease ends. A zero due means never: Set removes the record from the queue.
func (q *DueQueue) Set(id uuid.UUID, due, lease time.Time) {
	q.Remove(id)
	if due.IsZero() {
		return
	}
	if q.items == nil {
		q.items = map[uuid.UUID]*dueItem{}
	}
	item := &dueItem{id: id, due: due, lease: lease, leased: !lease.IsZero()}
	q.items[id] = item
	heap.Push(q.heapOf(item), item)
}

// Remove removes the record from the queue.
func (q *DueQueue) Remove(id uuid.UUID) {
	item, ok := q.items[id]
	if !ok {
		return
	}
	delete(q.items, id)
	heap.Remove(q.heapOf(item), item.index)
}

// Claim leases the records that are due at now until the time until, at most limit of them, and returns their IDs: oldest first,
// records with equal due by ID. next is the earliest due of the other records that are not under a lease; zero: there are no such
// records.
func (q *DueQueue) Claim(now, until time.Time, limit int) (ids []uuid.UUID, next time.Time) {
	for len(q.leased.items) > 0 && !q.leased.items[0].lease.After(now) {
		q.move(&q.leased, false)
	}
	var claimed []*dueItem
	item := q.earliest(now)
	for item != nil && !item.due.After(now) && len(claimed) < limit {
		claimed = append(claimed, heap.Pop(&q.free).(*dueItem))
		item = q.earliest(now)
	}
	if item != nil {
		next = item.due
	}
	for _, item := range claimed {
		item.lease, item.leased = until, true
		heap.Push(&q.leased, item)
		ids = append(ids, item.id)
	}
	return ids, next
}

// earliest returns the record with the earliest due that is not under a lease at now, or nil. If an earlier call had a later now,
// a record in free may be under a lease again; earliest moves it back to leased.
func (q *DueQueue) earliest(now time.Time) *dueItem {
	for len(q.free.items) > 0 {
		if item := q.free.items[0]; !item.lease.After(now) {
			return item
		}
		q.move(&q.free, true)
	}
	return nil
}

// move moves the first item of a heap to the other heap.
func (q *DueQueue) move(from *dueHeap, leased bool) {
	item := heap.Pop(from).(*dueItem)
	item.leased = leased
	heap.Push(q.heapOf(item), item)
}

func (q *DueQueue) heapOf(item *dueItem) *dueHeap {
	if item.leased {
		return &q.leased
	}
	return &q.free
}

// dueHeap implements heap.Interface. Leased items are sorted by the end of their lease, free ones by due.
type dueHeap struct{ items []*dueItem }

func (h *dueHeap) Len() int { return len(h.items) }

func (h *dueHeap) Less(i, j int) bool {
	a, b := h.items[i], h.items[j]
	at, bt := a.due, b.due
	if a.leased {
		at, bt = a.lease, b.lease
	}
	if c := at.Compare(bt); c != 0 {
		return c < 0
	}
	return bytes.Compare(a.id[:], b.id[:]) < 0
}

func (h *dueHeap) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.items[i].index, h.items[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	item := x.(*dueItem)
	item.index = len(h.items)
	h.items = append(h.items, item)
}

func (h *dueHeap) Pop() any {
	last := len(h.items) - 1
	item := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	return item
}
