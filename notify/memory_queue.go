package notify

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/memory"
	"github.com/metalkeep/metalkeep/internal/page"
)

// row is a stored delivery. Its sequence grows from event to event; a memory.DueQueue breaks ties by it.
type row struct {
	Delivery
	sequence uuid.UUID
}

func (r *row) isWaiting() bool { return !r.Delivered && !r.Dead }

// clone returns a copy that shares no memory with the row.
func (r *row) clone() Delivery {
	d := r.Delivery
	d.Event.Data = bytes.Clone(d.Event.Data)
	return d
}

// sequenceID writes a number as an ID, so that IDs sort like the numbers.
func sequenceID(n uint64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// key sorts rows by the event's time, the event's ID and the subscriber.
func (r *row) key() page.Key {
	return page.Key{Sort: page.SortTime(r.Event.At) + r.Event.ID.String() + r.Subscriber, ID: r.Event.ID}
}

// queue holds the deliveries of one subscriber.
type queue struct {
	allKinds bool
	kinds    []Kind
	waiting  map[uuid.UUID]*row   // by sequence
	subjects map[uuid.UUID][]*row // the waiting rows of each subject, sorted by sequence
	due      memory.DueQueue      // the claimable rows, by sequence: of each subject only the first
	dead     int
}

func newQueue() *queue {
	return &queue{waiting: map[uuid.UUID]*row{}, subjects: map[uuid.UUID][]*row{}}
}

// claim claims deliveries that are due.
func (q *queue) claim(now, until time.Time, limit int) Due {
	claimed, next := q.due.Claim(now, until, limit)
	due := Due{Next: next}
	for _, sequence := range claimed {
		r := q.waiting[sequence]
		r.LeaseUntil = until
		r.Version++
		due.Deliveries = append(due.Deliveries, r.clone())
	}
	return due
}

// replace stores a new state of a row's delivery.
func (q *queue) replace(r *row, d Delivery) {
	if r.Dead {
		q.dead--
	}
	r.Delivery = d
	if r.Dead {
		q.dead++
	}
	q.update(r)
}

// update brings the indexes in line with the state of a row.
func (q *queue) update(r *row) {
	if r.isWaiting() {
		q.waiting[r.sequence] = r
	} else {
		delete(q.waiting, r.sequence)
	}
	q.due.Remove(r.sequence)
	if r.Event.SubjectID != uuid.Nil {
		r = q.updateSubject(r)
	}
	if r != nil && r.isWaiting() {
		q.due.Set(r.sequence, neverZero(r.Due), r.LeaseUntil)
	}
}

// updateSubject adds a row to its subject or removes it, and returns the subject's claimable row; nil: there is none.
func (q *queue) updateSubject(r *row) *row {
	subject := r.Event.SubjectID
	rows := q.subjects[subject]
	i, present := slices.BinarySearchFunc(rows, r, func(a, b *row) int { return bytes.Compare(a.sequence[:], b.sequence[:]) })
	switch {
	case r.isWaiting() && !present:
		if i == 0 && len(rows) > 0 {
			q.due.Remove(rows[0].sequence)
		}
		rows = slices.Insert(rows, i, r)
	case !r.isWaiting() && present:
		rows = slices.Delete(rows, i, i+1)
	}
	if len(rows) == 0 {
		delete(q.subjects, subject)
		return nil
	}
	q.subjects[subject] = rows
	return rows[0]
}

// neverZero replaces a zero Due. A delivery with a zero Due is due at any time, but a memory.DueQueue reads zero as never.
func neverZero(due time.Time) time.Time {
	if due.IsZero() {
		return due.Add(1)
	}
	return due
}
