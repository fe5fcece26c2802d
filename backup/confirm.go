package backup

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// MaxConfirm is the most requests that one call of Confirm takes.
const MaxConfirm = 1000

// Confirm lets the Performer go on with requests about which a person last decided before the database was restored
// (RequestQuery.Unconfirmed). A request that does not wait stays as it is, so that Confirm may be repeated. All of them are
// confirmed, or none is. Nobody is told.
//
// A client gets ErrForbidden. An ID that the actor may not know of is ErrNotFound, more than MaxConfirm IDs are ErrInvalid.
func (m *Manager) Confirm(ctx context.Context, a dedicated.Actor, requests ...uuid.UUID) error {
	if err := checkActor(OpConfirm, a); err != nil {
		return err
	}
	if len(requests) > MaxConfirm {
		return invalid(OpConfirm, "requests", "%d of them: want %d at the most", len(requests), MaxConfirm)
	}
	now := m.now()
	_, err := manage.Operation[[]Request, []Request]{
		Read: func(ctx context.Context) (all []Request, err error) {
			for _, id := range manage.Distinct(requests) {
				r, err := m.visibleRequest(ctx, a, OpConfirm, id)
				if err != nil {
					return nil, err
				}
				all = append(all, r)
			}
			return all, nil
		},
		Decide: func(all []Request) (confirmed []Request, write bool, err error) {
			for _, r := range all {
				if !a.Manages(r.ResellerID) {
					return nil, false, forbidden(OpConfirm, a, r)
				}
				if r.unconfirmed(m.config.Epoch) {
					confirmed = append(confirmed, r.confirm(m.config.Epoch, now))
				}
			}
			return confirmed, len(confirmed) > 0, nil
		},
		Commit: func(ctx context.Context, confirmed []Request) error {
			return m.store.Commit(ctx, Change{Requests: confirmed})
		},
	}.Run(ctx)
	return explain(OpConfirm, ids{}, err)
}

// confirm returns the request as it goes on, in the present epoch. A Tick plans it anew: what was missed at once, even if its clock is
// behind now.
func (r Request) confirm(epoch string, now time.Time) Request {
	r.Epoch, r.Due, r.LeaseUntil = epoch, zone.Earlier(now, r.Planned), time.Time{}
	return r
}

// forbidden refuses an operation of a client on a request that it may see.
func forbidden(op Op, a dedicated.Actor, r Request) error {
	return &Error{Op: op, RequestID: r.ID, ServerID: r.ServerID, Err: ErrForbidden,
		Msg: fmt.Sprintf("a %s may see the backups of server %s, but %s is for the reseller", a.Role, r.ServerName, op)}
}
