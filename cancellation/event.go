package cancellation

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/internal/manage"
	"github.com/metalkeep/metalkeep/notify"
)

// The kinds of event that this package records. Their subject is the cancellation.
const (
	// KindScheduled tells the client that its order was accepted, or of a reseller's order with TellClient. Payload: Notice.
	KindScheduled notify.Kind = "cancellation.scheduled"
	// KindWarning tells the client that its server will be cancelled soon. Payload: Notice.
	KindWarning notify.Kind = "cancellation.warning"
	// KindRescheduled tells the client that the date has moved, if the client knows of the cancellation. Payload: Notice.
	KindRescheduled notify.Kind = "cancellation.rescheduled"
	// KindDiscarded tells the client that the cancellation was called off, if the client knows of the cancellation. Payload: Notice.
	KindDiscarded notify.Kind = "cancellation.discarded"
	// KindExecuted tells the client that the server was cancelled, and the refund. Payload: Statement.
	KindExecuted notify.Kind = "cancellation.executed"
	// KindServerTaken tells the client that its server was taken back, although the cancellation was given up after that, and the
	// refund if it was paid. Payload: Statement.
	KindServerTaken notify.Kind = "cancellation.server_taken"

	// KindScheduledByClient tells the reseller that the client has ordered a cancellation. Payload: Notice.
	KindScheduledByClient notify.Kind = "cancellation.scheduled_by_client"
	// KindRescheduledByClient tells the reseller that the client has moved its cancellation. Payload: Notice.
	KindRescheduledByClient notify.Kind = "cancellation.rescheduled_by_client"
	// KindDiscardedByClient tells the reseller that the client has called off its cancellation. Payload: Notice.
	KindDiscardedByClient notify.Kind = "cancellation.discarded_by_client"
	// KindPostponed tells the reseller that an execution was postponed because the client was warned too late. Payload: Notice.
	KindPostponed notify.Kind = "cancellation.postponed"
	// KindStuck tells the reseller that a cancellation has failed five times in a row. Payload: FailureNotice.
	KindStuck notify.Kind = "cancellation.stuck"
	// KindHeld tells the reseller, once a day, that Config.MaxExecutions was reached and cancellations wait for Confirm. It is about the
	// first of them. Payload: HeldNotice.
	KindHeld notify.Kind = "cancellation.held"
	// KindServerLeft tells the reseller that the server left its client before the date. Payload: Notice.
	KindServerLeft notify.Kind = "cancellation.server_left"
	// KindFailed tells the reseller that a cancellation was given up. Payload: FailureNotice.
	KindFailed notify.Kind = "cancellation.failed"
	// KindCompleted tells the reseller that the server waits in clean-up, and the refund. Payload: Statement.
	KindCompleted notify.Kind = "cancellation.completed"

	// KindClosed tells plug-ins that a cancellation was executed. Payload: Closed.
	KindClosed notify.Kind = "cancellation.closed"
)

// Notice is the payload of the events about a planned cancellation. Dates are in RFC 3339. Local dates are the same instants as
// the wall clock of the server's zone shows them, for people: "2026-12-01 00:00 CET".
type Notice struct {
	CancellationID uuid.UUID `json:"cancellation_id"`
	ServerID       uuid.UUID `json:"server_id"`
	ServerName     string    `json:"server_name"`
	Date           string    `json:"date"` // the planned date
	LocalDate      string    `json:"local_date"`
	FromDate       string    `json:"from_date"` // the date before; "" if the date has not moved
	FromLocalDate  string    `json:"from_local_date"`
	DaysLeft       int       `json:"days_left"` // calendar days until then, in the server's zone; 0 also if it is past
	Backdated      bool      `json:"backdated"` // the date was past when it was ordered
	By             string    `json:"by"`        // the role that ordered it: "client", "reseller", "system"
	Reason         string    `json:"reason"`
}

// FailureNotice is the payload of the events about a cancellation that fails. Dates are as in Notice.
type FailureNotice struct {
	CancellationID uuid.UUID `json:"cancellation_id"`
	ServerID       uuid.UUID `json:"server_id"`
	ServerName     string    `json:"server_name"`
	Date           string    `json:"date"` // the planned date
	LocalDate      string    `json:"local_date"`
	Step           string    `json:"step"`     // the first step that is not done; "" before the execution
	Attempts       int       `json:"attempts"` // consecutive failures
	Error          string    `json:"error"`
	RetryAt        string    `json:"retry_at"` // a local date; "" if the cancellation is over
}

// HeldNotice is the payload of "cancellation.held". Dates are as in Notice.
type HeldNotice struct {
	CancellationID uuid.UUID `json:"cancellation_id"`
	ServerID       uuid.UUID `json:"server_id"`
	ServerName     string    `json:"server_name"`
	Date           string    `json:"date"` // the planned date
	LocalDate      string    `json:"local_date"`
	Limit          int       `json:"limit"` // Config.MaxExecutions
}

// Statement is the payload of the events about an executed cancellation. Amounts have the currency's decimal places. Dates are
// as in Notice.
type Statement struct {
	CancellationID uuid.UUID       `json:"cancellation_id"`
	ServerID       uuid.UUID       `json:"server_id"`
	ServerName     string          `json:"server_name"`
	Date           string          `json:"date"` // the planned date, for which the refund was computed
	LocalDate      string          `json:"local_date"`
	Reason         string          `json:"reason"`
	Currency       string          `json:"currency"` // "" if there was no refund
	Total          string          `json:"total"`    // "" if there was no refund
	Lines          []StatementLine `json:"lines"`
}

// StatementLine is the refund of one charge, or a credit with the amount 0.
type StatementLine struct {
	Label  string `json:"label"`
	Paid   string `json:"paid"` // below 0 for a credit; with more decimals than the currency's only if the Biller said so
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
	At             time.Time       `json:"at"`    // the planned instant
	Done           time.Time       `json:"done"`  // the end of the last step
	Total          decimal.Decimal `json:"total"` // with the currency's decimals: "40.00"
	Currency       string          `json:"currency"`
}

// MarshalJSON writes the total as a string with all its decimals, so 40.00 stays 40.00. json.Unmarshal reads back the same.
func (c Closed) MarshalJSON() ([]byte, error) {
	type plain Closed
	return json.Marshal(struct {
		plain
		Total string `json:"total"`
	}{plain(c), exactAmount(c.Total)})
}

// exactAmount writes an amount so that decimal.NewFromString reads back the same value and scale.
func exactAmount(d decimal.Decimal) string {
	if e := d.Exponent(); e > 0 {
		return fmt.Sprintf("%de%d", d.Coefficient(), e)
	}
	return d.StringFixed(-d.Exponent())
}

// subject is the cancellation in events about the change that is about to be stored.
func (c Cancellation) subject() notify.Subject {
	return notify.Subject{ResellerID: c.ResellerID, ClientID: c.ClientID, ServerID: c.ServerID, ID: c.ID, Version: c.Version + 1}
}

// notice makes a fact about the planned execution.
func (c Cancellation) notice(kind notify.Kind, now time.Time, reason string) manage.Fact {
	return manage.Fact{Kind: kind, Subject: c.subject(), Payload: c.noticePayload(now, reason)}
}

func (c Cancellation) noticePayload(now time.Time, reason string) Notice {
	loc, at := c.location(), c.plannedExecution()
	return Notice{
		CancellationID: c.ID, ServerID: c.ServerID, ServerName: c.ServerName,
		Date: date(at, loc), LocalDate: localDate(at, loc), DaysLeft: max(daysLeft(now, at, loc), 0),
		Backdated: c.At.Before(c.Asked), By: c.By.Role.String(), Reason: reason,
	}
}

// moveNotice makes a fact about a date that has moved.
func (c Cancellation) moveNotice(kind notify.Kind, now, from time.Time) manage.Fact {
	payload := c.noticePayload(now, c.Reason)
	if !from.Equal(c.plannedExecution()) {
		payload.FromDate, payload.FromLocalDate = date(from, c.location()), localDate(from, c.location())
	}
	return manage.Fact{Kind: kind, Subject: c.subject(), Payload: payload}
}

// failureNotice makes a fact about a failure.
func (c Cancellation) failureNotice(kind notify.Kind) manage.Fact {
	loc := c.location()
	payload := FailureNotice{
		CancellationID: c.ID, ServerID: c.ServerID, ServerName: c.ServerName,
		Date: date(c.At, loc), LocalDate: localDate(c.At, loc), Attempts: c.Attempts, Error: c.LastError,
	}
	if !c.RetryAt.IsZero() {
		payload.RetryAt = localDate(c.RetryAt, loc)
	}
	for _, s := range c.Steps {
		if s.Done.IsZero() {
			payload.Step = s.Name
			break
		}
	}
	return manage.Fact{Kind: kind, Subject: c.subject(), Payload: payload}
}

// heldNotice makes a fact about a cancellation that waits for Confirm.
func (c Cancellation) heldNotice(limit int) manage.Fact {
	return manage.Fact{Kind: KindHeld, Subject: c.subject(), Payload: HeldNotice{
		CancellationID: c.ID, ServerID: c.ServerID, ServerName: c.ServerName,
		Date: date(c.At, c.location()), LocalDate: localDate(c.At, c.location()), Limit: limit,
	}}
}

// executedFacts are the facts about an executed cancellation: for the client, for the reseller and for plug-ins.
func (c Cancellation) executedFacts(now time.Time) []manage.Fact {
	closed := Closed{
		CancellationID: c.ID, ResellerID: c.ResellerID, ClientID: c.ClientID, ServerID: c.ServerID, Assignment: c.Assignment,
		At: c.At, Done: now, Total: withPlaces(c.Refund.Total, c.Places), Currency: c.Currency,
	}
	return []manage.Fact{
		{Kind: KindExecuted, Subject: c.subject(), Payload: c.statement()},
		{Kind: KindCompleted, Subject: c.subject(), Payload: c.statement()},
		{Kind: KindClosed, Subject: c.subject(), Payload: closed},
	}
}

// formatAmount writes an amount with the decimals of the currency. More decimals are written only if the amount needs them, so
// that no statement says another amount than the Biller.
func formatAmount(amount decimal.Decimal, places int32) string {
	for !amount.Equal(amount.Truncate(places)) { // it ends at the decimals that the amount has
		places++
	}
	return amount.StringFixed(places)
}

// statement is what a client and a reseller read about a cancellation that has taken the server.
func (c Cancellation) statement() Statement {
	s := Statement{
		CancellationID: c.ID, ServerID: c.ServerID, ServerName: c.ServerName,
		Date: date(c.At, c.location()), LocalDate: localDate(c.At, c.location()), Reason: c.Reason,
	}
	if c.Refund.Total.IsPositive() {
		s.Currency, s.Total = c.Currency, formatAmount(c.Refund.Total, c.Places)
	}
	for _, l := range c.Refund.Lines {
		s.Lines = append(s.Lines, StatementLine{
			Label: l.Charge.Label, Paid: formatAmount(l.Charge.Paid, c.Places), Amount: formatAmount(l.Amount, c.Places), Note: l.Note,
		})
	}
	return s
}

// givenUpFacts are the facts about an execution that was given up. A client whose server was taken is told so.
func (c Cancellation) givenUpFacts(taken bool) []manage.Fact {
	facts := []manage.Fact{c.failureNotice(KindFailed)}
	if taken {
		s := c.statement()
		if !c.stepDone(StepRefund) {
			s.Currency, s.Total, s.Lines = "", "", nil
		}
		facts = append(facts, manage.Fact{Kind: KindServerTaken, Subject: c.subject(), Payload: s})
	}
	return facts
}
