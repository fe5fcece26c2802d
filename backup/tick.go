package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const (
	lease = 5 * time.Minute // how long a claim lasts
	batch = 100             // how many requests are claimed and written at once
)

// again is when what failed is tried again.
var again = backoff.Policy{First: time.Minute, Max: time.Hour}

var _ dedicated.Ticker = (*Manager)(nil)

// Tick does what is due now, and says when it is next needed (zero: nothing is known). For each request with something due
// it looks at the server, and ends all of the server's backups if it is not the client's any more; it records what fell
// due while a task was pending, and reminds the reseller once of a task that is overdue. With a Performer it has due tasks
// performed, and returns when none is left: it may take as long as they do.
//
// It goes on past a request that fails, tries that one again later, and joins the errors. A second Tick at the same instant
// does nothing. Any number of processes may tick over one Store.
func (m *Manager) Tick(ctx context.Context) (time.Time, error) {
	if m.conf.Performer != nil {
		return m.perform(ctx)
	}
	now := m.now()
	var errs []error
	for {
		due, err := m.conf.Store.ClaimDue(ctx, now, now.Add(lease), batch)
		if err != nil {
			return time.Time{}, errors.Join(append(errs, asError("Tick", err))...)
		}
		if len(due.Requests) == 0 {
			return due.Next, errors.Join(errs...)
		}
		errs = append(errs, m.tendAll(ctx, due.Requests, now))
	}
}

// tendAll tends claimed requests in one commit. If somebody changed one meanwhile, each gets a commit of its own.
func (m *Manager) tendAll(ctx context.Context, claimed []Request, now time.Time) error {
	var changes []Change
	var errs []error
	ahead := m.readAhead(ctx, claimed)
	for _, r := range claimed {
		s, left, err := m.look(ctx, r, ahead, now)
		if err == nil && left {
			if err = m.close(ctx, departure(r, now), now); err == nil {
				continue
			}
		}
		var c Change
		if err == nil {
			c, err = s.change(now)
		}
		if err != nil {
			c = Change{Requests: []Request{r.postponed(now)}}
			errs = append(errs, r.failed(err))
		}
		changes = append(changes, c)
	}
	err := m.conf.Store.Commit(ctx, changes...)
	if !errors.Is(err, ErrConflict) {
		return errors.Join(append(errs, asError("Tick", err))...)
	}
	for _, r := range claimed {
		_, err := m.tend(ctx, r.ID, r.LeaseUntil, now)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// look decides what is due of a claimed request. left: its server is not the client's any more.
func (m *Manager) look(ctx context.Context, r Request, ahead ahead, now time.Time) (s *series, left bool, err error) {
	server, left, err := serverOf(ctx, ahead.servers, r.ResellerID, r.ServerID)
	if err != nil || left || server.Assignment != r.Assignment || server.ClientID != r.ClientID {
		return nil, err == nil, err
	}
	open, ok := ahead.tasks[r.ID]
	if !ok {
		if open, err = m.open(ctx, r); err != nil {
			return nil, false, err
		}
	}
	if s, err = m.loaded(ctx, r, open, now, false); err != nil {
		return nil, false, err
	}
	s.rename(server.Name)
	s.remind(now)
	s.r.LeaseUntil, s.r.Failures = time.Time{}, 0
	return s, false, nil
}

// rename writes down the server's present name.
func (s *series) rename(name string) {
	s.r.ServerName = name
	for _, t := range s.pending() {
		t.ServerName = name
	}
}

// remind tells the reseller of tasks that are overdue.
func (s *series) remind(now time.Time) {
	for _, t := range s.pending() {
		if !t.RemindAt.IsZero() && !t.RemindAt.After(now) {
			t.RemindAt = time.Time{}
			s.tell(KindOverdue, t)
		}
	}
}

// tend does by itself what tendAll does for many, deciding again after a conflict as long as the claim's lease holds. With
// a Performer it returns the task to be performed next, if one is due, and keeps the lease for it.
func (m *Manager) tend(ctx context.Context, id uuid.UUID, held, now time.Time) (next *Task, err error) {
	var r Request
	err = fault.Retry(ctx, func() error {
		next = nil
		if r, err = m.conf.Store.Request(ctx, id); err != nil || !r.LeaseUntil.Equal(held) {
			return err
		}
		s, left, err := m.look(ctx, r, ahead{servers: m.conf.Servers}, now)
		if err != nil {
			return err
		}
		if left {
			return m.close(ctx, departure(r, now), now)
		}
		if next = s.performable(now); next != nil {
			s.r.LeaseUntil = held
		}
		return m.commit(ctx, s, now)
	})
	if err == nil {
		return next, nil
	}
	if r.ID == uuid.Nil {
		return nil, asError("Tick", err)
	}
	back := m.conf.Store.Commit(ctx, Change{Requests: []Request{r.postponed(now)}})
	if errors.Is(back, ErrConflict) {
		back = nil // who changed it has given it a new Due; at worst the lease ends
	}
	return nil, errors.Join(r.failed(err), back)
}

// performable is the task that is to be performed next, if it is time.
func (s *series) performable(now time.Time) *Task {
	if s.conf.Performer == nil {
		return nil
	}
	var first *Task
	for _, t := range s.pending() {
		due := later(t.At, t.TryAt)
		if !due.After(now) && (first == nil || due.Before(later(first.At, first.TryAt))) {
			first = t
		}
	}
	return first
}

// postponed is a claimed request that could not be tended: it comes again later.
func (r Request) postponed(now time.Time) Request {
	r.Failures++
	r.Due, r.LeaseUntil = zone.Instant(now.Add(again.Delay(r.Failures))), time.Time{}
	return r
}

func (r Request) failed(err error) error {
	msg := fmt.Sprintf("Tick of the backups of %s (request %s): %v", r.ServerName, r.ID, err)
	return &Error{Op: "Tick", RequestID: r.ID, ServerID: r.ServerID, Msg: msg, Err: err}
}
