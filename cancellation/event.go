package cancellation

import (
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records; their subject is the cancellation.
const (
	// KindScheduled tells the client that its order is planned. Payload: Notice.
	KindScheduled notify.Kind = "cancellation.scheduled"
	// KindWarning tells the client that its server will be cancelled soon. Payload: Notice.
	KindWarning notify.Kind = "cancellation.warning"
	// KindRescheduled tells the client that ordered it or was warned that the date has moved. Payload: Notice.
	KindRescheduled notify.Kind = "cancellation.rescheduled"
	// KindDiscarded tells the client that ordered it or was warned that nothing will happen. Payload: Notice.
	KindDiscarded notify.Kind = "cancellation.discarded"
	// KindExecuted tells the client that the server is cancelled, and what is paid back. Payload: Statement.
	KindExecuted notify.Kind = "cancellation.executed"

	// KindOrdered tells the reseller that a client has ordered a cancellation. Payload: Notice.
	KindScheduledByClient notify.Kind = "cancellation.scheduled_by_client"
	// KindReordered tells the reseller that a client has moved its own. Payload: Notice.
	KindRescheduledByClient notify.Kind = "cancellation.rescheduled_by_client"
	// KindWithdrawn tells the reseller that a client has called its own off. Payload: Notice.
	KindDiscardedByClient notify.Kind = "cancellation.discarded_by_client"
	// KindPostponed tells the reseller that an execution waits until its client was warned long enough. Payload: Notice.
	KindPostponed notify.Kind = "cancellation.postponed"
	// KindStuck tells the reseller that it has failed five times in a row. Payload: FailureNotice.
	KindStuck notify.Kind = "cancellation.stuck"
	// KindLeft tells the reseller that the server left its client before the date. Payload: Notice.
	KindServerLeft notify.Kind = "cancellation.server_left"
	// KindFailed tells the reseller that it was given up. Payload: FailureNotice.
	KindFailed notify.Kind = "cancellation.failed"
	// KindCompleted tells the reseller that the server waits in clean-up, and what is paid back. Payload: Statement.
	KindCompleted notify.Kind = "cancellation.completed"

	// KindClosed tells plug-ins that a cancellation is executed. Payload: Closed.
	KindClosed notify.Kind = "cancellation.closed"
)

// Notice is the payload of what somebody is told about a planned cancellation. Dates are RFC 3339; local dates are the
// same ones as the wall clock of the server's zone shows them, for people: "2026-12-01 00:00 CET".
type Notice struct {
	CancellationID uuid.UUID `json:"cancellation_id"`
	ServerID       uuid.UUID `json:"server_id"`
	ServerName     string    `json:"server_name"`
	Date           string    `json:"date"` // when the server will be cancelled
	LocalDate      string    `json:"local_date"`
	FromDate       string    `json:"from_date"` // what was said before; "" where the date has not moved
	FromLocalDate  string    `json:"from_local_date"`
	DaysLeft       int       `json:"days_left"` // calendar days until then, in the server's zone
	By             string    `json:"by"`        // who ordered it: "client", "reseller", "system"
	Reason         string    `json:"reason"`
}

// FailureNotice is the payload of what the reseller is told when a cancellation does not get on. Dates are as in Notice.
type FailureNotice struct {
	CancellationID uuid.UUID `json:"cancellation_id"`
	ServerID       uuid.UUID `json:"server_id"`
	ServerName     string    `json:"server_name"`
	Date           string    `json:"date"` // the planned one
	LocalDate      string    `json:"local_date"`
	Step           string    `json:"step"`     // the first that is not done; "" before the execution
	Attempts       int       `json:"attempts"` // failures in a row
	Error          string    `json:"error"`
	RetryAt        string    `json:"retry_at"` // a local date; "" where it is over
}

// Statement is the payload of what somebody is told about an executed cancellation. Amounts have the currency's decimals,
// dates are as in Notice.
type Statement struct {
	CancellationID uuid.UUID       `json:"cancellation_id"`
	ServerID       uuid.UUID       `json:"server_id"`
	ServerName     string          `json:"server_name"`
	Date           string          `json:"date"` // the planned one, by which the refund is reckoned
	LocalDate      string          `json:"local_date"`
	Reason         string          `json:"reason"`
	Currency       string          `json:"currency"` // "" where nothing was to be refunded
	Total          string          `json:"total"`    // "" where nothing was to be refunded
	Lines          []StatementLine `json:"lines"`
}

// AccountLine is what is paid back of one charge.
type StatementLine struct {
	Label  string `json:"label"`
	Paid   string `json:"paid"`
	Amount string `json:"amount"`
	Note   string `json:"note"`
}

// Closed is the payload of "cancellation.closed". Times are in UTC.
type Closed struct {
	CancellationID uuid.UUID       `json:"cancellation_id"`
	ResellerID     uuid.UUID       `json:"reseller_id"`
	ClientID       uuid.UUID       `json:"client_id"`
	ServerID       uuid.UUID       `json:"server_id"`
	Assignment     uuid.UUID       `json:"assignment"`
	At             time.Time       `json:"at"`   // the planned instant
	Done           time.Time       `json:"done"` // when the last step was done
	Total          decimal.Decimal `json:"total"`
	Currency       string          `json:"currency"`
}

// fact is an event in the making.
type fact struct {
	kind    notify.Kind
	payload any
}

// place is the zone of the cancellation's dates.
func (c Cancellation) place() *time.Location { return place(c.Zone) }

// place is the zone to show dates in. A store or an inventory that kept an unknown one must not stop a cancellation: UTC.
func place(name string) *time.Location {
	loc, err := zone.Load(name)
	if err != nil {
		return time.UTC
	}
	return loc
}

// tell makes a fact about the planned date, or about the later one that the execution waits for.
func (c Cancellation) tell(kind notify.Kind, now time.Time, reason string) fact {
	loc, at := c.place(), c.planned()
	return fact{kind, Notice{
		CancellationID: c.ID, ServerID: c.ServerID, ServerName: c.ServerName,
		Date: date(at, loc), LocalDate: localDate(at, loc), DaysLeft: max(daysLeft(now, at, loc), 0),
		By: c.By.Role.String(), Reason: reason,
	}}
}

// tellMoved makes a fact about a date that has moved.
func (c Cancellation) tellMoved(kind notify.Kind, now, from time.Time) fact {
	f := c.tell(kind, now, c.Reason)
	notice := f.payload.(Notice)
	notice.FromDate, notice.FromLocalDate = date(from, c.place()), localDate(from, c.place())
	f.payload = notice
	return f
}

func (c Cancellation) complain(kind notify.Kind) fact {
	loc := c.place()
	p := FailureNotice{
		CancellationID: c.ID, ServerID: c.ServerID, ServerName: c.ServerName,
		Date: date(c.At, loc), LocalDate: localDate(c.At, loc), Attempts: c.Attempts, Error: c.LastError,
	}
	if !c.RetryAt.IsZero() {
		p.RetryAt = localDate(c.RetryAt, loc)
	}
	for _, s := range c.Steps {
		if s.Done.IsZero() {
			p.Step = s.Name
			break
		}
	}
	return fact{kind, p}
}

// closing is what everybody is told of an executed cancellation.
func (c Cancellation) closing(now time.Time) []fact {
	account := Statement{
		CancellationID: c.ID, ServerID: c.ServerID, ServerName: c.ServerName,
		Date: date(c.At, c.place()), LocalDate: localDate(c.At, c.place()), Reason: c.Reason,
	}
	if c.Refund.Total.IsPositive() {
		account.Currency, account.Total = c.Currency, c.Refund.Total.StringFixed(c.Places)
	}
	for _, l := range c.Refund.Lines {
		account.Lines = append(account.Lines, StatementLine{
			Label: l.Charge.Label, Paid: l.Charge.Paid.StringFixed(c.Places), Amount: l.Amount.StringFixed(c.Places), Note: l.Note,
		})
	}
	return []fact{
		{KindExecuted, account},
		{KindCompleted, account},
		{KindClosed, Closed{
			CancellationID: c.ID, ResellerID: c.ResellerID, ClientID: c.ClientID, ServerID: c.ServerID, Assignment: c.Assignment,
			At: c.At, Done: now, Total: c.Refund.Total, Currency: c.Currency,
		}},
	}
}

// events makes the facts about a cancellation that is about to be stored into events.
func (c Cancellation) events(now time.Time, facts []fact) ([]notify.Event, error) {
	subject := notify.Subject{ResellerID: c.ResellerID, ClientID: c.ClientID, ServerID: c.ServerID, ID: c.ID, Version: c.Version + 1}
	var events []notify.Event
	for _, f := range facts {
		e, err := subject.Event(f.kind, now, f.payload)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// Kinds are this package's events, for notify.NewCatalog, with texts in English and German.
func Kinds() []notify.Spec {
	return notify.WithHTML(notify.Translate(notify.Explain(kinds(), meanings()), "de", german()))
}

func kinds() []notify.Spec {
	specs := append(clientKinds(), resellerKinds()...)
	id := sampleID()
	return append(specs, notify.Spec{
		Kind: KindClosed, Audience: notify.ToHost, Group: group, Description: "A cancellation was executed.",
		Sample: Closed{
			CancellationID: id, ResellerID: id, ClientID: id, ServerID: id, Assignment: id,
			At: sampleDate(), Done: sampleDate(), Total: decimal.New(4516, -2), Currency: "EUR",
		},
	})
}
