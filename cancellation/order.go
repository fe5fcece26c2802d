package cancellation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Order is a cancellation to schedule.
type Order struct {
	ID       uuid.UUID // optional; a repeat with the same ID and content returns what is stored
	ServerID uuid.UUID
	When     When   // for a client: the end of the period
	Reason   string // one line of at most dedicated.MaxReason bytes, or ""; the client sees it
}

// announced is what is told of a new cancellation: only what a client orders itself. Of a reseller's it is warned.
func (c Cancellation) announced(now time.Time) []fact {
	if c.By.Role != dedicated.Client {
		return nil
	}
	return []fact{c.tell(KindScheduled, now, c.Reason), c.tell(KindScheduledByClient, now, c.Reason)}
}

// repeated finds the record that an order with the same ID has made before.
func (m *Manager) repeated(ctx context.Context, a dedicated.Actor, o Order) (c Cancellation, found bool, err error) {
	c, err = m.config.Store.Cancellation(ctx, o.ID)
	if errors.Is(err, ErrNotFound) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	w, err := o.When.normal("Schedule")
	if err != nil {
		return c, false, err
	}
	// Once it has moved, the record does not tell any more what was asked for at first.
	changed := slices.ContainsFunc(c.History, func(e Entry) bool { return e.What == didReschedule })
	if c.By != a || c.ServerID != o.ServerID || c.Reason != o.Reason || !c.When.same(w) && !changed {
		return c, false, &Error{Op: "Schedule", ServerID: o.ServerID, Field: "Order.ID", Err: ErrConflict,
			Msg: fmt.Sprintf("the ID %s is taken by another cancellation", o.ID)}
	}
	return c, true, nil
}

// draft is the cancellation that an order makes, without an ID, if all rules allow it.
func (m *Manager) draft(ctx context.Context, a dedicated.Actor, o Order, now time.Time) (Cancellation, error) {
	const op = "Schedule"
	s, err := m.server(ctx, op, a, o.ServerID)
	if err != nil {
		return Cancellation{}, err
	}
	if err := m.unplanned(ctx, s, o.ID); err != nil {
		return Cancellation{}, err
	}
	if err := checkReason(op, "Order.Reason", o.Reason); err != nil {
		return Cancellation{}, err
	}
	w, at, err := m.choose(op, a, s, o.When, now)
	if err != nil {
		return Cancellation{}, err
	}
	settings, err := m.settings(ctx, s.ResellerID)
	if err != nil {
		return Cancellation{}, err
	}
	if a.Role == dedicated.Client {
		if err := settings.clientMay(op, at, now, s.Billing); err != nil {
			return Cancellation{}, err
		}
	}
	c := Cancellation{
		ResellerID: s.ResellerID, ClientID: s.ClientID, ServerID: s.ID, Assignment: s.Assignment, ServerName: s.Name,
		State: Scheduled, When: w, Asked: now, At: at, Zone: s.Billing.Zone, By: a, Reason: o.Reason,
	}
	c.record(now, a, didSchedule, o.Reason, time.Time{}, at)
	// A batch that reckons everything anew after settings were saved may have passed already: so the next tick looks at
	// this one, under whatever settings there are then.
	c.SettingsVersion, c.Due = settings.Saved, now
	return c, nil
}

// server reads a server whose cancellation the actor may order, with everything in place.
func (m *Manager) server(ctx context.Context, op string, a dedicated.Actor, id uuid.UUID) (dedicated.Server, error) {
	if id == uuid.Nil {
		return dedicated.Server{}, noServer(op, id)
	}
	s, err := m.config.Servers.Server(ctx, system(a.ResellerID), id)
	if errors.Is(err, ErrNotFound) || err == nil && !a.Manages(s.ResellerID) && !a.Uses(s) {
		return dedicated.Server{}, noServer(op, id)
	}
	if err != nil {
		return dedicated.Server{}, err
	}
	if !s.Owner.Own() {
		return s, refuseProvider(op, a, s)
	}
	if !s.Used() {
		return s, &Error{Op: op, ServerID: s.ID, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is %s: nobody uses it, there is nothing to cancel", s.Name, s.ID, s.State)}
	}
	return s, nil
}

// refuseProvider: upstream alone can end what belongs to upstream. Only the reseller learns who that is.
func refuseProvider(op string, a dedicated.Actor, s dedicated.Server) error {
	e := &Error{Op: op, ServerID: s.ID, Err: ErrForbidden}
	if a.Role == dedicated.Client {
		e.Msg = fmt.Sprintf("server %s (%s) cannot be cancelled automatically: open a cancel_at_provider ticket", s.Name, s.ID)
		return e
	}
	e.Provider, e.Reference = s.Owner.Provider, s.Owner.Reference
	e.Msg = fmt.Sprintf("server %s (%s) belongs to %s, who calls it %q: ask them to cancel it", s.Name, s.ID, e.Provider, e.Reference)
	return e
}

// holder reads the server of a cancellation, which must be the reseller's own and still with the client. For one that has
// left, the error's Field is fieldAssignment.
func (m *Manager) holder(ctx context.Context, op string, a dedicated.Actor, c Cancellation) (dedicated.Server, error) {
	s, err := m.config.Servers.Server(ctx, system(c.ResellerID), c.ServerID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return s, err
	}
	if err != nil || !c.holds(s) || !s.Used() {
		return s, &Error{Op: op, CancellationID: c.ID, ServerID: c.ServerID, Field: fieldAssignment, Err: ErrConflict,
			Msg: fmt.Sprintf("server %s (%s) is not in its client's use any more", c.ServerName, c.ServerID)}
	}
	if !s.Owner.Own() {
		return s, refuseProvider(op, a, s)
	}
	return s, nil
}

const fieldAssignment = "Assignment"

// holds says whether the server is still under the assignment that the cancellation is bound to.
func (c Cancellation) holds(s dedicated.Server) bool {
	return s.ID == c.ServerID && s.ResellerID == c.ResellerID && s.Assignment == c.Assignment && s.ClientID == c.ClientID
}

// unplanned refuses a second active cancellation for one assignment. One with the order's own ID was made since that was
// looked for: it is to be looked for again.
func (m *Manager) unplanned(ctx context.Context, s dedicated.Server, id uuid.UUID) error {
	active, err := m.config.Store.Active(ctx, []uuid.UUID{s.ID})
	if err != nil {
		return err
	}
	for _, c := range active {
		if c.ID == id {
			return ErrConflict
		}
		if c.Assignment == s.Assignment && c.ResellerID == s.ResellerID {
			return &Error{
				Op: "Schedule", CancellationID: c.ID, ServerID: s.ID, State: c.State, Existing: c.sign(), Err: ErrConflict,
				Msg: fmt.Sprintf("server %s (%s) has a cancellation by the %s already, for %s", s.Name, s.ID, c.By.Role, date(c.At, c.place())),
			}
		}
	}
	return nil
}

// choose is the When in its stored form and what it means now, if the actor may choose it.
func (m *Manager) choose(op string, a dedicated.Actor, s dedicated.Server, w When, now time.Time) (When, time.Time, error) {
	w, err := w.normal(op)
	if err != nil {
		return w, time.Time{}, err
	}
	if a.Role == dedicated.Client && !w.EndOfPeriod {
		end, err := When{EndOfPeriod: true}.resolve(now, s.Billing)
		if err != nil {
			return w, time.Time{}, noPeriod(op, s, err)
		}
		return w, time.Time{}, &Error{Op: op, ServerID: s.ID, Field: "When.At", PeriodEnd: end, Err: ErrForbidden,
			Msg: "client may only cancel at the end of the billing period, " + date(end, place(s.Billing.Zone))}
	}
	if !w.EndOfPeriod && w.At.Before(now) {
		return w, time.Time{}, invalid(op, "When.At", "%s is past: it is %s, and now is the earliest that is possible",
			date(w.At, place(s.Billing.Zone)), date(now, place(s.Billing.Zone)))
	}
	at, err := w.resolve(now, s.Billing)
	if err != nil {
		return w, at, noPeriod(op, s, err)
	}
	return w, at, nil
}

// noPeriod says that the end of the period cannot be told. It never falls back to now.
func noPeriod(op string, s dedicated.Server, err error) error {
	return &Error{Op: op, ServerID: s.ID, Field: "When.EndOfPeriod", Err: err,
		Msg: fmt.Sprintf("server %s (%s) has no billing period to end: %v", s.Name, s.ID, err)}
}

func checkReason(op, field, reason string) error {
	if err := text.Line(field, reason, dedicated.MaxReason); err != nil {
		return &Error{Op: op, Field: field, Msg: err.Error(), Err: ErrInvalid}
	}
	return nil
}
