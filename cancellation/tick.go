package cancellation

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/text"
)

// batch is how many records are claimed and committed at once.
const batch = 100

// stuckAfter is after how many failures in a row the reseller is told.
const stuckAfter = 5

var _ dedicated.Ticker = (*Manager)(nil)

// Tick does everything that is due, oldest first, a bounded batch at a time: warnings, executions, what follows changed
// settings and billing. It goes on past what fails, joins the errors, and gives it back to be tried again later, so that
// a second Tick at the same instant does nothing. next is when it is needed again; zero: nothing is known.
//
// What a gate refuses is no error of the Tick: it stands on the record. Other processes may Tick at the same time.
func (m *Manager) Tick(ctx context.Context) (next time.Time, err error) {
	var errs []error
	for {
		now := m.now()
		due, err := m.config.Store.ClaimDue(ctx, now, now.Add(m.config.Lease), batch)
		if err != nil {
			return time.Time{}, errors.Join(append(errs, asError("Tick", uuid.Nil, uuid.Nil, err))...)
		}
		if len(due.Cancellations)+len(due.Settings) == 0 {
			return due.Next, errors.Join(errs...)
		}
		errs = append(errs, m.work(ctx, due.Cancellations, now)...)
		// After the cancellations: reckoning them again takes those claimed here away.
		for _, s := range due.Settings {
			errs = append(errs, asError("Tick", uuid.Nil, uuid.Nil, m.rearm(ctx, s)))
		}
	}
}

// execution is one that is due, with what was found on the way.
type execution struct {
	outcome
	server   dedicated.Server
	settings Settings
}

// work does what is due of a claimed batch: first all that is only records, then what is to be executed.
func (m *Manager) work(ctx context.Context, claimed []Cancellation, now time.Time) []error {
	var errs []error
	var records []outcome
	var due []Cancellation
	known := map[uuid.UUID]Settings{} // read after the claim, so that no save is missed
	servers := m.readAhead(ctx, claimed, now)
	for _, c := range claimed {
		if c.executable(now) {
			due = append(due, c)
			continue
		}
		e, err := m.judge(ctx, c, known, servers, now)
		switch {
		case err != nil:
			errs = append(errs, c.about("Tick", err))
			records = append(records, outcome{before: c}.stumbled(c, err, now))
		case e.after.State == Executing:
			due = append(due, c)
		default:
			records = append(records, e.outcome)
		}
	}
	_, err := m.commitAll(ctx, now, records)
	errs = append(errs, err)
	for _, c := range due {
		errs = append(errs, c.about("Tick", m.act(ctx, c)))
	}
	return errs
}

// executable says whether the execution has begun or may begin.
func (c Cancellation) executable(now time.Time) bool {
	return c.State == Executing || !now.Before(c.planned())
}

// readAhead reads the servers of those claimed cancellations that are only to be looked at.
func (m *Manager) readAhead(ctx context.Context, claimed []Cancellation, now time.Time) dedicated.Inventory {
	wanted := map[uuid.UUID][]uuid.UUID{}
	for _, c := range claimed {
		if !c.executable(now) {
			wanted[c.ResellerID] = append(wanted[c.ResellerID], c.ServerID)
		}
	}
	return dedicated.ReadAhead(ctx, m.config.Servers, wanted)
}

// act does what is due of one by itself. It looks at it right before: those before it may have taken hours.
func (m *Manager) act(ctx context.Context, c Cancellation) error {
	now := m.now()
	if c.State == Executing {
		return m.goOn(ctx, c, now)
	}
	e, err := m.judge(ctx, c, map[uuid.UUID]Settings{}, m.config.Servers, now)
	switch {
	case err != nil:
		return m.stumble(ctx, c, err, now)
	case e.after.State == Executing:
		return m.begin(ctx, *e, now)
	}
	_, err = m.commitAll(ctx, now, []outcome{e.outcome})
	return err
}

// judge says what becomes of a claimed cancellation that is scheduled. Where its state is executing, that is still to be
// done; everything else is only to be stored.
func (m *Manager) judge(
	ctx context.Context, c Cancellation, known map[uuid.UUID]Settings, servers dedicated.Inventory, now time.Time,
) (e *execution, err error) {
	settings, ok := known[c.ResellerID]
	if !ok {
		if settings, err = m.settings(ctx, c.ResellerID); err != nil {
			return nil, err
		}
		known[c.ResellerID] = settings
	}
	err = fault.Guard("Servers", func() (err error) {
		e, err = c.look(ctx, servers, settings, now)
		return err
	})
	return e, err
}

// look is judge with the settings read: it asks what has become of the server.
func (c Cancellation) look(ctx context.Context, servers dedicated.Inventory, settings Settings, now time.Time) (*execution, error) {
	by := system(c.ResellerID)
	s, err := servers.Server(ctx, by, c.ServerID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err != nil || !c.holds(s) || !s.Used() {
		o, err := c.left(now)
		return &execution{outcome: o}, err
	}
	if !s.Owner.Own() {
		o, err := c.disowned(now)
		return &execution{outcome: o}, err
	}
	at, err := c.follow(s, now)
	if err != nil {
		return nil, err
	}
	next := c
	next.ServerName = s.Name
	next.recovered()
	var facts []fact
	if !at.Equal(c.At) {
		next.move(by, didMove, at, s, now)
		facts = next.correction(now, c.At, by)
	}
	if !now.Before(next.held(settings, now, next.place())) {
		next, err = next.moved(opBegin)
		return &execution{outcome{c, next, facts}, s, settings}, err
	}
	facts = append(facts, next.warn(settings, now)...)
	next.arm(settings, now)
	return &execution{outcome: outcome{c, next, facts}}, nil
}

// warn records the warning that is due, and that the execution waits for it if it does.
func (c *Cancellation) warn(settings Settings, now time.Time) []fact {
	var facts []fact
	loc := c.place()
	days, due := c.leadDue(settings, now, loc)
	if due {
		c.Warned = append(c.Warned[:len(c.Warned):len(c.Warned)], Warning{Days: days, For: c.At, Sent: now})
	}
	if held := c.held(settings, now, loc); held.After(c.At) && !held.Equal(c.Postponed) {
		c.Postponed = held
		c.record(now, system(c.ResellerID), didPostpone, "", c.At, held)
		facts = append(facts, c.tellMoved(KindPostponed, now, c.At))
	}
	if due {
		facts = append(facts, c.tell(KindWarning, now, c.Reason))
	}
	return facts
}

const serverLeft = "server left"

// left ends a scheduled cancellation whose server is not with its client any more: nothing is done to it.
func (c Cancellation) left(now time.Time) (outcome, error) {
	next, facts, err := c.discarded(opLeft, system(c.ResellerID), serverLeft, now)
	return outcome{c, next, append(facts, next.tell(KindServerLeft, now, c.Reason))}, err
}

// disowned ends a scheduled cancellation whose server has become a provider's: only upstream can end that.
func (c Cancellation) disowned(now time.Time) (outcome, error) {
	next, err := c.failed(opOwner, "the server is a provider's by now: ask them to cancel it", now)
	facts := []fact{next.complain(KindFailed)}
	if next.known() {
		facts = append(facts, next.tell(KindDiscarded, now, ""))
	}
	return outcome{c, next, facts}, err
}

// failed ends a cancellation for a reason.
func (c Cancellation) failed(op, reason string, now time.Time) (Cancellation, error) {
	next, err := c.moved(op)
	next.record(now, system(c.ResellerID), didFail, reason, time.Time{}, time.Time{})
	next.LastError, next.RetryAt = reason, time.Time{}
	next.Due, next.LeaseUntil = time.Time{}, time.Time{}
	return next, err
}

// retry is how long what failed is left alone.
func retry() backoff.Policy { return backoff.Policy{First: time.Minute, Max: time.Hour} }

const maxError = 1000 // bytes of LastError that are kept

// stumbled is a cancellation given back after a failure, to be tried again later. next is c with what was found before
// the failure.
func (o outcome) stumbled(next Cancellation, failure error, now time.Time) outcome {
	next.Attempts = o.before.Attempts + 1
	next.LastError = text.Clean(failure.Error(), maxError)
	next.RetryAt = now.Add(retry().Delay(next.Attempts)).Truncate(time.Microsecond)
	next.Due, next.LeaseUntil = next.due(Settings{}, now), time.Time{}
	o.after = next
	if next.Attempts == stuckAfter {
		o.facts = append(o.facts, next.complain(KindStuck))
	}
	return o
}

// commitAll stores outcomes together, or one by one where that fails. It returns those that somebody else has changed
// meanwhile, and the errors of the others, which it tries to give back.
func (m *Manager) commitAll(ctx context.Context, now time.Time, all []outcome) (lost []outcome, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	changes := make([]Change, len(all))
	for i, o := range all {
		events, err := o.after.events(now, o.facts)
		if err != nil {
			return nil, err
		}
		changes[i] = Change{Cancellations: []Cancellation{o.after}, Events: events}
	}
	if err := m.config.Store.Commit(ctx, changes...); err == nil || ctx.Err() != nil {
		return nil, err
	}
	var errs []error
	for i, o := range all {
		err := m.config.Store.Commit(ctx, changes[i])
		if err != nil && !errors.Is(err, ErrConflict) {
			errs = append(errs, o.before.about("Tick", err))
			err = m.giveBack(ctx, now, o, err)
		}
		if errors.Is(err, ErrConflict) {
			lost = append(lost, o)
		}
	}
	return lost, errors.Join(errs...)
}

// giveBack stores that something failed. Who lost the record meanwhile has nothing to give back; where the store fails,
// the lease ends by itself.
func (m *Manager) giveBack(ctx context.Context, now time.Time, o outcome, failure error) error {
	o.facts = nil
	o = o.stumbled(o.before, failure, now)
	return m.commit(ctx, now, o.after, o.facts...)
}
