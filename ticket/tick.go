package ticket

import (
	"context"
	"errors"
	"time"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const (
	batch = 100             // tickets claimed and committed at once
	lease = 5 * time.Minute // until another process may take over
)

// retry is when a ticket is looked at again that could not be decided on.
var retry = backoff.Policy{First: 10 * time.Minute, Max: 10 * time.Minute}

// Tick closes what was answered long enough ago, reminds the reseller, once, of what waits too long for its first answer,
// and closes what a departed server left behind. It goes on past a ticket that fails, which is looked at again some minutes
// later, and joins the errors. next is when the next ticket is due; zero: none is.
func (m *Manager) Tick(ctx context.Context) (next time.Time, err error) {
	const op = "Tick"
	now := m.now()
	var failures []error
	for {
		due, err := m.store.ClaimDue(ctx, now, now.Add(lease), batch)
		if err != nil {
			failures = append(failures, err)
			break
		}
		if len(due.Tickets) == 0 {
			next = due.Next
			break
		}
		failures = append(failures, m.ripen(ctx, due.Tickets, now)...)
	}
	if err := errors.Join(failures...); err != nil {
		return next, &Error{Op: op, Msg: op + ": " + err.Error(), Err: err}
	}
	return next, nil
}

// ripen does what is due on claimed tickets: all in one Commit, or one by one where that one fails, so that no ticket keeps
// the others of its batch from being done. Who changed a ticket meanwhile has planned it anew; where the store fails, the
// lease ends by itself.
func (m *Manager) ripen(ctx context.Context, due []Ticket, now time.Time) []error {
	var failures []error
	var changes []Change
	for _, t := range due {
		s, err := m.due(ctx, t, now)
		if err != nil {
			failures = append(failures, known("Tick", t.ID, err))
		}
		events, err := s.after.events(now, s.facts)
		if err != nil {
			failures = append(failures, known("Tick", t.ID, err))
			continue
		}
		changes = append(changes, Change{Tickets: []Ticket{s.after}, Events: events})
	}
	err := m.store.Commit(ctx, changes...)
	if err == nil {
		return failures
	}
	if ctx.Err() != nil {
		return append(failures, err)
	}
	for _, c := range changes {
		if err := m.store.Commit(ctx, c); err != nil && !errors.Is(err, ErrConflict) {
			failures = append(failures, known("Tick", c.Tickets[0].ID, err))
		}
	}
	return failures
}

// due decides on one claimed ticket. With an error the step only gives it back for later.
func (m *Manager) due(ctx context.Context, t Ticket, now time.Time) (step, error) {
	s := step{op: "Tick", by: dedicated.Actor{Role: dedicated.System, ResellerID: t.ResellerID}, now: now, before: t, after: t.clone()}
	server, found, err := m.server(ctx, t.ResellerID, t.ServerID)
	switch {
	case err != nil:
		s.after.LeaseUntil, s.after.Due = time.Time{}, zone.Instant(now.Add(retry.Delay(1)))
		return s, err
	case t.Status == Closed:
	case !found || !t.holds(server):
		return m.departed(t, "", now), nil
	case !t.ClosesAt.IsZero() && !t.ClosesAt.After(now):
		s = m.closed("Tick", t, now)
		s.facts = m.tellClient(s.before, s.after)
		return s, nil
	}
	if at := m.reminderAt(t); !at.IsZero() && !at.After(now) {
		s.after.Reminded = now
		s.facts = []fact{{KindUnanswered, m.report(s.after, nil, "")}}
	}
	m.plan(&s.after, now)
	return s, nil
}
