package cancellation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// leftCall is a call of a host's part that was made for a cancellation, ignored its deadline and has not returned. As long as it has not,
// nothing else of that cancellation may run: a wipe that comes back must not find the next client. So this process keeps the lease.
type leftCall struct {
	failure  error
	returned <-chan struct{}
	begunAt  time.Time   // of the record: another value means that somebody else has begun something
	leases   []time.Time // what LeaseUntil may be while the record is ours: as stored last, or as in a commit with an unknown outcome
	renewAt  time.Time
}

// leftCalls are the calls that this process has left behind, by cancellation. It is safe for concurrent use.
type leftCalls struct {
	mu    sync.Mutex
	calls map[uuid.UUID]leftCall
}

// adopt reports whether a call for the cancellation has not returned. Its lease has ended and this process has claimed it again: it keeps
// the new lease.
func (l *leftCalls) adopt(c Cancellation, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	call, out := l.calls[c.ID]
	if out {
		call.leases, call.begunAt, call.renewAt = []time.Time{c.LeaseUntil}, c.BegunAt, now
		l.calls[c.ID] = call
	}
	return out
}

// out reports whether a call for the cancellation has not returned.
func (l *leftCalls) out(id uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	call, left := l.calls[id]
	return left && !call.hasReturned()
}

func (c leftCall) hasReturned() bool {
	select {
	case <-c.returned:
		return true
	default:
		return false
	}
}

func (l *leftCalls) add(id uuid.UUID, call leftCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = map[uuid.UUID]leftCall{}
	}
	l.calls[id] = call
}

// change changes a call, unless another one has taken its place.
func (l *leftCalls) change(id uuid.UUID, call leftCall, change func(*leftCall)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now, ok := l.calls[id]; ok && now.returned == call.returned {
		change(&now)
		l.calls[id] = now
	}
}

// remove removes a call, unless another one has taken its place.
func (l *leftCalls) remove(id uuid.UUID, call leftCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[id].returned == call.returned {
		delete(l.calls, id)
	}
}

// all returns a copy.
func (l *leftCalls) all() map[uuid.UUID]leftCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.calls)
}

// next returns when the first lease is to be renewed; zero: no call is out.
func (l *leftCalls) next() (next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, call := range l.calls {
		next = zone.Earlier(next, call.renewAt)
	}
	return next
}

// callFailed records that a call for a claimed cancellation failed, and returns the failure. A call that was left behind keeps the record.
func (m *Manager) callFailed(ctx context.Context, c Cancellation, failure error, now time.Time) error {
	var left *fault.LeftError
	if !errors.As(failure, &left) {
		return m.giveBack(ctx, c, failure, now)
	}
	d := c.stillOut(failure, now, m.config.Lease)
	m.left.add(c.ID, leftCall{
		failure: failure, returned: left.Returned, begunAt: c.BegunAt,
		leases: []time.Time{c.LeaseUntil, d.cancellation.LeaseUntil}, renewAt: now.Add(m.config.Lease / 2),
	})
	return errors.Join(failure, ignoreConflict(m.recordDecision(ctx, now, d)))
}

// stillOut records a failure of a call that has not returned, and keeps the lease.
func (c Cancellation) stillOut(failure error, now time.Time, lease time.Duration) decision {
	d := c.givenBack(c, failure, now)
	d.cancellation.BegunAt, d.cancellation.LeaseUntil = c.BegunAt, zone.Instant(now.Add(lease))
	return d
}

// keepLeft renews the leases of the calls that were left behind, and gives back the cancellations whose calls have returned.
func (m *Manager) keepLeft(ctx context.Context, now time.Time) error {
	var errs []error
	for id, call := range m.left.all() {
		switch {
		case call.hasReturned():
			err := m.updateLeft(ctx, id, call, now, func(c Cancellation) decision {
				c.BegunAt, c.LeaseUntil, c.RetryAt = time.Time{}, time.Time{}, now
				c.Due = c.due(Settings{}, now)
				return decision{cancellation: c}
			})
			if err == nil {
				m.left.remove(id, call)
			}
			errs = append(errs, err)
		case !now.Before(call.renewAt):
			errs = append(errs, m.updateLeft(ctx, id, call, now, func(c Cancellation) decision {
				return c.stillOut(call.failure, now, m.config.Lease)
			}))
		}
	}
	return errors.Join(errs...)
}

// updateLeft changes the record of a call that was left behind, as long as the record is ours.
func (m *Manager) updateLeft(
	ctx context.Context, id uuid.UUID, call leftCall, now time.Time, change func(Cancellation) decision,
) error {
	m.left.change(id, call, func(call *leftCall) { call.renewAt = now.Add(m.config.Lease / 8) }) // unless it succeeds
	_, err := manage.Operation[Cancellation, decision]{
		Read: func(ctx context.Context) (Cancellation, error) { return m.store.Cancellation(ctx, id) },
		Decide: func(c Cancellation) (decision, bool, error) {
			ours := c.State.Active() && c.BegunAt.Equal(call.begunAt) &&
				slices.ContainsFunc(call.leases, func(lease time.Time) bool { return lease.Equal(c.LeaseUntil) })
			if !ours {
				return decision{}, false, nil
			}
			d := change(c)
			m.left.change(id, call, func(call *leftCall) { // as stored, or as in a commit with an unknown outcome
				call.leases, call.renewAt = []time.Time{c.LeaseUntil, d.cancellation.LeaseUntil}, now.Add(m.config.Lease/2)
			})
			return d, true, nil
		},
		Commit: func(ctx context.Context, d decision) error { return m.commit(ctx, now, d) },
	}.Run(ctx)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return report(opTick, id, uuid.Nil, err)
}
