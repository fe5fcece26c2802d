package cancellation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
	"github.com/metalkeep/metalkeep/refund"
)

// Preview is what Schedule would do.
type Preview struct {
	Cancellation Cancellation  // as it would be stored, for the actor; its ID is that of the Order
	Zone         string        // the server's zone, for all dates
	Refund       refund.Result // as Quote returns it
	Currency     string        // of Refund: ISO 4217
	// Warnings are the instants at which the client would be warned, oldest first. The first one is now if it is overdue.
	Warnings []time.Time
	// Told are the kinds of event that would be recorded, in order: at once with the order, then before the date, then with the
	// execution.
	Told []notify.Kind
}

// Preview returns what Schedule would do now, or the error that it would return. It writes nothing, and it does not ask the gates: one
// of them may still refuse the order. If the Order has an ID that is stored, and repeats that order, the preview is of
// the stored cancellation as it goes on; if nothing comes of it any more, it has no Warnings and no Told.
func (m *Manager) Preview(ctx context.Context, a dedicated.Actor, o Order) (Preview, error) {
	p, err := m.preview(ctx, a, o)
	if err != nil {
		return Preview{}, explain(opPreview, o.ID, o.ServerID, err)
	}
	return p, nil
}

func (m *Manager) preview(ctx context.Context, a dedicated.Actor, o Order) (p Preview, err error) {
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return p, actorError(opPreview, a)
	}
	now := m.now()
	r, err := m.readForOrder(ctx, a, o)
	if err != nil {
		return p, err
	}
	r.epoch = m.config.Epoch
	d, _, err := o.decide(a, r, now)
	if err != nil {
		return p, err
	}
	if r.stored {
		if r, err = m.readForChange(ctx, a, opPreview, o.ID); err != nil {
			return p, err
		}
		d.cancellation = r.cancellation
	}
	c := d.cancellation
	p = Preview{Cancellation: c.view(a), Zone: c.Zone, Refund: c.Refund, Currency: c.Currency}
	if c.State != Scheduled || !c.holds(r.server) || !r.server.Used() {
		return p, nil // it is over, or will be discarded because the server has left
	}
	p.Currency = r.server.Billing.Currency
	if p.Refund, err = m.computeRefund(ctx, r.settings, r.server, c.At); err != nil {
		return p, err
	}
	for _, f := range d.facts {
		p.Told = append(p.Told, f.Kind)
	}
	before, warnings := c.project(r.settings, now)
	p.Warnings, p.Told = warnings, append(p.Told, before...)
	p.Told = append(p.Told, KindExecuted, KindCompleted, KindClosed)
	return p, nil
}

// project returns what a scheduled cancellation records before its execution if each Tick comes in time and nothing else changes: the
// kinds of event, each once, and the instants of the warnings.
func (c Cancellation) project(s Settings, now time.Time) (told []notify.Kind, warnings []time.Time) {
	seen := map[notify.Kind]bool{}
	for range 2*MaxLeads + 2 { // every step but the last records a warning or the postponement
		now = zone.Earlier(c.nextWarning(s, now), c.plannedExecution())
		if !now.Before(c.earliestExecution(s, now)) {
			break
		}
		for _, f := range c.warn(s, now) {
			if f.Kind == KindWarning {
				warnings = append(warnings, now)
			}
			if !seen[f.Kind] {
				seen[f.Kind] = true
				told = append(told, f.Kind)
			}
		}
	}
	return told, warnings
}

// Policy is what a client may order on a server, and what it needs to know of the settings for that. Everything but Own is zero for a
// provider's server: a client cannot order anything there.
type Policy struct {
	EndOfPeriod         time.Time // what When.EndOfPeriod means now, whether notice and lock leave it or not
	FirstAllowed        time.Time // what When.FirstAllowed means now, for a client
	NoticeDays          int
	LockDays            int
	ClientMayDiscard    bool
	ClientMayChooseDate bool
	Own                 bool // the server is the reseller's own; false: a provider's
}

// Policy returns what the client of a server may order. The client and the reseller get the same. Others get ErrNotFound. A server
// that is not in use is ErrConflict, and ErrNotFound for a client.
func (m *Manager) Policy(ctx context.Context, a dedicated.Actor, server uuid.UUID) (Policy, error) {
	p, err := m.policy(ctx, a, server)
	if err != nil {
		return Policy{}, explain(opPolicy, uuid.Nil, server, err)
	}
	return p, nil
}

func (m *Manager) policy(ctx context.Context, a dedicated.Actor, server uuid.UUID) (p Policy, err error) {
	r, err := m.readForQuestion(ctx, opPolicy, a, server)
	if err != nil {
		return p, err
	}
	if err := r.checkInUse(opPolicy, a, server); err != nil || !r.server.Owner.Own() {
		return p, err
	}
	s, now := r.settings, m.now()
	p = Policy{
		NoticeDays: s.NoticeDays, LockDays: s.LockDays,
		ClientMayDiscard: s.ClientMayDiscard, ClientMayChooseDate: s.ClientMayChooseDate, Own: true,
	}
	if p.EndOfPeriod, err = (When{EndOfPeriod: true}).resolveEnd(now, 0, r.server.Billing); err != nil {
		return p, billingError(err)
	}
	if p.FirstAllowed, err = (When{FirstAllowed: true}).resolveEnd(now, max(s.NoticeDays, s.LockDays), r.server.Billing); err != nil {
		return p, billingError(err)
	}
	return p, nil
}
