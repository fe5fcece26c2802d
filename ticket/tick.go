package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/backoff"
	"github.com/metalkeep/metalkeep/internal/inventory"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

const (
	lease     = 5 * time.Minute // how long a claim lasts
	batchSize = 100             // how many tickets are claimed and committed at once
)

// retryBackoff is how long a failed ticket waits. Tickets do not count their failures, so it does not grow.
func retryBackoff() backoff.Policy {
	return backoff.Policy{First: 10 * time.Minute, Max: 10 * time.Minute}
}

var _ dedicated.Ticker = (*Manager)(nil)

// Tick does everything that is due, the oldest first, a bounded batch at a time. It closes tickets that were answered long enough
// ago. It reminds the reseller, once, of a ticket that waits too long for its first answer, and of a client's comment on what is
// done or rejected. It tells the reseller of the client's moves that no mail told of. It closes the tickets of a server that has
// left its client, if neither CloseServer nor the Subscriber did.
//
// If one ticket fails, Tick goes on with the others and joins the errors; the failed one is tried again some minutes later. A
// ticket that the Store cannot read is an error of its own, and the Store tries it again later. A second Tick at the same instant
// does nothing. next is the instant at which Tick should be called again; zero: nothing is planned. Other processes may call Tick
// at the same time. The errors are for the log: they repeat what the host's parts said.
func (m *Manager) Tick(ctx context.Context) (next time.Time, err error) {
	now := m.now()
	var errs []error
	var unread manage.Unread
	for {
		due, err := m.store.ClaimDue(ctx, now, now.Add(lease), batchSize)
		if err != nil {
			return time.Time{}, errors.Join(append(errs, report(OpTick, uuid.Nil, uuid.Nil, err))...)
		}
		unreadable := unread.Fresh(due.Unreadable)
		for _, u := range unreadable {
			errs = append(errs, report(OpTick, u.ID, uuid.Nil, manage.UnreadableError("ticket", u)))
		}
		if len(due.Tickets)+len(unreadable) == 0 {
			return due.Next, errors.Join(errs...)
		}
		errs = append(errs, m.processBatch(ctx, due.Tickets, now))
	}
}

// processBatch does what is due of claimed tickets, in one commit. A ticket that somebody changed meanwhile was planned anew by
// that change.
func (m *Manager) processBatch(ctx context.Context, claimed []Ticket, now time.Time) error {
	byReseller := map[uuid.UUID][]uuid.UUID{}
	for _, t := range claimed {
		byReseller[t.ResellerID] = append(byReseller[t.ResellerID], t.ServerID)
	}
	servers := inventory.Prefetch(ctx, m.servers, byReseller)
	var errs []error
	items := make([]manage.Item[Change], len(claimed))
	for i, t := range claimed {
		change, err := m.changeDue(ctx, servers, t, now)
		if err != nil {
			errs = append(errs, t.tickError(err))
			change = t.givenBack(now)
		}
		items[i] = manage.Item[Change]{Change: change, Refused: func(failure error) (Change, error) {
			return t.givenBack(now), t.tickError(failure)
		}}
	}
	_, _, err := manage.CommitBatch(ctx, m.store.Commit, items)
	return errors.Join(append(errs, report(OpTick, uuid.Nil, uuid.Nil, err))...)
}

// changeDue returns the change that is due of a claimed ticket.
func (m *Manager) changeDue(ctx context.Context, servers Servers, t Ticket, now time.Time) (Change, error) {
	s, found, err := inventory.Server(ctx, servers, t.ResellerID, t.ServerID)
	if err != nil {
		return Change{}, err
	}
	v := m.rules.bySystem(OpTick, reading{before: t, server: s, found: found}, now)
	if err := v.due(); err != nil {
		return Change{}, err
	}
	return v.change()
}

// givenBack returns the change that ends the lease of a claimed ticket, to be tried again later.
func (t Ticket) givenBack(now time.Time) Change {
	t.LeaseUntil, t.Due = time.Time{}, zone.Instant(now.Add(retryBackoff().Delay(1)))
	return Change{Tickets: []Ticket{t}}
}

// tickError is a failure of a claimed ticket, for the log.
func (t Ticket) tickError(failure error) error {
	return report(OpTick, t.ID, t.ServerID, fmt.Errorf("ticket %s (%s): %w", t.Ref, t.ID, failure))
}
