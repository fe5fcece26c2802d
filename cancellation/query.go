package cancellation

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// Query selects the cancellations of one reseller to list. The zero value selects all of them. All criteria must match.
type Query struct {
	States   []State        // one of these; empty: any
	From, To time.Time      // At in [From, To); zero: no bound
	ClientID uuid.UUID      // nil: any
	ServerID uuid.UUID      // nil: any
	By       dedicated.Role // the role that ordered it; 0: any
	Stuck    bool           // only active ones with Attempts above 0
	// Unconfirmed selects only active ones that wait for Confirm: those that are Held, and those whose Epoch is not the Epoch of
	// the query.
	Unconfirmed bool
	Epoch       string // for Unconfirmed: the present epoch; the Manager sets it
	Limit       int    // the most cancellations on a page; 0: the Store's default; above the Store's maximum: that maximum
	After       string // the cursor that the page before returned; "": the first page
}

// check refuses a query that no list takes. Only Managers check queries; a Store checks the cursor.
func (q Query) check(op Op) error {
	for _, state := range q.States {
		if !slices.Contains(States(), state) {
			return invalid(op, "States", "%.20q is not a state: want %s", state, text.Or(States()))
		}
	}
	switch {
	case q.By > dedicated.System:
		return invalid(op, "By", "%d is not a role: want Client, Reseller or System, or 0 for any", q.By)
	case !q.To.IsZero() && q.To.Before(q.From):
		return invalid(op, "To", "%s is before From, %s", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	case q.Limit < 0:
		return invalid(op, "Limit", "%d is negative", q.Limit)
	}
	return nil
}

// forActor is the checked query as the Store answers it for the actor. possible is false if none can match.
func (q Query) forActor(op Op, a dedicated.Actor) (narrowed Query, possible bool, err error) {
	q.From, q.To = zone.Instant(q.From), zone.Instant(q.To)
	if err := q.check(op); err != nil {
		return q, false, err
	}
	if a.Role != dedicated.Client {
		return q, true, nil
	}
	if q.Stuck {
		return q, false, &Error{Op: op, Field: "Stuck", Err: ErrForbidden, Msg: "Stuck: only the reseller may search for stuck cancellations"}
	}
	if q.Unconfirmed {
		return q, false, &Error{Op: op, Field: "Unconfirmed", Err: ErrForbidden,
			Msg: "Unconfirmed: only the reseller may search for cancellations that wait to be confirmed"}
	}
	if q.ClientID != uuid.Nil && q.ClientID != a.ID {
		return q, false, nil
	}
	q.ClientID = a.ID
	return q, true, nil
}

// matches is what a Store answers the query by.
func (q Query) matches(c *Cancellation) bool {
	return (len(q.States) == 0 || slices.Contains(q.States, c.State)) &&
		(q.From.IsZero() || !c.At.Before(q.From)) &&
		(q.To.IsZero() || c.At.Before(q.To)) &&
		(q.ClientID == uuid.Nil || q.ClientID == c.ClientID) &&
		(q.ServerID == uuid.Nil || q.ServerID == c.ServerID) &&
		(q.By == 0 || q.By == c.By.Role) &&
		(!q.Stuck || c.State.Active() && c.Attempts > 0) &&
		(!q.Unconfirmed || c.State.Active() && (c.Held || c.Epoch != q.Epoch))
}
