package ticket

import (
	"fmt"
	"slices"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Status is where a ticket stands.
type Status string

// The statuses. The first two are undecided, with no Decision; confirmed, forwarded and done were confirmed; a closed
// ticket keeps its Decision.
const (
	Open         Status = "open"          // the reseller is to decide
	NeedsDetails Status = "needs_details" // the client is to say more
	Confirmed    Status = "confirmed"     // the reseller works on it
	Forwarded    Status = "forwarded"     // the provider works on it; a client sees "confirmed"
	Done         Status = "done"
	Rejected     Status = "rejected"
	Closed       Status = "closed"
)

// statuses is all of them, in the order of a ticket's life.
func statuses() []Status {
	return []Status{Open, NeedsDetails, Confirmed, Forwarded, Done, Rejected, Closed}
}

// working says that a ticket asks for something: no second one of a unique kind may be opened.
func (s Status) working() bool {
	return s == Open || s == NeedsDetails || s == Confirmed || s == Forwarded
}

// Transition is a row of the status table: what the Manager's method Op does to a ticket in one of the statuses From.
type Transition struct {
	Op   string
	By   dedicated.Role // Client: the ticket's own client; Reseller: the reseller and System; 0: all of them
	From []Status
	To   Status // "": the status stays
}

// Transitions is the status table. "Tick" closes what was answered long enough ago, "CloseServer" what a server leaves
// behind. Operations that are not in it (Assign, SetPriority, ProviderReplied) take every status and leave it.
func Transitions() []Transition {
	return []Transition{
		{Op: "Comment", By: dedicated.Client, From: []Status{NeedsDetails, Closed}, To: Open},
		{Op: "Comment", By: dedicated.Client, From: []Status{Open, Confirmed, Forwarded, Done, Rejected}},
		{Op: "Comment", By: dedicated.Reseller, From: statuses()},
		{Op: "Confirm", By: dedicated.Reseller, From: []Status{Open, NeedsDetails, Forwarded}, To: Confirmed},
		{Op: "AskDetails", By: dedicated.Reseller, From: []Status{Open, NeedsDetails, Confirmed, Forwarded}, To: NeedsDetails},
		{Op: "Reject", By: dedicated.Reseller, From: []Status{Open, NeedsDetails, Confirmed, Forwarded}, To: Rejected},
		{Op: "Forward", By: dedicated.Reseller, From: []Status{Open, NeedsDetails, Confirmed, Forwarded}, To: Forwarded},
		{Op: "Relay", By: dedicated.Reseller, From: []Status{Open, NeedsDetails, Confirmed, Forwarded, Done, Rejected}},
		{Op: "Complete", By: dedicated.Reseller, From: []Status{Confirmed, Forwarded}, To: Done},
		{Op: "Close", From: []Status{Open, NeedsDetails, Confirmed, Forwarded, Done, Rejected}, To: Closed},
		{Op: "Reopen", From: []Status{Done, Rejected, Closed}, To: Open},
		{Op: "Tick", By: dedicated.Reseller, From: []Status{NeedsDetails, Done, Rejected}, To: Closed},
		{Op: "CloseServer", By: dedicated.Reseller, From: []Status{Open, NeedsDetails, Confirmed, Forwarded, Done, Rejected}, To: Closed},
	}
}

// to returns the status that op by the actor leads to, or an error that names the statuses that op takes.
func (t Ticket) to(op string, a dedicated.Actor) (Status, error) {
	by := a.Role
	if by == dedicated.System {
		by = dedicated.Reseller
	}
	var want []Status
	listed := false
	for _, row := range Transitions() {
		if row.Op != op || row.By != 0 && row.By != by {
			continue
		}
		listed = true
		if !slices.Contains(row.From, t.Status) {
			want = append(want, row.From...)
			continue
		}
		if row.To != "" {
			return row.To, nil
		}
		return t.Status, nil
	}
	if !listed {
		return t.Status, nil
	}
	return "", t.refuse(op, a, want)
}

func (t Ticket) refuse(op string, a dedicated.Actor, want []Status) error {
	want = seenBy(a, want...)
	status := seenBy(a, t.Status)[0]
	return &Error{
		Op: op, TicketID: t.ID, Status: status, Want: want, Err: ErrConflict,
		Msg: fmt.Sprintf("ticket %s (%s) is %s: %s takes one that is %s", t.Ref, t.ID, status, op, text.Or(want)),
	}
}

// decided is what a move to a status decides.
func (t Ticket) decided(to Status) Status {
	switch to {
	case Open, NeedsDetails:
		return ""
	case Confirmed, Forwarded:
		return Confirmed
	case Rejected:
		return Rejected
	}
	return t.Decision
}

// operation is what a method of the Manager asks for.
type operation struct {
	client  bool // the ticket's own client may do it too
	words   bool // the note must say something
	public  bool // the note is for others than the reseller, so never internal
	service bool // refused once the server has left the client
}

var operations = map[string]operation{
	"Comment":         {client: true, words: true},
	"Confirm":         {words: true, public: true, service: true},
	"AskDetails":      {words: true, public: true, service: true},
	"Reject":          {words: true, public: true},
	"Forward":         {public: true, service: true},
	"Relay":           {words: true, public: true},
	"ProviderReplied": {words: true},
	"Complete":        {service: true},
	"Close":           {client: true},
	"Reopen":          {client: true, service: true},
	"Assign":          {},
	"SetPriority":     {},
}
