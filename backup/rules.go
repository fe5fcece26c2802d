package backup

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
)

// The rules are pure functions of what was read: they say what is allowed and why not, and what becomes of a series.

// resellerOnly reports whether only the reseller may run an operation.
func (o Op) resellerOnly() bool { return o == OpComplete || o == OpFail || o == OpRetry }

// needsServer reports whether the client must still use the server, also if the reseller runs the operation.
func (o Op) needsServer() bool { return o == OpRevise || o == OpRetry }

// left reports whether the server is no longer in the client's use under the request's assignment.
func (r reading) left() bool {
	return !r.found || !r.server.Used() || r.server.Assignment != r.request.Assignment || r.server.ClientID != r.request.ClientID
}

// checkAllowed refuses an operation on a request that the actor may see. A client may not change what belongs to a server that
// it no longer uses.
func (r reading) checkAllowed(op Op, a dedicated.Actor) error {
	q := r.request
	manages := a.Manages(q.ResellerID)
	switch {
	case manages && !op.needsServer():
		return nil
	case !manages && r.left():
		return serverNotFound(op, q.ServerID)
	case !manages && op.resellerOnly():
		return forbidden(op, a, q)
	case r.left():
		return &Error{Op: op, RequestID: q.ID, ServerID: q.ServerID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) has left its client", q.ServerName, q.ServerID)}
	}
	return nil
}

// draft returns the series of a new request, if all rules allow it. f has an ID.
func (r reading) draft(config *Config, a dedicated.Actor, f Form, now time.Time) (*series, error) {
	server := r.server
	if !r.found || !a.Manages(server.ResellerID) && !a.Uses(server) {
		return nil, serverNotFound(OpSubmit, f.ServerID)
	}
	if !server.Used() {
		return nil, &Error{Op: OpSubmit, ServerID: server.ID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is %s: only a server that a client uses has backups", server.Name, server.ID, server.State)}
	}
	f, err := f.normalized(OpSubmit, now)
	if err != nil {
		return nil, err
	}
	if err := f.Schedule.checkOccurs(OpSubmit, now); err != nil {
		return nil, err
	}
	s := &series{config: config, request: Request{
		ID: f.ID, ResellerID: server.ResellerID, ClientID: server.ClientID, ServerID: server.ID, Assignment: server.Assignment,
		Form: f, ServerName: server.Name, AtProvider: !server.Owner.Own(), Epoch: config.Epoch,
	}}
	s.plan(now)
	s.facts = append(s.facts, s.requestedFact())
	return s, s.request.checkEnd(OpSubmit, r.ends[server.ID])
}

// checkEnd refuses a request whose first task would not run. end is when the server will be cancelled; zero: never.
func (r Request) checkEnd(op Op, end time.Time) error {
	if !endsBefore(end, r.Planned) {
		return nil
	}
	return &Error{Op: op, RequestID: r.ID, ServerID: r.ServerID, Field: "Schedule", Err: ErrConflict,
		Msg: fmt.Sprintf("server %s (%s) will be cancelled at %s: the first backup, at %s, must be before that",
			r.ServerName, r.ServerID, end.Format(time.RFC3339), r.Planned.Format(time.RFC3339))}
}

// checkRepeat refuses a Submit whose ID is stored, unless it repeats the one that stored it.
func (f Form) checkRepeat(a dedicated.Actor, stored Request) error {
	visible := stored.visibleTo(a)
	if visible && f.sameContent(stored.Form) {
		return nil
	}
	e := &Error{Op: OpSubmit, RequestID: f.ID, Field: "ID", Err: ErrConflict,
		Msg: fmt.Sprintf("another backup request has the ID %s", f.ID)}
	if visible {
		stored = stored.forActor(a)
		e.Existing = &stored
	}
	return e
}

// checkLive refuses a request that has ended.
func (r Request) checkLive(op Op) error {
	if r.Live() {
		return nil
	}
	return &Error{Op: op, RequestID: r.ID, ServerID: r.ServerID, Err: ErrConflict,
		Msg: fmt.Sprintf("the backup request for server %s ended at %s (%s): %s takes a live one",
			r.ServerName, r.Ended.Format(time.RFC3339), r.Ending, op)}
}

// revise changes what a live request asks for. changed is false if the form is the one that is stored.
func (s *series) revise(f Form, now time.Time) (changed bool, err error) {
	const op = OpRevise
	r := &s.request
	if err := r.checkLive(op); err != nil {
		return false, err
	}
	if f.ID != uuid.Nil && f.ID != r.ID {
		return false, invalid(op, "ID", "%s is another request's: want nil or %s", f.ID, r.ID)
	}
	if f.ServerID != uuid.Nil && f.ServerID != r.ServerID {
		return false, invalid(op, "ServerID", "a request stays with its server: want nil or %s", r.ServerID)
	}
	f.ID, f.ServerID = r.ID, r.ServerID
	if f.sameContent(r.Form) {
		return false, nil
	}
	if unchanged := f.Schedule.normalized(r.Form.Schedule.Start); unchanged.equal(r.Form.Schedule) {
		f.Schedule = unchanged
	}
	if f, err = f.normalized(op, now); err != nil {
		return false, err
	}
	for _, t := range s.pending() {
		if err := t.move(op); err != nil {
			return false, err
		}
		t.What = f.What
	}
	rescheduled := !f.Schedule.equal(r.Form.Schedule)
	r.Form = f
	if rescheduled {
		if err := s.reschedule(op, now); err != nil {
			return false, err
		}
	}
	s.facts = append(s.facts, s.requestedFact())
	return true, nil
}

// withdraw ends the request with all its pending tasks.
func (s *series) withdraw(reason string, now time.Time) error {
	if err := checkLine(OpWithdraw, "reason", reason); err != nil {
		return err
	}
	if err := s.request.checkLive(OpWithdraw); err != nil {
		return err
	}
	tasks, err := s.cancelAll(OpWithdraw, now, Withdrawn, reason)
	s.facts = append(s.facts, s.endFact(KindWithdrawn, EndNotice{
		RequestID: s.request.ID, ServerID: s.request.ServerID, ServerName: s.request.ServerName, Reason: reason, Tasks: s.endTasks(tasks),
	}))
	return err
}

// complete records that a pending task was done.
func (s *series) complete(t *Task, r Result, now time.Time) error {
	if err := r.check(OpComplete); err != nil {
		return err
	}
	if err := s.close(OpComplete, t, now); err != nil {
		return err
	}
	t.Result = r
	s.facts = append(s.facts, s.taskFact(KindCompleted, t))
	return nil
}

// fail records that a pending task failed. performer says that the reason is the text of the Performer's error.
func (s *series) fail(t *Task, reason string, performer bool, now time.Time) error {
	if err := checkReason(OpFail, reason); err != nil {
		return err
	}
	if err := s.close(OpFail, t, now); err != nil {
		return err
	}
	t.Reason, t.PerformerFailed = reason, performer
	s.facts = append(s.facts, s.taskFact(KindFailed, t))
	return nil
}

// retry makes a failed task pending again. The request must be live, or have ended because its schedule did.
func (s *series) retry(t *Task, now time.Time) error {
	if s.request.Ending != Finished {
		if err := s.request.checkLive(OpRetry); err != nil {
			return err
		}
	}
	if err := t.move(OpRetry); err != nil {
		return err
	}
	t.Attempt++
	t.Tries, t.Reason, t.PerformerFailed = 0, "", false
	t.RemindAt = later(t.At, now).Add(s.config.Grace)
	return nil
}

// cancel records that a pending task will not be done.
func (s *series) cancel(t *Task, reason string, now time.Time) error {
	if err := checkLine(OpCancel, "reason", reason); err != nil {
		return err
	}
	if err := s.close(OpCancel, t, now); err != nil {
		return err
	}
	t.Reason = reason
	s.facts = append(s.facts, s.taskFact(KindCancelled, t))
	return nil
}
