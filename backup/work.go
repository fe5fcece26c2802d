package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
)

// Complete records that a pending task was done, and tells the client. A second time, or after a cancel, it is
// ErrConflict and tells nobody.
func (m *Manager) Complete(ctx context.Context, a dedicated.Actor, task uuid.UUID, r Result) (Task, error) {
	const op = "Complete"
	return m.onTask(ctx, a, op, task, needs{reseller: true}, func(s *series, t *Task, now time.Time) error {
		return s.complete(op, t, r, now)
	})
}

func (s *series) complete(op string, t *Task, r Result, now time.Time) error {
	if err := r.validate(op); err != nil {
		return err
	}
	if err := s.settle(op, t, now); err != nil {
		return err
	}
	t.Result = r
	s.tell(KindCompleted, t)
	return nil
}

// Fail records that a pending task was tried in vain, and tells the client why. The reason is one line of at most
// MaxReason bytes, and not blank. Where a series has nothing more to come it ends with the task; Retry takes it up again.
func (m *Manager) Fail(ctx context.Context, a dedicated.Actor, task uuid.UUID, reason string) (Task, error) {
	const op = "Fail"
	return m.onTask(ctx, a, op, task, needs{reseller: true}, func(s *series, t *Task, now time.Time) error {
		if err := checkReason(op, reason); err != nil {
			return err
		}
		return s.fail(op, t, reason, now)
	})
}

func (s *series) fail(op string, t *Task, reason string, now time.Time) error {
	if err := s.settle(op, t, now); err != nil {
		return err
	}
	t.Reason = reason
	s.tell(KindFailed, t)
	return nil
}

// Retry makes a failed task pending again, as its next attempt, beside the one made ahead: with its ID and its date. The
// server must still be the client's, and the series not withdrawn.
func (m *Manager) Retry(ctx context.Context, a dedicated.Actor, task uuid.UUID) (Task, error) {
	const op = "Retry"
	return m.onTask(ctx, a, op, task, needs{reseller: true, server: true}, func(s *series, t *Task, now time.Time) error {
		if !s.r.Live() && s.r.Ending != Finished {
			return s.mustLive(op)
		}
		if err := t.move(op); err != nil {
			return err
		}
		t.Attempt++
		t.Tries, t.Reason = 0, ""
		t.RemindAt = later(t.At, now).Add(s.conf.Grace)
		return nil
	})
}

// Cancel settles one pending task as not to be done, and tells the client; the series goes on. The reason is one line of
// at most MaxReason bytes, or "".
func (m *Manager) Cancel(ctx context.Context, a dedicated.Actor, task uuid.UUID, reason string) (Task, error) {
	const op = "Cancel"
	return m.onTask(ctx, a, op, task, needs{}, func(s *series, t *Task, now time.Time) error {
		if err := checkLine(op, "reason", reason); err != nil {
			return err
		}
		if err := s.settle(op, t, now); err != nil {
			return err
		}
		t.Reason = reason
		s.tell(KindCancelled, t)
		return nil
	})
}

// onTask is onRequest for what is done to one task.
func (m *Manager) onTask(
	ctx context.Context, a dedicated.Actor, op string, id uuid.UUID, n needs, do func(s *series, t *Task, now time.Time) error,
) (Task, error) {
	now := m.now()
	var result Task
	err := fault.Retry(ctx, func() error {
		stored, r, err := m.seenTask(ctx, a, op, id)
		if err != nil {
			return err
		}
		if err := m.allow(ctx, a, op, r, n); err != nil {
			return err
		}
		s, err := m.load(ctx, r, now, false)
		if err != nil {
			return err
		}
		t, ok := s.find(id)
		if !ok {
			t = s.keep(stored)
		}
		if err := do(s, t, now); err != nil {
			return err
		}
		shown, err := m.shown(ctx, a, now, *t)
		if err != nil {
			return err
		}
		result = shown[0]
		result.Version++
		return m.commit(ctx, s, now)
	})
	if err != nil {
		return Task{}, asError(op, err)
	}
	return result, nil
}

// seen reads a request that the actor may know of.
func (m *Manager) seen(ctx context.Context, a dedicated.Actor, op string, id uuid.UUID) (Request, error) {
	if id == uuid.Nil {
		return Request{}, noRequest(op, id)
	}
	r, err := m.conf.Store.Request(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !a.Manages(r.ResellerID) && !a.IsClient(r.ResellerID, r.ClientID) {
		return Request{}, noRequest(op, id)
	}
	return r, err
}

// seenTask reads a task that the actor may know of, and its request as it is after that.
func (m *Manager) seenTask(ctx context.Context, a dedicated.Actor, op string, id uuid.UUID) (Task, Request, error) {
	if id == uuid.Nil {
		return Task{}, Request{}, noTask(op, id)
	}
	t, err := m.conf.Store.Task(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !a.Manages(t.ResellerID) && !a.IsClient(t.ResellerID, t.ClientID) {
		return Task{}, Request{}, noTask(op, id)
	}
	if err != nil {
		return Task{}, Request{}, err
	}
	r, err := m.conf.Store.Request(ctx, t.RequestID)
	return t, r, err
}

// allow decides whether an actor that may see a request may do op with it. A client may do nothing any more with what
// belongs to a server that it does not use.
func (m *Manager) allow(ctx context.Context, a dedicated.Actor, op string, r Request, n needs) error {
	manages := a.Manages(r.ResellerID)
	if manages && !n.server {
		return nil
	}
	server, left, err := m.server(ctx, r.ResellerID, r.ServerID)
	if err != nil {
		return err
	}
	left = left || server.Assignment != r.Assignment || server.ClientID != r.ClientID
	switch {
	case !manages && left:
		return noServer(op, r.ServerID)
	case !manages && n.reseller:
		return &Error{Op: op, RequestID: r.ID, ServerID: r.ServerID, Err: ErrForbidden,
			Msg: fmt.Sprintf("a %s may see the backups of %s, %s is the reseller's", a.Role, r.ServerName, op)}
	case left:
		return &Error{Op: op, RequestID: r.ID, ServerID: r.ServerID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is not used by that client any more", r.ServerName, r.ServerID)}
	}
	return nil
}

// server asks the host's inventory. left: nobody uses it, or there is no such server any more.
func (m *Manager) server(ctx context.Context, reseller, id uuid.UUID) (s dedicated.Server, left bool, err error) {
	return serverOf(ctx, m.conf.Servers, reseller, id)
}

func serverOf(ctx context.Context, inventory Servers, reseller, id uuid.UUID) (s dedicated.Server, left bool, err error) {
	if id == uuid.Nil {
		return s, true, nil
	}
	err = fault.Guard("Config.Servers", func() error {
		s, err = inventory.Server(ctx, dedicated.Actor{Role: dedicated.System, ResellerID: reseller}, id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return dedicated.Server{}, true, nil
	}
	return s, !s.Used(), err
}

func (m *Manager) ends(ctx context.Context, servers []uuid.UUID) (ends map[uuid.UUID]time.Time, err error) {
	if m.conf.Ends == nil || len(servers) == 0 {
		return nil, nil
	}
	err = fault.Guard("Config.Ends", func() error {
		ends, err = m.conf.Ends(ctx, servers)
		return err
	})
	return ends, err
}

// load reads what of a request's tasks a change may touch, and catches up until an instant. revising: also which
// occurrences to come have their task already, which a schedule that was never changed does not meet again.
func (m *Manager) load(ctx context.Context, r Request, until time.Time, revising bool) (*series, error) {
	open, err := m.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return m.loaded(ctx, r, open, until, revising)
}

// open reads a request's tasks that are pending, and the skipped one that still grows.
func (m *Manager) open(ctx context.Context, r Request) ([]Task, error) {
	var open []Task
	pending := TaskQuery{RequestID: r.ID, States: []State{Pending}}
	if err := m.each(ctx, r.ResellerID, pending, func(t Task) { open = append(open, t) }); err != nil {
		return nil, err
	}
	if r.Skipped == uuid.Nil {
		return open, nil
	}
	t, err := m.conf.Store.Task(ctx, r.Skipped)
	return append(open, t), err
}

// loaded is load with the open tasks read.
func (m *Manager) loaded(ctx context.Context, r Request, open []Task, until time.Time, revising bool) (*series, error) {
	s := &series{conf: m.conf, r: r, was: map[uuid.UUID]Task{}}
	for _, t := range open {
		s.keep(t)
	}
	if revising || r.Revisions > 0 {
		coming := TaskQuery{RequestID: r.ID, From: earlier(r.Recorded, until)}
		err := m.each(ctx, r.ResellerID, coming, func(t Task) {
			if !t.planned() {
				s.taken = append(s.taken, t.At)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	s.catchUp(until)
	return s, nil
}

// each calls do for all tasks of a query, page by page.
func (m *Manager) each(ctx context.Context, reseller uuid.UUID, q TaskQuery, do func(Task)) error {
	for {
		tasks, next, err := m.conf.Store.Tasks(ctx, reseller, q)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			do(t)
		}
		if next == "" {
			return nil
		}
		q.After = next
	}
}

func (m *Manager) commit(ctx context.Context, s *series, now time.Time) error {
	c, err := s.change(now)
	if err != nil {
		return err
	}
	return m.conf.Store.Commit(ctx, c)
}
