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

// row is a stored delivery. Its place says in which order the events arrived, as a DueQueue breaks ties.
type row struct {
	Delivery
	place uuid.UUID
}

func (r *row) waiting() bool { return !r.Delivered && !r.Dead }

// copy shares nothing with the outbox.
func (r *row) copy() Delivery {
	d := r.Delivery
	d.Event.Data = bytes.Clone(d.Event.Data)
	return d
}

func placeOf(arrival uint64) (place uuid.UUID) {
	binary.BigEndian.PutUint64(place[8:], arrival)
	return place
}

// key sorts by the event's time, its ID and the subscriber.
func (r *row) key() page.Key {
	return page.Key{Sort: page.SortTime(r.Event.At) + r.Event.ID.String() + r.Subscriber, ID: r.Event.ID}
}

// queue is what waits for one subscriber.
type queue struct {
	all      bool // kinds
	kinds    []Kind
	rows     map[uuid.UUID]*row   // by place
	subjects map[uuid.UUID][]*row // in order of their places
	due      memory.DueQueue      // by place: of a subject's rows the first alone
	dead     int
}

func newQueue() *queue {
	return &queue{rows: map[uuid.UUID]*row{}, subjects: map[uuid.UUID][]*row{}}
}

// claim leases what is due.
func (q *queue) claim(now, until time.Time, limit int) Due {
	places, next := q.due.Claim(now, until, limit)
	due := Due{Next: next}
	for _, place := range places {
		r := q.rows[place]
		r.LeaseUntil = until
		r.Version++
		due.Deliveries = append(due.Deliveries, r.copy())
	}
	return due
}

// settle stores what became of a row.
func (q *queue) settle(r *row, d Delivery) {
	if r.Dead {
		q.dead--
	}
	r.Delivery = d
	if r.Dead {
		q.dead++
	}
	q.place(r)
}

// place puts a row where its state belongs.
func (q *queue) place(r *row) {
	if r.waiting() {
		q.rows[r.place] = r
	} else {
		delete(q.rows, r.place)
	}
	q.due.Remove(r.place)
	if r.Event.SubjectID != uuid.Nil {
		r = q.first(r)
	}
	if r != nil && r.waiting() {
		q.due.Set(r.place, startOf(r.Due), r.LeaseUntil)
	}
}

// first puts a row into its subject's, or takes it out, and returns the first of them: the one that may be claimed.
func (q *queue) first(r *row) *row {
	subject := r.Event.SubjectID
	rows := q.subjects[subject]
	i, in := slices.BinarySearchFunc(rows, r, func(a, b *row) int { return bytes.Compare(a.place[:], b.place[:]) })
	switch {
	case r.waiting() && !in:
		if i == 0 && len(rows) > 0 {
			q.due.Remove(rows[0].place)
		}
		rows = slices.Insert(rows, i, r)
	case !r.waiting() && in:
		rows = slices.Delete(rows, i, i+1)
	}
	if len(rows) == 0 {
		delete(q.subjects, subject)
		return nil
	}
	q.subjects[subject] = rows
	return rows[0]
}

// startOf keeps a zero due from meaning never, as it does to a DueQueue.
func startOf(due time.Time) time.Time {
	if due.IsZero() {
		return due.Add(1)
	}
	return due
}
