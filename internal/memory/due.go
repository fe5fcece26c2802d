// Package memory holds what the library's in-memory stores share: a table of versioned records, and a queue of what is
// due under leases. Neither locks: the store that owns them does.
package memory

import (
	"bytes"
	"container/heap"
	"time"

	"github.com/google/uuid"
)

// DueQueue knows which records are due and not under a lease. What it costs to claim follows what is claimed, not what
// is kept. The zero value is empty and ready.
type DueQueue struct {
	at      map[uuid.UUID]*dueItem
	ready   dueHeap // by due, not leased as far as we know
	waiting dueHeap // by the end of the lease
}

type dueItem struct {
	id         uuid.UUID
	due, lease time.Time
	leased     bool // in waiting
	place      int
}

// Set records when id is due and until when it is leased. A zero due means never: the record leaves the queue.
func (q *DueQueue) Set(id uuid.UUID, due, lease time.Time) {
	q.Remove(id)
	if due.IsZero() {
		return
	}
	if q.at == nil {
		q.at = map[uuid.UUID]*dueItem{}
	}
	item := &dueItem{id: id, due: due, lease: lease, leased: !lease.IsZero()}
	q.at[id] = item
	heap.Push(q.heapOf(item), item)
}

// Remove takes id out of the queue.
func (q *DueQueue) Remove(id uuid.UUID) {
	item, ok := q.at[id]
	if !ok {
		return
	}
	delete(q.at, id)
	heap.Remove(q.heapOf(item), item.place)
}

// Claim leases what is due at now until until, limit records at the most, and returns their IDs, oldest first, ties by
// ID. next is when the earliest record that is neither claimed nor under a lease is due; zero: none is.
func (q *DueQueue) Claim(now, until time.Time, limit int) (ids []uuid.UUID, next time.Time) {
	for len(q.waiting.items) > 0 && !q.waiting.items[0].lease.After(now) {
		q.move(&q.waiting, false)
	}
	var claimed []*dueItem
	item := q.earliest(now)
	for item != nil && !item.due.After(now) && len(claimed) < limit {
		claimed = append(claimed, heap.Pop(&q.ready).(*dueItem))
		item = q.earliest(now)
	}
	if item != nil {
		next = item.due
	}
	for _, item := range claimed {
		item.lease, item.leased = until, true
		heap.Push(&q.waiting, item)
		ids = append(ids, item.id)
	}
	return ids, next
}

// earliest is the record due first that is not under a lease at now. One that is has been moved to the ready ones by a
// later now: it goes back.
func (q *DueQueue) earliest(now time.Time) *dueItem {
	for len(q.ready.items) > 0 {
		if item := q.ready.items[0]; !item.lease.After(now) {
			return item
		}
		q.move(&q.ready, true)
	}
	return nil
}

// move takes the first record of a heap to the other one.
func (q *DueQueue) move(from *dueHeap, leased bool) {
	item := heap.Pop(from).(*dueItem)
	item.leased = leased
	heap.Push(q.heapOf(item), item)
}

func (q *DueQueue) heapOf(item *dueItem) *dueHeap {
	if item.leased {
		return &q.waiting
	}
	return &q.ready
}

// dueHeap implements heap.Interface: leased records by the end of the lease, the others by due.
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
	h.items[i].place, h.items[j].place = i, j
}

func (h *dueHeap) Push(x any) {
	item := x.(*dueItem)
	item.place = len(h.items)
	h.items = append(h.items, item)
}

func (h *dueHeap) Pop() any {
	last := len(h.items) - 1
	item := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	return item
}
