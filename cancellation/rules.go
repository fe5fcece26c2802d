package cancellation

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/lease"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// The rules are pure functions: they say what is allowed and why not, and what becomes of a cancellation.

// decision is what an operation makes of a cancellation, and the facts to be recorded with it.
type decision struct {
	cancellation Cancellation
	facts        []manage.Fact
}

// draft returns the cancellation that an order makes, if all rules allow it.
func (o Order) draft(a dedicated.Actor, r reading, now time.Time) (Cancellation, error) {
	if err := r.checkServer(OpSchedule, a, o.ServerID); err != nil {
		return Cancellation{}, err
	}
	s := r.server
	if err := checkNoneActive(a, s, r.active); err != nil {
		return Cancellation{}, err
	}
	if err := checkReason(OpSchedule, "Order.Reason", o.Reason); err != nil {
		return Cancellation{}, err
	}
	w, at, err := chooseWhen(OpSchedule, a, s, o.When, now)
	if err != nil {
		return Cancellation{}, err
	}
	if err := r.settings.checkOrder(OpSchedule, a, at, now, s.Billing); err != nil {
		return Cancellation{}, err
	}
	c := Cancellation{
		ID: o.ID, ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, Assignment: s.Assignment, ServerName: s.Name,
		State: Scheduled, When: w, Asked: now, At: at, Zone: s.Billing.Zone, By: a, Reason: o.Reason, Epoch: r.epoch,
	}
	c.record(now, a, entryScheduled, o.Reason, time.Time{}, at)
	// The next tick looks at it under the settings that are valid then: a batch that follows changed settings may have
	// passed its position already.
	c.SettingsVersion, c.Due = r.settings.Saved, now
	return c, nil
}

// checkRepeat refuses an order whose ID is stored, unless it repeats the order that made the record.
func (o Order) checkRepeat(a dedicated.Actor, stored Cancellation) error {
	w, err := o.When.normalize(OpSchedule)
	if err != nil {
		return err
	}
	// After a move the record does not hold the first When any more.
	moved := slices.ContainsFunc(stored.History, func(e Entry) bool { return e.What == entryRescheduled })
	if stored.By == a && stored.ServerID == o.ServerID && stored.Reason == o.Reason && (stored.When.same(w) || moved) {
		return nil
	}
	e := &Error{Op: OpSchedule, ServerID: o.ServerID, Field: "Order.ID", Err: ErrConflict,
		Msg: fmt.Sprintf("another cancellation has the ID %s", o.ID)}
	if stored.visibleTo(a) {
		e.Existing = stored.viewOf(a)
	}
	return e
}

// checkServer refuses a server whose cancellation the actor may not order.
func (r reading) checkServer(op Op, a dedicated.Actor, id uuid.UUID) error {
	s := r.server
	switch {
	case !r.found || !a.Manages(s.ResellerID) && !a.Uses(s):
		return serverNotFound(op, id)
	case !s.Owner.Own():
		return ownerError(op, a, s)
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

// chooseWhen returns the When as it is stored and the instant that it means now, if the actor may choose it.
func chooseWhen(op Op, a dedicated.Actor, s dedicated.Server, w When, now time.Time) (When, time.Time, error) {
	w, err := w.normalize(op)
	if err != nil {
		return w, time.Time{}, err
	}
	loc := location(s.Billing.Zone)
	if a.Role == dedicated.Client && !w.EndOfPeriod {
		end, err := When{EndOfPeriod: true}.resolve(now, s.Billing)
		if err != nil {
			return w, time.Time{}, billingError(err)
		}
		return w, time.Time{}, &Error{Op: op, ServerID: s.ID, Field: "When.At", PeriodEnd: end, Err: ErrForbidden,
			Msg: "client may only cancel at the end of the billing period, " + date(end, loc)}
	}
	if !w.EndOfPeriod && w.At.Before(now) {
		return w, time.Time{}, invalid(op, "When.At", "%s is past: want %s or later", date(w.At, loc), date(now, loc))
	}
	at, err := w.resolve(now, s.Billing)
	if err != nil {
		return w, at, billingError(err)
	}
	return w, at, nil
}

// billingError says that the inventory's billing has no period to end. The planned date never falls back to now.
func billingError(err error) error {
	return fault.Nonsense("Servers.Server", fmt.Errorf("the server has no billing period to end: %w", err))
}

// checkOrder refuses a client's order for at: within the notice, and within the days that are locked.
func (s Settings) checkOrder(op Op, a dedicated.Actor, at, now time.Time, b dedicated.Billing) error {
	if a.Role != dedicated.Client {
		return nil
	}
	loc, err := zone.Load(b.Zone)
	if err != nil {
		return billingError(err)
	}
	if s.NoticeDays > 0 && now.After(daysBefore(at, s.NoticeDays, loc)) {
		earliest, err := earliestEnd(now, s.NoticeDays, b, loc)
		if err != nil {
			return billingError(err)
		}
		return &Error{
			Op: op, Field: "Settings.NoticeDays", Earliest: earliest, PeriodEnd: at, Err: ErrForbidden,
			Msg: fmt.Sprintf("the billing period ends at %s, and a cancellation needs %d days' notice: the earliest possible end is %s",
				date(at, loc), s.NoticeDays, date(earliest, loc)),
		}
	}
	return s.checkLock(op, at, now, loc)
}

// checkLock refuses a client's change in the last days before at.
func (s Settings) checkLock(op Op, at, now time.Time, loc *time.Location) error {
	if s.LockDays == 0 || !now.After(daysBefore(at, s.LockDays, loc)) {
		return nil
	}
	return &Error{
		Op: op, Field: "Settings.LockDays", PeriodEnd: at, Err: ErrForbidden,
		Msg: fmt.Sprintf("a client may change nothing in the last %d days before %s: ask the reseller", s.LockDays, date(at, loc)),
	}
}

// checkChange refuses a client to move or discard a cancellation that only the reseller may change. It refuses everybody a
// cancellation that is not scheduled any more.
func (c Cancellation) checkChange(op Op, a dedicated.Actor, settings Settings, now time.Time) error {
	_, stateErr := c.move(op)
	if a.Manages(c.ResellerID) {
		return stateErr
	}
	e := &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, Err: ErrForbidden}
	switch {
	case !c.orderedBy(a):
		e.Msg = fmt.Sprintf("the client did not order the cancellation of server %s for %s: ask the reseller",
			c.ServerName, date(c.At, c.location()))
		return e
	case !settings.ClientMayDiscard:
		e.Field = "Settings.ClientMayDiscard"
		e.Msg = fmt.Sprintf("a client may not change the cancellation of server %s for %s: ask the reseller",
			c.ServerName, date(c.At, c.location()))
		return e
	case stateErr != nil:
		return stateErr
	}
	return settings.checkLock(op, c.At, now, c.location())
}

// reschedule returns what Reschedule makes of a cancellation. write is false if the date is the one that it has.
func (r reading) reschedule(a dedicated.Actor, w When, now time.Time) (d decision, write bool, err error) {
	c := r.cancellation
	if err := c.checkChange(OpReschedule, a, r.settings, now); err != nil {
		return d, false, err
	}
	if err := r.checkHeld(OpReschedule, a); err != nil {
		return d, false, err
	}
	w, at, err := chooseWhen(OpReschedule, a, r.server, w, now)
	if err != nil || w.same(c.When) && at.Equal(c.At) && !r.waited {
		return decision{cancellation: c}, false, err
	}
	if err := r.settings.checkOrder(OpReschedule, a, at, now, r.server.Billing); err != nil {
		return d, false, err
	}
	next := c
	next.When, next.Asked, next.ServerName = w, now, r.server.Name
	next.moveTo(a, entryRescheduled, at, r.server, now)
	return decision{next, next.moveFacts(now, c.At, a)}, true, nil
}

// moveTo sets another planned date. Warnings for the date before no longer count. The next tick looks at the record, because
// a batch that follows changed settings may have passed its new position.
func (c *Cancellation) moveTo(by dedicated.Actor, what string, at time.Time, s dedicated.Server, now time.Time) {
	c.record(now, by, what, "", c.At, at)
	c.At, c.Zone, c.Postponed, c.Held, c.Confirmed = at, s.Billing.Zone, time.Time{}, false, false
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
	if err := r.cancellation.checkChange(OpDiscard, a, r.settings, now); err != nil {
		return decision{}, err
	}
	if r.found && r.cancellation.holds(r.server) && r.server.Used() && !r.server.Owner.Own() {
		return decision{}, ownerError(OpDiscard, a, r.server)
	}
	if err := checkReason(OpDiscard, "reason", reason); err != nil {
		return decision{}, err
	}
	d, err := r.cancellation.discard(OpDiscard, a, reason, now)
	if a.Role == dedicated.Client {
		d.facts = append(d.facts, d.cancellation.notice(KindDiscardedByClient, now, reason))
	}
	return d, err
}

// discard ends a scheduled cancellation without an execution.
func (c Cancellation) discard(op Op, by dedicated.Actor, reason string, now time.Time) (decision, error) {
	next, err := c.move(op)
	if err != nil {
		return decision{cancellation: c}, err
	}
	next.record(now, by, entryDiscarded, reason, c.At, time.Time{})
	next.clearFailures()
	next.Due, next.LeaseUntil, next.BegunAt = time.Time{}, time.Time{}, time.Time{}
	d := decision{cancellation: next}
	if next.knownToClient() {
		d.facts = append(d.facts, next.notice(KindDiscarded, now, reason))
	}
	return d, nil
}

// checkOperable refuses to retry or abandon for everybody but the reseller, and unless the record is stuck and no process works
// on it. An execution under no lease is stuck without a failure, too: its worker died or hangs. length is that of leases: one that is
// too far ahead has ended.
func (c Cancellation) checkOperable(op Op, a dedicated.Actor, length time.Duration, now time.Time) error {
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
