package cancellation

import (
	"fmt"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// nowTolerance is how far an At may lie in the past and still mean now: the time that a request may take, and the difference of
// the clocks.
const nowTolerance = time.Minute

// choice is a When that an actor chooses for a server.
type choice struct {
	op        Op
	actor     dedicated.Actor
	when      When
	backdated bool // Order.Backdated
	quote     bool // a question only: notice and lock do not matter, and a reseller may ask for the past
	now       time.Time
}

// chosen is a When as it is stored, the instant that it means now, and what is frozen with it.
type chosen struct {
	when                 When
	at                   time.Time
	noticeDays, lockDays int
}

// choose resolves a choice for the server, if the actor may choose it.
func (r reading) choose(q choice) (chosen, error) {
	w, err := q.when.normalize(q.op)
	if err != nil {
		return chosen{}, err
	}
	c, byClient := chosen{when: w, at: w.At}, q.actor.Role == dedicated.Client
	if byClient {
		c.noticeDays, c.lockDays = r.settings.NoticeDays, r.settings.LockDays
	}
	switch {
	case byClient && (q.backdated || !w.isEnd()):
		return c, r.checkClientDate(q, w)
	case q.backdated && w.At.IsZero():
		return c, invalid(q.op, "Order.Backdated", "only a date may lie in the past: want When.At")
	case w.isEnd():
		c.at, err = w.resolveEnd(q.now, max(c.noticeDays, c.lockDays), r.server.Billing)
		if err != nil {
			return c, billingError(err)
		}
		if byClient && !q.quote {
			err = r.checkClientEnd(q, c.at)
		}
		return c, err
	case w.Now:
		c.at = q.now
		return c, nil
	}
	c.at, err = r.resellersDate(q, w.At)
	c.when.At = c.at
	return c, err
}

// resellersDate returns the date that a reseller chooses with at. A date up to nowTolerance ago means now.
func (r reading) resellersDate(q choice, at time.Time) (time.Time, error) {
	if !at.Before(q.now) {
		return at, nil
	}
	loc := location(r.server.Billing.Zone)
	isNow := !at.Before(q.now.Add(-nowTolerance))
	if !q.backdated && !q.quote {
		if isNow {
			return q.now, nil
		}
		return at, invalid(q.op, "When.At", "%s is past: want %s or later", date(at, loc), date(q.now, loc))
	}
	earliest, err := r.earliestBackdating(q.now)
	switch {
	case err != nil:
		return at, err
	case !at.Before(earliest):
		return at, nil
	case isNow:
		return q.now, nil
	}
	return at, &Error{Op: q.op, ServerID: r.server.ID, Field: "When.At", Earliest: earliest, Err: ErrInvalid,
		Msg: fmt.Sprintf("When.At: %s is before the current billing period or assignment began: want %s or later",
			date(at, loc), date(earliest, loc))}
}

// earliestBackdating returns the earliest instant to which a cancellation may be set back: the start of the current billing
// period, or of the assignment if that is later.
func (r reading) earliestBackdating(now time.Time) (time.Time, error) {
	b, assigned := r.server.Billing, zone.Instant(r.server.AssignedAt)
	if now.Before(b.Anchor) {
		return assigned, nil // the first period has not begun
	}
	p, err := b.PeriodAt(now)
	if err != nil {
		return now, billingError(err)
	}
	if start := zone.Instant(p.Start); start.After(assigned) {
		return start, nil
	}
	return assigned, nil
}

// checkClientDate refuses a client what is no end of a billing period, unless it is a date that Settings.ClientMayChooseDate allows.
func (r reading) checkClientDate(q choice, w When) error {
	b, s := r.server.Billing, r.settings
	loc, err := zone.Load(b.Zone)
	if err != nil {
		return billingError(err)
	}
	earliest := daysBefore(q.now, -max(1, s.NoticeDays, s.LockDays), loc)
	if q.quote {
		earliest = q.now
	}
	isDate := !w.At.IsZero() && !q.backdated
	switch {
	case isDate && q.quote && isEndOf(w.At, b) && w.At.After(q.now.Add(-nowTolerance)):
		return nil
	case !isDate || !s.ClientMayChooseDate:
		return r.endsOnlyError(q, w, loc)
	case w.At.After(earliest.Add(-nowTolerance)): // it may be the date that an error or a Preview named a moment ago
		return nil
	}
	return &Error{Op: q.op, ServerID: r.server.ID, Field: "When.At", Earliest: earliest, Err: ErrForbidden,
		Msg: fmt.Sprintf("%s is too early: the earliest date that a client may choose is %s", date(w.At, loc), date(earliest, loc))}
}

// endsOnlyError tells a client that it may only choose ends of billing periods, and which.
func (r reading) endsOnlyError(q choice, w When, loc *time.Location) error {
	b, s := r.server.Billing, r.settings
	end, err := When{EndOfPeriod: true}.resolveEnd(q.now, 0, b)
	if err != nil {
		return billingError(err)
	}
	first, err := When{FirstAllowed: true}.resolveEnd(q.now, max(s.NoticeDays, s.LockDays), b)
	if err != nil {
		return billingError(err)
	}
	e := &Error{Op: q.op, ServerID: r.server.ID, Field: "When.At", PeriodEnd: end, Earliest: first, Err: ErrForbidden,
		Msg: "client may only cancel at the end of the billing period, " + date(end, loc)}
	switch {
	case q.backdated:
		e.Field = "Order.Backdated"
	case w.Now:
		e.Field = "When.Now"
	}
	if !first.Equal(end) {
		e.Msg = "client may only cancel at the end of a billing period: the earliest possible end is " + date(first, loc)
	}
	return e
}

// isEndOf reports whether t is the end of a billing period.
func isEndOf(t time.Time, b dedicated.Billing) bool {
	p, err := b.PeriodAt(t)
	return err == nil && p.Index > 0 && zone.Instant(p.Start).Equal(t)
}

// checkClientEnd refuses a client the end of a period: within the notice, and within the days that are locked.
func (r reading) checkClientEnd(q choice, end time.Time) error {
	b, s := r.server.Billing, r.settings
	loc, err := zone.Load(b.Zone)
	if err != nil {
		return billingError(err)
	}
	e := &Error{Op: q.op, ServerID: r.server.ID, PeriodEnd: end, Err: ErrForbidden}
	switch {
	case !leaves(q.now, end, s.NoticeDays, loc):
		e.Field = "Settings.NoticeDays"
		e.Msg = fmt.Sprintf("the billing period ends at %s, and a cancellation needs %d days' notice", date(end, loc), s.NoticeDays)
	case !leaves(q.now, end, s.LockDays, loc):
		e.Field = "Settings.LockDays"
		e.Msg = fmt.Sprintf("the billing period ends at %s, and a client may change nothing in the last %d days before",
			date(end, loc), s.LockDays)
	default:
		return nil
	}
	e.Earliest, err = When{FirstAllowed: true}.resolveEnd(q.now, max(s.NoticeDays, s.LockDays), b)
	if err != nil {
		return billingError(err)
	}
	e.Msg += ": the earliest possible end is " + date(e.Earliest, loc)
	return e
}

// billingError says that the inventory's billing has no period to end. The planned date never falls back to now.
func billingError(err error) error {
	return fault.Nonsense("Servers.Server", fmt.Errorf("the server has no billing period to end: %w", err))
}
