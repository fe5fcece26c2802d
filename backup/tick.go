package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const (
	lease     = 5 * time.Minute // how long a claim lasts
	batchSize = 100             // how many requests are claimed and committed at once
)

// retryBackoff is how long a failed request or task waits.
func retryBackoff() backoff.Policy { return backoff.Policy{First: time.Minute, Max: time.Hour} }

var _ dedicated.Ticker = (*Manager)(nil)

// Tick does everything that is due, the oldest first, a bounded batch at a time. For each due request it reads the server; if
// the server has left its client, it ends the server's backups. It records the occurrences that fell due while a task was
// pending, and reminds the reseller once of an overdue task. With a Performer it has due tasks performed, and returns when
// none is left: that takes as long as the backups.
//
// If one request fails, Tick goes on with the others and joins the errors; the failed one is tried again later. A request
// that the Store cannot read is an error of its own, and the Store tries it again later. A second
// Tick at the same instant does nothing. next is the instant at which Tick should be called again; zero: nothing is planned.
// Other processes may call Tick at the same time. The errors are for the log: they repeat what the host's parts said.
func (m *Manager) Tick(ctx context.Context) (next time.Time, err error) {
	if m.config.Performer != nil {
		return m.performDue(ctx)
	}
	now := m.now()
	var errs []error
	var unread manage.Unread
	for {
		due, err := m.store.ClaimDue(ctx, now, now.Add(lease), batchSize)
		if err != nil {
			return time.Time{}, errors.Join(append(errs, report(OpTick, ids{}, err))...)
		}
		unreadable := unreadableErrors(&unread, due)
		errs = append(errs, unreadable...)
		if len(due.Requests)+len(unreadable) == 0 {
			return due.Next, errors.Join(errs...)
		}
		errs = append(errs, m.processBatch(ctx, due.Requests, now))
	}
}

// unreadableErrors are the errors for the claimed requests that the Store cannot read, each once a Tick.
func unreadableErrors(unread *manage.Unread, due Due) []error {
	var errs []error
	for _, u := range unread.Fresh(due.Unreadable) {
		errs = append(errs, report(OpTick, ids{request: u.ID}, manage.UnreadableError("backup request", u)))
	}
	return errs
}

// processBatch does what is due of claimed requests, in one commit. If somebody changed one meanwhile, that one is decided
// again by itself.
func (m *Manager) processBatch(ctx context.Context, claimed []Request, now time.Time) error {
	var errs []error
	var items []manage.Item[Change]
	var batch []Request // by item
	prefetched := m.prefetch(ctx, claimed)
	for _, r := range claimed {
		change, err := m.changeDue(ctx, r, prefetched, now)
		if err != nil {
			errs = append(errs, r.tickError(err))
		}
		if len(change.Requests) > 0 {
			items, batch = append(items, r.batchItem(change, now)), append(batch, r)
		}
	}
	conflicts, _, err := manage.CommitBatch(ctx, m.store.Commit, items)
	errs = append(errs, report(OpTick, ids{}, err))
	for _, i := range conflicts {
		_, err := m.processOne(ctx, batch[i], now)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// changeDue returns the change that is due of a claimed request. It is empty if the request was ended together with the others
// of its server. If deciding fails, the change gives the request back.
func (m *Manager) changeDue(ctx context.Context, claimed Request, p prefetched, now time.Time) (Change, error) {
	r, err := m.readDue(ctx, claimed, p, now)
	if err == nil && r.left() {
		return m.closeLeft(ctx, r, now)
	}
	var c Change
	if err == nil {
		c, err = r.due(m.config, now).change(now)
	}
	if err != nil {
		return claimed.givenBack(now), err
	}
	return c, nil
}

// readDue reads what a decision about a claimed request depends on. Whatever changes meanwhile makes the commit fail, because
// the claim has raised the request's version.
func (m *Manager) readDue(ctx context.Context, claimed Request, p prefetched, now time.Time) (r reading, err error) {
	r.request = claimed
	r.server, r.found, err = inventory.Server(ctx, p.servers, claimed.ResellerID, claimed.ServerID)
	if err != nil || r.left() {
		return r, err
	}
	known := false
	if r.open, known = p.open[claimed.ID]; !known {
		if r.open, err = m.openTasks(ctx, claimed); err != nil {
			return r, err
		}
	}
	r.taken, err = m.takenDates(ctx, claimed, now, false)
	return r, err
}

// due returns the series of a claimed request with everything that is due, and ends the lease.
func (r reading) due(config *Config, now time.Time) *series {
	s := r.series(config, now)
	s.request.ServerName = r.server.Name
	for _, t := range s.pending() {
		t.ServerName = r.server.Name
		if !t.RemindAt.IsZero() && !t.RemindAt.After(now) {
			t.RemindAt = time.Time{}
			s.facts = append(s.facts, s.taskFact(KindOverdue, t))
		}
	}
	s.request.LeaseUntil, s.request.Failures = time.Time{}, 0
	return s
}

// closeLeft ends all requests of a server that has left its client. If that fails, it returns the change that ends the claimed
// request alone, or gives it back: a request that the Store refuses holds up no other request of the server.
func (m *Manager) closeLeft(ctx context.Context, r reading, now time.Time) (Change, error) {
	err := m.closeAssignment(ctx, releaseOf(r.request, now), now)
	if err == nil || ctx.Err() != nil {
		return Change{}, err
	}
	var alone Change
	failure := m.readTasks(ctx, &r, now, false)
	if failure == nil {
		alone, failure = m.closed([]reading{r}, "", now, now)
	}
	if failure != nil {
		return r.request.givenBack(now), errors.Join(err, failure)
	}
	return alone, err
}

// processOne does for one claimed request what processBatch does for many. If somebody changed the request meanwhile, it
// decides again, as long as the lease of the claim holds. With a Performer it returns the task that is to be performed now,
// and keeps the lease for it.
func (m *Manager) processOne(ctx context.Context, claimed Request, now time.Time) (*Task, error) {
	latest := claimed
	var left *reading
	var next *Task
	_, err := manage.Operation[reading, *series]{
		Read: func(ctx context.Context) (reading, error) {
			request, err := m.store.Request(ctx, claimed.ID)
			if err != nil {
				return reading{}, nonsense(err)
			}
			latest = request
			if !request.LeaseUntil.Equal(claimed.LeaseUntil) {
				return reading{request: request}, nil
			}
			return m.readDue(ctx, request, prefetched{servers: m.servers}, now)
		},
		Decide: func(r reading) (*series, bool, error) {
			left, next = nil, nil
			if !r.request.LeaseUntil.Equal(claimed.LeaseUntil) {
				return nil, false, nil // another process has claimed it
			}
			if r.left() {
				left = &r
				return nil, false, nil
			}
			s := r.due(m.config, now)
			if next = s.performable(now); next != nil {
				s.request.LeaseUntil, s.request.Failures = claimed.LeaseUntil, r.request.Failures // until the result is recorded
			}
			return s, true, nil
		},
		Commit: func(ctx context.Context, s *series) error { return m.commit(ctx, s, now) },
	}.Run(ctx)
	if err == nil && left == nil {
		return next, nil
	}
	change := latest.givenBack(now)
	if err == nil {
		change, err = m.closeLeft(ctx, *left, now)
	}
	return nil, m.finish(ctx, latest, change, err, now)
}

// finish writes the change that remains for a claimed request after a failure, and returns all failures.
func (m *Manager) finish(ctx context.Context, r Request, c Change, failure error, now time.Time) error {
	if failure != nil {
		failure = r.tickError(failure)
	}
	if len(c.Requests) == 0 || ctx.Err() != nil {
		return failure
	}
	// A conflict means that another process has changed the request, and has given it a new Due.
	_, _, err := manage.CommitBatch(ctx, m.store.Commit, []manage.Item[Change]{r.batchItem(c, now)})
	return errors.Join(failure, report(OpTick, ids{}, err))
}

// performs reports whether the tasks of the series are performed. In a restored database they may have been performed before, and the
// server may have another client: so a person has to decide first.
func (s *series) performs() bool {
	return s.config.Performer != nil && s.request.Epoch == s.config.Epoch
}

// performable returns the task that is to be performed next, if one is due.
func (s *series) performable(now time.Time) *Task {
	if !s.performs() {
		return nil
	}
	var first *Task
	for _, t := range s.pending() {
		if at := t.performAt(); !at.After(now) && (first == nil || at.Before(first.performAt())) {
			first = t
		}
	}
	return first
}

// performAt is when the Performer may begin.
func (t *Task) performAt() time.Time { return later(t.At, t.TryAt) }

// batchItem is the item of a batch that stores c. If the Store refuses it, the request is given back.
func (r Request) batchItem(c Change, now time.Time) manage.Item[Change] {
	return manage.Item[Change]{Change: c, Refused: func(failure error) (Change, error) {
		return r.givenBack(now), r.tickError(failure)
	}}
}

// givenBack returns the change that gives a claimed request back after a failure, to be tried again later.
func (r Request) givenBack(now time.Time) Change {
	r.Failures++
	r.Due, r.LeaseUntil = zone.Instant(now.Add(retryBackoff().Delay(r.Failures))), time.Time{}
	return Change{Requests: []Request{r}}
}

// tickError is a failure of a claimed request, for the log.
func (r Request) tickError(failure error) error {
	f := manage.Report(string(OpTick), fmt.Errorf("backup request %s for server %s: %w", r.ID, r.ServerName, failure))
	return &Error{
		Op: OpTick, RequestID: r.ID, ServerID: r.ServerID, OutcomeUnknown: f.OutcomeUnknown, Msg: f.Msg, Err: failure,
	}
}

// prefetched is what was read for many claimed requests at once.
type prefetched struct {
	servers dedicated.Inventory
	open    map[uuid.UUID][]Task // by request; the tasks of other requests are read one by one
}

// prefetch reads the servers and the open tasks of claimed requests.
func (m *Manager) prefetch(ctx context.Context, claimed []Request) prefetched {
	servers := map[uuid.UUID][]uuid.UUID{}
	for _, r := range claimed {
		servers[r.ResellerID] = append(servers[r.ResellerID], r.ServerID)
	}
	return prefetched{inventory.Prefetch(ctx, m.servers, servers), m.prefetchTasks(ctx, claimed)}
}

// prefetchTasks does for many requests what openTasks does for one. It leaves out the requests whose tasks it could not read
// completely: reading them one by one returns the error.
func (m *Manager) prefetchTasks(ctx context.Context, claimed []Request) map[uuid.UUID][]Task {
	bulk, ok := m.store.(BulkStore)
	if !ok {
		return nil
	}
	var requests, skipped []uuid.UUID
	for _, r := range claimed {
		requests = append(requests, r.ID)
		if r.Skipped != uuid.Nil {
			skipped = append(skipped, r.Skipped)
		}
	}
	tasks, err := bulk.OpenTasks(ctx, requests, skipped)
	if err != nil {
		return nil
	}
	// The order is that of Store.Tasks.
	slices.SortFunc(tasks, func(a, b Task) int { return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.ID[:], b.ID[:])) })
	pending, others := map[uuid.UUID][]Task{}, map[uuid.UUID]Task{}
	for _, t := range tasks {
		if t.State == Pending {
			pending[t.RequestID] = append(pending[t.RequestID], t)
		} else {
			others[t.ID] = t
		}
	}
	open := map[uuid.UUID][]Task{}
	for _, r := range claimed {
		tasks := pending[r.ID]
		if r.Skipped != uuid.Nil {
			t, ok := others[r.Skipped]
			if !ok {
				continue
			}
			tasks = append(tasks, t)
		}
		open[r.ID] = tasks
	}
	return open
}
