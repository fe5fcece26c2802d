package cancellation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/metalkeep/metalkeep/dedicated"
	"github.com/metalkeep/metalkeep/internal/fault"
	"github.com/metalkeep/metalkeep/internal/zone"
	"github.com/metalkeep/metalkeep/refund"
)

// Biller is the host's money: without one there are no refunds.
type Biller interface {
	// Paid returns every charge of the server's present assignment, past, current and prepaid, in the server's currency,
	// with what of each was given back before. p is the billing period at the planned instant, or the first one; it is
	// there for information.
	Paid(ctx context.Context, s dedicated.Server, p dedicated.Period) ([]refund.Charge, error)
	// Refund pays back, once per Refund.Key, however often and by however many at once it is called with that key.
	Refund(ctx context.Context, r Refund) error
}

// Refund is what the host must pay back, once per Key. Amount is never zero.
type Refund struct {
	Key            uuid.UUID // UUIDv5 of the cancellation's ID over "refund": the same at every try
	CancellationID uuid.UUID
	ServerID       uuid.UUID
	ClientID       uuid.UUID
	ResellerID     uuid.UUID
	Amount         decimal.Decimal // above zero
	Currency       string          // ISO 4217
	Lines          []refund.Line   // what it is made of
	At             time.Time       // the planned instant, by which it is reckoned
}

// refund is what is paid back for an execution that has begun.
func (c Cancellation) refund() Refund {
	return Refund{
		Key: uuid.NewSHA1(c.ID, []byte("refund")), CancellationID: c.ID, ServerID: c.ServerID, ClientID: c.ClientID,
		ResellerID: c.ResellerID, Amount: c.Refund.Total, Currency: c.Currency, Lines: slices.Clone(c.Refund.Lines), At: c.At,
	}
}

// Quote says what would be paid back, line by line, if the server were cancelled so: by the same function that the
// execution uses. Without a Biller it is zero. Who may ask for which date is as for Schedule, but for the notice period
// and the locked days; a second cancellation is no matter. The Biller's and the formula's errors come back wrapped.
func (m *Manager) Quote(ctx context.Context, a dedicated.Actor, server uuid.UUID, w When) (refund.Result, error) {
	const op = "Quote"
	if !a.Manages(a.ResellerID) && !a.IsClient(a.ResellerID, a.ID) {
		return refund.Result{}, nobody(op, a)
	}
	s, err := m.server(ctx, op, a, server)
	if err != nil {
		return refund.Result{}, asError(op, uuid.Nil, server, err)
	}
	_, at, err := m.choose(op, a, s, w, m.now())
	if err != nil {
		return refund.Result{}, err
	}
	settings, err := m.settings(ctx, s.ResellerID)
	if err != nil {
		return refund.Result{}, asError(op, uuid.Nil, server, err)
	}
	result, err := m.owed(ctx, settings, s, at)
	return result, asError(op, uuid.Nil, server, err)
}

// owed is what is paid back for a server that is cancelled as of at: the one place that says so.
func (m *Manager) owed(ctx context.Context, settings Settings, s dedicated.Server, at time.Time) (refund.Result, error) {
	if m.config.Biller == nil {
		return refund.Result{}, nil
	}
	p, err := periodAt(at, s.Billing)
	if err != nil {
		return refund.Result{}, err
	}
	loc, err := zone.Load(s.Billing.Zone)
	if err != nil {
		return refund.Result{}, err
	}
	formula, err := settings.formula(m.config.RefundFormula)
	if err != nil {
		return refund.Result{}, err
	}
	question := refund.Case{At: at, ServiceStart: s.AssignedAt, Location: loc, Places: s.Billing.Places}
	err = fault.Guard("Biller.Paid", func() (err error) {
		question.Charges, err = m.config.Biller.Paid(ctx, s, p)
		return err
	})
	if err != nil {
		return refund.Result{}, fmt.Errorf("reading what was paid: %w", err)
	}
	var result refund.Result
	err = fault.Guard("the refund formula", func() (err error) {
		result, err = formula.Refund(question)
		return err
	})
	if err != nil {
		return refund.Result{}, fmt.Errorf("working out the refund: %w", err)
	}
	return kept(result), audit(question, result)
}

// kept is a result as it is stored: with times like all others, and no slice of the host's.
func kept(result refund.Result) refund.Result {
	result.Lines = slices.Clone(result.Lines)
	for i := range result.Lines {
		c := &result.Lines[i].Charge
		c.Start, c.End = zone.Instant(c.Start), zone.Instant(c.End)
	}
	return result
}

// errRefund: a formula of the host's gave what must not be paid.
var errRefund = errors.New("the refund formula is wrong")

// audit refuses a result that no formula may give, whoever wrote it: below zero, above what is left of what was paid,
// finer than the currency, or with lines that do not add up.
func audit(question refund.Case, result refund.Result) error {
	left, sum := decimal.Zero, decimal.Zero
	for _, c := range question.Charges {
		if rest := c.Paid.Sub(c.Refunded); rest.IsPositive() {
			left = left.Add(rest)
		}
	}
	for _, l := range result.Lines {
		sum = sum.Add(l.Amount)
	}
	switch total := result.Total; {
	case total.IsNegative():
		return fmt.Errorf("%w: %s is below zero", errRefund, total)
	case total.GreaterThan(left):
		return fmt.Errorf("%w: %s is more than the %s that is left of what was paid", errRefund, total, left)
	case !total.Equal(total.Truncate(question.Places)):
		return fmt.Errorf("%w: %s has more than the currency's %d places", errRefund, total, question.Places)
	case len(result.Lines) > 0 && !sum.Equal(total):
		return fmt.Errorf("%w: the lines add up to %s, the total is %s", errRefund, sum, total)
	}
	return nil
}
