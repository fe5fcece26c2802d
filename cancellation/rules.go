package cancellation

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/lease"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
)

// The rules are pure functions: they say what is allowed and why not, and what becomes of a cancellation.

// decision is what an operation makes of a cancellation, and the facts to be recorded with it.
type decision struct {
	cancellation Cancellation
	facts        []manage.Fact
}

// checkServer refuses a server whose cancellation the actor may not order.
func (r reading) checkServer(op Op, a dedicated.Actor, id uuid.UUID) error {
	if r.visibleServer(a) && !r.server.Owner.Own() {
		return ownerError(op, a, r.server)
	}
	return r.checkInUse(op, a, id)
}

// visibleServer reports whether the actor may know of the server.
func (r reading) visibleServer(a dedicated.Actor) bool {
	return r.found && (a.Manages(r.server.ResellerID) || a.Uses(r.server))
}

// checkInUse refuses a server that the actor may not know of, and one that no client uses.
func (r reading) checkInUse(op Op, a dedicated.Actor, id uuid.UUID) error {
	s := r.server
	switch {
	case !r.visibleServer(a):
		return serverNotFound(op, id)
	case !s.Used():
		return &Error{Op: op, ServerID: s.ID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is %s: only a server that a client uses can be cancelled", s.Name, s.ID, s.State)}
	}
	return nil
}

// ownerError refuses a provider's server: only the provider can end it. Only the reseller learns the provider's name.
func ownerError(op Op, a dedicated.Actor, s dedicated.Server) error {
	e := &Error{Op: op, ServerID: s.ID, Err: ErrForbidden}
	if a.Role == dedicated.Client {
		e.Msg = fmt.Sprintf("server %s (%s) cannot be cancelled automatically: open a cancel_at_provider ticket", s.Name, s.ID)
		return e
	}
	e.Provider, e.Reference = s.Owner.Provider, s.Owner.Reference
	e.Msg = fmt.Sprintf("server %s (%s) belongs to %s, under the name %q: ask them to cancel it", s.Name, s.ID, e.Provider, e.Reference)
	return e
}

// checkNoneActive refuses a second active cancellation for one assignment.
func checkNoneActive(a dedicated.Actor, s dedicated.Server, active []Cancellation) error {
	for _, c := range active {
		if c.Assignment == s.Assignment && c.ResellerID == s.ResellerID {
			return &Error{
				Op: OpSchedule, CancellationID: c.ID, ServerID: s.ID, State: c.State, Existing: c.viewOf(a), Err: ErrConflict,
				Msg: fmt.Sprintf("server %s (%s) already has a cancellation by the %s, for %s", s.Name, s.ID, c.By.Role, date(c.At, c.location())),
			}
		}
	}
	return nil
}

// checkHeld refuses a change if the server is not the reseller's own, or has left the client. The Field of the latter is
// fieldAssignment.
func (r reading) checkHeld(op Op, a dedicated.Actor) error {
	c, s := r.cancellation, r.server
	if !r.found || !c.holds(s) || !s.Used() {
		return &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, Field: fieldAssignment, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) has left its client", c.ServerName, c.ServerID)}
	}
	if !s.Owner.Own() {
		return ownerError(op, a, s)
	}
	return nil
}

const fieldAssignment = "Assignment"

// checkChange refuses a client to move or discard a cancellation that only the reseller may change. It refuses everybody a
// cancellation that is not scheduled any more. The date that counts is the one under the present billing.
func (r reading) checkChange(op Op, a dedicated.Actor, now time.Time) error {
	c, settings := r.cancellation, r.settings
	if c.State == Scheduled && r.found && c.holds(r.server) {
		if at, err := c.resolveDate(r.server, now); err == nil {
			c.At = at
		}
	}
	_, stateErr := c.move(op)
	if a.Manages(c.ResellerID) {
		return stateErr
	}
	e := &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, Err: ErrForbidden}
	at := date(c.At, c.location())
	switch {
	case !c.orderedBy(a):
		e.Msg = fmt.Sprintf("the client did not order the cancellation of server %s for %s: ask the reseller", c.ServerName, at)
		return e
	case c.MovedBy != 0 && c.MovedBy != dedicated.Client:
		e.Msg = fmt.Sprintf("the reseller has moved the cancellation of server %s to %s: ask the reseller", c.ServerName, at)
		return e
	case !settings.ClientMayDiscard:
		e.Field = "Settings.ClientMayDiscard"
		e.Msg = fmt.Sprintf("a client may not change the cancellation of server %s for %s: ask the reseller", c.ServerName, at)
		return e
	case stateErr != nil:
		return stateErr
	case !now.Before(c.At):
		e.Msg = fmt.Sprintf("the cancellation of server %s was due at %s: a client may change nothing from then on, ask the reseller",
			c.ServerName, at)
		return e
	case !leaves(now, c.At, c.LockDays, c.location()):
		e.Field, e.PeriodEnd = "Settings.LockDays", c.At
		e.Msg = fmt.Sprintf("a client may change nothing in the last %d days before %s: ask the reseller", c.LockDays, at)
		return e
	}
	return nil
}

// reschedule returns what Reschedule makes of a cancellation. write is false if the date is the one that it has.
func (r reading) reschedule(a dedicated.Actor, w When, now time.Time) (d decision, write bool, err error) {
	c := r.cancellation
	if err := r.checkChange(OpReschedule, a, now); err != nil {
		return d, false, err
	}
	if err := r.checkHeld(OpReschedule, a); err != nil {
		return d, false, err
	}
	order, err := r.choose(choice{op: OpReschedule, actor: a, when: w, now: now})
	if c.isPlanned(order) && (err == nil || order.when.isEnd()) { // the notice is for other dates
		if r.waited {
			c = c.confirm(a, r.epoch, now)
		}
		return decision{cancellation: c}, r.waited, nil
	}
	if err != nil {
		return d, false, err
	}
	next := c
	next.ServerName, next.MovedBy = r.server.Name, a.Role
	next.order(order, r.server.Billing, now)
	next.moveTo(a, entryRescheduled, order.at, r.server, now)
	return decision{next, next.moveFacts(now, c.At, a)}, true, nil
}

// isPlanned reports whether the cancellation is planned so already.
func (c Cancellation) isPlanned(o chosen) bool {
	return o.when.Now && c.When.Now || o.when.same(c.When) && o.at.Equal(c.At)
}

// moveTo sets another planned date. Warnings for the date before no longer count. The next tick looks at the record, because
// a batch that follows changed settings may have passed its new position.
func (c *Cancellation) moveTo(by dedicated.Actor, what string, at time.Time, s dedicated.Server, now time.Time) {
	c.record(now, by, what, "", c.At, at)
	c.At, c.Zone, c.Postponed = at, s.Billing.Zone, time.Time{}
	if what == entryRescheduled { // a person has decided anew; other billing lets nothing go that waits
		c.Held, c.Confirmed = false, false
	}
	c.setCycle(s.Billing)
	c.Due, c.LeaseUntil, c.BegunAt = now, time.Time{}, time.Time{}
	c.clearFailures()
}

// moveFacts are the facts about a date that has moved: for the client if it knows the date before, for the reseller if the
// client has moved it.
func (c Cancellation) moveFacts(now, from time.Time, by dedicated.Actor) []manage.Fact {
	var facts []manage.Fact
	if c.knownToClient() {
		facts = append(facts, c.moveNotice(KindRescheduled, now, from))
	}
	if by.Role == dedicated.Client {
		facts = append(facts, c.moveNotice(KindRescheduledByClient, now, from))
	}
	return facts
}

// discard returns what Discard makes of a cancellation.
func (r reading) discard(a dedicated.Actor, reason string, now time.Time) (decision, error) {
	if err := r.checkChange(OpDiscard, a, now); err != nil {
		return decision{}, err
	}
	if r.found && r.cancellation.holds(r.server) && r.server.Used() && !r.server.Owner.Own() {
		return decision{}, ownerError(OpDiscard, a, r.server)
	}
	if err := checkReason(OpDiscard, "reason", reason); err != nil {
		return decision{}, err
	}
	d, err := r.cancellation.discard(OpDiscard, a, reason, now)
	if err == nil && d.cancellation.knownToClient() {
		d.facts = append(d.facts, d.cancellation.notice(KindDiscarded, now, reason))
	}
	if a.Role == dedicated.Client {
		d.facts = append(d.facts, d.cancellation.notice(KindDiscardedByClient, now, reason))
	}
	return d, err
}

// neverDue takes a cancellation that is over from all processes.
func (c *Cancellation) neverDue() {
	c.Due, c.LeaseUntil, c.BegunAt = time.Time{}, time.Time{}, time.Time{}
}

// discard ends a scheduled cancellation without an execution.
func (c Cancellation) discard(op Op, by dedicated.Actor, reason string, now time.Time) (decision, error) {
	next, err := c.move(op)
	if err != nil {
		return decision{cancellation: c}, err
	}
	next.record(now, by, entryDiscarded, reason, c.At, time.Time{})
	next.clearFailures()
	next.neverDue()
	return decision{cancellation: next}, nil
}

// checkOperable refuses to retry or abandon for everybody but the reseller, and unless the record is stuck and no process works
// on it. An execution under no lease is stuck without a failure, too: its worker died or hangs. length is that of leases: one that is
// too far ahead has ended.
//
// length is Config.Lease. out: a call of a host's part for it has not returned in this process, whatever its lease is.
func (c Cancellation) checkOperable(op Op, a dedicated.Actor, length time.Duration, out bool, now time.Time) error {
	e := &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, State: c.State, Err: ErrConflict}
	if !a.Manages(c.ResellerID) {
		e.Err, e.Msg = ErrForbidden, fmt.Sprintf("%s is for the reseller, not for a client", op)
		return e
	}
	if _, err := c.move(op); err != nil {
		return err
	}
	switch {
	case c.Attempts == 0 && c.State == Scheduled:
		e.Msg = fmt.Sprintf("the cancellation of server %s (%s) is not stuck: nothing has failed", c.ServerName, c.ID)
		return e
	case out:
		e.Msg = fmt.Sprintf("a part of the host that was called for server %s (%s) has not returned: wait for it", c.ServerName, c.ServerID)
		return e
	case lease.Held(now, c.LeaseUntil, length):
		e.Msg = fmt.Sprintf("a process is working on the cancellation of server %s (%s), until %s at the latest: wait for it",
			c.ServerName, c.ID, date(c.LeaseUntil, c.location()))
		return e
	}
	return nil
}

func checkReason(op Op, field, reason string) error {
	if err := text.CheckLine(field, reason, dedicated.MaxReason); err != nil {
		return &Error{Op: op, Field: field, Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}
