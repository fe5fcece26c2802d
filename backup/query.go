package backup

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
	"github.com/metalkeep/metalkeep/internal/zone"
)

// TaskQuery selects the tasks of one reseller to list or count. The zero value selects all of them. All criteria must match.
type TaskQuery struct {
	From, To  time.Time // planned at From or later, and before To; zero: no bound
	States    []State   // one of these; empty: any
	Overdue   bool      // pending for at least Config.Grace; the Manager expresses it by States and To
	ClientID  uuid.UUID // nil: any
	ServerID  uuid.UUID // nil: any
	RequestID uuid.UUID // nil: any
	Text      string    // in the server's name or ID, in any case of letters; "": any
	Owner     string    // "own": on the reseller's own servers, "provider": on a provider's; "": any; clients may not use it
	Limit     int       // the most tasks on a page; 0: the Store's default; above the Store's maximum: that maximum
	After     string    // the cursor that the page before returned; "": the first page
}

// RequestQuery selects the requests of one reseller to list. The zero value selects all of them. All criteria must match.
type RequestQuery struct {
	ClientID uuid.UUID // nil: any
	ServerID uuid.UUID // nil: any
	Live     bool      // only requests that have not ended
	// Unconfirmed selects only requests that go on, and whose Epoch is not the Epoch of the query: those that are live or have a Due.
	// Clients may not use it.
	Unconfirmed bool
	Epoch       string // for Unconfirmed: the present epoch; the Manager sets it
	Limit       int    // the most requests on a page; 0: the Store's default; above the Store's maximum: that maximum
	After       string // the cursor that the page before returned; "": the first page
}

// check refuses a query that no list takes. Only Managers check queries; a Store checks the cursor.
func (q TaskQuery) check(op Op) error {
	switch q.Owner {
	case "", "own", "provider":
	default:
		return invalid(op, "Owner", `%.20q: want "", "own" or "provider"`, q.Owner)
	}
	for _, state := range q.States {
		if !slices.Contains(States(), state) {
			return invalid(op, "States", "%.20q is not a state: want %s", state, text.Or(States()))
		}
	}
	return checkLimit(op, q.Limit)
}

func (q RequestQuery) check(op Op) error { return checkLimit(op, q.Limit) }

func checkLimit(op Op, limit int) error {
	if limit < 0 {
		return invalid(op, "Limit", "%d is negative", limit)
	}
	return nil
}

// matches is what a Store answers the query by.
func (q TaskQuery) matches(t *Task) bool {
	return (q.From.IsZero() || !t.At.Before(q.From)) &&
		(q.To.IsZero() || t.At.Before(q.To)) &&
		(len(q.States) == 0 || slices.Contains(q.States, t.State)) &&
		(q.ClientID == uuid.Nil || q.ClientID == t.ClientID) &&
		(q.ServerID == uuid.Nil || q.ServerID == t.ServerID) &&
		(q.RequestID == uuid.Nil || q.RequestID == t.RequestID) &&
		(q.Owner == "" || (q.Owner == "provider") == t.AtProvider) &&
		(text.Contains(t.ServerName, q.Text) || text.Contains(t.ServerID.String(), q.Text))
}

// matches is what a Store answers the query by.
func (q RequestQuery) matches(r *Request) bool {
	return (!q.Live || r.Live()) &&
		(q.ClientID == uuid.Nil || q.ClientID == r.ClientID) &&
		(q.ServerID == uuid.Nil || q.ServerID == r.ServerID) &&
		(!q.Unconfirmed || r.unconfirmed(q.Epoch))
}

// forActor returns the query as the Store gets it. possible is false if no task can match.
func (q TaskQuery) forActor(op Op, a dedicated.Actor, grace time.Duration, now time.Time) (_ TaskQuery, possible bool, err error) {
	if err := checkActor(op, a); err != nil {
		return q, false, err
	}
	if q.Owner != "" && !a.Manages(a.ResellerID) {
		return q, false, &Error{Op: op, Field: "Owner", Err: ErrForbidden, Msg: "Owner: only the reseller may search by owner"}
	}
	if err := q.check(op); err != nil {
		return q, false, err
	}
	q.ClientID, possible = clientFor(a, q.ClientID)
	if q.Overdue {
		if len(q.States) > 0 && !slices.Contains(q.States, Pending) {
			return q, false, nil
		}
		q.States, q.Overdue = []State{Pending}, false
		q.To = zone.Earlier(q.To, now.Add(-grace).Add(time.Microsecond))
	}
	return q, possible, nil
}

// forActor returns the query as the Store gets it. possible is false if no request can match.
func (q RequestQuery) forActor(op Op, a dedicated.Actor) (_ RequestQuery, possible bool, err error) {
	if err := checkActor(op, a); err != nil {
		return q, false, err
	}
	if q.Unconfirmed && !a.Manages(a.ResellerID) {
		return q, false, &Error{Op: op, Field: "Unconfirmed", Err: ErrForbidden,
			Msg: "Unconfirmed: only the reseller may search for requests that wait to be confirmed"}
	}
	if err := q.check(op); err != nil {
		return q, false, err
	}
	q.ClientID, possible = clientFor(a, q.ClientID)
	return q, possible, nil
}

// clientFor narrows a search for a client's records to those that the actor may see. possible is false if there cannot be any.
func clientFor(a dedicated.Actor, client uuid.UUID) (narrowed uuid.UUID, possible bool) {
	if a.Manages(a.ResellerID) {
		return client, true
	}
	return a.ID, client == uuid.Nil || client == a.ID
}
