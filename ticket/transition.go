package ticket

import (
	"fmt"
	"slices"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/text"
)

// Status is the status of a ticket.
type Status string

// The statuses. Open and needs_details are undecided: Decision is "". Confirmed, forwarded and done follow a confirmation. Done,
// rejected and closed keep the Decision.
const (
	Open         Status = "open"          // the reseller has to decide
	NeedsDetails Status = "needs_details" // the client has to say more
	Confirmed    Status = "confirmed"     // the reseller works on it
	Forwarded    Status = "forwarded"     // the provider works on it; a client sees "confirmed"
	Done         Status = "done"          // the request was carried out
	Rejected     Status = "rejected"      // the reseller will not do it
	Closed       Status = "closed"        // over; the thread stays readable
)

// Statuses returns all statuses, in the order of a ticket's life.
func Statuses() []Status {
	return []Status{Open, NeedsDetails, Confirmed, Forwarded, Done, Rejected, Closed}
}

// activeStatuses returns the statuses of tickets that still ask for something.
func activeStatuses() []Status { return []Status{Open, NeedsDetails, Confirmed, Forwarded} }

// unfinishedStatuses returns all statuses but Closed.
func unfinishedStatuses() []Status {
	return []Status{Open, NeedsDetails, Confirmed, Forwarded, Done, Rejected}
}

// active reports whether a ticket in this status still asks for something. Only one such ticket of a unique kind may exist.
func (s Status) active() bool { return slices.Contains(activeStatuses(), s) }

// Op is an operation of this package: the name of a Manager's method, or of the type that a function checked.
type Op string

// The operations that change a ticket.
const (
	OpOpen            Op = "Open"
	OpComment         Op = "Comment"
	OpConfirm         Op = "Confirm"
	OpAskDetails      Op = "AskDetails"
	OpReject          Op = "Reject"
	OpForward         Op = "Forward"
	OpProviderReplied Op = "ProviderReplied"
	OpRelay           Op = "Relay"
	OpComplete        Op = "Complete"
	OpClose           Op = "Close"
	OpReopen          Op = "Reopen"
	OpDismiss         Op = "Dismiss"
	OpAssign          Op = "Assign"
	OpSetPriority     Op = "SetPriority"
	OpTick            Op = "Tick"
	OpCloseServer     Op = "CloseServer"
)

// The other operations, as errors name them.
const (
	opNew      Op = "New"
	opKindSpec Op = "KindSpec"
	opForms    Op = "Forms"
	opDraft    Op = "Draft"
	opView     Op = "View"
	opViews    Op = "Views"
	opTicket   Op = "Ticket"
	opTickets  Op = "Tickets"
	opCounts   Op = "Counts"
)

// Transition is a row of the status table: the operation Op by the role By takes a ticket in one of the statuses From to the
// status To.
type Transition struct {
	Op   Op
	By   dedicated.Role // Client: the ticket's own client; Reseller: the reseller and System; 0: all three
	From []Status       // empty: the ticket is new
	To   Status         // "": the status stays
}

// Transitions returns the status table, in the order of a ticket's life. It holds every operation that changes a ticket. Tick
// closes a ticket that was answered long enough ago. CloseServer closes the tickets of a server that has left its client.
func Transitions() []Transition {
	const client, reseller = dedicated.Client, dedicated.Reseller
	return []Transition{
		{Op: OpOpen, To: Open},
		{Op: OpComment, By: client, From: []Status{NeedsDetails, Closed}, To: Open},
		{Op: OpComment, By: client, From: []Status{Open, Confirmed, Forwarded, Done, Rejected}},
		{Op: OpComment, By: reseller, From: Statuses()},
		{Op: OpConfirm, By: reseller, From: []Status{Open, NeedsDetails, Forwarded}, To: Confirmed},
		{Op: OpAskDetails, By: reseller, From: activeStatuses(), To: NeedsDetails},
		{Op: OpReject, By: reseller, From: activeStatuses(), To: Rejected},
		{Op: OpForward, By: reseller, From: activeStatuses(), To: Forwarded},
		{Op: OpProviderReplied, By: reseller, From: Statuses()},
		{Op: OpRelay, By: reseller, From: unfinishedStatuses()},
		{Op: OpComplete, By: reseller, From: []Status{Confirmed, Forwarded}, To: Done},
		{Op: OpClose, From: unfinishedStatuses(), To: Closed},
		{Op: OpReopen, From: []Status{Done, Rejected, Closed}, To: Open},
		{Op: OpDismiss, By: reseller, From: []Status{Done, Rejected}},
		{Op: OpAssign, By: reseller, From: Statuses()},
		{Op: OpSetPriority, By: reseller, From: Statuses()},
		{Op: OpTick, By: reseller, From: []Status{NeedsDetails, Done, Rejected}, To: Closed},
		{Op: OpCloseServer, By: reseller, From: unfinishedStatuses(), To: Closed},
	}
}

// requirement holds the conditions of an operation.
type requirement struct {
	words   bool // the note must have a text or a file
	public  bool // others than the reseller read the note, so it is never internal
	service bool // the client must still use the server
}

// requirements holds every operation that changes a stored ticket.
var requirements = map[Op]requirement{
	OpComment:         {words: true},
	OpConfirm:         {words: true, public: true, service: true},
	OpAskDetails:      {words: true, public: true, service: true},
	OpReject:          {words: true, public: true},
	OpForward:         {public: true, service: true},
	OpProviderReplied: {words: true},
	OpRelay:           {words: true, public: true},
	OpComplete:        {service: true},
	OpClose:           {},
	OpReopen:          {service: true},
	OpDismiss:         {},
	OpAssign:          {},
	OpSetPriority:     {},
	OpTick:            {},
	OpCloseServer:     {},
}

// rowsFor returns the rows of the status table for an operation by an actor, and what the operation requires. The error is for an
// operation that is not in the table, and for one that is not for the actor's role.
func (t Ticket) rowsFor(op Op, a dedicated.Actor) ([]Transition, requirement, error) {
	required, known := requirements[op]
	if !known {
		return nil, required, invalid(op, "Op", "%q is not an operation on a ticket", op)
	}
	by := a.Role
	if by == dedicated.System {
		by = dedicated.Reseller
	}
	rows := slices.DeleteFunc(Transitions(), func(row Transition) bool { return row.Op != op || row.By != 0 && row.By != by })
	if len(rows) == 0 {
		return nil, required, &Error{Op: op, TicketID: t.ID, Err: ErrForbidden,
			Msg: fmt.Sprintf("a %s may see ticket %s (%s), but %s is for the reseller", a.Role, t.Ref, t.ID, op)}
	}
	return rows, required, nil
}

// next returns the status that an operation by an actor leads to, or an error that names the statuses that it takes.
func (t Ticket) next(op Op, a dedicated.Actor) (Status, error) {
	rows, _, err := t.rowsFor(op, a)
	if err != nil {
		return "", err
	}
	var want []Status
	for _, row := range rows {
		switch {
		case !slices.Contains(row.From, t.Status):
			want = append(want, row.From...)
		case row.To == "":
			return t.Status, nil
		default:
			return row.To, nil
		}
	}
	want = statusesFor(a, want...)
	status := statusesFor(a, t.Status)[0]
	return "", &Error{
		Op: op, TicketID: t.ID, Status: status, Want: want, Err: ErrConflict,
		Msg: fmt.Sprintf("ticket %s (%s) is %s: %s takes one that is %s", t.Ref, t.ID, status, op, text.Or(want)),
	}
}

// decision returns the Decision of the ticket after a change to a status.
func (t Ticket) decision(to Status) Status {
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
