package dedicated

import (
	"slices"

	"github.com/google/uuid"

	"github.com/metalkeep/metalkeep/internal/text"
)

// Query selects the servers of one reseller to list. The zero value selects all of them. All criteria must match.
type Query struct {
	Text     string    // in the name or the ID, in any case of letters; "": any
	States   []State   // one of these; empty: any
	Owner    string    // "own": the reseller's own, "provider": a provider's; "": any
	ClientID uuid.UUID // the client that has or last had the server; nil: any
	Limit    int       // the most servers on a page; 0: the Store's default; above the Store's maximum: that maximum
	After    string    // the cursor that the page before returned; "": the first page
}

// check refuses a query that no list takes. Only Managers check queries; a Store checks the cursor.
func (q Query) check(op Op) error {
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
	if q.Limit < 0 {
		return invalid(op, "Limit", "%d is negative", q.Limit)
	}
	return nil
}

// matches is what a Store answers the query by.
func (q Query) matches(s *Server) bool {
	return (len(q.States) == 0 || slices.Contains(q.States, s.State)) &&
		(q.Owner == "" || (q.Owner == "own") == s.Owner.Own()) &&
		(q.ClientID == uuid.Nil || q.ClientID == s.ClientID) &&
		(text.Contains(s.Name, q.Text) || text.Contains(s.ID.String(), q.Text))
}
